"""Checks of answers as tables: plain ones, sloppy ones, and such as try to break the check."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from farebox.core.gates import Case, Gate, GateKind
from farebox.gates.checks import ANSWER_CHARS_MAX, LOCAL, PATTERN_ANSWER_CHARS_MAX, check

ASKED = Case("What is it? [1] It is a mail. [2] It is late.")
OBJECT = '{"type": "object", "required": ["a"]}'


def gate(kind: GateKind, **fields: Any) -> Gate:
    """A gate of a kind."""
    return Gate(name="g", kind=kind, **fields)


SCHEMA = gate(GateKind.JSON_SCHEMA, schema=OBJECT)
LABELS = gate(GateKind.LABELS, labels=("complaint", "question", "No label"))
REGEX = gate(GateKind.REGEX, pattern=r"^[A-Z]{2}\d{4}$", case_sensitive=True)
EXACT = gate(GateKind.EXACT, values=("yes", "no"))
NUMERIC = gate(GateKind.NUMERIC, minimum=Decimal(0), maximum=Decimal(2000))
CITATION = gate(GateKind.CITATION)


@pytest.mark.parametrize(
    ("gate_", "answer"),
    [
        (SCHEMA, '{"a": 1}'),
        (SCHEMA, ' \n{"a": 1}\n'),
        (LABELS, "complaint"),
        (LABELS, "Complaint."),
        (LABELS, '"no  label"'),
        (REGEX, "AB1234"),
        (EXACT, "Yes."),
        (NUMERIC, "1,234.50"),
        (NUMERIC, "#### 42"),
        (NUMERIC, "0"),
        (CITATION, "It is a mail [1]."),
        (CITATION, "It is a late [sic] mail [1][2]."),
    ],
)
def test_answers_that_pass(gate_: Gate, answer: str) -> None:
    verdict = check(gate_, answer, ASKED)
    assert (verdict.gate, verdict.passed, verdict.why, verdict.ran) == ("g", True, "", True)


@pytest.mark.parametrize(
    ("gate_", "answer", "why"),
    [
        (SCHEMA, "", "no JSON"),
        (SCHEMA, "Here it is.", "no JSON"),
        (SCHEMA, '```json\n{"a": 1}\n```', "code fence"),
        (SCHEMA, '{"a": NaN}', "no JSON"),
        (SCHEMA, '{"a":' * 10_000 + "1" + "}" * 10_000, "too deeply"),
        (SCHEMA, '{"b": 1}', "schema at required"),
        (LABELS, "", "none of the labels"),
        (LABELS, "I think that it is a complaint", "none of the labels"),
        (LABELS, "complaint, question", "none of the labels"),
        (REGEX, "ab1234", "not in the answer"),
        (REGEX, "AB1234" * PATTERN_ANSWER_CHARS_MAX, "too long for a pattern"),
        (REGEX, "\ud800", "half a character"),
        (EXACT, "maybe", "none of the values"),
        (NUMERIC, "many", "no number"),
        (NUMERIC, "NaN", "no number"),
        (NUMERIC, "-1", "below the minimum"),
        (NUMERIC, "2,001", "above the maximum"),
        (CITATION, "".join(f"[{number}]" for number in range(60)), "anybody could follow"),
        (CITATION, "It is a mail.", "0 sources; 1 are wanted"),
        (CITATION, "It is a mail [sic].", "0 sources; 1 are wanted"),
        (CITATION, "It is a mail [1], and blue [3].", "was not given"),
        (CITATION, "It is a mail, https://made.up/x", "was not given"),
        *((one, "x" * (ANSWER_CHARS_MAX + 1), "too long") for one in (SCHEMA, LABELS, NUMERIC)),
    ],
)
def test_answers_that_fail(gate_: Gate, answer: str, why: str) -> None:
    verdict = check(gate_, answer, ASKED)
    assert (verdict.passed, verdict.ran) == (False, True)
    assert why in verdict.why
    assert len(answer) < 4 or answer not in verdict.why


@pytest.mark.parametrize(
    ("gate_", "case"),
    [
        (gate(GateKind.LABELS), ASKED),
        (gate(GateKind.EXACT), ASKED),
        (gate(GateKind.REGEX, pattern="("), ASKED),
        (gate(GateKind.REGEX, pattern="(?=a)"), ASKED),
        (gate(GateKind.REGEX, pattern="\ud800"), ASKED),
        (gate(GateKind.JSON_SCHEMA, schema='{"type": 7}'), ASKED),
        (gate(GateKind.JSON_SCHEMA), Case("", schema="no schema")),
        (gate(GateKind.JSON_SCHEMA), Case("", expected="no json")),
        (NUMERIC, Case("", expected="many")),
    ],
)
def test_a_gate_that_can_not_work_says_so(gate_: Gate, case: Case) -> None:
    verdict = check(gate_, "7", case)
    assert (verdict.passed, verdict.ran) == (False, False)
    assert verdict.why


@pytest.mark.parametrize(
    ("gate_", "expected", "right", "wrong"),
    [
        (LABELS, "Complaint", "complaint.", "question"),
        (EXACT, "yes", "YES", "no"),
        (gate(GateKind.EXACT), "blue", "Blue.", "red"),
        (NUMERIC, "42", "so #### 42.0", "43"),
        (replace(NUMERIC, tolerance=Decimal("0.5")), "42", "42.5", "42.6"),
        (SCHEMA, '{"a": 1, "b": [2]}', '{"b": [2], "a": 1.0}', '{"a": true, "b": [2]}'),
    ],
)
def test_with_the_right_answer_known_it_has_to_be_that(
    gate_: Gate, expected: str, right: str, wrong: str
) -> None:
    case = Case("", expected=expected)
    assert check(gate_, right, case).passed
    verdict = check(gate_, wrong, case)
    assert (verdict.passed, verdict.ran) == (False, True)
    assert verdict.why == "the answer is not the right one"


def test_a_call_brings_its_own_schema() -> None:
    own = gate(GateKind.JSON_SCHEMA)
    case = Case("", schema=OBJECT)
    assert check(own, '{"a": 1}', case).passed
    assert not check(own, "{}", case).passed
    assert check(own, "{}", Case("")).passed, "without a schema JSON is enough"


def test_case_and_the_number_of_citations_count_where_they_are_asked_for() -> None:
    assert not check(replace(LABELS, case_sensitive=True), "Complaint", ASKED).passed
    assert not check(replace(CITATION, citations_min=2), "A mail [1].", ASKED).passed
    assert check(gate(GateKind.REGEX, pattern="mail"), "A MAIL", ASKED).passed


@pytest.mark.parametrize("pattern", ["(a+)+$", "(a|aa)*!", ".*" * 200 + "q", "^(a?){100}a{100}$"])
def test_no_pattern_stalls_on_any_answer(pattern: str) -> None:
    verdict = check(gate(GateKind.REGEX, pattern=pattern), "a" * 4_000 + "b", ASKED)
    assert verdict.ran


def test_what_asks_others_is_no_check() -> None:
    assert set(GateKind) - LOCAL == {GateKind.GRADER, GateKind.AGREEMENT, GateKind.FUNCTION}
