"""What the engine needs kept: open leases, totals of closed ones, and who the holders are.

The one rule: a commit is all or nothing, and after another controller has opened the same store
every commit of the older one fails. Writes are values, so that a store can be tested without an
engine and an engine without a store. This module must not know why anything is written.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from farebox.core.budgets import Charge
from farebox.core.instant import UtcMs
from farebox.core.leases import LeaseId, LeaseState
from farebox.core.money import Nanos
from farebox.wire.messages import Workload


class StoreError(Exception):
    """The store can't do what it was asked, with a sentence that says what to do."""


class Fenced(StoreError):
    """Another controller has opened this store since."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PutAccount:
    """Keep one holder's open lease as it is now. `window_ends` is None for a lifetime."""

    lease: LeaseId
    holder: str
    granted: Nanos
    returned: Nanos
    spent: Nanos
    state: LeaseState
    window_ends: UtcMs | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CloseAccount:
    """Remove an open lease and add what it spent to a closed total.

    `window_ends` is None for a window that never ends: such a lease that lies idle is closed too,
    and opened again under the next number (see `ClosedTotal.last`).
    """

    lease: LeaseId
    holder: str
    spent: Nanos
    window_ends: UtcMs | None

    @property
    def total(self) -> LeaseId:
        """The total that rises: that of the window, or the one of a window that never ends."""
        return self.lease if self.window_ends is not None else LeaseId(self.lease.charge, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class PutHolder:
    """Keep who a holder is and how often its journal was opened."""

    holder: str
    boot_seq: int
    workload: Workload


@dataclass(frozen=True, slots=True, kw_only=True)
class ForgetHolder:
    """Remove a holder that has no lease, and the mark of a poisoned one."""

    holder: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PoisonHolder:
    """Keep that a holder was written off: it is never accepted again."""

    holder: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ForgetWindow:
    """Remove all leases and the closed total of a (sub-)pool in a window long over."""

    lease: LeaseId
    window_ends: UtcMs


@dataclass(frozen=True, slots=True, kw_only=True)
class PutBucket:
    """Keep the level of a (sub-)pool's token bucket at an instant. An overdraft makes it negative.

    Of the buckets of one commit, and of those of the accounts, each is as its place in the order
    says: where a commit becomes several transactions, what is done of it must be its beginning.
    """

    charge: Charge
    level: Nanos
    at: UtcMs


Write = (
    PutAccount | CloseAccount | PutHolder | ForgetHolder | PoisonHolder | ForgetWindow | PutBucket
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClosedTotal:
    """What the closed leases of one (sub-)pool and window spent together.

    `last`: the highest number of a lease among them when the window never ends, else 0.
    """

    lease: LeaseId
    spent: Nanos
    window_ends: UtcMs | None
    last: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """All that is kept, at the moment of opening.

    `epoch` numbers the openings of this store. `clock_floor` is the latest end of a window in which
    a lease was closed or forgotten: money is never lent again in a window that ended by then, even
    when this machine's clock has gone back.
    """

    epoch: int
    clock_floor: UtcMs = UtcMs(0)
    accounts: tuple[PutAccount, ...] = ()
    closed: tuple[ClosedTotal, ...] = ()
    holders: tuple[PutHolder, ...] = ()
    buckets: tuple[PutBucket, ...] = ()
    poisoned: tuple[str, ...] = ()


class Store(Protocol):
    """One writer at a time; every method may raise StoreError."""

    async def open(self) -> Snapshot:
        """Take the store over (the epoch rises by one) and read all of it."""

    async def commit(self, writes: Sequence[Write]) -> None:
        """Make the writes durable, in their order, all or none. Raises Fenced after a takeover."""

    async def close(self) -> None:
        """Let go of the store; nothing is committed afterwards."""
