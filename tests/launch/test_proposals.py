"""Proposals: the lowest tier that passes often enough, by the policy's own thresholds."""

import pytest

from farebox.core.tasks import Consequence, RoutingPolicy
from farebox.launch.measures import cells_of
from farebox.launch.proposals import Trust, percent, propose
from tests.support.launching import TIER_NAMES, make_trials

USUAL = RoutingPolicy()
STRICT = RoutingPolicy(pass_rate_trusted=990, pass_rate_monitored=960)


@pytest.mark.parametrize(
    ("name", "passing", "routing", "tier", "trust"),
    [
        ("small is trusted", (95, 100, 100), USUAL, "small", Trust.TRUSTED),
        ("small is watched", (85, 100, 100), USUAL, "small", Trust.MONITORED),
        ("small is too weak", (84, 95, 100), USUAL, "mid", Trust.TRUSTED),
        ("mid is watched", (10, 90, 100), USUAL, "mid", Trust.MONITORED),
        ("nothing suffices", (10, 20, 84), USUAL, "frontier", Trust.INSUFFICIENT),
        ("a stricter policy", (95, 98, 100), STRICT, "mid", Trust.MONITORED),
    ],
)
def test_the_thresholds_decide(
    name: str, passing: tuple[int, int, int], routing: RoutingPolicy, tier: str, trust: Trust
) -> None:
    cells = cells_of(make_trials(100, dict(zip(TIER_NAMES, passing, strict=True))), TIER_NAMES)
    found = propose("label", cells, routing)
    assert (found.tier, found.trust) == (tier, trust), name
    assert percent(found.rate) in found.says
    assert percent(found.low) in found.says


def test_where_a_wrong_answer_costs_much_monitoring_is_not_enough() -> None:
    cells = cells_of(make_trials(100, {"small": 94, "mid": 96, "frontier": 100}), TIER_NAMES)
    assert propose("label", cells, USUAL, Consequence.HIGH).tier == "mid"


def test_a_tier_that_could_answer_few_of_many_is_not_chosen() -> None:
    few, many = make_trials(2, {"small": 2}), make_trials(100, {"mid": 96, "frontier": 100})
    assert propose("label", cells_of([*few, *many], TIER_NAMES), USUAL).tier == "mid"


def test_few_samples_are_called_a_guess() -> None:
    cells = cells_of(make_trials(10, {"small": 10}), TIER_NAMES)
    said = propose("label", cells, USUAL).says
    assert "take it as a guess" in said
    assert "try more samples" in said


def test_without_answers_nothing_is_proposed() -> None:
    found = propose("label", [], USUAL)
    assert (found.tier, found.trust) == ("", Trust.UNMEASURED)


@pytest.mark.parametrize(("rate", "text"), [(950, "95 %"), (972, "97.2 %"), (-2, "-0.2 %")])
def test_rates_for_people(rate: int, text: str) -> None:
    assert percent(rate) == text
