"""What holders say of their leases: merging counters, adopting, closing.

The one rule: counters only grow, so that whatever comes twice or late changes nothing; and a lease
is closed only when its window is over on both clocks and all that is committed of it is spent. This
module must not know what anybody wants.
"""

from collections.abc import Iterable

from controller.events import Draft
from controller.grants import grant_of
from controller.recalls import hear_answer
from controller.store.protocol import CloseAccount
from controller.world import Cell, Entry, Holder, World, put
from farebox.core.allocation import Account
from farebox.core.instant import UtcMs
from farebox.core.leases import LeaseEvent, LeaseId, next_lease_state
from farebox.core.money import ZERO
from farebox.core.windows import window_at
from farebox.wire.messages import Counters, LeaseClosed


def merge(
    world: World, draft: Draft, holder: Holder, items: Iterable[Counters]
) -> tuple[Cell, ...]:
    """Take what a holder says of its leases; returns the cells in which that matters to others."""
    moved: dict[LeaseId, Cell] = {}
    for item in items:
        entry = holder.leases.get(item.lease)
        if entry is None and (item.finished or _is_late(world, holder, item)):
            draft.send(holder.stream, LeaseClosed(lease=item.lease))
        elif entry is None:
            _adopt(world, draft, holder, item)
        else:
            cell = world.cells[item.lease]
            before = cell.accounts[holder.uid]
            _merge_one(world, draft, cell, entry, item)
            if _matters(before, cell.accounts[holder.uid]):
                moved[item.lease] = cell
            close_if_finished(world, draft, entry)
    return tuple(moved.values())


def close_if_finished(world: World, draft: Draft, entry: Entry) -> None:
    """Settle a lease that its holder is done with, once its window is over here too.

    The holder may be early by the age of the message that told it the rest of its window. Closing
    before the own clock agrees would let the same lease be granted anew, from zero, while messages
    of the closed one are still on their way.
    """
    cell = world.cells[entry.lease]
    if not entry.finished or cell.window_ends is None or not cell.over_at(draft.now):
        return
    if entry.known < entry.granted or cell.accounts[entry.holder].committed != entry.spent:
        return
    settle(world, draft, cell, entry, ends=cell.window_ends)
    draft.send(world.holders[entry.holder].stream, LeaseClosed(lease=entry.lease))


def settle(world: World, draft: Draft, cell: Cell, entry: Entry, *, ends: UtcMs) -> None:
    """Close a lease: what it spent joins the closed total, and nothing else of it counts."""
    entry.state = next_lease_state(entry.state, LeaseEvent.FINISHED)
    draft.writes.append(
        CloseAccount(lease=entry.lease, holder=entry.holder, spent=entry.spent, window_ends=ends)
    )
    world.remove_entry(entry)
    cell.raise_closed(entry.spent)
    cell.closed_for[entry.holder] = entry.spent


def remind(world: World, draft: Draft, entry: Entry) -> None:
    """Tell a holder again what it was lent: it does not know all of it."""
    grant = grant_of(world, world.cells[entry.lease], entry)
    draft.send(world.holders[entry.holder].stream, grant)


def _merge_one(world: World, draft: Draft, cell: Cell, entry: Entry, item: Counters) -> None:
    kept = put(cell, entry)
    if item.granted > entry.granted:
        draft.warnings.append(
            f"holder {entry.holder} knows a grant of {entry.lease} that the ledger lost: adopted"
        )
    if not _is_older(entry, item):
        entry.reserved = item.reserved
        entry.finished = item.finished and item.reserved == 0
    entry.granted = max(entry.granted, item.granted)
    entry.returned = max(entry.returned, item.returned)
    entry.spent = max(entry.spent, item.spent)
    entry.known = max(entry.known, item.granted)
    entry.state = next_lease_state(entry.state, LeaseEvent.REPORTED)
    hear_answer(entry)
    world.refresh(entry)
    now_kept = put(cell, entry)
    if now_kept != kept:
        draft.writes.append(now_kept)


def _is_older(entry: Entry, item: Counters) -> bool:
    """Whether an item was overtaken: then what it says is held now was held then."""
    return item.granted < entry.known or item.returned < entry.returned or item.spent < entry.spent


def _is_late(world: World, holder: Holder, item: Counters) -> bool:
    """Whether an item tells only what its lease, closed since, has told already."""
    cell = world.cells.get(item.lease)
    return cell is not None and item.spent <= cell.closed_for.get(holder.uid, -1)


def _adopt(world: World, draft: Draft, holder: Holder, item: Counters) -> None:
    """Take over a lease that the ledger does not know: committed rises, which is the safe side."""
    if item.granted == item.returned == item.spent == item.reserved == ZERO:
        return
    pool = world.resources.pools.get(item.lease.charge.pool)
    if item.lease.window == 0:
        ends = None
    elif pool is not None:
        ends = window_at(pool.window, UtcMs(item.lease.window)).ends
    else:
        ends = draft.now
    draft.warnings.append(
        f"holder {holder.uid} reports {item.lease}, which the ledger does not know: adopted with "
        f"{item.granted} n$ granted, {item.returned} n$ returned, {item.spent} n$ spent"
    )
    cell = world.cell(item.lease, ends)
    entry = Entry(
        lease=item.lease,
        holder=holder.uid,
        granted=item.granted,
        returned=item.returned,
        spent=item.spent,
        reserved=item.reserved,
        known=item.granted,
    )
    entry.state = next_lease_state(entry.state, LeaseEvent.REPORTED)
    world.add_entry(cell, entry)
    draft.writes.append(put(cell, entry))


def _matters(before: Account, after: Account) -> bool:
    """Whether others may get money now that they could not before, or must give some back."""
    return (
        after.committed != before.committed
        or after.idle > before.idle
        or (before.recalled and not after.recalled)
    )
