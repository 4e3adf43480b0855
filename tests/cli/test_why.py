"""A receipt as sidecars write it, read aloud."""

import json
from typing import Any

import msgspec
import pytest

from farebox.cli.records import RecordError
from farebox.cli.why import why
from farebox.core.budgets import Keys
from farebox.core.call import Identity, Priority
from farebox.core.gates import Verdict
from farebox.core.money import Nanos
from farebox.core.reasons import Reason
from farebox.core.routing import Rejected
from sidecar.commands import AttemptRecord, Purpose
from sidecar.receipts import fields_of
from tests.support.outcomes import ATTEMPT, make_receipt


def told(**changes: Any) -> list[str]:
    """What is said of a receipt that went through a file."""
    fields = json.loads(json.dumps(fields_of(make_receipt(**changes))))
    return why(fields)


def attempt(**changes: Any) -> AttemptRecord:
    return msgspec.structs.replace(ATTEMPT, **changes)


def test_a_served_call() -> None:
    assert told() == [
        "Call call-1 of 2026-09-21T14:13:20Z took 40 ms and was answered with status 200.",
        "It was made for user ana.",
        (
            "It was taken for the task classification, difficulty 0.350 of 1, because the caller "
            "said so (rule header:classification)."
        ),
        (
            "It left the choice of model open and was served by gpt-4o-mini of tier small, because "
            "it was the cheapest that is good enough. The provider says that it ran "
            "gpt-4o-mini-2024-07-18."
        ),
        "Not taken: o1, because it costs more (costs_more).",
        (
            "The attempt went to gpt-4o-mini, status 200: $0.0000333 was held for it, and it cost "
            "$0.000027, as the provider's own count says."
        ),
        "It cost $0.000027 in all for 100 input, 20 output tokens.",
    ]


def test_a_refused_call_names_the_pool_and_what_to_do() -> None:
    lines = told(
        status=402,
        refused=Reason.POOL_EXHAUSTED,
        refused_pool="default/team",
        model="",
        tier="",
        route=None,
        response_model="",
        rejected=(
            Rejected(model="a", reason=Reason.DOES_NOT_FIT),
            Rejected(model="o1", reason=Reason.ABOVE_CEILING),
            Rejected(model="b", reason=Reason.DOES_NOT_FIT),
        ),
        attempts=(),
        usage=None,
        cost=Nanos(0),
    )
    assert "was refused by pool default/team with 402 pool_exhausted. The pool is" in lines[0]
    assert "It left the choice of model open; no model served it." in lines
    assert (
        "Not taken: a, b, because its worst case did not fit the money left (does_not_fit)."
        in lines
    )
    assert lines[-1] == "It cost $0.00 in all."


def test_several_attempts_are_told_one_by_one() -> None:
    lines = told(
        attempts=(
            attempt(verdicts=(Verdict("known", passed=False, why="it is no label"),)),
            attempt(model="gpt-4o", purpose=Purpose.GRADE, status=0, end=Reason.OUTCOME_UNKNOWN),
            attempt(
                model="gpt-4o",
                shadow=("default/watched",),
                unverified=("default/free",),
                verdicts=(
                    Verdict("known", passed=True),
                    Verdict("own", passed=False, why="it took too long", ran=False),
                ),
            ),
        ),
        escalations=1,
        gate="passed",
        route=Reason.ESCALATED,
    )
    assert lines[5].endswith("Its answer failed gate known: it is no label.")
    assert lines[6].startswith(
        "Attempt 2 went to gpt-4o, to judge an answer (grade), without an answer:"
    )
    assert lines[6].endswith("in full, since nobody knows what became of it.")
    assert lines[7].endswith(
        "In shadow mode, and out of money: default/watched. Let pass while the controller was "
        "away: default/free. Its answer passed gate known. Gate own could not be run: it took too "
        "long."
    )
    assert "over 3 attempts" in lines[8]
    assert lines[8].endswith("It was asked again of a higher tier once. Gates: passed.")


def test_who_called_is_told_as_far_as_it_is_known() -> None:
    keys = Keys(session="s-1", workflow="w-1")
    lines = told(identity=Identity(keys=keys, priority=Priority.HIGH), caller_gone=True)
    assert lines[0].endswith("its caller had gone before it ended.")
    assert lines[1] == "It was made for session s-1, workflow w-1, priority high."


def test_what_is_no_receipt_is_one_sentence() -> None:
    with pytest.raises(RecordError, match="a receipt has not the shape"):
        why({"call": "x"})
