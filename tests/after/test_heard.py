"""What a receipt tells of two tiers: only answers that were not chosen for their outcome count."""

from typing import Any

import msgspec
import pytest

from farebox.after.heard import heard_of
from farebox.core.gates import Verdict
from farebox.core.usage import Usage
from farebox.launch.judged import Heard
from sidecar.commands import Purpose
from tests.support.past import attempt, past
from tests.support.policies import TIERS

SMALL, MID = TIERS[0], TIERS[1]
TASK, PROMPT = "classification", "Is this a complaint?"
YES, NO = Verdict("label", passed=True), Verdict("label", passed=False)
NOT_RUN = Verdict("graded", passed=False, ran=False)


def said(tier: str, *verdicts: Verdict, **changes: Any) -> Any:
    return attempt(tier=tier, model=f"{tier}-model", verdicts=verdicts, **changes)


@pytest.mark.parametrize(
    ("what", "attempts", "weak", "strong"),
    [
        ("passed at once", [said("small", YES)], True, None),
        ("failed, and nobody else was asked", [said("small", NO)], False, None),
        ("failed, the next one passed", [said("small", NO), said("mid", YES)], False, True),
        ("both failed", [said("small", NO), said("mid", NO), said("frontier", YES)], False, False),
        ("all gates count", [said("small", YES, NO), said("mid", YES, YES)], False, True),
        ("straight to the strong one", [said("mid", YES)], None, True),
        ("what the provider lost counts for nobody",
         [said("small"), said("small", NO), said("mid", YES)], False, True),
        ("what a gate asked counts for nobody",
         [said("small", NO), said("mid", purpose=Purpose.GRADE), said("mid", YES)], False, True),
        ("the strong one's gate could not be run",
         [said("small", NO), said("mid", NO, NOT_RUN)], False, None),
        ("another tier between them",
         [said("small", NO), said("frontier", NO), said("mid", YES)], False, None),
    ],
)  # fmt: skip
def test_what_a_receipt_tells(
    what: str, attempts: list[Any], weak: bool | None, strong: bool | None
) -> None:
    call = msgspec.structs.replace(past(attempts=tuple(attempts)), prompt=PROMPT)
    assert heard_of(call, SMALL, MID) == Heard(TASK, PROMPT, weak, strong), what


@pytest.mark.parametrize(
    ("what", "attempts", "prompt"),
    [
        ("no prompt was kept", [said("small", YES)], ""),
        ("nothing was judged", [said("small")], PROMPT),
        ("the gate could not be run", [said("small", NOT_RUN)], PROMPT),
        ("another tier answered first", [said("frontier", NO), said("mid", YES)], PROMPT),
    ],
)
def test_what_tells_nothing(what: str, attempts: list[Any], prompt: str) -> None:
    call = msgspec.structs.replace(past(attempts=tuple(attempts)), prompt=prompt)
    assert heard_of(call, SMALL, MID) is None, what


def test_lengths_come_from_what_was_billed() -> None:
    short = said("small", NO, usage=Usage(input=10, output=5, call=1))
    long = said("mid", YES, usage=Usage(input=10, output=20, reasoning=100, call=1))
    call = msgspec.structs.replace(past(attempts=(short, long)), prompt=PROMPT)
    found = heard_of(call, SMALL, MID)
    assert found is not None
    assert (found.weak_chars, found.strong_chars) == (20, 480)
