"""What the controller shows of its world, as JSON values for the admin server.

The one rule: money is written as decimal strings of dollars, exactly. This module only reads, and
must not know HTTP.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from controller.levels import level_now
from controller.limits import figures
from controller.world import Cell, Entry, Holder, World
from farebox.core.budgets import Charge, Per, Pool
from farebox.core.instant import UtcMs, format_utc
from farebox.core.leases import LeaseId
from farebox.core.money import Nanos, format_dollars
from farebox.core.windows import Window, WindowType, window_at
from farebox.manifests.resources import Problem


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolFigures:
    """A (sub-)pool in its current window.

    `settled` is known to be spent, `held` by calls under way as last reported, `leased` lent beyond
    both. `committed` is their sum, or less only when a holder held more than it was lent. Of a
    sliding window they are the sums over all that counts now, and it ends when the next money comes
    back. Of a token bucket, `settled` is what has to flow in again, and `level` what it can lend
    (negative after an overdraft).
    """

    pool: Pool
    key: str
    starts: UtcMs
    ends: UtcMs | None
    limit: Nanos
    settled: Nanos
    held: Nanos
    committed: Nanos
    level: Nanos | None
    holders: int

    @property
    def leased(self) -> Nanos:
        """What is lent and neither spent nor held."""
        return Nanos(max(0, self.committed - self.settled - self.held))

    @property
    def headroom(self) -> Nanos:
        """What may still be lent."""
        return Nanos(max(0, self.limit - self.committed))


def pool_figures(world: World, now: UtcMs) -> Iterator[PoolFigures]:
    """All (sub-)pools in their current windows; a pool without keys also before its first lease."""
    charges = {Charge(pool.uid, "") for pool in world.pools.values() if pool.per is Per.SHARED}
    charges.update(lease.charge for lease in world.cells)
    for charge in sorted(charges, key=lambda one: (one.pool, one.key)):
        pool = world.pool_of(charge)
        if pool is None:
            continue
        line = figures_of(world, pool, charge, window_at(pool.window, now))
        if line is not None:
            yield line


def figures_of(world: World, pool: Pool, charge: Charge, window: Window) -> PoolFigures | None:
    """A (sub-)pool in its current window; None for a key that nobody has used in it."""
    cell = world.cells.get(LeaseId(charge, window.id))
    if cell is None and charge.key and not any(world.counted(charge)):
        return None
    return _figures(
        world, pool, cell or Cell(lease=LeaseId(charge, window.id), window_ends=window.ends), window
    )


def pools_view(world: World, now: UtcMs) -> Mapping[str, Any]:
    """GET /v1/pools."""
    return {"pools": [_pool_row(line) for line in pool_figures(world, now)]}


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


def _figures(world: World, pool: Pool, cell: Cell, window: Window) -> PoolFigures:
    shown, starts = figures(world, pool, cell), window.starts
    sums, level = {cell.lease: cell}, None
    if pool.window.type is WindowType.SLIDING and window.counts_until is not None:
        sums.update({one.lease: one for one in world.counted(cell.lease.charge)})
        # A bucket counts for a period after its end, so that what counts now began so long ago.
        starts = UtcMs(2 * (window.ends or 0) - window.counts_until)
    elif pool.window.type is WindowType.TOKEN_BUCKET:
        level = level_now(world, pool, cell).level
    return PoolFigures(
        pool=pool,
        key=cell.lease.charge.key,
        starts=starts,
        ends=window.ends,
        limit=shown.limit,
        settled=shown.settled,
        held=Nanos(sum(entry.reserved for one in sums.values() for entry in one.entries.values())),
        committed=shown.committed,
        level=level,
        holders=len({uid for one in sums.values() for uid in one.entries}),
    )


def _pool_row(line: PoolFigures) -> dict[str, Any]:
    pool = line.pool
    reserve = pool.reserve
    return {
        "pool": pool.title,
        "key": line.key,
        "window": pool.window.type,
        "mode": pool.mode,
        "window_starts": format_utc(line.starts),
        "window_ends": None if line.ends is None else format_utc(line.ends),
        "limit_usd": format_dollars(line.limit),
        "settled_usd": format_dollars(line.settled),
        "held_usd": format_dollars(line.held),
        "leased_usd": format_dollars(line.leased),
        "headroom_usd": format_dollars(line.headroom),
        "level_usd": None if line.level is None else format_dollars(line.level),
        "reserve_percent": None if reserve is None else reserve.percent,
        "holders": line.holders,
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
        "written_off": holder.poisoned,
        "leases": [_lease_row(world, entry) for entry in holder.leases.values()],
    }


def _lease_row(world: World, entry: Entry) -> dict[str, Any]:
    charge = entry.lease.charge
    pool = world.pools.get(charge.pool)
    ends = world.cells[entry.home].window_ends
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
