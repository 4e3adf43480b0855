"""How much work one pod may make for the controller, over all its streams.

Work is counted in leases: about a tenth of a millisecond each. What an honest sidecar says in a
second is far below what flows in, and all that it has may be told at once when it comes. The one
rule: who has made more than that waits, alone; nothing of it is lost. This module must not know
streams, or who the pod is.
"""

import asyncio
from typing import Final

from farebox.wire.messages import FromSidecar, Report

WORK_MAX: Final = 20_000
"""So much at once: a Hello with as many leases as a pod may have, and some messages."""

WORK_PER_S: Final = 2_000
READ_WAIT_S_MAX: Final = 3.0
"""No message waits longer: a sidecar that hears nothing for 5 s, at default settings, takes its
controller for gone, comes again and says all that it has once more.
"""

MESSAGE_WORK: Final = 10
WANT_WORK: Final = 4
STREAM_WORK: Final = 200
"""A stream is a connection, a Welcome and a policy; so a pod may come ten times a second."""


class Pace:
    """The work of one pod: `WORK_MAX` at once, and what flows in.

    What it owes beyond that delays its messages for a while at most, and its new streams until it
    is paid.
    """

    def __init__(self) -> None:
        self._to_read = float(WORK_MAX)
        self._to_come = float(WORK_MAX)
        self._at = 0.0
        self._turn = asyncio.Lock()

    def is_rested(self, now: float) -> bool:
        """Whether nothing is known here that a new one does not know."""
        self._refill(now)
        return min(self._to_read, self._to_come) >= WORK_MAX

    def may_come(self, now: float) -> bool:
        """Whether another stream is welcome, and then it has been counted."""
        self._refill(now)
        if self._to_come < STREAM_WORK:
            return False
        self._spend(STREAM_WORK)
        return True

    async def take(self, message: FromSidecar) -> None:
        """Count a message, and wait until those before it are paid for, but not for ever."""
        loop = asyncio.get_running_loop()
        async with self._turn:
            self._refill(loop.time())
            if self._to_read < 0:
                await asyncio.sleep(-self._to_read / WORK_PER_S)
                self._refill(loop.time())
            self._spend(work_of(message))

    def _spend(self, work: int) -> None:
        self._to_read = max(self._to_read - work, -READ_WAIT_S_MAX * WORK_PER_S)
        self._to_come = max(self._to_come - work, -float(WORK_MAX))

    def _refill(self, now: float) -> None:
        if now > self._at:
            more = (now - self._at) * WORK_PER_S
            self._to_read = min(float(WORK_MAX), self._to_read + more)
            self._to_come = min(float(WORK_MAX), self._to_come + more)
            self._at = now


def work_of(message: FromSidecar) -> int:
    """What a message makes to do."""
    wants = len(message.wants) if isinstance(message, Report) else 0
    return MESSAGE_WORK + len(message.leases) + WANT_WORK * wants
