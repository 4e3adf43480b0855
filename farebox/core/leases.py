"""Leases and holds: their values and, as tables, all that may happen to them.

The one rule: everything that decides whether a change of state is legal stands in the two tables of
this file. A lease has four amounts; `granted` only the controller raises, `returned` and `spent`
only the holder, and none of the three ever falls, so that a message lost, doubled or late does no
harm. This module must not know why money is lent.
"""

import enum
from typing import Final, NamedTuple, NewType

from farebox.core.budgets import Charge
from farebox.core.instant import BootMs
from farebox.core.money import ZERO, Nanos

HoldId = NewType("HoldId", int)
"""Numbers the attempts of one holder; never used twice, restarts included."""


class IllegalTransition(Exception):
    """A lease or a hold was asked to do what its state does not allow: a fault in the program."""


class LeaseState(enum.StrEnum):
    """Where a lease stands in the controller's ledger."""

    GRANTED = "granted"
    ACTIVE = "active"
    EXPIRED = "expired"
    SETTLED = "settled"
    RECLAIMED = "reclaimed"
    WRITTEN_OFF = "written_off"


class LeaseEvent(enum.StrEnum):
    """What can happen to a lease."""

    REPORTED = "reported"
    DEADLINE_PASSED = "deadline_passed"
    FINISHED = "finished"
    WINDOW_FORGOTTEN = "window_forgotten"


LEASE_TRANSITIONS: Final[dict[LeaseState, dict[LeaseEvent, LeaseState]]] = {
    LeaseState.GRANTED: {
        LeaseEvent.REPORTED: LeaseState.ACTIVE,
        LeaseEvent.DEADLINE_PASSED: LeaseState.EXPIRED,
        LeaseEvent.FINISHED: LeaseState.SETTLED,
        LeaseEvent.WINDOW_FORGOTTEN: LeaseState.WRITTEN_OFF,
    },
    LeaseState.ACTIVE: {
        LeaseEvent.REPORTED: LeaseState.ACTIVE,
        LeaseEvent.DEADLINE_PASSED: LeaseState.EXPIRED,
        LeaseEvent.FINISHED: LeaseState.SETTLED,
        LeaseEvent.WINDOW_FORGOTTEN: LeaseState.WRITTEN_OFF,
    },
    # Expiry freezes money and never frees it: only the holder's own word brings a lease back.
    LeaseState.EXPIRED: {
        LeaseEvent.REPORTED: LeaseState.ACTIVE,
        LeaseEvent.DEADLINE_PASSED: LeaseState.EXPIRED,
        LeaseEvent.FINISHED: LeaseState.RECLAIMED,
        LeaseEvent.WINDOW_FORGOTTEN: LeaseState.WRITTEN_OFF,
    },
    LeaseState.SETTLED: {},
    LeaseState.RECLAIMED: {},
    LeaseState.WRITTEN_OFF: {},
}


class HoldState(enum.StrEnum):
    """Where the money of one attempt stands."""

    HELD = "held"
    SETTLED = "settled"
    VOIDED = "voided"
    EXPIRED = "expired"


class HoldEvent(enum.StrEnum):
    """How an attempt's money can end."""

    SETTLE = "settle"
    VOID = "void"
    EXPIRE = "expire"


HOLD_TRANSITIONS: Final[dict[HoldState, dict[HoldEvent, HoldState]]] = {
    HoldState.HELD: {
        HoldEvent.SETTLE: HoldState.SETTLED,
        HoldEvent.VOID: HoldState.VOIDED,
        HoldEvent.EXPIRE: HoldState.EXPIRED,
    },
    HoldState.SETTLED: {},
    HoldState.VOIDED: {},
    HoldState.EXPIRED: {},
}


def next_lease_state(state: LeaseState, event: LeaseEvent) -> LeaseState:
    """The state after an event. Raises IllegalTransition for what the table does not list."""
    try:
        return LEASE_TRANSITIONS[state][event]
    except KeyError:
        raise IllegalTransition(f"a lease that is {state} cannot be {event}") from None


def next_hold_state(state: HoldState, event: HoldEvent) -> HoldState:
    """The state after an event. Raises IllegalTransition for what the table does not list."""
    try:
        return HOLD_TRANSITIONS[state][event]
    except KeyError:
        raise IllegalTransition(f"a hold that is {state} cannot {event}") from None


class LeaseId(NamedTuple):
    """A (sub-)pool in one window. With the holder, it names an account of the ledger.

    A tuple, because every call hashes it a dozen times.
    """

    charge: Charge
    window: int


class Lease(NamedTuple):
    """A lease as its holder knows it.

    `window_ends`: until when new holds may be made, on the holder's own clock (None for a
    lifetime). Money that is already held may be settled after that. `starts`: from when on, for
    money of a window that was lent before it began.
    """

    id: LeaseId
    granted: Nanos = ZERO
    returned: Nanos = ZERO
    spent: Nanos = ZERO
    reserved: Nanos = ZERO
    window_ends: BootMs | None = None
    starts: BootMs | None = None

    @property
    def headroom(self) -> Nanos:
        """What new holds may still take; never negative."""
        return Nanos(max(0, self.granted - self.returned - self.spent - self.reserved))

    @property
    def overdraft(self) -> Nanos:
        """What was spent beyond what was lent: calls that cost more than their hold."""
        return Nanos(max(0, self.spent + self.reserved - (self.granted - self.returned)))

    def window_over_at(self, now: BootMs) -> bool:
        """Whether the window has ended on the holder's clock."""
        return self.window_ends is not None and now >= self.window_ends

    def open_at(self, now: BootMs) -> bool:
        """Whether the window has begun and has not ended, on the holder's clock."""
        begun = self.starts is None or now >= self.starts
        return begun and not self.window_over_at(now)


class Hold(NamedTuple):
    """The money of one attempt, held in every lease of its call.

    `unchecked` are leases where it is booked whatever they have: of pools that do not refuse.
    """

    id: HoldId
    leases: tuple[LeaseId, ...]
    amount: Nanos
    state: HoldState = HoldState.HELD
    unchecked: tuple[LeaseId, ...] = ()
