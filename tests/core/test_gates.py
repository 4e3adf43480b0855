"""Gates are plain values whose defaults are the lenient reading of their kind."""

from decimal import Decimal

from farebox.core.gates import Case, Gate, GateKind, Verdict


def test_a_gate_says_no_more_than_its_kind() -> None:
    gate = Gate(name="answer", kind=GateKind.NUMERIC)
    assert (gate.minimum, gate.maximum, gate.tolerance) == (None, None, Decimal(0))
    assert (gate.labels, gate.values, gate.case_sensitive) == ((), (), False)


def test_a_verdict_that_was_not_reached_has_not_passed() -> None:
    assert not Verdict("grader", passed=False, ran=False).passed
    assert Verdict("grader", passed=True).ran


def test_what_the_right_answer_is_is_mostly_unknown() -> None:
    assert Case("How many?").expected is None
