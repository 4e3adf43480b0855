"""What holders say of their leases: merging counters, adopting what the ledger does not know.

The one rule: counters only grow, so that whatever comes twice or late changes nothing. This module
must not know what anybody wants.
"""

from collections.abc import Collection
from dataclasses import replace

from controller.closing import close_if_done, is_spent
from controller.events import Draft
from controller.grants import grant_of
from controller.levels import before_change, keep_returned, keep_spent
from controller.recalls import hear_answer
from controller.store.protocol import CloseAccount
from controller.unknowns import Judge, Unbelieved, sentence
from controller.world import Cell, Entry, Holder, World, put
from farebox.core.allocation import Account
from farebox.core.instant import UtcMs
from farebox.core.leases import LeaseEvent, LeaseId, next_lease_state
from farebox.core.money import ZERO, Nanos
from farebox.core.windows import Window, WindowType, window_at
from farebox.wire.messages import Counters, LeaseClosed


def merge(
    world: World, draft: Draft, holder: Holder, items: Collection[Counters]
) -> tuple[Cell, ...]:
    """Take what a holder says of its leases; returns the cells in which that matters to others."""
    moved: dict[LeaseId, Cell] = {}
    judge, doubts = Judge(world, holder), list[tuple[LeaseId, Unbelieved]]()
    for item in items:
        entry = holder.leases.get(item.lease)
        if entry is None and (item.finished or _is_late(world, holder, item)):
            draft.send(holder.stream, LeaseClosed(lease=item.lease))
        elif entry is None and (doubt := judge.doubt(item)) is not None:
            doubts.append((item.lease, doubt))
            draft.send(holder.stream, LeaseClosed(lease=item.lease))
        elif entry is None:
            _adopt(world, draft, holder, item)
        else:
            cell = world.cells[entry.home]
            before = cell.accounts[holder.uid]
            _merge_one(world, draft, cell, entry, item)
            if _matters(world, cell, before, cell.accounts[holder.uid]):
                moved[cell.lease] = cell
            close_if_done(world, draft, entry)
    if doubts:
        draft.warnings.append(sentence(holder, doubts))
    return tuple(moved.values())


def remind(world: World, draft: Draft, entry: Entry) -> None:
    """Tell a holder again what it was lent: it does not know all of it."""
    grant = grant_of(world, world.cells[entry.home], entry)
    draft.send(world.holders[entry.holder].stream, grant)


def is_lent_by_no_bucket(world: World, holder: Holder | None, item: Counters) -> bool:
    """Whether a holder has money of a token bucket that the ledger does not know (any more).

    It was written off, and what has flowed in since may be lent to others.
    """
    pool = world.pool_of(item.lease.charge)
    if pool is None or pool.window.type is not WindowType.TOKEN_BUCKET:
        return False
    known = holder is not None and item.lease in holder.leases
    return not known and not is_spent(item.granted, item.returned, item.spent, item.reserved)


def is_closed_unspent(world: World, holder: Holder | None, item: Counters) -> bool:
    """Whether money of a lease without an end is told of that was closed, all of it spent or back.

    Whoever tells this tells of a time before the closing. What a call holds that passed a pool by,
    which lets it, is no money of the lease.
    """
    if holder is not None and item.lease in holder.leases:
        return False
    return _was_closed(world, item) and item.granted - item.returned > item.spent


def _was_closed(world: World, item: Counters) -> bool:
    """Whether an unknown lease without an end is a closed one: its number is never given again."""
    endless = world.cells.get(LeaseId(item.lease.charge, 0))
    return endless is not None and item.lease.window < endless.next_number


def _merge_one(world: World, draft: Draft, cell: Cell, entry: Entry, item: Counters) -> None:
    kept, level = put(cell, entry), before_change(world, cell)
    overdraft = _overdraft(entry)
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
        entry.idle_since = None
        more = Nanos(max(0, _overdraft(entry) - overdraft))
        _tell_of_overdraft(world, draft, entry, more)
        keep_spent(world, draft, cell, level, overdraft=more)
        draft.writes.append(now_kept)
        keep_returned(world, draft, cell, level, Nanos(entry.returned - kept.returned))


def _tell_of_overdraft(world: World, draft: Draft, entry: Entry, more: Nanos) -> None:
    """Say who tells of a large one: it is booked, and takes it from all who share the pool."""
    if more > entry.granted - entry.returned:
        pod = world.holders[entry.holder].workload
        draft.warnings.append(
            f"holder {entry.holder} of pod {pod.namespace}/{pod.name} says that it spent {more} n$ "
            f"more of {entry.lease} than it was lent: booked"
        )


def _overdraft(entry: Entry) -> int:
    """What was spent beyond what was lent."""
    return max(0, entry.spent - (entry.granted - entry.returned))


def _is_older(entry: Entry, item: Counters) -> bool:
    """Whether an item was overtaken: then what it says is held now was held then."""
    return item.granted < entry.known or item.returned < entry.returned or item.spent < entry.spent


def _is_late(world: World, holder: Holder, item: Counters) -> bool:
    """Whether an item tells only what its lease, closed since, has told already.

    A controller that has not closed the lease itself finds that in the ledger: the window is over,
    or the number of the lease is below the next one, what it spent is in the total, and nothing of
    it can still be spent.
    """
    cell = world.cells.get(item.lease)
    if cell is not None and item.spent <= cell.closed_for.get(holder.uid, -1):
        return True
    if is_closed_unspent(world, holder, item):
        # Its holder was greeted with a later journal: the message was overtaken.
        return True
    if not is_spent(item.granted, item.returned, item.spent, item.reserved):
        return False
    if cell is not None and cell.over_at(world.now) and item.spent <= cell.closed_spent:
        return True
    endless = world.cells.get(LeaseId(item.lease.charge, 0))
    return (
        endless is not None
        and item.lease.window < endless.next_number
        and item.spent <= endless.closed_spent
    )


def _adopt(world: World, draft: Draft, holder: Holder, item: Counters) -> None:
    """Take over a lease that the ledger does not know: committed rises, which is the safe side."""
    if item.granted == item.returned == item.spent == item.reserved == ZERO:
        return
    draft.warnings.append(
        f"holder {holder.uid} reports {item.lease}, which the ledger does not know: adopted with "
        f"{item.granted} n$ granted, {item.returned} n$ returned, {item.spent} n$ spent"
    )
    window = _window_of(world, item.lease)
    cell = world.cell(
        LeaseId(item.lease.charge, window.id), window.ends, counts_until=window.counts_until
    )
    if (
        holder.uid in cell.entries
        or _was_closed(world, item)
        or is_lent_by_no_bucket(world, holder, item)
    ):
        _count_as_spent(draft, holder, cell, item)
        return
    level = before_change(world, cell)
    entry = Entry(
        lease=item.lease,
        home=cell.lease,
        holder=holder.uid,
        granted=item.granted,
        returned=item.returned,
        spent=item.spent,
        reserved=item.reserved,
        known=item.granted,
    )
    entry.state = next_lease_state(entry.state, LeaseEvent.REPORTED)
    world.add_entry(cell, entry)
    keep_spent(world, draft, cell, level)
    draft.writes.append(put(cell, entry))


def _window_of(world: World, lease: LeaseId) -> Window:
    """The window of a lease by its number alone; of a pool that is gone, one that is over."""
    pool = world.pools.get(lease.charge.pool)
    if lease.window == 0:
        return Window(id=0, starts=UtcMs(0), ends=None, counts_until=None)
    if pool is None:
        now = world.now
        return Window(id=lease.window, starts=UtcMs(lease.window), ends=now, counts_until=now)
    window = window_at(pool.window, UtcMs(lease.window))
    return window if window.ends is None else replace(window, id=lease.window)


def _count_as_spent(draft: Draft, holder: Holder, cell: Cell, item: Counters) -> None:
    """Close a lease that can't stand beside the holder's other one, as dear as it can be."""
    spent = Nanos(max(item.granted - item.returned, item.spent + item.reserved))
    draft.writes.append(
        CloseAccount(lease=item.lease, holder=holder.uid, spent=spent, window_ends=cell.window_ends)
    )
    cell.raise_closed(spent)
    if cell.window_ends is None:
        cell.next_number = max(cell.next_number, item.lease.window + 1)
    draft.send(holder.stream, LeaseClosed(lease=item.lease))


def _matters(world: World, cell: Cell, before: Account, after: Account) -> bool:
    """Whether others may get money now that they could not before, or must give some back."""
    return (
        after.committed != before.committed
        or after.idle > before.idle
        or (before.recalled and not after.recalled)
        # What is spent of a token bucket makes room for what flows in.
        or (after.spent != before.spent and cell.lease.charge in world.buckets)
    )
