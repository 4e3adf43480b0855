"""Asking back: what is lent and lies idle, for those who need it or because a limit fell.

The one rule: asking changes nothing in the ledger; money is back when its holder says so. A holder
is asked once at a time, and is left alone for a while when it gave nothing. This module must not
know who needs the money.
"""

from controller.agenda import RecallEnds
from controller.events import Draft
from controller.limits import room
from controller.world import Cell, Entry, Recall, World
from farebox.core.instant import UtcMs
from farebox.core.money import Nanos
from farebox.wire.messages import ShrinkTo


def recall(world: World, draft: Draft, entry: Entry, amount: Nanos) -> None:
    """Ask a holder to give back `amount` of its idle money."""
    until = UtcMs(draft.now + world.terms.recall_wait)
    entry.recall = Recall(amount=amount, returned=entry.returned, until=until)
    world.refresh(entry)
    world.agenda.add(until, RecallEnds(entry.lease, entry.holder))
    limit = Nanos(max(0, entry.granted - entry.returned - amount))
    draft.send(
        world.holders[entry.holder].stream,
        ShrinkTo(epoch=world.epoch, lease=entry.lease, limit=limit),
    )


def hear_answer(entry: Entry) -> None:
    """End a recall when the holder's counters show that it gave, or that it has nothing to give.

    A report that was on its way when the holder was asked shows neither, and the wait goes on.
    """
    if entry.recall is not None and (entry.returned > entry.recall.returned or entry.idle == 0):
        entry.recall = None


def recover_excess(world: World, draft: Draft, cell: Cell) -> None:
    """Ask back what is lent beyond the limit and not asked already, largest idle first.

    Of a pool that is gone, all that lies idle is asked back.
    """
    if cell.over_at(draft.now):
        return
    pool = world.pool_of(cell.lease.charge)
    missing = cell.outstanding if pool is None else -room(world, pool, cell)
    if missing <= 0:
        return
    entries = cell.entries.values()
    missing -= sum(entry.recall.amount for entry in entries if entry.recall is not None)
    by_idle = sorted(
        ((account.idle, uid) for uid, account in cell.accounts.items() if not account.recalled),
        reverse=True,
    )
    for idle, uid in by_idle:
        if missing <= 0 or idle == 0:
            return
        amount = Nanos(min(idle, missing))
        recall(world, draft, cell.entries[uid], amount)
        missing -= amount


def end_recall(world: World, draft: Draft, entry: Entry) -> bool:
    """End a recall, or the rest after one, whose time is over; whether anything ended."""
    if entry.recall is not None and entry.recall.until <= draft.now:
        entry.recall = None
        entry.rests_until = UtcMs(draft.now + world.terms.recall_rest)
        world.agenda.add(entry.rests_until, RecallEnds(entry.lease, entry.holder))
    elif entry.rests_until is not None and entry.rests_until <= draft.now:
        entry.rests_until = None
    else:
        return False
    world.refresh(entry)
    return True
