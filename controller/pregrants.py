"""Money of the next window, shortly before it starts.

Without it, all holders would ask for the new window at the same moment. They report with heartbeats
that are spread, so each is given its share when it reports within the last two of a window. The one
rule: what is lent so counts in its own window, as any other lease. This module must not know who
waits, or what was asked.
"""

from typing import Final

from controller.belonging import draws_on
from controller.events import Draft
from controller.grants import lend
from controller.limits import state_of
from controller.world import Cell, Entry, Holder, World
from farebox.core.allocation import Demand, allocate
from farebox.core.budgets import Pool
from farebox.core.leases import LeaseId
from farebox.core.money import ZERO
from farebox.core.windows import Window, next_window, window_at

WINDOW_SHARE: Final = 3
"""Windows shorter than so many times the last two heartbeats get no money in advance."""


def lend_ahead(world: World, draft: Draft, holder: Holder) -> None:
    """Give a holder that uses a window which is about to end some of the next one."""
    for lease in sorted(holder.leases.keys() & world.nearing):
        if draws_on(world, holder, lease.charge):
            _lend_ahead(world, draft, holder, holder.leases[lease])


def _lend_ahead(world: World, draft: Draft, holder: Holder, entry: Entry) -> None:
    pool, cell = world.pool_of(entry.lease.charge), world.cells[entry.home]
    if pool is None or cell.over_at(world.now) or entry.unspent == ZERO:
        return
    window = _next(world, pool, cell)
    if window is None:
        return
    lease = LeaseId(entry.lease.charge, window.id)
    ahead = world.cells.get(lease) or Cell(lease=lease, window_ends=window.ends)
    if holder.uid in ahead.entries or holder.uid in ahead.closed_for:
        return
    if not world.may_have_more(holder, ahead=True):
        return
    demand = Demand(holder=holder.uid, want=entry.unspent, need=ZERO, least=ZERO)
    decision = allocate(state_of(world, pool, ahead), demand)
    if decision.grant > 0:
        ahead = world.cell(lease, window.ends, window.counts_until)
        lend(world, draft, holder, pool, ahead, decision.grant)


def _next(world: World, pool: Pool, cell: Cell) -> Window | None:
    """The window after a cell's; None when that is not the present one, or too short for this."""
    present = window_at(pool.window, world.now)
    if present.ends is None or present.id != cell.lease.window:
        return None
    if present.ends - present.starts < WINDOW_SHARE * world.nearing_for:
        return None
    if world.waiting.get(cell.lease.charge):
        # Who waits for money now comes first, and in a sliding window it is the same money.
        return None
    return next_window(pool.window, present)
