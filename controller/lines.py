"""Who waits for a (sub-)pool, in the order in which they began to.

Wants are levels, not events: each report replaces what its holder wanted, and who goes on wanting
keeps its place. The one rule: what comes free is kept for the first in the line for a while, so
that small demands don't pass a large one for ever; then it is told so, and the others go past it.
This module must not know how much is lent to whom.
"""

from collections.abc import Iterable, Iterator

from controller.agenda import LineMoves
from controller.world import Cell, Holder, Waiter, World
from farebox.core.budgets import Charge
from farebox.core.instant import UtcMs
from farebox.core.money import ZERO, Nanos
from farebox.wire.messages import Want


def replace_wants(world: World, holder: Holder, wants: Iterable[Want]) -> tuple[Want, ...]:
    """Take what a holder wants now instead of what it wanted before; returns it, once per charge.

    Who goes on wanting keeps its place in the line.
    """
    wanted = {want.charge: want for want in wants}
    for charge in holder.wants - wanted.keys():
        world.stop_waiting(holder, charge)
    for charge, want in wanted.items():
        line = world.waiting.setdefault(charge, {})
        waiter = line.get(holder.uid)
        if waiter is None:
            line[holder.uid] = Waiter(want=want, since=world.now)
        else:
            waiter.want = want
    holder.wants = set(wanted)
    return tuple(wanted.values())


def reserve(world: World, holder: Holder, charge: Charge) -> None:
    """Keep what comes free for a holder once it is the first, as long as its time goes on."""
    waiter = world.waiting.get(charge, {}).get(holder.uid)
    if waiter is None or waiter.passed or waiter.reserves:
        return
    waiter.reserves = True
    world.agenda.add(UtcMs(world.now + world.terms.line_wait), LineMoves(charge))


def ahead_of(world: World, holder: Holder, cell: Cell) -> Nanos:
    """What is kept for the first in the line of a cell, for whoever comes after it."""
    for uid, waiter in world.waiting.get(cell.lease.charge, {}).items():
        if uid == holder.uid:
            break
        if waiter.reserves:
            entry = cell.entries.get(uid)
            under_way = entry.granted - entry.known if entry is not None else ZERO
            return Nanos(max(0, waiter.want.need - under_way))
    return ZERO


def seniors_of(world: World, holder: Holder, cell: Cell) -> frozenset[str]:
    """Whose money a holder can't ask for: who has waited longer, for whatever (sub-)pool.

    Two that hold what the other one lacks would take it from each other for ever.
    """
    mine = _rank(world, holder)
    others = (world.holders[uid] for uid in cell.entries if uid != holder.uid)
    return frozenset(one.uid for one in others if _keeps(world, one) and _rank(world, one) < mine)


def move_on(world: World, charge: Charge) -> str | None:
    """Let the others go past the first in a line when its time is over; returns who that is."""
    line = world.waiting.get(charge, {})
    for uid, waiter in line.items():
        if waiter.reserves and waiter.since + world.terms.line_wait <= world.now:
            waiter.reserves, waiter.passed = False, True
            line[uid] = line.pop(uid)
            return uid
    return None


def _waiters(world: World, holder: Holder) -> Iterator[Waiter]:
    for charge in holder.wants:
        waiter = world.waiting.get(charge, {}).get(holder.uid)
        if waiter is not None and not waiter.passed and waiter.want.need > 0:
            yield waiter


def _keeps(world: World, holder: Holder) -> bool:
    return any(waiter.reserves for waiter in _waiters(world, holder))


def _rank(world: World, holder: Holder) -> tuple[UtcMs, str]:
    since = (waiter.since for waiter in _waiters(world, holder))
    return min(since, default=world.now), holder.uid
