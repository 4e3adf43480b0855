"""The end of a lease: closed when it is done with, written off when its holder is lost.

The one rule: a lease is closed only when all that is committed of it is spent, and then no message
of it can be taken for one of a later lease: its window is over on both clocks, or its number is
never given again. This module must not know what anybody wants.
"""

from controller.agenda import HolderForgotten, LeaseIdle
from controller.events import Draft
from controller.levels import before_change, keep_spent
from controller.store.protocol import CloseAccount, PoisonHolder
from controller.world import Cell, Entry, Holder, World, put
from farebox.core.instant import UtcMs
from farebox.core.leases import LeaseEvent, next_lease_state
from farebox.core.money import ZERO, Nanos
from farebox.core.windows import WindowType
from farebox.wire.messages import LeaseClosed


def close_if_done(world: World, draft: Draft, entry: Entry) -> None:
    """Close a lease that its holder is done with, or begin to wait whether it is used again.

    Of a window, the holder may be early by the age of the message that told it the rest of it.
    Closing before the own clock agrees would let the same lease be granted anew, from zero, while
    messages of the closed one are still on their way.
    """
    cell = world.cells[entry.home]
    if not _is_at_rest(world, cell, entry):
        entry.idle_since = None
    elif cell.window_ends is None:
        _close_if_idle(world, draft, entry)
    elif entry.finished and cell.over_at(draft.now):
        close(world, draft, entry)


def close(world: World, draft: Draft, entry: Entry) -> None:
    """Settle a lease and tell its holder, which forgets it."""
    settle(world, draft, entry)
    draft.send(world.holders[entry.holder].stream, LeaseClosed(lease=entry.lease))


def settle(world: World, draft: Draft, entry: Entry) -> None:
    """Close a lease: what it spent joins the closed total, and nothing else of it counts."""
    cell = world.cells[entry.home]
    level = before_change(world, cell) if entry.unspent else None
    entry.state = next_lease_state(entry.state, LeaseEvent.FINISHED)
    world.remove_entry(entry)
    keep_spent(world, draft, cell, level)
    draft.writes.append(
        CloseAccount(
            lease=entry.lease,
            holder=entry.holder,
            spent=entry.spent,
            window_ends=cell.window_ends,
        )
    )
    cell.raise_closed(entry.spent)
    if cell.window_ends is None:
        cell.next_number = max(cell.next_number, entry.lease.window + 1)
    else:
        cell.closed_for[entry.holder] = entry.spent


def end_idleness(world: World, draft: Draft, entry: Entry) -> None:
    """Close a lease that has been of no use for long, or be reminded again."""
    entry.watched = False
    if entry.idle_since is not None and _is_at_rest(world, world.cells[entry.home], entry):
        _close_if_idle(world, draft, entry)


def lost_entries(world: World, holder: Holder) -> list[Entry]:
    """The leases of token buckets of which a holder may still spend something."""
    entries = holder.leases.values()
    return [entry for entry in entries if entry.unspent > 0 and _is_of_bucket(world, entry)]


def write_off(world: World, draft: Draft, holder: Holder) -> tuple[Cell, ...]:
    """Count as spent what a lost holder has of token buckets, and never accept it again.

    Its deadline is over, also on its own clock, and no other one will be told it: so what it spent
    it spent before now. Returns the cells into which money may flow again.
    """
    assert holder.stream is None, "who can still be heard is not lost"
    holder.poisoned = True
    draft.writes.append(PoisonHolder(holder=holder.uid))
    world.agenda.add(UtcMs(draft.now + world.terms.forget_after), HolderForgotten(holder.uid))
    lost = lost_entries(world, holder)
    for entry in lost:
        draft.warnings.append(
            f"holder {holder.uid} is lost: {entry.unspent} n$ of {entry.lease} count as spent"
        )
        _settle_at(world, draft, entry, Nanos(entry.granted - entry.returned))
    return tuple(world.cells[entry.home] for entry in lost)


def settle_last_word(world: World, draft: Draft, holder: Holder) -> tuple[Cell, ...]:
    """Free what a poisoned holder can't spend any more: by its own last word, or never had.

    It is not accepted, and its deadline is over, so it can hold nothing any more. A lease of a
    window stays in the ledger until that is forgotten: to close it says that the window is over.
    """
    cells = tuple(world.cells[entry.home] for entry in holder.leases.values())
    for entry in tuple(holder.leases.values()):
        at_most = Nanos(entry.spent + entry.reserved)
        if world.cells[entry.home].window_ends is None:
            _settle_at(world, draft, entry, at_most)
            continue
        entry.spent, entry.reserved = at_most, ZERO
        entry.returned = max(entry.returned, Nanos(entry.granted - at_most))
        world.refresh(entry)
        draft.writes.append(put(world.cells[entry.home], entry))
    return cells


def _settle_at(world: World, draft: Draft, entry: Entry, spent: Nanos) -> None:
    cell = world.cells[entry.home]
    level = before_change(world, cell)
    entry.spent = max(entry.spent, spent)
    world.refresh(entry)
    keep_spent(world, draft, cell, level)
    settle(world, draft, entry)


def _is_of_bucket(world: World, entry: Entry) -> bool:
    pool = world.pool_of(entry.lease.charge)
    return pool is not None and pool.window.type is WindowType.TOKEN_BUCKET


def _is_at_rest(world: World, cell: Cell, entry: Entry) -> bool:
    """Whether all that is committed of a lease is spent.

    Of what a silent holder was lent it knows all that matters: had it less, it had spent more than
    it was lent.
    """
    knows = entry.known >= entry.granted or world.holders[entry.holder].frozen
    return knows and cell.accounts[entry.holder].committed == entry.spent


def _close_if_idle(world: World, draft: Draft, entry: Entry) -> None:
    if entry.idle_since is None:
        entry.idle_since = draft.now
    ends = UtcMs(entry.idle_since + world.terms.forget_after)
    if world.pool_of(entry.lease.charge) is None or ends <= draft.now:
        close(world, draft, entry)
    elif not entry.watched:
        entry.watched = True
        world.agenda.add(ends, LeaseIdle(entry.lease, entry.holder))


def is_spent(granted: Nanos, returned: Nanos, spent: Nanos, reserved: Nanos) -> bool:
    """Whether counters leave nothing that could still be spent."""
    return reserved == ZERO and granted - returned <= spent
