"""Orders of a controller that was deposed since: they may reach a sidecar, which must not obey.

A stream ends with its controller, so no network brings such an order late; but a stopped controller
may go on after its end, and nothing but the epoch tells its orders from those of its successor. The
one rule: an old order changes nothing. This module must not know who sends anything.
"""

from collections import Counter

from farebox.core.instant import BootMs
from farebox.core.money import ZERO
from farebox.wire.messages import FromController, ShrinkTo, Welcome, Workload
from sidecar.leasing import Heard, Leasing
from sidecar.purse import Purse
from tests.simulation.oracle import Violation


class WatchedLeasing(Leasing):
    """Leasing that hears an old controller's orders right after a new one has welcomed it."""

    def __init__(self, purse: Purse, workload: Workload, counts: Counter[str]) -> None:
        """`counts` is told how many orders there were."""
        super().__init__(purse, workload)
        self._held_by = purse
        self._counts = counts

    def hear(self, message: FromController, now: BootMs) -> Heard:
        known = self._held_by.epoch
        heard = super().hear(message, now)
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
