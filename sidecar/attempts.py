"""One attempt: what came back from a provider, and how its money ends.

The one rule: a cost is what the provider reported; without a report it is a bound of what can be
seen; and where not even that can be known, the hold counts in full. Never zero once something was
sent and not refused. This module must not know states, sockets or other attempts.
"""

import msgspec

from farebox.core.leases import HoldEvent
from farebox.core.money import ZERO, Nanos
from farebox.core.prices import cost, worst_cost
from farebox.core.reasons import Reason
from farebox.core.routing import output_bound
from farebox.core.tiers import Capability
from farebox.core.usage import Usage
from sidecar.commands import AttemptRecord, Expire, Purpose, Settle, Void
from sidecar.dialects.openai_answers import read_answer
from sidecar.dialects.openai_chat import ChatRequest
from sidecar.dialects.openai_stream import StreamMeter
from sidecar.events import Headers, MoneyHeld


class Ending(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """How an attempt's money ends: the event, what it cost, and why."""

    event: HoldEvent
    cost: Nanos
    reason: Reason


class Attempt:
    """A call sent to one model with money of its own. `status` is 0 until a head has come."""

    __slots__ = (
        "_body_bytes",
        "_meter",
        "_pieces",
        "_request",
        "headers",
        "held",
        "response_model",
        "status",
        "usage",
    )

    def __init__(self, held: MoneyHeld, request: ChatRequest) -> None:
        self.held = held
        self.status = 0
        self.headers: Headers = ()
        self.usage: Usage | None = None
        self.response_model = ""
        self._body_bytes = 0
        self._request = request
        self._meter: StreamMeter | None = None
        self._pieces: list[bytes] = []

    @property
    def meter(self) -> StreamMeter:
        """What reads the answer when it is a stream."""
        if self._meter is None:
            route, request = self.held.route, self._request
            bound = output_bound(route.candidate.model, route.output_asked, request.choices)
            self._meter = StreamMeter(strip_usage=not request.usage_asked, output_bound=bound)
        return self._meter

    def collect(self, data: bytes) -> int:
        """Keep a piece of a whole answer; returns how long it is by now, in bytes."""
        self._pieces.append(data)
        self._body_bytes = length = self._body_bytes + len(data)
        return length

    @property
    def body(self) -> bytes:
        """The whole answer so far."""
        return self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)

    def end_whole(self, body: bytes) -> Ending:
        """The answer is here in full, and this is it."""
        answer = read_answer(body)
        self.usage, self.response_model = answer.usage, answer.model
        if answer.usage is not None:
            return self._reported(answer.usage)
        return self._counted(answer.output_tokens_max)

    def end_stream(self, *, whole: bool) -> Ending:
        """The stream is over. Unless it is `whole`, a running total of usage says nothing."""
        meter = self.meter
        self.response_model = meter.model
        if meter.usage is not None and (whole or meter.usage_final):
            self.usage = meter.usage
            return self._reported(meter.usage)
        return self._counted(meter.output_tokens_max) if whole else self.end_lost()

    def end_lost(self, reason: Reason = Reason.OUTCOME_UNKNOWN) -> Ending:
        """Nobody knows what was billed, or it is known to be at least the hold."""
        return Ending(event=HoldEvent.EXPIRE, cost=self.held.route.hold, reason=reason)

    def end_unbilled(self, reason: Reason) -> Ending:
        """It is certain that nothing was billed."""
        return Ending(event=HoldEvent.VOID, cost=ZERO, reason=reason)

    def order(self, ending: Ending) -> Settle | Void | Expire:
        """The order that ends the hold."""
        match ending.event:
            case HoldEvent.SETTLE:
                return Settle(hold=self.held.hold, cost=ending.cost, reason=ending.reason)
            case HoldEvent.VOID:
                return Void(hold=self.held.hold, reason=ending.reason)
            case HoldEvent.EXPIRE:
                return Expire(hold=self.held.hold, reason=ending.reason)

    def record(self, ending: Ending, purpose: Purpose = Purpose.ANSWER) -> AttemptRecord:
        """The attempt as its receipt keeps it."""
        held, route = self.held, self.held.route
        tier, model, _, _ = route.candidate
        return AttemptRecord(
            model=model.name,
            tier=tier.name if tier is not None else "",
            hold=held.hold,
            held=route.hold,
            cost=ending.cost,
            end=ending.reason,
            status=self.status,
            shadow=held.shadow,
            unverified=held.unverified,
            usage=self.usage,
            response_model=self.response_model,
            purpose=purpose,
        )

    def _reported(self, usage: Usage) -> Ending:
        # It may be more than was held: then the ledger books it in full and shows the overdraft.
        real = cost(self.held.route.candidate.model.price, usage)
        return Ending(event=HoldEvent.SETTLE, cost=real, reason=Reason.USAGE_REPORTED)

    def _counted(self, output_tokens_max: int | None) -> Ending:
        """The bound of the input and of the output that was seen; at most the hold.

        What a reasoning model thought cannot be seen, nor a body that cannot be read (None).
        """
        candidate, bound = self.held.route.candidate, self.held.route.hold
        if output_tokens_max is not None and (
            Capability.REASONING not in candidate.model.capabilities
        ):
            seen = worst_cost(
                candidate.model.price,
                input_max=candidate.estimate.input_max,
                output_max=output_tokens_max,
            )
            bound = Nanos(min(seen, bound))
        return Ending(event=HoldEvent.SETTLE, cost=bound, reason=Reason.USAGE_COUNTED)
