"""The bytes of answers."""

import pytest

from sidecar.inbound import answer


def test_a_whole_answer_says_its_length() -> None:
    told = answer.whole(200, b"a: b\r\n", b"body", keep_alive=True)
    assert told == b"HTTP/1.1 200 OK\r\na: b\r\ncontent-length: 4\r\n\r\nbody"


def test_the_last_answer_of_a_connection_says_so() -> None:
    assert b"\r\nconnection: close\r\n" in answer.whole(200, b"", b"", keep_alive=False)
    assert b"\r\nconnection: close\r\n" in answer.head(200, b"", chunked=False, keep_alive=False)


@pytest.mark.parametrize(
    ("status", "start"),
    [(429, b"HTTP/1.1 429 Too Many Requests\r\n"), (599, b"HTTP/1.1 599 Other\r\n")],
)
def test_a_status_without_a_name_is_passed_on(status: int, start: bytes) -> None:
    assert answer.whole(status, b"", b"", keep_alive=True).startswith(start)


def test_an_answer_in_pieces() -> None:
    head = answer.head(200, b"a: b\r\n", chunked=True, keep_alive=True)
    assert head == b"HTTP/1.1 200 OK\r\na: b\r\ntransfer-encoding: chunked\r\n\r\n"
    assert answer.chunk(b"x" * 26) + answer.LAST_CHUNK == b"1a\r\n" + b"x" * 26 + b"\r\n0\r\n\r\n"


def test_what_a_header_can_not_say_is_not_lost_silently() -> None:
    assert answer.lines_of((("a", "caf\u00e9"), ("b", "\u4e16"))) == b"a: caf\xe9\r\nb: ?\r\n"
