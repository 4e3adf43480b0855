"""A ledger in memory: for tests and simulation, and the shortest statement of what a store does.

The one rule: it behaves like every other store, takeover included. This module must not know files.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from controller.store.protocol import (
    CloseAccount,
    ClosedTotal,
    Fenced,
    ForgetHolder,
    ForgetWindow,
    PoisonHolder,
    PutAccount,
    PutBucket,
    PutHolder,
    Snapshot,
    Write,
)
from farebox.core.budgets import Charge
from farebox.core.instant import UtcMs
from farebox.core.leases import LeaseId
from farebox.core.money import Nanos


@dataclass(slots=True)
class Tables:
    """What outlives a controller: hand the same tables to the store of its successor.

    Accounts are changed by `apply` only: it keeps the index of their holders.
    """

    epoch: int = 0
    clock_floor: UtcMs = UtcMs(0)
    accounts: dict[tuple[LeaseId, str], PutAccount] = field(default_factory=dict)
    closed: dict[LeaseId, ClosedTotal] = field(default_factory=dict)
    holders: dict[str, PutHolder] = field(default_factory=dict)
    buckets: dict[Charge, PutBucket] = field(default_factory=dict)
    poisoned: set[str] = field(default_factory=set)
    holders_of: dict[LeaseId, set[str]] = field(default_factory=dict, repr=False, compare=False)


class MemoryStore:
    """A store over `tables`, new ones unless given."""

    def __init__(self, tables: Tables | None = None) -> None:
        self._tables = tables or Tables()
        self._epoch = 0

    async def open(self) -> Snapshot:
        snapshot = take_over(self._tables)
        self._epoch = snapshot.epoch
        return snapshot

    async def commit(self, writes: Sequence[Write]) -> None:
        if self._epoch != self._tables.epoch:
            raise Fenced("another controller has taken this ledger over; this one must end")
        for write in writes:
            apply(self._tables, write)

    async def close(self) -> None:
        self._epoch = -1


def take_over(tables: Tables) -> Snapshot:
    """Begin the next epoch and read everything."""
    tables.epoch += 1
    return snapshot_of(tables)


def snapshot_of(tables: Tables) -> Snapshot:
    """All that the tables have, as an engine starts with it."""
    return Snapshot(
        epoch=tables.epoch,
        clock_floor=tables.clock_floor,
        accounts=tuple(tables.accounts.values()),
        closed=tuple(tables.closed.values()),
        holders=tuple(tables.holders.values()),
        buckets=tuple(tables.buckets.values()),
        poisoned=tuple(sorted(tables.poisoned)),
    )


def apply(tables: Tables, write: Write) -> None:
    """Do one write."""
    match write:
        case PutAccount():
            tables.accounts[write.lease, write.holder] = write
            tables.holders_of.setdefault(write.lease, set()).add(write.holder)
        case CloseAccount():
            _remove_account(tables, write)
            _raise_total(tables, write)
        case PutHolder():
            tables.holders[write.holder] = write
        case ForgetHolder():
            tables.holders.pop(write.holder, None)
            tables.poisoned.discard(write.holder)
        case PoisonHolder():
            tables.poisoned.add(write.holder)
        case PutBucket():
            tables.buckets[write.charge] = write
        case ForgetWindow():
            for holder in tables.holders_of.pop(write.lease, ()):
                del tables.accounts[write.lease, holder]
            tables.closed.pop(write.lease, None)
            tables.clock_floor = max(tables.clock_floor, write.window_ends)


def _remove_account(tables: Tables, write: CloseAccount) -> None:
    if tables.accounts.pop((write.lease, write.holder), None) is not None:
        tables.holders_of[write.lease].discard(write.holder)
        if not tables.holders_of[write.lease]:
            del tables.holders_of[write.lease]


def _raise_total(tables: Tables, write: CloseAccount) -> None:
    ends = write.window_ends
    before = tables.closed.get(write.total) or ClosedTotal(
        lease=write.total, spent=Nanos(0), window_ends=ends
    )
    after = replace(before, spent=Nanos(before.spent + write.spent))
    if ends is None or before.window_ends is None:
        after = replace(after, window_ends=None, last=max(before.last, write.lease.window))
    else:
        after = replace(after, window_ends=max(before.window_ends, ends))
        tables.clock_floor = max(tables.clock_floor, ends)
    tables.closed[write.total] = after
