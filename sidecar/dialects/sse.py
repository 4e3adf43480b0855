"""Server-sent events: any pieces of a byte stream in, whole events out.

The one rule: bytes are kept as they are, and only whole events come out, so that a reader may drop
or add events between them. This module must not know what events carry.
"""

import re
from typing import Final

import msgspec

EVENT_BYTES_MAX: Final = 4 * 1024 * 1024
"""A longer event breaks the stream."""

_BLANK_LINE: Final = re.compile(rb"\r\n\r\n|\n\n|\r\r|\r\n\n|\n\r\n")
_LINE_END: Final = re.compile(rb"\r\n|\n|\r")
_TERMINATOR_BYTES_MAX: Final = 4


class EventTooLargeError(ValueError):
    """An event is longer than EVENT_BYTES_MAX."""


class Block(msgspec.Struct, frozen=True, gc=False):
    """Whole events: their bytes with all terminators, and each event without its terminator."""

    whole: bytes
    events: list[bytes]


_NOTHING: Final = Block(b"", [])


class EventSplitter:
    """Cuts a stream at its blank lines."""

    def __init__(self) -> None:
        self._rest = bytearray()

    def feed(self, data: bytes) -> Block:
        """Take the next piece; returns the events that are whole now. Raises EventTooLargeError."""
        if self._rest or b"\r" in data:
            return self._feed_joined(data)
        # Nearly always a piece is one or more whole events that end in "\n\n".
        if data.endswith(b"\n\n"):
            return Block(data, data[:-2].split(b"\n\n"))
        return self._feed_joined(data)

    def rest(self) -> bytes:
        """What has come after the last whole event; the stream is over."""
        rest = bytes(self._rest)
        self._rest.clear()
        return rest

    def _feed_joined(self, data: bytes) -> Block:
        # A terminator can begin in what is there already, but no earlier than its own length.
        searched = max(0, len(self._rest) - _TERMINATOR_BYTES_MAX)
        self._rest += data
        events, start = [], 0
        for match in _BLANK_LINE.finditer(self._rest, searched):
            events.append(bytes(self._rest[start : match.start()]))
            start = match.end()
        if len(self._rest) - start > EVENT_BYTES_MAX:
            raise EventTooLargeError(
                f"an event of the stream is longer than {EVENT_BYTES_MAX} bytes"
            )
        if not events:
            return _NOTHING
        whole = bytes(self._rest[:start])
        del self._rest[:start]
        return Block(whole, events)


def data_of(event: bytes) -> bytes:
    """The `data` of an event; b"" for comments and events without any."""
    if event.startswith(b"data: ") and b"\n" not in event and b"\r" not in event:
        return event[6:]
    lines = (line for line in _LINE_END.split(event) if line.startswith(b"data:"))
    return b"\n".join(line[5:].removeprefix(b" ") for line in lines)
