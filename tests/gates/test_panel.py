"""Gates in their order: what is asked next, what a no does, and driving a panel by awaiting."""

from collections.abc import Sequence

import pytest

from farebox.core.gates import Case, Gate, GateKind, Verdict
from farebox.gates.grading import GRADED_CHARS_MAX, Messages
from farebox.gates.panel import Ask, Panel, Run, judge

CASE = Case("Is it late?", "You sort mails.")
LABEL = Gate(name="label", kind=GateKind.LABELS, labels=("yes", "no"))
OWN = Gate(name="own", kind=GateKind.FUNCTION, function="m:f")
GRADED = Gate(name="graded", kind=GateKind.GRADER, model="big")
SECOND = Gate(name="second", kind=GateKind.AGREEMENT, model="other")


def panel(*gates: Gate, texts: Sequence[str] = ("yes",), served: str = "small") -> Panel:
    """A panel over an answer."""
    return Panel(gates, texts, CASE, served=served)


def test_local_gates_need_nobody() -> None:
    play = panel(LABEL)
    assert play.next() is None
    assert (play.verdicts, play.failed) == ([Verdict("label", passed=True)], None)


def test_the_first_no_ends_it() -> None:
    play = panel(LABEL, OWN, texts=["maybe"])
    assert play.next() is None
    assert play.failed is not None
    assert [verdict.gate for verdict in play.verdicts] == ["label"]


def test_what_is_needed_stays_needed_until_it_is_there() -> None:
    play = panel(OWN, LABEL)
    assert play.next() == play.next() == Run(OWN, "yes", CASE)
    play.take(Verdict("own", passed=True))
    assert play.next() is None
    assert [verdict.gate for verdict in play.verdicts] == ["own", "label"]


@pytest.mark.parametrize(
    ("reply", "passed", "ran"),
    [("90", True, True), ("60", False, True), ("good", False, False), (None, False, False)],
)
def test_a_grade_decides(reply: str | None, passed: bool, ran: bool) -> None:
    play = panel(GRADED)
    need = play.next()
    assert isinstance(need, Ask)
    assert (need.model, len(need.messages)) == ("big", 2)
    play.hear(reply)
    assert play.next() is None
    assert (play.verdicts[0].passed, play.verdicts[0].ran) == (passed, ran)


def test_a_second_model_is_asked_what_the_first_was() -> None:
    play = panel(SECOND)
    need = play.next()
    assert isinstance(need, Ask)
    assert [one["content"] for one in need.messages] == ["You sort mails.", "Is it late?"]
    play.hear("No.")
    assert play.failed is not None


def test_an_opinion_that_is_known_is_not_asked_for_again() -> None:
    opinions = {"other": "Yes."}
    again = Panel((SECOND,), ("yes",), CASE, served="big", opinions=opinions)
    assert again.next() is None
    assert again.failed is None


@pytest.mark.parametrize(
    ("what", "play"),
    [
        ("an answer too long to grade", panel(GRADED, texts=["x" * GRADED_CHARS_MAX])),
    ],
)
def test_what_no_gate_can_judge_has_not_run(what: str, play: Panel) -> None:
    assert play.next() is None
    assert play.failed is not None
    assert not play.failed.ran


def test_a_model_confirms_the_next_one_and_never_itself() -> None:
    opinions: dict[str, str] = {}
    first = Panel((SECOND,), ("yes",), CASE, served="other", opinions=opinions)
    assert first.next() is None
    assert first.failed is not None
    again = Panel((SECOND,), ("Yes.",), CASE, served="big", opinions=opinions)
    assert again.next() is None
    assert again.failed is None


def test_an_answer_without_a_text_fails() -> None:
    play = panel(LABEL, texts=[])
    assert play.next() is None
    assert play.failed is not None
    assert play.failed.ran


def test_every_choice_is_judged_and_a_gate_has_one_verdict() -> None:
    play = panel(LABEL, texts=["yes", "no"])
    assert play.next() is None
    assert play.verdicts == [Verdict("label", passed=True)]
    play = panel(LABEL, texts=["yes", "maybe"])
    assert play.next() is None
    assert [verdict.passed for verdict in play.verdicts] == [False]


@pytest.mark.parametrize(
    ("said", "passed"),
    [({"big": "90", "other": "yes"}, [True] * 4), ({"big": "90"}, [True, True, True, False])],
)
async def test_a_panel_that_is_simply_awaited(said: dict[str, str], passed: list[bool]) -> None:
    async def ask(model: str, messages: Messages) -> str | None:
        return said.get(model)

    async def run(gate: Gate, answer: str, case: Case) -> Verdict:
        return Verdict(gate.name, passed=answer == "yes" and case is CASE)

    gates = (LABEL, OWN, GRADED, SECOND)
    verdicts = await judge(gates, "yes", CASE, ask=ask, run=run, served="small")
    assert [verdict.passed for verdict in verdicts] == passed
