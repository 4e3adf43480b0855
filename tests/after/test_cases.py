"""Values of a replay: what a decision costs in all."""

from farebox.after.cases import Decision
from farebox.core.money import Nanos


def test_a_decision_costs_what_its_attempts_do() -> None:
    made = Decision(id="a", task="rag", costs=(("small", Nanos(5)), ("large", Nanos(70))))
    assert made.cost == 75
    assert Decision(id="b", task="rag").cost == 0
