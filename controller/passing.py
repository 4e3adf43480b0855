"""What the passing of time does: deadlines, unanswered recalls, windows that end and are forgotten.

The one rule: time frees no money of a window that still runs. This module must not know any message
of a holder.
"""

from typing import assert_never

from controller.agenda import HolderSilent, RecallEnds, Reminder, WindowEnds, WindowForgotten
from controller.events import Draft
from controller.grants import reconsider
from controller.presence import fall_silent, forget_if_gone
from controller.recalls import end_recall, recover_excess
from controller.reports import close_if_finished
from controller.store.protocol import ForgetWindow
from controller.world import Cell, World
from farebox.core.instant import UtcMs
from farebox.core.leases import LeaseEvent, LeaseId, next_lease_state


def pass_time(world: World, draft: Draft) -> None:
    """Do what is due."""
    for reminder in world.agenda.due(draft.now):
        _remind(world, draft, reminder)


def _remind(world: World, draft: Draft, reminder: Reminder) -> None:
    match reminder:
        case HolderSilent():
            holder = world.holders.get(reminder.holder)
            if holder is not None:
                fall_silent(world, draft, holder)
        case RecallEnds():
            _recall_ends(world, draft, reminder)
        case WindowEnds():
            _window_ends(world, draft, reminder.lease)
        case WindowForgotten():
            _forget_window(world, draft, reminder.lease)
        case _:
            assert_never(reminder)


def _recall_ends(world: World, draft: Draft, reminder: RecallEnds) -> None:
    cell = world.cells.get(reminder.lease)
    entry = cell.entries.get(reminder.holder) if cell is not None else None
    if cell is None or entry is None:
        return
    waited = entry.recall is not None
    if end_recall(world, draft, entry):
        recover_excess(world, draft, cell)
        # Those who waited for this answer hear now what became of it.
        reconsider(world, draft, cell.lease.charge, tell=waited)


def _window_ends(world: World, draft: Draft, lease: LeaseId) -> None:
    cell = world.cells.get(lease)
    if cell is None or cell.window_ends is None or not cell.over_at(draft.now):
        return
    for entry in tuple(cell.entries.values()):
        close_if_finished(world, draft, entry)
    world.agenda.add(_forgotten_at(world, cell.window_ends), WindowForgotten(lease))
    # The new window's money is there for those who still wait.
    reconsider(world, draft, lease.charge, tell=True)


def _forget_window(world: World, draft: Draft, lease: LeaseId) -> None:
    cell = world.cells.get(lease)
    if cell is None or cell.window_ends is None:
        return
    if _forgotten_at(world, cell.window_ends) > draft.now:
        return
    draft.writes.append(ForgetWindow(lease=lease, window_ends=cell.window_ends))
    _write_off(world, draft, cell)
    del world.cells[lease]


def _write_off(world: World, draft: Draft, cell: Cell) -> None:
    for entry in tuple(cell.entries.values()):
        entry.state = next_lease_state(entry.state, LeaseEvent.WINDOW_FORGOTTEN)
        holder = world.holders[entry.holder]
        world.remove_entry(entry)
        forget_if_gone(world, draft, holder)


def _forgotten_at(world: World, ends: UtcMs) -> UtcMs:
    return UtcMs(ends + world.terms.forget_after)
