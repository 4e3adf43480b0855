"""The sidecar's ledger: holding and settling money in every pool of a call in one step.

A decision returns a record; the record goes to the journal; `effect` says what it changes.
Replaying the journal applies the same records through the same function, so that a restart cannot
come to another result. The one rule: a record touches all leases of a call or none. This module
must not know the journal's format, the controller or any provider.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

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
    """The controller has lent: the total ever granted, and when the window ends for the holder."""

    lease: LeaseId
    granted: Nanos
    window_ends: BootMs | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Returned:
    """The holder gives back: the total ever returned."""

    lease: LeaseId
    returned: Nanos


class Held(NamedTuple):
    """An attempt holds money before it is sent."""

    hold: HoldId
    leases: tuple[LeaseId, ...]
    amount: Nanos


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
    book: Book, *, hold_id: HoldId, leases: tuple[LeaseId, ...], amount: Nanos, now: BootMs
) -> Held | Shortfall:
    """Hold `amount` in all the leases, or say which of them can't take it and leave all alone."""
    if hold_id in book.holds or amount < 0:
        raise ValueError(f"hold {hold_id} of {amount} n$ is not a new, non-negative hold")
    for lease_id in leases:
        lease = book.leases.get(lease_id)
        if lease is None:
            return Shortfall(lease=lease_id, headroom=ZERO, usable=False)
        usable = now < book.deadline and not lease.window_over_at(now)
        if not usable or lease.headroom < amount:
            return Shortfall(lease=lease_id, headroom=lease.headroom, usable=usable)
    return Held(hold=hold_id, leases=leases, amount=amount)


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
    return Ended(hold=hold_id, event=event, cost=cost, reason=reason)


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
    match record:
        case Granted():
            return Effect(leases=(_granted(book, record),))
        case Returned():
            lease = book.leases[record.lease]
            raised = Nanos(max(lease.returned, record.returned))
            return Effect(leases=(lease._replace(returned=raised),))
        case Held():
            return _held(book, record)
        case Ended():
            return _ended(book, record)
        case Closed():
            return Effect(closed=record.lease)


def _granted(book: Book, record: Granted) -> Lease:
    lease = book.leases.get(record.lease) or Lease(id=record.lease)
    return lease._replace(
        granted=Nanos(max(lease.granted, record.granted)),
        window_ends=record.window_ends,
    )


def _held(book: Book, record: Held) -> Effect:
    changed = [_moved(book.leases[lease], record.amount, 0) for lease in record.leases]
    return Effect(
        leases=tuple(changed),
        hold=Hold(id=record.hold, leases=record.leases, amount=record.amount),
    )


def _ended(book: Book, record: Ended) -> Effect:
    ending = book.holds[record.hold]
    changed = [_moved(book.leases[lease], -ending.amount, record.cost) for lease in ending.leases]
    state = next_hold_state(ending.state, record.event)
    return Effect(
        leases=tuple(changed),
        hold=Hold(id=ending.id, leases=ending.leases, amount=ending.amount, state=state),
    )


def _moved(lease: Lease, reserved: int, spent: int) -> Lease:
    """A lease with more or less reserved and more spent. By position: made six times a call."""
    return Lease(
        lease.id,
        lease.granted,
        lease.returned,
        Nanos(lease.spent + spent),
        Nanos(lease.reserved + reserved),
        lease.window_ends,
    )


def total_held(holds: Iterable[Hold]) -> Nanos:
    """The money of all holds under way."""
    return Nanos(sum(hold.amount for hold in holds if hold.state is HoldState.HELD))
