"""Events out of any pieces of a stream: the same, however the bytes are cut."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.dialects.sse import EVENT_BYTES_MAX, EventSplitter, EventTooLargeError, data_of

LINE = st.text(st.characters(exclude_characters="\r\n", codec="utf-8"), min_size=1, max_size=20)
EVENTS = st.lists(st.lists(LINE, min_size=1, max_size=3), max_size=6)


def fed(pieces: list[bytes]) -> tuple[list[bytes], bytes, bytes]:
    """All events, all whole bytes, and what is left."""
    splitter, events, whole = EventSplitter(), [], b""
    for piece in pieces:
        block = splitter.feed(piece)
        events += block.events
        whole += block.whole
    return events, whole, splitter.rest()


def cut(stream: bytes, places: list[int]) -> list[bytes]:
    """The stream in pieces."""
    at = sorted({place % (len(stream) + 1) for place in places} | {0, len(stream)})
    return [stream[start:end] for start, end in itertools.pairwise(at)]


@given(EVENTS, st.sampled_from(["\n", "\r\n", "\r"]), st.lists(st.integers(0, 10_000), max_size=12))
def test_events_do_not_depend_on_where_the_stream_is_cut(
    events: list[list[str]], line_end: str, places: list[int]
) -> None:
    texts = [line_end.join(lines).encode() for lines in events]
    blank = (line_end * 2).encode()
    stream = b"".join(text + blank for text in texts)
    found, whole, rest = fed(cut(stream, places))
    assert found == texts
    assert whole + rest == stream
    assert rest == b""


@given(st.binary(max_size=200), st.lists(st.integers(0, 10_000), max_size=8))
def test_no_byte_is_lost_whatever_comes(stream: bytes, places: list[int]) -> None:
    _, whole, rest = fed(cut(stream, places))
    assert whole + rest == stream


def test_an_event_without_its_blank_line_is_left_over() -> None:
    assert fed([b"data: 1\n\ndata: 2\n"]) == ([b"data: 1"], b"data: 1\n\n", b"data: 2\n")


def test_an_event_without_end_is_refused() -> None:
    splitter = EventSplitter()
    splitter.feed(b"x" * EVENT_BYTES_MAX)
    with pytest.raises(EventTooLargeError):
        splitter.feed(b"x")


@pytest.mark.parametrize(
    ("event", "data"),
    [
        (b"data: one", b"one"),
        (b"data:one", b"one"),
        (b"data:  two spaces", b" two spaces"),
        (b"event: message\ndata: one", b"one"),
        (b"data: one\ndata: two", b"one\ntwo"),
        (b"data: one\r\ndata: two", b"one\ntwo"),
        (b": a comment", b""),
        (b"id: 7", b""),
        (b"", b""),
    ],
)
def test_the_data_of_an_event(event: bytes, data: bytes) -> None:
    assert data_of(event) == data
