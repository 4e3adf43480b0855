"""Money that a holder tells of and the ledger does not know: whether it can be believed.

A ledger that was restored from a copy lacks what was lent since, and its holders bring it back. A
pod can also make it up. The one rule: of a pod that is known, no more is believed than a controller
can have lent it: of pools within its namespace's reach, of windows that have begun or are about to
and still count, and so many leases in a time. Where a sidecar says itself who it is, everything is
believed that has a number which leases have. This module must not know what becomes of the money.
"""

import enum
from collections.abc import Collection
from typing import Final

from controller.belonging import within_reach
from controller.world import Holder, World
from farebox.core.budgets import PoolUid
from farebox.core.instant import UTC_MS_MAX, DurationMs, UtcMs
from farebox.core.leases import LeaseId
from farebox.core.windows import WindowType, window_at
from farebox.wire.messages import Counters

WINDOW_MAX: Final = UTC_MS_MAX - 366 * 86_400_000
"""No window begins later: its end could not be written as a date."""

NUMBER_MAX: Final = 2**62
"""Leases without an end have lower numbers; so there are always higher ones for the next."""

AHEAD_MS_MAX: Final = DurationMs(600_000)
"""Money of a window is lent up to two heartbeats before it begins, two minutes where there are most
holders; the rest is for the clocks of controllers that have led one after the other."""


class Unbelieved(enum.StrEnum):
    """Why a lease is not believed, as it is logged."""

    NO_NUMBER = "no lease has such a number"
    OUT_OF_REACH = "no pool within the pod's reach lent it"
    NOT_BEGUN = "nothing is lent so long before a window begins"
    FORGOTTEN = "its window is long over"
    TOO_MANY = "one pod may not bring so many"


class Judge:
    """Judges what one message tells; what can be reached is worked out once, if it matters."""

    def __init__(self, world: World, holder: Holder) -> None:
        self._world = world
        self._holder = holder
        self._reach: frozenset[PoolUid] | None = None

    def doubt(self, item: Counters) -> Unbelieved | None:
        """Why an unknown lease is not believed; None when it is, and then it has been counted."""
        if _is_made_up(self._world, item.lease):
            return Unbelieved.NO_NUMBER
        if not self._holder.workload.uid:
            return None
        if not self._is_within_reach(item.lease.charge.pool):
            return Unbelieved.OUT_OF_REACH
        return _untimely(self._world, item.lease) or self._one_too_many(item)

    def _is_within_reach(self, uid: PoolUid) -> bool:
        workload = self._holder.workload
        if uid not in self._world.pools:
            # Whose a pool is that is gone, its name says.
            return uid.startswith(f"{workload.namespace}/")
        if self._reach is None:
            self._reach = within_reach(self._world, workload)
        return uid in self._reach

    def _one_too_many(self, item: Counters) -> Unbelieved | None:
        if not (item.granted or item.returned or item.spent or item.reserved):
            # Nothing is kept of it.
            return None
        world = self._world
        uid, terms = self._holder.workload.uid, world.terms
        admitted = world.brought.admit(uid, world.now, terms.forget_after)
        within = admitted and world.may_have_more(self._holder)
        return None if within else Unbelieved.TOO_MANY


def sentence(holder: Holder, doubts: Collection[tuple[LeaseId, Unbelieved]]) -> str:
    """What is logged about the leases of one message that were not believed."""
    reasons = sorted({str(reason) for _, reason in doubts})
    lease, _ = next(iter(doubts))
    return (
        f"holder {holder.uid} of pod {holder.workload.namespace}/{holder.workload.name} reports "
        f"{len(doubts)} leases that nobody can have lent it, such as {lease}: not believed, for "
        f"{'; '.join(reasons)}"
    )


def _is_made_up(world: World, lease: LeaseId) -> bool:
    """Whether no controller can have given this number out, whatever a ledger has lost."""
    pool = world.pools.get(lease.charge.pool)
    has_end = pool is not None and pool.window.type in {WindowType.FIXED, WindowType.SLIDING}
    return lease.window > (WINDOW_MAX if has_end else NUMBER_MAX)


def _untimely(world: World, lease: LeaseId) -> Unbelieved | None:
    """Whether a window is too far ahead, or so long over that its money counts nowhere."""
    pool = world.pools.get(lease.charge.pool)
    if pool is not None and pool.window.type not in {WindowType.FIXED, WindowType.SLIDING}:
        return None
    if lease.window > world.now + AHEAD_MS_MAX:
        # Numbers of leases without an end, of a pool that is gone, are far below any instant.
        return Unbelieved.NOT_BEGUN
    if pool is None or lease.window == 0:
        return None
    window = window_at(pool.window, UtcMs(lease.window))
    counts_until, ends = window.counts_until or 0, window.ends or 0
    over = max(counts_until, ends + world.terms.forget_after)
    return Unbelieved.FORGOTTEN if over <= world.now else None
