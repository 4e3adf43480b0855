"""What the controller shows of its world, as JSON values for the admin server.

The one rule: money is written as decimal strings of dollars, exactly. This module only reads, and
must not know HTTP.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from controller.world import Cell, Entry, Holder, World
from farebox.core.budgets import Charge, Per, Pool
from farebox.core.instant import UtcMs, format_utc
from farebox.core.leases import LeaseId
from farebox.core.money import Nanos, format_dollars
from farebox.core.windows import window_at
from farebox.manifests.resources import Problem


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolFigures:
    """A (sub-)pool in its current window.

    `settled` is known to be spent, `held` by calls under way as last reported, `leased` lent beyond
    both. `committed` is their sum, or less only when a holder held more than it was lent.
    """

    pool: Pool
    key: str
    starts: UtcMs
    ends: UtcMs | None
    settled: Nanos
    held: Nanos
    committed: Nanos
    holders: int

    @property
    def leased(self) -> Nanos:
        """What is lent and neither spent nor held."""
        return Nanos(max(0, self.committed - self.settled - self.held))

    @property
    def headroom(self) -> Nanos:
        """What may still be lent."""
        return Nanos(max(0, self.pool.limit - self.committed))


def pool_figures(world: World, now: UtcMs) -> Iterator[PoolFigures]:
    """All (sub-)pools in their current windows; a pool without keys also before its first lease."""
    charges = {
        Charge(pool.uid, "") for pool in world.resources.pools.values() if pool.per is Per.SHARED
    }
    charges.update(lease.charge for lease in world.cells)
    for charge in sorted(charges, key=lambda one: (one.pool, one.key)):
        pool = world.pool_of(charge)
        if pool is None:
            continue
        window = window_at(pool.window, now)
        cell = world.cells.get(LeaseId(charge, window.id))
        if cell is not None or not charge.key:
            cell = cell or Cell(lease=LeaseId(charge, window.id), window_ends=window.ends)
            yield _figures(pool, cell, starts=window.starts, ends=window.ends)


def pools_view(world: World, now: UtcMs) -> Mapping[str, Any]:
    """GET /v1/pools."""
    return {"pools": [_pool_row(figures) for figures in pool_figures(world, now)]}


def holders_view(world: World) -> list[dict[str, Any]]:
    """GET /v1/holders."""
    return [_holder_row(world, world.holders[uid]) for uid in sorted(world.holders)]


def problems_view(problems: Iterable[Problem]) -> Mapping[str, Any]:
    """GET /v1/problems."""
    return {
        "problems": [
            {
                "file": problem.file,
                "line": problem.line,
                "resource": problem.resource,
                "field": problem.field,
                "message": problem.message,
            }
            for problem in problems
        ]
    }


def _figures(pool: Pool, cell: Cell, *, starts: UtcMs, ends: UtcMs | None) -> PoolFigures:
    entries = cell.entries.values()
    return PoolFigures(
        pool=pool,
        key=cell.lease.charge.key,
        starts=starts,
        ends=ends,
        settled=Nanos(cell.closed_spent + sum(entry.spent for entry in entries)),
        held=Nanos(sum(entry.reserved for entry in entries)),
        committed=cell.committed,
        holders=len(cell.entries),
    )


def _pool_row(figures: PoolFigures) -> dict[str, Any]:
    return {
        "pool": figures.pool.title,
        "key": figures.key,
        "window_starts": format_utc(figures.starts),
        "window_ends": None if figures.ends is None else format_utc(figures.ends),
        "limit_usd": format_dollars(figures.pool.limit),
        "settled_usd": format_dollars(figures.settled),
        "held_usd": format_dollars(figures.held),
        "leased_usd": format_dollars(figures.leased),
        "headroom_usd": format_dollars(figures.headroom),
        "holders": figures.holders,
    }


def _holder_row(world: World, holder: Holder) -> dict[str, Any]:
    workload = holder.workload
    return {
        "holder": holder.uid,
        "workload": {
            "namespace": workload.namespace,
            "name": workload.name,
            "labels": dict(workload.labels),
        },
        "connected": holder.stream is not None,
        "frozen": holder.frozen,
        "leases": [_lease_row(world, entry) for entry in holder.leases.values()],
    }


def _lease_row(world: World, entry: Entry) -> dict[str, Any]:
    charge = entry.lease.charge
    pool = world.resources.pools.get(charge.pool)
    ends = world.cells[entry.lease].window_ends
    return {
        "pool": pool.title if pool is not None else charge.pool,
        "key": charge.key,
        "window": entry.lease.window,
        "window_ends": None if ends is None else format_utc(ends),
        "state": entry.state,
        "granted_usd": format_dollars(entry.granted),
        "returned_usd": format_dollars(entry.returned),
        "spent_usd": format_dollars(entry.spent),
        "reserved_usd": format_dollars(entry.reserved),
    }
