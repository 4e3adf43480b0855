"""Gates and cascades between the real `openai` client and a simulated provider.

The provider answers right or wrong as its book says; its own ledger is the truth about spending.
"""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import openai
import pytest
from openai.types.chat import ChatCompletionMessageParam

from farebox.core.call import Call
from farebox.core.gates import Case, Gate, GateKind
from farebox.core.leases import HoldEvent
from farebox.core.money import Nanos
from farebox.core.policy import Policy
from farebox.core.routing import Plan
from farebox.core.tasks import AfterGates, Consequence, RoutingPolicy, StreamGate
from farebox.gates.grading import questions
from farebox.simulated.ledger import bill_nanos, read_entries
from farebox.simulated.server import SimulatedProvider
from sidecar.events import MoneyHeld, MoneyRefused
from tests.support.clocks import LoopClock
from tests.support.gated import AGREEMENT, CASCADE, GRADER, TAG, gated_policy, steps
from tests.support.peers import eventually, peer, read_request
from tests.support.planes import Running, policy_at, running, simulated
from tests.support.tasks import beside
from tests.support.tills import Till

ASKED = "Is this mail a complaint or a question?"
MESSAGES: list[ChatCompletionMessageParam] = [{"role": "user", "content": ASKED}]
SMALL, MID, TOP = "gpt-4o-mini", "gpt-4o", "o1"
WRONG = "I would rather not say."
RIGHT = "complaint"
OWN = "tests.support.gate_functions"
ESCALATION_MS = 60_000
"""Over when the clock of the loop is moved on, and on no machine before that."""


@asynccontextmanager
async def stage(
    folder: Path, answers: Mapping[str, str], *gates: Gate, more: Any = (), **policy: Any
) -> AsyncIterator[tuple[Running, SimulatedProvider]]:
    """A data plane with a gated task before a provider with a book of answers."""
    book = folder / "book.jsonl"
    lines = [{"prompt": ASKED, "answers": dict(answers)}, *more]
    book.write_text("".join(json.dumps(line) + "\n" for line in lines))
    async with simulated(folder, outcomes=str(book)) as provider:
        base = policy_at(provider.base_url)
        async with running(folder, gated_policy(*gates, base=base, **policy)) as run:
            yield run, provider


def billed(provider: SimulatedProvider) -> int:
    """What the provider says that it billed, in n$."""
    return bill_nanos(read_entries(provider.ledger_path))


async def ask(run: Running, **fields: Any) -> tuple[str, Mapping[str, str]]:
    """One call of the task: what was answered, and its headers."""
    headers = {**TAG, **fields.pop("headers", {})}
    raw = await run.client.chat.completions.with_raw_response.create(
        model="farebox/auto", messages=MESSAGES, max_tokens=40, extra_headers=headers, **fields
    )
    return raw.parse().choices[0].message.content or "", raw.headers


async def test_a_wrong_answer_is_followed_by_that_of_a_higher_tier(tmp_path: Path) -> None:
    async with stage(tmp_path, {SMALL: WRONG, MID: RIGHT}) as (run, provider):
        answer, headers = await ask(run)
        assert answer == RIGHT
        assert headers["x-farebox-model"] == MID
        assert (headers["x-farebox-gate"], headers["x-farebox-escalations"]) == ("passed", "1")
        assert len(run.till.ended) == 2
        assert run.till.spent == billed(provider) > 0
        assert headers["x-farebox-cost-usd"] == f"0.{billed(provider):09d}"
        (receipt,) = run.plane.receipts.last(1)
        assert [one["purpose"] for one in receipt["attempts"]] == ["answer", "answer"]  # type: ignore[attr-defined]  # JSON
        assert WRONG not in json.dumps(receipt)
        assert run.registry.get_sample_value("farebox_escalations_total", {"task": "mails"}) == 1
        checks = {"task": "mails", "gate": "label", "result": "failed"}
        assert run.registry.get_sample_value("farebox_gate_checks_total", checks) == 1


async def test_a_cascade_asks_the_cheapest_first(tmp_path: Path) -> None:
    answers = {SMALL: RIGHT, TOP: RIGHT}
    policy = {"routing": CASCADE, "default_tier": "frontier"}
    async with stage(tmp_path, answers, **policy) as (run, provider):
        _, headers = await ask(run)
        assert headers["x-farebox-model"] == SMALL
        assert headers["x-farebox-route"].startswith("cascade_first")
        assert run.till.spent == billed(provider)


async def test_when_all_are_wrong_the_last_answer_comes_with_a_warning(tmp_path: Path) -> None:
    async with stage(tmp_path, {SMALL: WRONG, MID: WRONG, TOP: WRONG}) as (run, provider):
        answer, headers = await ask(run)
        assert (answer, headers["x-farebox-model"]) == (WRONG, TOP)
        assert headers["x-farebox-gate"] == "failed:label"
        assert headers["x-farebox-escalations"] == "2"
        assert run.till.spent == billed(provider)


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize(
    "task",
    [
        {"escalation": steps(0, after=AfterGates.REFUSE)},
        {"escalation": steps(0), "consequence": Consequence.HIGH},
    ],
)
async def test_a_wrong_answer_is_refused_where_the_task_says_so(
    tmp_path: Path, task: Any, streamed: bool
) -> None:
    answers = {SMALL: WRONG, MID: WRONG, TOP: WRONG}
    routing = RoutingPolicy(streams=StreamGate.SKIP if "consequence" in task else StreamGate.BUFFER)
    async with stage(tmp_path, answers, routing=routing, **task) as (run, provider):
        with pytest.raises(openai.InternalServerError) as caught:
            await ask(run, stream=streamed)
        assert caught.value.status_code == 502
        assert caught.value.response.headers["x-farebox-gate"] == "failed:label"
        assert caught.value.response.headers["x-should-retry"] == "false"
        assert WRONG not in caught.value.response.text
        assert len(run.till.ended) == 1
        assert run.till.spent == billed(provider) > 0


@pytest.mark.parametrize("usage", [False, True])
async def test_a_streaming_caller_gets_the_checked_answer_as_a_stream(
    tmp_path: Path, usage: bool
) -> None:
    async with stage(tmp_path, {SMALL: WRONG, MID: RIGHT}) as (run, provider):
        more: Any = {"stream_options": {"include_usage": True}} if usage else {}
        raw = await run.client.chat.completions.with_raw_response.create(
            model="farebox/auto", messages=MESSAGES, stream=True, extra_headers=TAG, **more
        )
        assert raw.headers["content-type"].startswith("text/event-stream")
        assert raw.headers["x-farebox-escalations"] == "1"
        chunks = [chunk async for chunk in raw.parse()]
        text = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
        assert text == RIGHT
        assert any(c.choices and c.choices[0].finish_reason for c in chunks)
        assert (chunks[-1].usage is not None) is usage
        assert run.till.spent == billed(provider)


async def test_a_stream_that_may_skip_its_gates_says_so(tmp_path: Path) -> None:
    routing = RoutingPolicy(streams=StreamGate.SKIP, classifier=CASCADE.classifier)
    policy = {"routing": routing, "default_tier": "mid"}
    async with stage(tmp_path, {MID: WRONG}, **policy) as (run, provider):
        raw = await run.client.chat.completions.with_raw_response.create(
            model="farebox/auto", messages=MESSAGES, stream=True, extra_headers=TAG
        )
        assert (raw.headers["x-farebox-model"], raw.headers["x-farebox-gate"]) == (MID, "none")
        assert [chunk async for chunk in raw.parse()]
        assert run.till.spent == billed(provider)


async def test_a_grade_is_asked_for_and_paid(tmp_path: Path) -> None:
    def graded(answer: str, grade: str) -> dict[str, Any]:
        told = questions(Case(ASKED), answer, GRADER.rubric)[1]["content"]
        return {"prompt": told, "answers": {SMALL: grade}}

    more = [graded(WRONG, "20"), graded(RIGHT, "90")]
    answers = {SMALL: WRONG, MID: RIGHT}
    async with stage(tmp_path, answers, GRADER, more=more) as (run, provider):
        answer, headers = await ask(run)
        assert (answer, headers["x-farebox-gate"]) == (RIGHT, "passed")
        assert [one.model for one in run.till.ended] == [SMALL, SMALL, MID, SMALL]
        assert run.till.spent == billed(provider)


async def test_two_models_have_to_agree(tmp_path: Path) -> None:
    answers = {SMALL: "42", MID: "41", TOP: "#### 42"}
    policy = {"default_tier": "mid"}
    async with stage(tmp_path, answers, AGREEMENT, **policy) as (run, provider):
        answer, headers = await ask(run)
        assert (answer, headers["x-farebox-model"]) == ("#### 42", TOP)
        assert [one.model for one in run.till.ended] == [MID, SMALL, TOP]
        assert run.till.spent == billed(provider)


async def test_the_callers_cap_bounds_all_attempts_together(tmp_path: Path) -> None:
    answers = {SMALL: WRONG, MID: RIGHT}
    async with stage(tmp_path, answers) as (run, provider):
        await ask(run)
        small, mid = (one.held for one in run.till.ended)
        cost = run.till.ended[0].cost
        for cap, gate in ((cost + mid, "passed"), (cost + mid - 1, "passed"), (small, "failed")):
            _, headers = await ask(run, headers={"x-farebox-max-cost": f"0.{cap:09d}"})
            assert headers["x-farebox-gate"].partition(":")[0] == gate
            assert float(headers["x-farebox-cost-usd"]) * 10**9 <= cap
        assert run.till.spent == billed(provider)


@pytest.mark.parametrize(
    ("function", "answer", "gate"),
    [
        ("says_ok", "ok", "passed"),
        ("says_ok", "no", "failed:own"),
        ("dies", "die", "failed:own"),
        ("talks", "anything", "failed:own"),
        ("raises", "anything", "failed:own"),
        ("hangs", "hang", "failed:own"),
    ],
)
async def test_a_function_of_the_user_decides(
    tmp_path: Path, function: str, answer: str, gate: str
) -> None:
    own = Gate(name="own", kind=GateKind.FUNCTION, function=f"{OWN}:{function}")
    escalation = steps(0, within_ms=1_500 if function == "hangs" else 30_000)
    async with stage(tmp_path, {SMALL: answer}, own, escalation=escalation) as (run, provider):
        said, headers = await ask(run)
        assert (said, headers["x-farebox-gate"]) == (answer, gate)
        assert run.till.spent == billed(provider)


class StuckTill(Till):
    """Has the money for the first attempt; every other one waits for ever."""

    def __init__(self) -> None:
        super().__init__()
        self.waiting = 0

    def hold_now(
        self, plan: Plan, call: Call, policy: Policy, *, tried: frozenset[str], cap: Nanos | None
    ) -> MoneyHeld | MoneyRefused | None:
        return None if tried else super().hold_now(plan, call, policy, tried=tried, cap=cap)

    async def hold(
        self, plan: Plan, call: Call, policy: Policy, *, tried: frozenset[str], cap: Nanos | None
    ) -> MoneyHeld | MoneyRefused:
        self.waiting += 1
        await asyncio.Event().wait()
        raise AssertionError("nobody sets it")


class SlowProvider:
    """Takes a call and says only this, which is not a whole answer."""

    def __init__(self, said: bytes = b"") -> None:
        self._said = said
        self.asked = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(self._said)
        await writer.drain()
        self.asked += 1
        await reader.read()


@dataclass(frozen=True, kw_only=True)
class SlowStage:
    """A data plane with a wrong answer at hand, and its clock."""

    run: Running
    clock: LoopClock

    async def ask_until(self, late: Callable[[], bool]) -> tuple[str, str]:
        """One call for whose escalation all time is over as soon as `late` holds."""
        call = beside(ask(self.run))
        await eventually(late)
        self.clock.advance(ESCALATION_MS)
        answer, headers = await call
        return answer, headers["x-farebox-gate"]

    @property
    def endings(self) -> list[HoldEvent]:
        """How the holds ended, in their order."""
        return [one.event for one in self.run.till.ended]


@asynccontextmanager
async def slow_stage(folder: Path, port: int, till: Till | None = None) -> AsyncIterator[SlowStage]:
    """The smallest model answers wrong; the larger ones are at this port."""
    clock, book = LoopClock(), folder / "book.jsonl"
    book.write_text(json.dumps({"prompt": ASKED, "answers": {SMALL: WRONG}}))
    async with simulated(folder, outcomes=str(book)) as provider:
        other = f"http://127.0.0.1:{port}/v1"
        base = policy_at({SMALL: provider.base_url, MID: other, TOP: other})
        policy = gated_policy(base=base, escalation=steps(2, within_ms=ESCALATION_MS))
        # It is the escalation's time that is over, not that for a connection.
        longer = 2 * ESCALATION_MS
        async with running(folder, policy, till=till, clock=clock, connect_ms_max=longer) as run:
            yield SlowStage(run=run, clock=clock)


@pytest.mark.parametrize("said", [b"", b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n{"])
async def test_an_escalation_that_is_answered_too_late_gives_the_first_answer(
    tmp_path: Path, said: bytes
) -> None:
    other = SlowProvider(said)
    async with peer(other.serve) as slow, slow_stage(tmp_path, slow.origin.port) as late:
        told = await late.ask_until(lambda: other.asked == 1)
        assert told == (WRONG, "failed:label")
        assert late.endings == [HoldEvent.SETTLE, HoldEvent.EXPIRE]


async def test_an_escalation_that_is_not_sent_in_time_costs_nothing(tmp_path: Path) -> None:
    with full_port() as port:
        async with slow_stage(tmp_path, port) as late:
            till = late.run.till
            told = await late.ask_until(lambda: len(till.ended) == len(till.open) == 1)
            assert told == (WRONG, "failed:label")
            assert late.endings == [HoldEvent.SETTLE, HoldEvent.VOID]


async def test_an_escalation_without_money_in_time_gives_the_first_answer(tmp_path: Path) -> None:
    till, other = StuckTill(), SlowProvider()
    async with peer(other.serve) as slow, slow_stage(tmp_path, slow.origin.port, till) as late:
        told = await late.ask_until(lambda: till.waiting == 1)
        assert told == (WRONG, "failed:label")
        assert late.endings == [HoldEvent.SETTLE]
        assert other.asked == 0


@contextmanager
def full_port() -> Iterator[int]:
    """A port that accepts nobody, because its backlog is full."""
    with ExitStack() as stack:
        listening = stack.enter_context(socket.socket())
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        port: int = listening.getsockname()[1]
        for _ in range(4):
            plug = stack.enter_context(socket.socket())
            plug.setblocking(False)
            plug.connect_ex(("127.0.0.1", port))
        yield port


async def test_a_caller_that_leaves_while_its_answer_is_judged(tmp_path: Path) -> None:
    own = Gate(name="own", kind=GateKind.FUNCTION, function=f"{OWN}:hangs")
    async with stage(tmp_path, {SMALL: "hang"}, own) as (run, provider):
        call = asyncio.gather(ask(run))
        await eventually(lambda: len(run.till.ended) == 1)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        await eventually(lambda: len(run.plane.receipts.last(1)) == 1)
        (receipt,) = run.plane.receipts.last(1)
        assert (receipt["caller_gone"], receipt["status"]) == (True, 499)
        assert run.till.spent == billed(provider)


async def test_many_gated_calls_at_once_cost_what_was_billed(tmp_path: Path) -> None:
    answers = {SMALL: WRONG, MID: WRONG, TOP: RIGHT}
    async with stage(tmp_path, answers) as (run, provider):
        told = await asyncio.gather(*(ask(run) for _ in range(20)))
        assert {answer for answer, _ in told} == {RIGHT}
        assert len(run.till.ended) == 60
        assert run.till.spent == billed(provider)
