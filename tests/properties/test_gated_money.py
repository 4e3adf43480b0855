"""Money of calls whose answers are checked, whatever providers, gates and callers do.

A call is told any fact that can happen in its state. Checked after every step: at most one hold is
open; at the end: none is, the receipt has what the till has spent, all attempts together stay
within the caller's cap, and a caller gets one answer, which has passed its gates or says that it
has not, and has passed where the consequence is high.
"""

from collections.abc import Callable
from typing import Any, TypeVar

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from farebox.core.gates import Verdict
from farebox.core.money import ZERO, Nanos
from farebox.core.reasons import Reason
from farebox.core.tasks import AfterGates, Consequence
from sidecar.commands import (
    Command,
    Expire,
    Finish,
    Forward,
    HoldMoney,
    Judge,
    Outcome,
    Refuse,
    SendHead,
    SendWhole,
    Settle,
    Void,
)
from sidecar.events import (
    CallerGone,
    Event,
    HoldLapsed,
    Judged,
    Phase,
    Stopped,
    TimedOut,
    UpstreamData,
    UpstreamEnded,
    UpstreamFailed,
    UpstreamHead,
)
from sidecar.exchange import State
from sidecar.refusals import plainly
from tests.support.gated import (
    AGREEMENT,
    CASCADE,
    FUNCTION,
    GRADER,
    LABELS,
    TAGGED,
    gated_policy,
    steps,
)
from tests.support.playbook import JSON, answer, fields_of, make_exchange
from tests.support.tills import Till

Step = TypeVar("Step", bound=Callable[..., None])

ATTEMPTS_MAX = 3 * 3 + 8
"""Three for each of three tiers, and the questions of gates."""

answers = st.sampled_from(
    (
        answer("complaint"),
        answer("neither"),
        answer("90"),
        answer("complaint", usage=None),
        b"not json",
        b"",
    )
)
RARE: tuple[Event | None, ...] = (
    *(None,) * 24,
    UpstreamFailed(sent=False, why=""),
    UpstreamFailed(sent=True, why=""),
    HoldLapsed(),
    TimedOut(Phase.HEAD),
    TimedOut(Phase.BODY),
    TimedOut(Phase.GATES),
    CallerGone(),
    Stopped(),
)
"""Facts that end most attempts: drawn seldom, so that most calls get further."""

gates = st.lists(
    st.sampled_from((LABELS, FUNCTION, GRADER, AGREEMENT)), min_size=1, max_size=4, unique=True
)


def within(*states: State) -> Callable[[Step], Step]:
    """In these states only."""
    return precondition(lambda self: self.exchange.state in states)


class GatedCall(RuleBasedStateMachine):
    """One call with gates, its till, and what its caller has got."""

    @initialize(
        gates=gates,
        steps_max=st.integers(0, 3),
        after=st.sampled_from(AfterGates),
        high=st.booleans(),
        cascade=st.booleans(),
        stream=st.booleans(),
        cap=st.none() | st.integers(20_000, 10_000_000).map(Nanos),
    )
    def start(self, gates: Any, steps_max: int, after: Any, cap: Any, **drawn: bool) -> None:
        self.high, self.cap = drawn["high"], cap
        policy = gated_policy(
            *gates,
            escalation=steps(steps_max, after=after),
            routing=CASCADE if drawn["cascade"] else None,
            consequence=Consequence.HIGH if self.high else Consequence.LOW,
        )
        self.exchange = make_exchange(
            policy, identity=TAGGED, cap=cap, stream=drawn["stream"] or None
        )
        self.till = Till()
        self.said: list[Command] = []
        self.outcome: Outcome | None = None
        self.gone = False
        self.judging: Judge | None = None
        self.obey(self.exchange.start())

    def tell(self, event: Event) -> None:
        self.obey(self.exchange.handle(event))

    def obey(self, commands: tuple[Command, ...]) -> None:
        for command in commands:
            match command:
                case HoldMoney():
                    self.asked = command
                case Forward():
                    assert command.hold in self.till.open
                case Settle():
                    self.till.settle(command.hold, command.cost, command.reason)
                case Void():
                    self.till.void(command.hold, command.reason)
                case Expire():
                    self.till.expire(command.hold, command.reason)
                case SendWhole() | SendHead() | Refuse():
                    assert self.outcome is not None, "the call is settled before it is answered"
                    self.said.append(command)
                case Finish():
                    assert self.outcome is None
                    self.outcome = command.outcome
                case Judge():
                    self.judging = command
                case _:
                    pass

    @within(State.HOLDING)
    @rule(enough=st.sampled_from((True,) * 9 + (False,)))
    def money(self, enough: bool) -> None:
        self.till.refusal = None if enough else plainly(Reason.POOL_EXHAUSTED)
        asked = self.asked
        held = self.till.hold_now(
            asked.plan, asked.call, self.exchange.policy, tried=asked.tried, cap=asked.cap
        )
        assert held is not None
        self.tell(held)

    @within(State.SENT)
    @rule(status=st.sampled_from((200,) * 8 + (400, 503)))
    def head(self, status: int) -> None:
        self.tell(UpstreamHead(status, JSON))

    @within(State.ANSWERING, State.FAILING)
    @rule(body=answers, complete=st.sampled_from((True,) * 9 + (False,)))
    def answered(self, body: bytes, complete: bool) -> None:
        self.tell(UpstreamData(body))
        self.tell(UpstreamEnded(complete=complete))

    @within(State.CHECKING)
    @rule(passed=st.booleans(), ran=st.sampled_from((True, True, True, False)))
    def judged(self, passed: bool, ran: bool) -> None:
        assert self.judging is not None
        self.tell(Judged(Verdict(self.judging.gate.name, passed=passed and ran, ran=ran)))

    @rule(what=st.sampled_from(RARE))
    def something_rare(self, what: Event | None) -> None:
        """What can happen at any time, or only while something is sent; mostly it does not."""
        state = self.exchange.state
        match what:
            case None:
                return
            case UpstreamFailed() | HoldLapsed():
                possible = state is State.SENT
            case TimedOut(phase=Phase.GATES):
                possible = bool(self.till.ended) and state is not State.READY
            case TimedOut():
                possible = state in {State.SENT, State.ANSWERING, State.FAILING}
            case _:
                possible = not self.gone
                self.gone = True
        if possible:
            self.tell(what)

    @invariant()
    def one_hold_at_a_time(self) -> None:
        assert len(self.till.open) <= 1
        assert len(self.till.ended) + len(self.till.open) <= ATTEMPTS_MAX

    @invariant()
    def what_was_told_is_true(self) -> None:
        if self.outcome is None:
            assert not self.said
            return
        assert self.exchange.state is State.DONE
        assert not self.till.open
        assert self.outcome.cost == self.till.spent
        assert [one.cost for one in self.outcome.attempts] == [x.cost for x in self.till.ended]
        assert self.cap is None or ZERO <= self.till.spent <= self.cap
        assert len(self.said) <= 1
        for command in self.said:
            self.check_answer(command)

    def check_answer(self, command: Command) -> None:
        """An answer of a model says what the gates said; a failed one is not always given."""
        assert self.outcome is not None
        if isinstance(command, SendWhole | SendHead) and command.status < 300:
            gate = fields_of(command.lines)["x-farebox-gate"]
            assert gate == self.outcome.gate
            assert gate == "passed" or gate.startswith("failed:")
            assert gate == "passed" or not self.high

    def teardown(self) -> None:
        self.tell(Stopped())
        self.what_was_told_is_true()
        assert self.outcome is not None


TestGatedCall = GatedCall.TestCase
TestGatedCall.settings = settings(max_examples=200, stateful_step_count=40)
