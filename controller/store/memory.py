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
    PutAccount,
    PutHolder,
    Snapshot,
    Write,
)
from farebox.core.instant import UtcMs
from farebox.core.leases import LeaseId
from farebox.core.money import Nanos


@dataclass(slots=True)
class Tables:
    """What outlives a controller: hand the same tables to the store of its successor."""

    epoch: int = 0
    clock_floor: UtcMs = UtcMs(0)
    accounts: dict[tuple[LeaseId, str], PutAccount] = field(default_factory=dict)
    closed: dict[LeaseId, ClosedTotal] = field(default_factory=dict)
    holders: dict[str, PutHolder] = field(default_factory=dict)


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
    return Snapshot(
        epoch=tables.epoch,
        clock_floor=tables.clock_floor,
        accounts=tuple(tables.accounts.values()),
        closed=tuple(tables.closed.values()),
        holders=tuple(tables.holders.values()),
    )


def apply(tables: Tables, write: Write) -> None:
    """Do one write."""
    match write:
        case PutAccount():
            tables.accounts[write.lease, write.holder] = write
        case CloseAccount():
            tables.accounts.pop((write.lease, write.holder), None)
            _raise_total(tables, write)
        case PutHolder():
            tables.holders[write.holder] = write
        case ForgetHolder():
            tables.holders.pop(write.holder, None)
        case ForgetWindow():
            for key in [key for key in tables.accounts if key[0] == write.lease]:
                del tables.accounts[key]
            tables.closed.pop(write.lease, None)
            tables.clock_floor = max(tables.clock_floor, write.window_ends)


def _raise_total(tables: Tables, write: CloseAccount) -> None:
    before = tables.closed.get(write.lease) or ClosedTotal(
        lease=write.lease, spent=Nanos(0), window_ends=write.window_ends
    )
    tables.closed[write.lease] = replace(
        before,
        spent=Nanos(before.spent + write.spent),
        window_ends=max(before.window_ends, write.window_ends),
    )
    tables.clock_floor = max(tables.clock_floor, write.window_ends)
