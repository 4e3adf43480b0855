"""What the passing of time does: deadlines, unanswered recalls, windows that end and are forgotten.

The one rule: time frees no money of a window that still counts. This module must not know any
message of a holder.
"""

from typing import assert_never

from controller.agenda import (
    HolderForgotten,
    HolderLost,
    HolderSilent,
    LeaseIdle,
    LimitChanges,
    LineMoves,
    MoneyFlows,
    OfHolder,
    OfLease,
    OfPool,
    OfWindow,
    RecallEnds,
    Reminder,
    WindowEnds,
    WindowForgotten,
    WindowNears,
)
from controller.changes import reassess
from controller.closing import close_if_done, end_idleness
from controller.denials import denial_of
from controller.events import Draft
from controller.grants import reconsider
from controller.lines import move_on
from controller.presence import fall_silent, forget_if_gone, forget_poisoned, give_up
from controller.recalls import end_recall, recover_excess
from controller.store.protocol import ForgetWindow
from controller.world import Cell, World
from farebox.core.budgets import Charge
from farebox.core.instant import UtcMs
from farebox.core.leases import LeaseEvent, LeaseId, next_lease_state
from farebox.core.reasons import Reason
from farebox.core.windows import window_at


def pass_time(world: World, draft: Draft) -> None:
    """Do what is due."""
    for reminder in world.agenda.due(draft.now):
        _remind(world, draft, reminder)


def _remind(world: World, draft: Draft, reminder: Reminder) -> None:
    match reminder:
        case HolderSilent() | HolderLost() | HolderForgotten():
            _of_holder(world, draft, reminder)
        case RecallEnds() | LeaseIdle():
            _of_lease(world, draft, reminder)
        case LineMoves() | MoneyFlows() | LimitChanges():
            _of_pool(world, draft, reminder)
        case WindowNears() | WindowEnds() | WindowForgotten():
            _of_window(world, draft, reminder)
        case _:
            assert_never(reminder)


def _of_holder(world: World, draft: Draft, reminder: OfHolder) -> None:
    holder = world.holders.get(reminder.holder)
    if holder is None:
        return
    match reminder:
        case HolderSilent():
            fall_silent(world, draft, holder)
        case HolderLost():
            for cell in give_up(world, draft, holder):
                reconsider(world, draft, cell.lease.charge)
        case HolderForgotten():
            forget_poisoned(world, draft, holder)


def _of_lease(world: World, draft: Draft, reminder: OfLease) -> None:
    holder = world.holders.get(reminder.holder)
    entry = holder.leases.get(reminder.lease) if holder is not None else None
    if holder is None or entry is None:
        return
    if isinstance(reminder, LeaseIdle):
        end_idleness(world, draft, entry)
        forget_if_gone(world, draft, holder)
        return
    waited = entry.recall is not None
    if end_recall(world, draft, entry):
        recover_excess(world, draft, world.cells[entry.home])
        # Those who waited for this answer hear now what became of it.
        reconsider(world, draft, entry.lease.charge, tell=waited)


def _of_pool(world: World, draft: Draft, reminder: OfPool) -> None:
    match reminder:
        case LineMoves():
            _line_moves(world, draft, reminder.charge)
        case MoneyFlows():
            # Of several reminders only the earliest counts: each would bring some more otherwise.
            if world.flows.get(reminder.charge, draft.now + 1) <= draft.now:
                del world.flows[reminder.charge]
                reconsider(world, draft, reminder.charge)
        case LimitChanges():
            reassess(world, draft, {reminder.pool})


def _line_moves(world: World, draft: Draft, charge: Charge) -> None:
    """Tell the first in a line that there is not enough, and let the others go past it."""
    uid, pool = move_on(world, charge), world.pool_of(charge)
    if uid is None or pool is None:
        return
    window = window_at(pool.window, draft.now)
    lease = LeaseId(charge, window.id)
    cell = world.cells.get(lease) or Cell(lease=lease, window_ends=window.ends)
    least = world.waiting[charge][uid].want.least
    denial = denial_of(world, pool, cell, Reason.HOLD_PENDING, least)
    draft.send(world.holders[uid].stream, denial)
    reconsider(world, draft, charge)


def _of_window(world: World, draft: Draft, reminder: OfWindow) -> None:
    cell = world.cells.get(reminder.lease)
    if cell is None or cell.window_ends is None:
        return
    match reminder:
        case WindowNears():
            _window_nears(world, cell, cell.window_ends)
        case WindowEnds():
            if cell.over_at(draft.now):
                _window_ends(world, draft, cell)
        case WindowForgotten():
            if _forgotten_at(world, cell, cell.window_ends) <= draft.now:
                _forget_window(world, draft, cell, cell.window_ends)


def _window_nears(world: World, cell: Cell, ends: UtcMs) -> None:
    """Let its holders have money of the next one, or look again: heartbeats may be shorter now."""
    nears = UtcMs(ends - world.nearing_for)
    if nears > world.now:
        world.agenda.add(nears, WindowNears(cell.lease))
    elif not cell.over_at(world.now):
        world.nearing.add(cell.lease)


def _window_ends(world: World, draft: Draft, cell: Cell) -> None:
    assert cell.window_ends is not None, "a window that never ends is not over"
    world.nearing.discard(cell.lease)
    for entry in tuple(cell.entries.values()):
        close_if_done(world, draft, entry)
    world.agenda.add(_forgotten_at(world, cell, cell.window_ends), WindowForgotten(cell.lease))
    # The new window's money is there for those who still wait.
    reconsider(world, draft, cell.lease.charge, tell=True)


def _forget_window(world: World, draft: Draft, cell: Cell, ends: UtcMs) -> None:
    draft.writes.append(ForgetWindow(lease=cell.lease, window_ends=ends))
    _write_off(world, draft, cell)
    world.remove_cell(cell)
    # What was spent in a bucket of a sliding window counts no more.
    reconsider(world, draft, cell.lease.charge)


def _write_off(world: World, draft: Draft, cell: Cell) -> None:
    for entry in tuple(cell.entries.values()):
        entry.state = next_lease_state(entry.state, LeaseEvent.WINDOW_FORGOTTEN)
        holder = world.holders[entry.holder]
        world.remove_entry(entry)
        forget_if_gone(world, draft, holder)


def _forgotten_at(world: World, cell: Cell, ends: UtcMs) -> UtcMs:
    """When a window is forgotten: a bucket of a sliding one as soon as it counts no more."""
    if cell.counts_until is not None and cell.counts_until > ends:
        return cell.counts_until
    return UtcMs(ends + world.terms.forget_after)
