"""The user's own functions in real processes: good ones, and such as hang, die, talk nonsense."""

import asyncio
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

import pytest

from farebox.core.gates import Case, Gate, GateKind, Verdict
from farebox.gates import functions
from farebox.gates.functions import QUESTION_CHARS_MAX, Functions
from tests.support.peers import eventually
from tests.support.tasks import beside

PLENTY_MS = 60_000
MODULE = "tests.support.gate_functions"
ASKED = Case("p", "s", "{}", "e")


def own(name: str, module: str = MODULE) -> Gate:
    """A gate with a function of the tests."""
    return Gate(name="own", kind=GateKind.FUNCTION, function=f"{module}:{name}")


@pytest.fixture
async def running() -> AsyncIterator[Functions]:
    """Functions that have more time than they take on any machine; see `hurry`."""
    made = Functions(answer_ms_max=PLENTY_MS, start_ms_max=PLENTY_MS)
    yield made
    await made.close()


@contextmanager
def hurry(running: Functions, name: str) -> Iterator[None]:
    """Whoever hangs is not waited for: only processes that start in the block have so little."""
    plenty = running._answer_s_max
    if name == "hangs":
        running._answer_s_max = 0.2
    yield
    running._answer_s_max = plenty


@pytest.mark.parametrize(
    ("name", "answer", "passed"),
    [("says_ok", "ok", True), ("says_ok", "no", False), ("knows_the_case", "", True)],
)
async def test_a_function_says_yes_or_no(
    running: Functions, name: str, answer: str, passed: bool
) -> None:
    verdict = await running.judge(own(name), answer, ASKED)
    assert (verdict.passed, verdict.ran) == (passed, True)


async def test_many_questions_are_answered_by_one_process(running: Functions) -> None:
    answers = [f"{number} {'ok' if number % 2 else ''}" for number in range(40)]
    asked = (running.judge(own("says_ok"), answer, ASKED) for answer in answers)
    verdicts = await asyncio.gather(*asked)
    assert [verdict.passed for verdict in verdicts] == [number % 2 == 1 for number in range(40)]


@pytest.mark.parametrize(
    ("gate", "answer", "why"),
    [
        (own("hangs"), "hang", "no verdict in time"),
        (own("dies"), "die", "ended its process"),
        (own("ends"), "", "ended its process"),
        (own("raises"), "a secret", "raised ValueError"),
        (own("talks"), "", "returned a str, neither True nor False"),
        (own("number"), "", "is not a function"),
        (own("nothing"), "", "can't be imported (AttributeError)"),
        (own("nothing", "no.such.module"), "", "can't be imported (ModuleNotFoundError)"),
        (own("says_ok"), "x" * QUESTION_CHARS_MAX, "takes no more than"),
    ],
)
async def test_a_function_that_gives_no_verdict_has_not_run(
    running: Functions, gate: Gate, answer: str, why: str
) -> None:
    with hurry(running, gate.function.rpartition(":")[2]):
        verdict = await running.judge(gate, answer, ASKED)
    assert (verdict.passed, verdict.ran) == (False, False)
    assert why in verdict.why
    assert "secret" not in verdict.why


@pytest.mark.parametrize(("name", "bad"), [("hangs", "hang"), ("dies", "die")])
async def test_after_a_fault_the_next_question_is_answered(
    running: Functions, name: str, bad: str
) -> None:
    with hurry(running, name):
        assert not (await running.judge(own(name), bad, ASKED)).ran
    assert await running.judge(own(name), "good", ASKED) == Verdict("own", passed=True)


async def test_who_stops_waiting_does_not_leave_an_answer_to_the_next(running: Functions) -> None:
    assert (await running.judge(own("hangs"), "", ASKED)).passed
    waiting = asyncio.gather(running.judge(own("hangs"), "hang", ASKED))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert (await running.judge(own("hangs"), "", ASKED)).passed


async def test_no_secret_of_ours_is_told(
    running: Functions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VENDOR_KEY", "sk-secret")
    assert (await running.judge(own("sees_no_secret"), "VENDOR_KEY", ASKED)).passed
    assert not (await running.judge(own("sees_no_secret"), "PATH", ASKED)).passed


async def test_a_process_that_can_not_be_started(
    running: Functions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    verdict = await running.judge(own("says_ok"), "ok", ASKED)
    assert (verdict.ran, verdict.why) == (False, "the function could not be started")


async def test_so_many_functions_run_at_a_time(
    running: Functions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(functions, "FUNCTIONS_MAX", 2)
    for name in ("says_ok", "talks", "hangs_too"):
        await running.judge(own(name), "ok", ASKED)
    assert len(running._workers) == 2
    busy = [beside(running.judge(own(name), "hang", ASKED)) for name in ("hangs", "hangs_too")]
    await eventually(lambda: all(one.is_busy for one in running._workers.values()))
    assert "one too many" in (await running.judge(own("dies"), "", ASKED)).why
    for one in busy:
        one.cancel()
    await asyncio.wait(busy)


async def test_two_that_need_one_function_at_once_share_its_process(running: Functions) -> None:
    await asyncio.gather(*(running.judge(own("says_ok"), "ok", ASKED) for _ in range(2)))
    assert len(running._workers) == 1
