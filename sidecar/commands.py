"""Commands: the orders that an exchange gives.

The one rule: in every answer of an exchange the orders about money come before those that send
anything, so that whoever has seen the end of a call also finds it settled. This module must not
know how an order is carried out.
"""

import msgspec

from farebox.core.call import Identity
from farebox.core.leases import HoldId
from farebox.core.money import Nanos
from farebox.core.reasons import Reason
from farebox.core.routing import Plan, Rejected
from farebox.core.tiers import Model
from farebox.core.usage import Usage
from sidecar.refusals import RefusalDetail


class HoldMoney(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Hold money for the next attempt. `cap` bounds the single call."""

    plan: Plan
    tried: frozenset[str]
    cap: Nanos | None


class Forward(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Send this body to this model, if its money may still be spent when it is written."""

    hold: HoldId
    model: Model
    body: bytes


class Settle(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """End a hold at the real cost."""

    hold: HoldId
    cost: Nanos
    reason: Reason


class Void(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """End a hold of which nothing was billed."""

    hold: HoldId
    reason: Reason


class Expire(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """End a hold whose outcome is unknown: it counts in full."""

    hold: HoldId
    reason: Reason


class AttemptRecord(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One attempt: what was held for it and how its money ended.

    `status` is the provider's, 0 when it gave none. `shadow` and `unverified`: the pools that did
    not have the money and let it pass all the same; see `MoneyHeld`.
    """

    model: str
    tier: str
    hold: HoldId
    held: Nanos
    cost: Nanos
    end: Reason
    status: int
    shadow: tuple[str, ...] = ()
    unverified: tuple[str, ...] = ()


class Outcome(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """All that is kept of a finished call, but for when it was and how long it took.

    `status` is what the caller got, `refused` the reason when it was a refusal of Farebox. `task`
    is what the call was taken for. `model` and `tier` served it ("" when nothing did);
    `response_model` is what the provider says that it ran. `cost` is that of all attempts.
    """

    call_id: str
    identity: Identity
    model_asked: str
    stream: bool
    status: int
    refused: Reason | None
    refused_pool: str
    caller_gone: bool
    task: str
    difficulty: int
    rule: str
    route: Reason | None
    model: str
    tier: str
    response_model: str
    rejected: tuple[Rejected, ...]
    attempts: tuple[AttemptRecord, ...]
    usage: Usage | None
    cost: Nanos


class Finish(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The call is over as far as its money and its story are concerned."""

    outcome: Outcome


class SendWhole(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Answer the caller with a whole body. `lines` are its header fields as they are written."""

    status: int
    lines: bytes
    body: bytes


class Refuse(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Answer the caller with a refusal."""

    detail: RefusalDetail


class SendHead(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Begin to stream an answer to the caller. `lines` are its header fields as written."""

    status: int
    lines: bytes


class SendChunk(msgspec.Struct, frozen=True, gc=False):
    """Pass on a piece of a stream."""

    data: bytes


class SendEnd(msgspec.Struct, frozen=True, gc=False):
    """End the stream to the caller."""


class CloseUpstream(msgspec.Struct, frozen=True, gc=False):
    """Stop reading from the provider and close the connection."""


class Drain(msgspec.Struct, frozen=True, gc=False):
    """Nobody listens any more: read on for a bounded time, only to learn what it cost."""


Command = (
    HoldMoney
    | Forward
    | Settle
    | Void
    | Expire
    | Finish
    | SendWhole
    | Refuse
    | SendHead
    | SendChunk
    | SendEnd
    | CloseUpstream
    | Drain
)
