"""A sidecar's leasing as the judge sees it: whether anybody can be asked, and orders of the past.

A stream ends with its controller, so no network brings such an order late; but a stopped controller
may go on after its end, and nothing but the epoch tells its orders from those of its successor. The
one rule: an old order changes nothing. This module must not know who sends anything.
"""

from collections import Counter
from typing import Final

from farebox.core.instant import BootMs
from farebox.core.money import ZERO
from farebox.wire.messages import (
    FromController,
    Goodbye,
    Grant,
    Hello,
    ReportAck,
    ShrinkTo,
    Welcome,
    Workload,
)
from sidecar.leasing import Heard, Leasing
from sidecar.purse import Purse
from tests.simulation.oracle import Violation

SLACK_MS: Final = 55
"""A holder ends its time to live so much early, and what it rounds."""


class WatchedLeasing(Leasing):
    """Leasing that hears an old controller's orders right after a new one has welcomed it.

    It keeps its own account of whether anybody can be asked.
    """

    def __init__(self, purse: Purse, workload: Workload, counts: Counter[str]) -> None:
        """`counts` is told how many orders there were."""
        super().__init__(purse, workload)
        self.last_word: Goodbye | None = None
        self._held_by = purse
        self._counts = counts
        self._up = False
        self._greeted_at = BootMs(0)
        self._slack_ms = self._lives_until = 0

    def hello(self, now: BootMs) -> Hello:
        self._greeted_at = now
        return super().hello(now)

    def goodbye(self, now: BootMs) -> Goodbye:
        self.last_word = super().goodbye(now)
        return self.last_word

    def disconnected(self) -> None:
        self._up = False
        super().disconnected()

    def may_be_away(self, now: BootMs) -> bool:
        """Whether this holder may think that nobody can be asked."""
        return not self._up or now >= self._lives_until - self._slack_ms

    def is_away(self, now: BootMs) -> bool:
        """Whether this holder must know that nobody can be asked."""
        return not self._up or now >= self._lives_until

    def _note_life(self, message: FromController, heard: Heard) -> None:
        """From when a message answers what was said, so long as it says, this holder lives."""
        match message:
            case Welcome():
                self._up = not heard.outdated and not heard.refused
                self._slack_ms = message.ttl * message.drift_ppm // 1_000_000 + SLACK_MS
                lives = self._greeted_at + message.ttl if self._up else 0
            case Grant() | ReportAck():
                lives = message.echo_boot_ms + message.ttl
            case _:
                return
        self._lives_until = max(self._lives_until, lives)

    def hear(self, message: FromController, now: BootMs) -> Heard:
        known = self._held_by.epoch
        heard = super().hear(message, now)
        self._note_life(message, heard)
        if isinstance(message, Welcome) and known and self._held_by.epoch > known:
            self._hear_old_orders(known, now)
        return heard

    def _hear_old_orders(self, epoch: int, now: BootMs) -> None:
        before = tuple(self._held_by.leases())
        for lease in before:
            self._counts["order of a deposed controller"] += 1
            super().hear(ShrinkTo(epoch=epoch, lease=lease.id, limit=ZERO), now)
        if tuple(self._held_by.leases()) != before:
            raise Violation(
                f"I7: an order of epoch {epoch} is obeyed after epoch {self._held_by.epoch}"
            )
