"""Who is there: heard from, away, silent past its deadline, gone for good.

The one rule: silence freezes a holder's leases and frees nothing of them; only its own word does.
This module must not know what a holder says.
"""

from controller.agenda import HolderForgotten, HolderLost
from controller.beats import renew
from controller.closing import close_if_done, lost_entries, write_off
from controller.events import Draft, StreamId
from controller.store.protocol import ForgetHolder
from controller.world import Cell, Holder, World
from farebox.core.instant import BootMs, UtcMs
from farebox.core.leases import LeaseEvent, next_lease_state


def hear(world: World, holder: Holder, boot_ms: BootMs) -> None:
    """A holder has spoken: all its leases live another time to live, frozen ones revive."""
    renew(world, holder, boot_ms)
    if not holder.frozen:
        return
    holder.frozen = False
    world.watch(holder)
    for entry in holder.leases.values():
        entry.state = next_lease_state(entry.state, LeaseEvent.REPORTED)
    world.refresh_all(holder)


def leave(world: World, draft: Draft, stream: StreamId) -> None:
    """A stream is over. Its holder can be told nothing, so it waits for nothing either."""
    holder = world.holder_on(stream)
    world.streams.pop(stream, None)
    if holder is None:
        return
    holder.stream, holder.away_since = None, draft.now
    for charge in tuple(holder.wants):
        world.stop_waiting(holder, charge)
    world.refresh_all(holder)
    forget_if_gone(world, draft, holder)


def fall_silent(world: World, draft: Draft, holder: Holder) -> None:
    """Freeze a holder that is silent past its deadline, or be reminded again at its deadline."""
    holder.watched = False
    if holder.deadline > draft.now:
        world.watch(holder)
        return
    holder.frozen = True
    for entry in holder.leases.values():
        entry.state = next_lease_state(entry.state, LeaseEvent.DEADLINE_PASSED)
    world.refresh_all(holder)
    for entry in tuple(holder.leases.values()):
        close_if_done(world, draft, entry)
    world.agenda.add(_lost_at(world, holder), HolderLost(holder.uid))
    forget_if_gone(world, draft, holder)


def give_up(world: World, draft: Draft, holder: Holder) -> tuple[Cell, ...]:
    """Write off what a holder has of token buckets, if it has been silent for so long.

    Where its stream still stands, that is ended first: who lives, and was only thought to be silent
    because the clock here was set, comes back at once.
    """
    if not holder.frozen or not lost_entries(world, holder):
        return ()
    if holder.stream is not None and _lost_at(world, holder) <= draft.now:
        draft.ended.append(holder.stream)
        leave(world, draft, holder.stream)
    if _lost_at(world, holder) > draft.now:
        world.agenda.add(_lost_at(world, holder), HolderLost(holder.uid))
        return ()
    return write_off(world, draft, holder)


def _lost_at(world: World, holder: Holder) -> UtcMs:
    over = max(holder.deadline, holder.away_since, holder.spends_at_most)
    return UtcMs(over + world.terms.write_off_after)


def forget_poisoned(world: World, draft: Draft, holder: Holder) -> None:
    """Stop remembering a poisoned holder; what it had of buckets is unknown then, and refused."""
    if holder.leases:
        again = UtcMs(draft.now + world.terms.forget_after)
        world.agenda.add(again, HolderForgotten(holder.uid))
        return
    holder.poisoned = False
    forget_if_gone(world, draft, holder)


def forget_if_gone(world: World, draft: Draft, holder: Holder) -> None:
    """Forget a holder that is away, silent past its deadline, and has no lease."""
    if holder.poisoned:
        return
    if holder.stream is None and holder.frozen and not holder.leases:
        del world.holders[holder.uid]
        draft.writes.append(ForgetHolder(holder=holder.uid))
