"""The sidecar's ledger: holding and settling money in every pool of a call in one step.

A decision returns a record; the record goes to the journal; `effect` says what it changes.
Replaying the journal applies the same records through the same function, so that a restart cannot
come to another result. The one rule: a record touches all leases of a call or none. This module
must not know the journal's format, the controller or any provider.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from farebox.core.instant import BootMs
from farebox.core.leases import (
    Hold,
    HoldEvent,
    HoldId,
    HoldState,
    Lease,
    LeaseId,
    next_hold_state,
)
from farebox.core.money import ZERO, Nanos
from farebox.core.reasons import Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Granted:
    """The controller has lent: the total ever granted, and when the window is for the holder."""

    lease: LeaseId
    granted: Nanos
    window_ends: BootMs | None
    starts: BootMs | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Returned:
    """The holder gives back: the total ever returned."""

    lease: LeaseId
    returned: Nanos


class Held(NamedTuple):
    """An attempt holds money before it is sent.

    `unchecked` are leases where it is booked whatever they have. `headroom` is what the others had
    left before, the least of them: what the decision has seen, not what it changes. A replayed
    record and one without leases have None.
    """

    hold: HoldId
    leases: tuple[LeaseId, ...]
    amount: Nanos
    headroom: Nanos | None = None
    unchecked: tuple[LeaseId, ...] = ()


class Ended(NamedTuple):
    """An attempt's money has ended: settled at `cost`, voided, or expired (then in full)."""

    hold: HoldId
    event: HoldEvent
    cost: Nanos
    reason: Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Closed:
    """A finished lease that the controller has settled: the holder forgets it."""

    lease: LeaseId


Record = Granted | Returned | Held | Ended | Closed

_new: Final = tuple.__new__
"""Makes a NamedTuple of all its fields in half the time; every call makes ten of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Book:
    """The leases and the holds under way. The mappings belong to the caller and are only read.

    `deadline`: until when new holds may be made at all, on the holder's clock. It moves with every
    report that the controller has answered, for all leases together.
    """

    leases: Mapping[LeaseId, Lease]
    holds: Mapping[HoldId, Hold]
    deadline: BootMs = BootMs(0)


class Effect(NamedTuple):
    """What a record changes: new values of leases, and the hold added or ended."""

    leases: tuple[Lease, ...] = ()
    closed: LeaseId | None = None
    hold: Hold | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Shortfall:
    """Why a hold could not be made: the lease that binds and what it has left."""

    lease: LeaseId
    headroom: Nanos
    usable: bool


def hold(
    book: Book,
    *,
    hold_id: HoldId,
    leases: tuple[LeaseId, ...],
    amount: Nanos,
    now: BootMs,
    unchecked: tuple[LeaseId, ...] = (),
) -> Held | Shortfall:
    """Hold `amount` in all the leases, or say which of them can't take it and leave all alone.

    It is booked on those `unchecked` as well; they are known leases of pools that never refuse.
    """
    if hold_id in book.holds or amount < 0:
        raise ValueError(f"hold {hold_id} of {amount} n$ is not a new, non-negative hold")
    in_time, least = now < book.deadline, None
    for lease_id, lease in zip(leases, map(book.leases.get, leases), strict=True):
        if lease is None:
            return Shortfall(lease=lease_id, headroom=ZERO, usable=False)
        _, granted, returned, spent, reserved, ends, starts = lease
        free = granted - returned - spent - reserved
        usable = in_time and (ends is None or now < ends) and (starts is None or now >= starts)
        if not usable or free < amount:
            if amount or not usable:
                return Shortfall(lease=lease_id, headroom=lease.headroom, usable=usable)
            # A call that costs nothing fits a lease that is overdrawn.
            free = 0
        if least is None or free < least:
            least = Nanos(free)
    return _new(Held, (hold_id, leases, amount, least, unchecked))


def settle(book: Book, *, hold_id: HoldId, cost: Nanos, reason: Reason) -> Ended:
    """End a hold at the real cost, which may be more than was held: then it is booked in full."""
    return _end(book, hold_id, HoldEvent.SETTLE, cost, reason)


def void(book: Book, *, hold_id: HoldId, reason: Reason) -> Ended:
    """End a hold of which it is certain that nothing was billed."""
    return _end(book, hold_id, HoldEvent.VOID, ZERO, reason)


def expire(book: Book, *, hold_id: HoldId, reason: Reason) -> Ended:
    """End a hold whose outcome is unknown: all of it counts as spent."""
    return _end(book, hold_id, HoldEvent.EXPIRE, book.holds[hold_id].amount, reason)


def _end(book: Book, hold_id: HoldId, event: HoldEvent, cost: Nanos, reason: Reason) -> Ended:
    next_hold_state(book.holds[hold_id].state, event)
    if cost < 0:
        raise ValueError(f"a cost is never negative: {cost}")
    return _new(Ended, (hold_id, event, cost, reason))


def give_back(lease: Lease, *, keep: Nanos) -> Returned | None:
    """Return what is free beyond `keep`; None when there is nothing to return."""
    surplus = lease.headroom - keep
    if surplus <= 0:
        return None
    return Returned(lease=lease.id, returned=Nanos(lease.returned + surplus))


def is_finished(lease: Lease, *, now: BootMs) -> bool:
    """Whether a lease can be closed: its window is over and no money of it is held."""
    return lease.window_over_at(now) and lease.reserved == 0


def effect(book: Book, record: Record) -> Effect:
    """What a record changes. Raises KeyError or IllegalTransition for a record that can't be."""
    return _EFFECTS[type(record)](book, record)


def _granted(book: Book, record: Granted) -> Effect:
    lease = book.leases.get(record.lease) or Lease(id=record.lease, starts=record.starts)
    raised = lease._replace(
        granted=Nanos(max(lease.granted, record.granted)),
        window_ends=record.window_ends,
        starts=_earlier(lease.starts, record.starts),
    )
    return Effect(leases=(raised,))


def _earlier(one: BootMs | None, other: BootMs | None) -> BootMs | None:
    """Each is as late as its message was: the earlier is nearer to the truth. None has begun."""
    return None if one is None or other is None else min(one, other)


def _returned(book: Book, record: Returned) -> Effect:
    lease = book.leases[record.lease]
    raised = Nanos(max(lease.returned, record.returned))
    return Effect(leases=(lease._replace(returned=raised),))


def _held(book: Book, record: Held) -> Effect:
    hold_id, leases, amount, _, unchecked = record
    changed = _moved(book, leases + unchecked, amount, 0)
    held: Hold = _new(Hold, (hold_id, leases, amount, HoldState.HELD, unchecked))
    return _new(Effect, (changed, None, held))


def _ended(book: Book, record: Ended) -> Effect:
    hold_id, event, cost, _ = record
    _, leases, amount, before, unchecked = book.holds[hold_id]
    after = next_hold_state(before, event)
    changed = _moved(book, leases + unchecked, -amount, cost)
    ended: Hold = _new(Hold, (hold_id, leases, amount, after, unchecked))
    return _new(Effect, (changed, None, ended))


def _closed(_: Book, record: Closed) -> Effect:
    return Effect(closed=record.lease)


def _moved(book: Book, ids: tuple[LeaseId, ...], reserved: int, spent: int) -> tuple[Lease, ...]:
    """The leases with more or less reserved and more spent."""
    return tuple(
        [
            _new(Lease, (known, granted, returned, used + spent, held + reserved, ends, starts))
            for known, granted, returned, used, held, ends, starts in map(
                book.leases.__getitem__, ids
            )
        ]
    )


_EFFECTS: Final[dict[type[Record], Callable[[Book, Any], Effect]]] = {
    Granted: _granted,
    Returned: _returned,
    Held: _held,
    Ended: _ended,
    Closed: _closed,
}


def total_held(holds: Iterable[Hold]) -> Nanos:
    """The money of all holds under way."""
    return Nanos(sum(hold.amount for hold in holds if hold.state is HoldState.HELD))
