"""Events: the facts that enter an exchange.

The one rule: an event says what happened, never what to do about it. This module must not know
sockets, and an event never carries one.

The values that are made for every call, here and in `commands`, are msgspec's structs: making one
costs a tenth of making a frozen dataclass.
"""

import enum

import msgspec

from farebox.core.gates import Verdict
from farebox.core.leases import HoldId
from farebox.core.money import Nanos
from farebox.core.routing import Route
from sidecar.refusals import RefusalDetail

Headers = tuple[tuple[bytes, bytes], ...]
"""Header fields as they stood on the wire, names in lower case."""


class Phase(enum.StrEnum):
    """What was being waited for when time ran out."""

    HEAD = "head"
    BODY = "body"
    DRAIN = "drain"
    GATES = "gates"


class MoneyHeld(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Money is held for one attempt.

    `headroom`: what the call's pools had left before the hold; None for a call without pools.
    `shadow`: pools in shadow mode that would have refused it. `unverified`: pools that let it pass
    because the controller is away. Both are the titles that people see.
    """

    route: Route
    hold: HoldId
    headroom: Nanos | None
    shadow: tuple[str, ...] = ()
    unverified: tuple[str, ...] = ()


class MoneyRefused(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """No money could be held for any candidate that is still open."""

    detail: RefusalDetail


class UpstreamHead(msgspec.Struct, frozen=True, gc=False):
    """The provider has answered with a status line and headers."""

    status: int
    headers: Headers


class UpstreamData(msgspec.Struct, frozen=True, gc=False):
    """A piece of the provider's body, as it came."""

    data: bytes


class UpstreamEnded(msgspec.Struct, frozen=True, gc=False):
    """The provider's body has ended; `complete` is False when the connection broke off before."""

    complete: bool


class UpstreamFailed(msgspec.Struct, frozen=True, gc=False):
    """No head came. `sent`: the provider may have got the request, so that it may be billed."""

    sent: bool
    why: str


class HoldLapsed(msgspec.Struct, frozen=True, gc=False):
    """Nothing was sent: the window or the lease of the hold ended before a connection stood."""


class Judged(msgspec.Struct, frozen=True, gc=False):
    """What a gate says that is the user's own function."""

    verdict: Verdict


class CallerGone(msgspec.Struct, frozen=True, gc=False):
    """The caller has closed its connection; nothing can be sent to it any more."""


class TimedOut(msgspec.Struct, frozen=True, gc=False):
    """A bounded wait is over."""

    phase: Phase


class Stopped(msgspec.Struct, frozen=True, gc=False):
    """The process ends now: the exchange gets no other event."""


Event = (
    MoneyHeld
    | MoneyRefused
    | UpstreamHead
    | UpstreamData
    | UpstreamEnded
    | UpstreamFailed
    | HoldLapsed
    | Judged
    | CallerGone
    | TimedOut
    | Stopped
)
