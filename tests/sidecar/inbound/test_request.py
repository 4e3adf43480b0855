"""A request's head as it was sent."""

from sidecar.inbound.request import Head


def test_fields_are_found_by_lower_case_and_the_first_counts() -> None:
    head = Head(((b"X-User", b"ana"), (b"x-user", b"ben"), (b"X-Name", "zo\u00eb".encode())))
    assert head.fields == {"x-user": "ana", "x-name": "zo\u00eb"}


def test_what_is_forwarded_is_what_was_sent_but_for_what_is_ours() -> None:
    head = Head(
        (
            (b"Authorization", b"Bearer sk"),
            (b"X-Farebox-User", b"ana"),
            (b"Connection", b"keep-alive"),
            (b"OpenAI-Beta", b"a"),
            (b"OpenAI-Beta", b"b"),
        )
    )
    assert head.lines == b"OpenAI-Beta: a\r\nOpenAI-Beta: b\r\n"
    assert head.authorization == b"authorization: Bearer sk\r\n"


def test_bytes_that_are_no_text_do_not_fail() -> None:
    assert (
        Head(((b"x", b"\xff\xfe"),)).fields["x"].encode("utf-8", "surrogateescape") == b"\xff\xfe"
    )
