"""The bytes of answers to callers.

The one rule: lengths and framing are written here from what is really sent, and header lines come
ready from whoever knows what they say. This module must not know sockets.
"""

import http
from collections.abc import Iterable
from typing import Final

CHUNKED: Final = b"transfer-encoding: chunked\r\n"
CLOSE: Final = b"connection: close\r\n"
CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"
LAST_CHUNK: Final = b"0\r\n\r\n"

_STARTS: Final = {
    status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode("ascii")
    for status in http.HTTPStatus
}


def lines_of(headers: Iterable[tuple[str, str]]) -> bytes:
    """Header fields as lines. What Latin-1 cannot say is written as "?"."""
    text = "".join([f"{name}: {value}\r\n" for name, value in headers])
    return text.encode("latin-1", "replace")


def whole(status: int, lines: bytes, body: bytes, *, keep_alive: bool) -> bytes:
    """An answer in one piece."""
    length = b"content-length: %d\r\n\r\n" % len(body)
    return b"".join((_start(status), lines, b"" if keep_alive else CLOSE, length, body))


def head(status: int, lines: bytes, *, chunked: bool, keep_alive: bool) -> bytes:
    """The head of an answer whose length is not known; one that is not chunked ends by closing."""
    framing = CHUNKED if chunked else b""
    return b"".join((_start(status), lines, framing, b"" if keep_alive else CLOSE, b"\r\n"))


def chunk(data: bytes) -> bytes:
    """One piece of a chunked answer; an empty one would end it."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def _start(status: int) -> bytes:
    # A provider may send a status that has no name.
    return _STARTS.get(status) or b"HTTP/1.1 %d Other\r\n" % status
