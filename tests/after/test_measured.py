"""What receipts measure: first answers by tier, escalations, difficulties, cost."""

from farebox.after.measured import Rate, scored_low, tasks_seen
from farebox.core.gates import Verdict
from farebox.core.money import Nanos
from farebox.core.usage import Usage
from tests.support.past import attempt, past

GOOD, BAD = (Verdict("label", passed=True),), (Verdict("label", passed=False),)
ESCALATED = past(
    attempts=(
        attempt(verdicts=BAD, cost=Nanos(10)),
        attempt(model="gpt-4o", tier="mid", verdicts=BAD, cost=Nanos(90)),
    ),
    escalations=1,
    cost=Nanos(100),
)
PASSED = past(attempts=(attempt(verdicts=GOOD, cost=Nanos(21)),), cost=Nanos(21))


def test_a_tier_is_judged_by_first_answers_and_costs_all_of_them() -> None:
    seen = tasks_seen([ESCALATED, PASSED, past()])["classification"]
    assert (seen.calls, seen.gated, seen.escalated, seen.escalation_rate) == (3, 2, 1, 500)
    small, mid = seen.tier("small"), seen.tier("mid")
    assert (small.first.of, small.first.passed, small.answers, small.mean_cost) == (2, 1, 3, 9_011)
    assert (mid.first.of, mid.answers, mid.mean_cost) == (0, 1, 90)
    assert seen.cost == 27_121
    assert seen.shares[3] == 1_000
    assert seen.usages == [Usage(input=100, output=20, call=1)] * 3


def test_a_rate_comes_with_its_interval() -> None:
    rate = Rate(of=100, passed=95)
    assert (rate.value, rate.low, rate.high) == (950, 888, 979)


def test_what_the_small_model_sent_to_the_cheap_side_is_told_apart() -> None:
    scored = past(rule="model_scored=a", attempts=(attempt(verdicts=BAD),))
    rate = scored_low([scored, PASSED, ESCALATED], frozenset({"small"}))
    assert (rate.of, rate.passed) == (1, 0)
