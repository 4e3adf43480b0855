"""The life of one call without any I/O: facts go in, orders come out.

    ready --> holding --> sent --> answering --> done
                 ^          |----> streaming --> done
                 '----------'----> failing ----> done

(`sidecar.gated` adds checking, between answering and done or the next holding.)

An attempt holds money, is sent, and its money ends exactly once, before the next attempt or the
end. Another model is tried only before the caller has got a byte, and never when the lost attempt
may have been billed. A caller that leaves changes nothing about the money: the answer is read to
its end. The one rule: what may happen in a state stands in the table at the end. This module must
not know sockets, clocks or the journal.
"""

import enum
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Final

from farebox.core.call import Call
from farebox.core.classify import Classification
from farebox.core.money import Nanos
from farebox.core.policy import Policy
from farebox.core.reasons import REFUSALS, Reason
from farebox.core.routing import plan
from sidecar.attempts import Attempt, Ending
from sidecar.commands import (
    CloseUpstream,
    Command,
    Drain,
    Finish,
    Forward,
    HoldMoney,
    Refuse,
    SendChunk,
    SendEnd,
    SendHead,
    SendWhole,
)
from sidecar.dialects.openai_chat import ChatRequest, rewrite
from sidecar.dialects.openai_stream import error_event
from sidecar.dialects.sse import EventTooLargeError
from sidecar.events import (
    CallerGone,
    Event,
    HoldLapsed,
    MoneyHeld,
    MoneyRefused,
    Stopped,
    TimedOut,
    UpstreamData,
    UpstreamEnded,
    UpstreamFailed,
    UpstreamHead,
)
from sidecar.headers import by_name, passed_on, told, told_cost
from sidecar.refusals import RefusalDetail, plainly, status_of
from sidecar.story import Story

Commands = tuple[Command, ...]

ATTEMPTS_MAX: Final = 3
ANSWER_BYTES_MAX: Final = 64 * 1024 * 1024
"""A whole answer that is longer is given up: it is held in memory until its cost is known."""

STATUS_REDIRECT: Final = 300
_TRY_ANOTHER: Final = frozenset({408, 429, *range(500, 600)})
_PLAIN: Final = frozenset({b"", b"identity"})
_COUNTS: Final = "the money held for the call counts as spent."


class State(enum.StrEnum):
    """Where a call stands."""

    READY = "ready"
    HOLDING = "holding"
    SENT = "sent"
    ANSWERING = "answering"
    CHECKING = "checking"
    FAILING = "failing"
    STREAMING = "streaming"
    DONE = "done"


READING: Final = frozenset({State.SENT, State.ANSWERING, State.FAILING, State.STREAMING})

"""The states in which the next fact comes from the provider."""

_NOTHING_TRIED: Final[frozenset[str]] = frozenset()


class IllegalEventError(Exception):
    """An event came that its state does not know: a fault in the program."""


class Exchange:
    """One call. `start` once, then `handle` every event; each returns orders to carry out."""

    __slots__ = (
        "_caller_gone",
        "_cap",
        "_plan",
        "_refused_by",
        "_request",
        "_story",
        "_tried",
        "_under_way",
        "call",
        "policy",
        "state",
    )

    def __init__(
        self,
        *,
        policy: Policy,
        request: ChatRequest,
        call: Call,
        call_id: str,
        cap: Nanos | None,
        found: Classification,
    ) -> None:
        """`cap` is the most that this one call may cost, `found` what it was taken for."""
        self.policy = policy
        self.call = call
        self.state = State.READY
        self._request = request
        self._cap = cap
        self._plan = plan(call, found, policy)
        self._story = Story(call_id, call, found, self._plan)
        self._tried: frozenset[str] = _NOTHING_TRIED
        self._caller_gone = False
        self._refused_by: Attempt | None = None
        self._under_way: Attempt | None = None

    def start(self) -> Commands:
        """Begin: hold money for the cheapest sufficient model, or refuse."""
        reason = self._plan.refusal
        if reason is None:
            return self._hold()
        detail = RefusalDetail(
            reason=reason, message=REFUSALS[reason].advice, rejected=self._plan.rejected
        )
        return self._refuse(detail)

    def handle(self, event: Event) -> Commands:
        """Take in one fact. Raises IllegalEventError for one that cannot happen now."""
        if self.state is State.DONE:
            return ()
        handler = self.TABLE[self.state].get(type(event))
        if handler is None:
            raise IllegalEventError(f"{type(event).__name__} while {self.state}")
        return handler(self, event)

    # ------------------------------------------------------------------------- holding and sending

    def _hold(self) -> Commands:
        self.state = State.HOLDING
        order = HoldMoney(plan=self._plan, call=self.call, tried=self._tried, cap=self._cap)
        return (order,)

    def _money_held(self, event: MoneyHeld) -> Commands:
        self.state = State.SENT
        self._under_way = Attempt(event, self._request)
        model = event.route.candidate.model
        body = rewrite(self._request, model=model, output_asked=event.route.output_asked)
        return (Forward(hold=event.hold, model=model, body=body),)

    def _money_refused(self, event: MoneyRefused) -> Commands:
        # Without a model that failed the money alone is why: nothing was sent, or it lapsed before.
        return self._give_up() if self._tried else self._refuse(event.detail)

    def _left_unheld(self, _: CallerGone | Stopped) -> Commands:
        self._caller_gone = True
        return self._finish(0)

    def _head_came(self, event: UpstreamHead) -> Commands:
        attempt = self._attempt
        attempt.status, attempt.headers = event.status, event.headers
        fields = by_name(event.headers)
        kind = fields.get(b"content-type", b"").lower()
        encoded = fields.get(b"content-encoding", b"").lower() not in _PLAIN
        if event.status >= STATUS_REDIRECT:
            self.state = State.FAILING
        elif encoded or not kind.startswith(b"text/event-stream"):
            self.state = State.ANSWERING
        else:
            self.state = State.STREAMING
            head = SendHead(status=event.status, lines=self._lines_of(attempt))
            return self._unless_gone(head)
        return ()

    def _no_head(self, event: UpstreamFailed) -> Commands:
        if not event.sent:
            money = self._end(self._attempt.end_unbilled(Reason.NOTHING_SENT))
            return (*money, *self._try_another())
        return self._lost(f"The provider took the call and gave no answer ({event.why})")

    def _lapsed(self, _: HoldLapsed) -> Commands:
        """Hold again: the same model may serve in the window that has begun meanwhile."""
        tried = self._tried
        money = self._end(self._attempt.end_unbilled(Reason.NOTHING_SENT))
        self._tried = tried
        return (*money, *self._try_another())

    # ------------------------------------------------------------------------------ a whole answer

    def _collect(self, event: UpstreamData) -> Commands:
        if self._attempt.collect(event.data) <= ANSWER_BYTES_MAX:
            return ()
        if self.state is State.FAILING:
            return self._provider_refused(event)
        why = f"The provider's answer is longer than {ANSWER_BYTES_MAX} bytes"
        return (CloseUpstream(), *self._lost(why))

    def _answered(self, event: UpstreamEnded) -> Commands:
        if not event.complete:
            return self._lost("The provider's answer broke off")
        attempt = self._attempt
        body = attempt.body
        ending = attempt.end_whole(body)
        lines = self._lines_of(attempt) + told_cost(ending.cost)
        whole = SendWhole(status=attempt.status, lines=lines, body=body)
        return (*self._end(ending), *self._finish(attempt.status), *self._unless_gone(whole))

    def _silent(self, _: TimedOut) -> Commands:
        money = self._end(self._attempt.end_lost())
        return (CloseUpstream(), *money, *self._refuse(plainly(Reason.PROVIDER_SILENT)))

    def _lost(self, what: str) -> Commands:
        money = self._end(self._attempt.end_lost())
        detail = RefusalDetail(reason=Reason.PROVIDER_UNREACHABLE, message=f"{what}; {_COUNTS}")
        return (*money, *self._refuse(detail))

    # ------------------------------------------------------------------------ a provider's refusal

    def _provider_refused(self, event: Event) -> Commands:
        attempt = self._refused_by = self._attempt
        close = () if isinstance(event, UpstreamEnded) else (CloseUpstream(),)
        money = self._end(attempt.end_unbilled(Reason.PROVIDER_REFUSED))
        if isinstance(event, Stopped):
            self._caller_gone = True
        again = attempt.status in _TRY_ANOTHER
        return (*close, *money, *(self._try_another() if again else self._give_up()))

    def _try_another(self) -> Commands:
        names = {candidate.model.name for candidate in self._plan.candidates}
        made = len(self._story.attempts)
        if self._caller_gone or made >= ATTEMPTS_MAX or names <= self._tried:
            return self._give_up()
        return self._hold()

    def _give_up(self) -> Commands:
        """Pass on the last answer that a provider gave, or say that none did."""
        attempt = self._refused_by
        if attempt is None:
            return self._refuse(plainly(Reason.PROVIDER_UNREACHABLE))
        whole = SendWhole(status=attempt.status, lines=self._lines_of(attempt), body=attempt.body)
        return (*self._finish(attempt.status), *self._unless_gone(whole))

    # ------------------------------------------------------------------------------------ a stream

    def _stream_data(self, event: UpstreamData) -> Commands:
        attempt = self._attempt
        try:
            data = attempt.meter.feed(event.data)
        except EventTooLargeError as error:
            return (CloseUpstream(), *self._broke_off(Reason.PROVIDER_UNREACHABLE, str(error)))
        if attempt.meter.crossed:
            return self._cut(data)
        return (SendChunk(data),) if data and not self._caller_gone else ()

    def _cut(self, data: bytes) -> Commands:
        """What was written is at least what was held: end the stream as the API itself would."""
        attempt = self._attempt
        attempt.response_model = attempt.meter.model
        closing = attempt.meter.closing(
            usage_asked=self._request.usage_asked,
            input_tokens=attempt.held.route.candidate.estimate.input_max,
        )
        money = self._end(attempt.end_lost(Reason.CUT_AT_HOLD))
        said = self._unless_gone(SendChunk(data + closing), SendEnd())
        return (CloseUpstream(), *money, *self._finish(attempt.status), *said)

    def _stream_ended(self, event: UpstreamEnded) -> Commands:
        attempt = self._attempt
        rest = attempt.meter.end() if event.complete else b""
        whole = event.complete and attempt.meter.finished
        if not whole and not attempt.meter.usage_final:
            return self._broke_off(Reason.PROVIDER_UNREACHABLE, "it ended before its last event")
        money = self._end(attempt.end_stream(whole=whole))
        chunk = (SendChunk(rest),) if rest else ()
        return (*money, *self._finish(attempt.status), *self._unless_gone(*chunk, SendEnd()))

    def _stream_silent(self, event: TimedOut) -> Commands:
        why = f"nothing came any more ({event.phase.value})"
        return (CloseUpstream(), *self._broke_off(Reason.PROVIDER_SILENT, why))

    def _broke_off(self, reason: Reason, why: str) -> Commands:
        attempt = self._attempt
        money = self._end(attempt.end_stream(whole=False))
        detail = RefusalDetail(reason=reason, message=f"The provider's stream broke off: {why}.")
        said = self._unless_gone(SendChunk(error_event(detail)), SendEnd())
        return (*money, *self._finish(attempt.status), *said)

    # -------------------------------------------------------------------------- caller and the end

    def _caller_left(self, _: CallerGone) -> Commands:
        if self._caller_gone:
            return ()
        self._caller_gone = True
        return (Drain(),)

    def _stopped(self, _: Stopped) -> Commands:
        self._caller_gone = True
        ending = self._attempt.end_stream(whole=False)
        return (CloseUpstream(), *self._end(ending), *self._finish(0))

    def _end(self, ending: Ending) -> Commands:
        """End the money of the attempt under way, exactly once."""
        attempt = self._attempt
        self._under_way = None
        self._story.add(attempt, ending)
        self._tried |= {attempt.held.route.candidate.model.name}
        return (attempt.order(ending),)

    def _refuse(self, detail: RefusalDetail) -> Commands:
        finish = self._finish(status_of(detail), detail)
        return (*finish, *self._unless_gone(Refuse(detail=detail)))

    def _finish(self, status: int, refused: RefusalDetail | None = None) -> Commands:
        self.state = State.DONE
        outcome = self._story.outcome(status=status, refused=refused, caller_gone=self._caller_gone)
        return (Finish(outcome=outcome),)

    def _unless_gone(self, *commands: Command) -> Commands:
        return () if self._caller_gone else commands

    def _lines_of(self, attempt: Attempt) -> bytes:
        story = self._story
        return passed_on(attempt.headers) + told(story.call_id, attempt.held, story.found)

    @property
    def _attempt(self) -> Attempt:
        assert self._under_way is not None, "an attempt is under way"
        return self._under_way

    TABLE: ClassVar[Mapping[State, Mapping[type[Event], Callable[[Any, Any], Commands]]]] = {
        State.READY: {Stopped: _left_unheld},
        State.HOLDING: {
            MoneyHeld: _money_held,
            MoneyRefused: _money_refused,
            CallerGone: _left_unheld,
            Stopped: _left_unheld,
        },
        State.SENT: {
            UpstreamHead: _head_came,
            UpstreamFailed: _no_head,
            HoldLapsed: _lapsed,
            TimedOut: _silent,
            CallerGone: _caller_left,
            Stopped: _stopped,
        },
        State.ANSWERING: {
            UpstreamData: _collect,
            UpstreamEnded: _answered,
            TimedOut: _silent,
            CallerGone: _caller_left,
            Stopped: _stopped,
        },
        State.FAILING: {
            UpstreamData: _collect,
            UpstreamEnded: _provider_refused,
            TimedOut: _provider_refused,
            CallerGone: _caller_left,
            Stopped: _provider_refused,
        },
        State.STREAMING: {
            UpstreamData: _stream_data,
            UpstreamEnded: _stream_ended,
            TimedOut: _stream_silent,
            CallerGone: _caller_left,
            Stopped: _stopped,
        },
    }
    """What may happen in which state, and what is done then; whatever is missing is a fault."""
