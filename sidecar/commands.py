"""Commands: the orders that an exchange gives.

The one rule: in every answer of an exchange the orders about money come before those that send
anything, so that whoever has seen the end of a call also finds it settled. This module must not
know how an order is carried out.
"""

import enum
from typing import Final, NamedTuple

import msgspec

from farebox.core.call import Call, Identity
from farebox.core.gates import Case, Gate, Verdict
from farebox.core.instant import DurationMs
from farebox.core.leases import HoldId
from farebox.core.money import Nanos
from farebox.core.reasons import Reason
from farebox.core.routing import Plan, Rejected
from farebox.core.tiers import Model
from farebox.core.usage import Usage
from sidecar.refusals import RefusalDetail


class Purpose(enum.StrEnum):
    """What an attempt is for: the caller's answer, or what a gate asks to judge it."""

    ANSWER = "answer"
    SECOND = "second"
    GRADE = "grade"


class HoldMoney(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Hold money for the next attempt. `cap` bounds it: what the caller's call may still cost.

    `call` is what is paid for: the caller's own, or the one that a gate makes.
    """

    plan: Plan
    call: Call
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


class LimitTime(msgspec.Struct, frozen=True, gc=False):
    """From now on the call may take so long; after that it is told that its time is over."""

    within: DurationMs


class Judge(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Run a gate that is the user's own function."""

    gate: Gate
    answer: str
    case: Case


class AttemptRecord(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One attempt: what was held for it and how its money ended.

    `status` is the provider's, 0 when it gave none. `shadow` and `unverified`: the pools that did
    not have the money and let it pass all the same; see `MoneyHeld`. `response_model` is what the
    provider says that it ran. `verdicts` are what the gates said of the answer.
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
    usage: Usage | None = None
    response_model: str = ""
    purpose: Purpose = Purpose.ANSWER
    verdicts: tuple[Verdict, ...] = ()


class Asked(NamedTuple):
    """The size and kind of what was asked, without its text; see `farebox.core.call.Call`."""

    body_bytes: int = 0
    turns: int = 1
    output_tokens: int | None = None
    choices: int = 1
    tools: int = 0
    images: int = 0
    json_schema: bool = False


NOTHING_ASKED: Final = Asked()


class Outcome(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """All that is kept of a finished call, but for when it was and how long it took.

    `status` is what the caller got, `refused` the reason when it was a refusal of Farebox. `task`
    is what the call was taken for. `model` and `tier` served it ("" when nothing did);
    `response_model` is what the provider says that it ran. `cost` is that of all attempts. `gate`
    is "passed", "failed:NAME", "none" for an answer that was given unchecked, "" without gates;
    `escalations` counts the answers that were asked of a higher tier.
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
    gate: str = ""
    escalations: int = 0
    asked: Asked = NOTHING_ASKED


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
    | LimitTime
    | Judge
    | SendWhole
    | Refuse
    | SendHead
    | SendChunk
    | SendEnd
    | CloseUpstream
    | Drain
)
