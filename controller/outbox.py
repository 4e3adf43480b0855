"""What waits to be written to one sidecar.

All that is said is a level: a newer total, limit or policy makes the older one needless, so the box
holds at most one message of a kind for each lease. The one rule: what is put in later comes out
later, whatever it replaces. This module must not know gRPC.
"""

import asyncio
from typing import Final

from farebox.core.leases import LeaseId
from farebox.wire.messages import (
    Denial,
    FromController,
    Grant,
    LeaseClosed,
    PolicyPush,
    ReportAck,
    ShrinkTo,
    Welcome,
)

MESSAGES_MAX: Final = 65_536
"""A sidecar that reads so slowly loses its stream, and learns everything anew from a Hello."""


class OutboxFull(Exception):
    """A sidecar does not read what it is sent."""


class Outbox:
    """The messages of one stream, and its end."""

    def __init__(self, *, messages_max: int = MESSAGES_MAX) -> None:
        self._messages: dict[tuple[type, LeaseId | None], FromController] = {}
        self._messages_max = messages_max
        self._news = asyncio.Event()
        self._ended = False

    def __len__(self) -> int:
        return len(self._messages)

    def put(self, message: FromController) -> None:
        """Add a message. Raises OutboxFull."""
        key = _key_of(message)
        self._messages.pop(key, None)
        if len(self._messages) >= self._messages_max:
            raise OutboxFull
        self._messages[key] = message
        self._news.set()

    def end(self) -> None:
        """Let the stream end after what is in the box now."""
        self._ended = True
        self._news.set()

    async def take(self) -> tuple[FromController, ...]:
        """Wait for messages and take them all; empty when the stream is to end."""
        while not self._messages and not self._ended:
            self._news.clear()
            await self._news.wait()
        messages = tuple(self._messages.values())
        self._messages.clear()
        return messages


def _key_of(message: FromController) -> tuple[type, LeaseId | None]:
    match message:
        case Grant() | ShrinkTo() | Denial() | LeaseClosed():
            return type(message), message.lease
        case Welcome() | ReportAck() | PolicyPush():
            return type(message), None
