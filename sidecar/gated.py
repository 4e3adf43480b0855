"""The life of a call whose answers are checked: what comes after a whole answer is here.

    answering --> checking --> done                      the gates say yes, or nothing is left
                     |-------> holding --> sent ...       a gate asks a model; then checking again
                     '-------> holding --> sent ...       a gate said no: the next higher tier

An answer is asked for as a whole, whatever the caller wants, judged, and only then given out; each
further answer and each question of a gate is an attempt with money of its own, and all of them
together stay within what the caller lets the call cost. The one rule: nothing goes to the caller
that was not judged, but what its task lets pass all the same, and that says so. This module must
not know sockets, clocks or the journal.
"""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Final

from farebox.core.call import Call
from farebox.core.classify import Classification
from farebox.core.gates import Verdict
from farebox.core.money import ZERO, Nanos
from farebox.core.policy import Policy
from farebox.core.reasons import REFUSALS, Reason
from farebox.core.routing import escalated
from farebox.core.tasks import AfterGates, Consequence
from farebox.gates.panel import Panel, Run
from sidecar.attempts import Attempt, Ending
from sidecar.commands import (
    CloseUpstream,
    Command,
    Forward,
    HoldMoney,
    Judge,
    LimitTime,
    SendChunk,
    SendEnd,
    SendHead,
    SendWhole,
)
from sidecar.dialects.openai_chat import ChatRequest
from sidecar.dialects.openai_gates import case_of, texts_of, whole
from sidecar.dialects.openai_stream import STREAM_KIND, streamed
from sidecar.events import (
    CallerGone,
    Event,
    Judged,
    MoneyHeld,
    MoneyRefused,
    Phase,
    Stopped,
    TimedOut,
    UpstreamEnded,
    UpstreamHead,
)
from sidecar.exchange import ATTEMPTS_MAX, STATUS_REDIRECT, Commands, Exchange, State
from sidecar.gate_calls import GateCall, gate_call
from sidecar.headers import told_cost, told_gate
from sidecar.refusals import RefusalDetail

GATE_CALLS_MAX: Final = 8
"""So many questions of gates are paid for in one call; a gate that has more has not run."""

_NO_TIME: Final = "no time was left for it"


def is_high(found: Classification, policy: Policy) -> bool:
    """Whether a wrong answer has a high consequence: then none is given that was not checked."""
    task = policy.marks.by_name.get(found.task)
    return task is not None and task.consequence is Consequence.HIGH


class GatedExchange(Exchange):
    """One call whose task has gates."""

    __slots__ = (
        "_asking",
        "_best",
        "_best_at",
        "_case",
        "_clock_runs",
        "_gate_calls",
        "_last",
        "_last_at",
        "_late",
        "_made",
        "_opinions",
        "_panel",
        "_usage_asked",
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
        """`cap` is the most that this one call may cost, with all its attempts."""
        super().__init__(
            policy=policy,
            request=whole(request),
            call=call,
            call_id=call_id,
            cap=cap,
            found=found,
        )
        self._usage_asked = request.usage_asked
        self._case = case_of(request, call)
        self._panel: Panel | None = None
        self._asking: GateCall | None = None
        self._last: Attempt | None = None
        self._best: Attempt | None = None
        self._last_at = self._best_at = 0
        self._made = 0
        self._gate_calls = 0
        self._opinions: dict[str, str] = {}
        self._clock_runs = self._late = False

    # ------------------------------------------------------------------------- holding and sending

    def _hold(self) -> Commands:
        self.state = State.HOLDING
        asking = self._asking
        plan, call = (self._plan, self.call) if asking is None else (asking.plan, asking.call)
        tried = self._tried if asking is None else frozenset[str]()
        return (HoldMoney(plan=plan, call=call, tried=tried, cap=self._cap_left),)

    @property
    def _cap_left(self) -> Nanos | None:
        """What the call may still cost."""
        return None if self._cap is None else Nanos(max(ZERO, self._cap - self._story.cost))

    def _money_held(self, event: MoneyHeld) -> Commands:
        asking = self._asking
        if asking is None:
            if self._best is not None and not self._made:
                self._story.escalations += 1
            return super()._money_held(event)
        self.state = State.SENT
        self._under_way = Attempt(event, asking.request)
        model, body = event.route.candidate.model, asking.body_for(event.route)
        return (Forward(hold=event.hold, model=model, body=body),)

    def _money_refused(self, event: MoneyRefused) -> Commands:
        if self._asking is not None:
            return self._unanswered("there was no money for it")
        return super()._money_refused(event) if self._best is None else self._after()

    def _head_came(self, event: UpstreamHead) -> Commands:
        attempt = self._attempt
        attempt.status, attempt.headers = event.status, event.headers
        refused = event.status >= STATUS_REDIRECT
        self.state = State.FAILING if refused else State.ANSWERING
        return ()

    # ---------------------------------------------------------------------------------- an answer

    def _answered(self, event: UpstreamEnded) -> Commands:
        if not event.complete:
            return self._lost("The provider's answer broke off")
        attempt, asking = self._attempt, self._asking
        body = attempt.body
        money = self._end(attempt.end_whole(body))
        if self._caller_gone:
            return (*money, *self._finish(attempt.status))
        texts = texts_of(body)
        if asking is not None:
            return (*money, *self._heard(texts))
        if self.call.stream and not streamed(body, usage_asked=False):
            texts = ()
        self._last, self._last_at = attempt, len(self._story.attempts) - 1
        if texts or self._best is None:
            self._best, self._best_at = attempt, self._last_at
        self._panel = Panel(
            self._story.found.gates,
            texts,
            self._case,
            served=attempt.held.route.candidate.model.name,
            opinions=self._opinions,
        )
        return self._after_money(money, self._check())

    def _after_money(self, money: Commands, then: Commands) -> Commands:
        """From the first answer on, what is added to its time counts."""
        if self.state is State.DONE or self._clock_runs:
            return (*money, *then)
        self._clock_runs = True
        return (*money, LimitTime(self._story.found.escalation.added_latency_max), *then)

    def _heard(self, texts: tuple[str, ...]) -> Commands:
        """A model has answered what a gate asked."""
        self._asking = None
        self._judges.hear(texts[0] if texts else None)
        return self._check()

    def _unanswered(self, why: str) -> Commands:
        """What a gate asked was not answered."""
        self._asking = None
        self._judges.hear(None, why)
        return self._check()

    def _check(self) -> Commands:
        """Go on with the gates, as far as that goes without waiting."""
        panel = self._judges
        while (need := panel.next()) is not None:
            if isinstance(need, Run):
                self.state = State.CHECKING
                return (Judge(gate=need.gate, answer=need.answer, case=need.case),)
            if self._gate_calls >= GATE_CALLS_MAX:
                panel.hear(None, f"more than {GATE_CALLS_MAX} questions in one call")
                continue
            made = gate_call(need, self._request, self.call, self._story.found, self.policy)
            if not isinstance(made, str):
                self._gate_calls += 1
                self._asking = made
                return self._hold()
            panel.hear(None, made)
        self._story.judge(self._last_at, panel.verdicts)
        failed = panel.failed
        return self._serve("passed") if failed is None else self._escalate(failed)

    def _judged(self, event: Judged) -> Commands:
        self._judges.take(event.verdict)
        return self._check()

    # ------------------------------------------------------------------------------- going higher

    def _escalate(self, failed: Verdict) -> Commands:
        """Ask a higher tier, when that may help and is allowed."""
        steps_max = self._story.found.escalation.steps_max
        # A gate that did not run would not run for a dearer answer either.
        if self._late or not failed.ran or self._story.escalations >= steps_max:
            return self._after()
        assert self._last is not None
        tier = self._last.held.route.candidate.tier
        higher = escalated(self._plan, 0 if tier is None else tier.rank)
        if {candidate.model.name for candidate in higher.candidates} <= self._tried:
            return self._after()
        self._plan, self._made = higher, 0
        return self._hold()

    def _after(self) -> Commands:
        """No further answer: give the best one with a warning, or refuse."""
        failed = self._judges.failed
        assert failed is not None
        self._story.gate = f"failed:{failed.gate}"
        if self._story.found.escalation.after is AfterGates.RETURN_LAST and self._is_givable:
            return self._serve(self._story.gate)
        detail = RefusalDetail(
            reason=Reason.GATE_FAILED,
            message=f"{REFUSALS[Reason.GATE_FAILED].advice} The last one: {failed.why}.",
            gate=failed.gate,
        )
        return super()._refuse(detail)

    @property
    def _is_givable(self) -> bool:
        """Whether the best answer can be put into the form that the caller wants."""
        assert self._best is not None
        return not self.call.stream or bool(streamed(self._best.body, usage_asked=False))

    def _serve(self, gate: str) -> Commands:
        """Give the caller the best answer, in the form that it wants."""
        attempt, story = self._best, self._story
        assert attempt is not None
        story.gate = gate
        story.serve(attempt, story.attempts[self._best_at])
        more = told_cost(Nanos(story.cost)) + told_gate(gate, story.escalations)
        answer = self._in_form(attempt, more)
        return (*self._finish(attempt.status), *self._unless_gone(*answer))

    def _in_form(self, attempt: Attempt, more: bytes) -> tuple[Command, ...]:
        if not self.call.stream:
            lines = self._lines_of(attempt) + more
            return (SendWhole(status=attempt.status, lines=lines, body=attempt.body),)
        kept = [field for field in attempt.headers if field[0] != b"content-type"]
        attempt.headers = (*kept, (b"content-type", STREAM_KIND))
        head = SendHead(status=attempt.status, lines=self._lines_of(attempt) + more)
        chunks = streamed(attempt.body, usage_asked=self._usage_asked)
        return (head, SendChunk(chunks), SendEnd())

    # ------------------------------------------------------------------------- what does not work

    def _end(self, ending: Ending) -> Commands:
        attempt, asking = self._attempt, self._asking
        if asking is None:
            self._made += 1
            return super()._end(ending)
        self._under_way = None
        self._story.add_aside(attempt, ending, asking.purpose)
        return (attempt.order(ending),)

    def _try_another(self) -> Commands:
        names = {candidate.model.name for candidate in self._plan.candidates}
        over = self._late or self._made >= ATTEMPTS_MAX or names <= self._tried
        if over or self._caller_gone or self._asking is not None:
            return self._give_up()
        return self._hold()

    def _give_up(self) -> Commands:
        if self._caller_gone:
            return self._finish(0)
        if self._asking is not None:
            return self._unanswered("the model gave no answer")
        return super()._give_up() if self._best is None else self._after()

    def _refuse(self, detail: RefusalDetail) -> Commands:
        if self._caller_gone or (self._asking is None and self._best is None):
            return super()._refuse(detail)
        return self._give_up()

    def _out_of_time(self, event: TimedOut) -> Commands:
        """What has been sent counts in full, as for any provider that does not answer in time."""
        if event.phase is not Phase.GATES:
            return self._silent(event)
        self._late = True
        return (CloseUpstream(), *self._end(self._attempt.end_lost()), *self._give_up())

    def _refusing_too_long(self, event: TimedOut) -> Commands:
        self._late = self._late or event.phase is Phase.GATES
        return self._provider_refused(event)

    def _waited_too_long(self, _: TimedOut) -> Commands:
        self._late = True
        return self._give_up()

    def _judged_too_late(self, _: TimedOut) -> Commands:
        self._late = True
        need = self._judges.next()
        assert need is not None
        self._judges.take(Verdict(need.gate.name, passed=False, why=_NO_TIME, ran=False))
        return self._check()

    def _left_while_judged(self, _: CallerGone | Stopped) -> Commands:
        self._caller_gone = True
        return self._finish(0)

    @property
    def _judges(self) -> Panel:
        assert self._panel is not None, "an answer is being judged"
        return self._panel

    TABLE: ClassVar[Mapping[State, Mapping[type[Event], Callable[[Any, Any], Commands]]]] = {
        **Exchange.TABLE,
        State.HOLDING: {
            **Exchange.TABLE[State.HOLDING],
            MoneyHeld: _money_held,
            MoneyRefused: _money_refused,
            TimedOut: _waited_too_long,
        },
        State.SENT: {
            **Exchange.TABLE[State.SENT],
            UpstreamHead: _head_came,
            TimedOut: _out_of_time,
        },
        State.ANSWERING: {
            **Exchange.TABLE[State.ANSWERING],
            UpstreamEnded: _answered,
            TimedOut: _out_of_time,
        },
        State.CHECKING: {
            Judged: _judged,
            TimedOut: _judged_too_late,
            CallerGone: _left_while_judged,
            Stopped: _left_while_judged,
        },
        State.FAILING: {
            **Exchange.TABLE[State.FAILING],
            TimedOut: _refusing_too_long,
        },
    }
    """As in `Exchange`, and what is added by judging an answer before it is given."""
