"""Judging: the same panel as in production, with and without what is expected."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from farebox.core.gates import Gate, GateKind
from farebox.core.money import Nanos
from farebox.core.tiers import Catalogue
from farebox.gates.functions import Functions
from farebox.gates.grading import questions
from farebox.launch.judging import Judge
from farebox.launch.paying import Payer
from farebox.launch.provider import Provider
from farebox.launch.results import Results
from farebox.launch.samples import case_of
from farebox.launch.till import Till
from farebox.runtime.clock import SystemClock
from tests.support.launching import LABELS, make_sample, simulated_provider, tiers_at

GRADED = Gate(name="graded", kind=GateKind.GRADER, model="gpt-4o-mini", rubric="Is right.")
SECOND = Gate(name="second", kind=GateKind.AGREEMENT, model="gpt-4o")
UNKNOWN = Gate(name="graded", kind=GateKind.GRADER, model="nobody", rubric="Is right.")
ASCII = Gate(name="ascii", kind=GateKind.FUNCTION, function="tests.support.oracles:is_ascii")


@asynccontextmanager
async def judge(folder: Path, *lines: dict[str, Any]) -> AsyncIterator[Judge]:
    """A judge whose models answer by a book."""
    book = folder / "book.jsonl"
    book.write_text("".join(json.dumps(line) + "\n" for line in lines))
    functions = Functions()
    async with (
        simulated_provider(folder, outcomes=str(book)) as provider,
        Provider(SystemClock()) as asker,
    ):
        with Results(folder / "results.jsonl") as results:
            payer = Payer(asker, results, Till(Nanos(10**12), spent=results.spent))
            catalogue = Catalogue(tiers=tiers_at(provider.base_url))
            yield Judge(catalogue, payer, functions, output_default=64)
    await functions.close()


@pytest.mark.parametrize(
    ("answer", "expected", "right", "accepted"),
    [
        ("yes", "yes", True, True),
        ("no", "yes", False, True),
        ("maybe", "yes", False, False),
        ("no", None, True, True),
    ],
)
async def test_right_and_acceptable_are_two_things(
    tmp_path: Path, answer: str, expected: str | None, right: bool, accepted: bool
) -> None:
    async with judge(tmp_path) as panel:
        sample = make_sample(expected=expected)
        found = await panel.judge((LABELS,), sample, answer, served="gpt-4o")
    assert [one.passed for one in found.verdicts] == [right]
    assert [one.passed for one in found.in_production] == [accepted]
    assert found.cost == 0


@pytest.mark.parametrize(
    ("grade", "passed", "ran"), [("95", True, True), ("20", False, True), ("fine", False, False)]
)
async def test_a_grader_is_asked_once_and_paid(
    tmp_path: Path, grade: str, passed: bool, ran: bool
) -> None:
    sample = make_sample(expected="it is")
    asked = questions(case_of(sample, with_expected=False), "it is", GRADED.rubric)[-1]["content"]
    async with judge(tmp_path, {"prompt": asked, "answers": {"gpt-4o-mini": grade}}) as panel:
        found = await panel.judge((GRADED,), sample, "it is", served="gpt-4o")
    assert [(one.passed, one.ran) for one in found.verdicts] == [(passed, ran)]
    assert found.cost > 0


async def test_a_second_model_is_asked_what_was_asked(tmp_path: Path) -> None:
    line = {"prompt": "yes or no?", "answers": {"gpt-4o": "yes"}}
    async with judge(tmp_path, line) as panel:
        for answer, passed in (("Yes.", True), ("no", False)):
            found = await panel.judge((SECOND,), make_sample(), answer, served="gpt-4o-mini")
            assert [one.passed for one in found.verdicts] == [passed]


async def test_a_function_of_the_user_is_run(tmp_path: Path) -> None:
    async with judge(tmp_path) as panel:
        for answer, passed in (("abc", True), ("ä", False)):
            found = await panel.judge((ASCII,), make_sample(), answer, served="gpt-4o")
            assert [(one.passed, one.ran) for one in found.verdicts] == [(passed, True)]


async def test_a_gate_that_cannot_ask_has_not_run(tmp_path: Path) -> None:
    async with judge(tmp_path) as panel:
        found = await panel.judge((UNKNOWN,), make_sample(), "it is", served="gpt-4o")
    assert [(one.passed, one.ran) for one in found.verdicts] == [(False, False)]
    assert "no tier has" in found.verdicts[0].why
