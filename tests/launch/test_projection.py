"""Projection: walks as in production, shares of the traffic, and when a classifier pays."""

from fractions import Fraction

import pytest

from farebox.launch.projection import (
    Classifier,
    ProjectionError,
    TaskProjection,
    break_even,
    project,
    walk,
)
from tests.support.launching import TIER_NAMES, make_profile, make_trial, make_trials

LABEL = make_trials(10, {"small": 9, "mid": 10, "frontier": 10})
HARD = make_trials(10, {"small": 0, "mid": 0, "frontier": 10}, task="hard")
PROFILE = make_profile(LABEL, HARD)
USUAL = Classifier()


def test_a_month_with_and_without_routing() -> None:
    found = project(
        PROFILE, calls_per_day=100, mix={"label": Fraction(3), "hard": Fraction(1)},
        classifier=USUAL,
    )  # fmt: skip
    label, hard = found.tasks
    assert (label.calls, hard.calls, found.calls) == (2_250, 750, 3_000)
    # Ten answers on the small tier, and one of them once more on the next.
    assert label.routed_per_call == (10 * 100 + 1_000) // 10
    assert (label.routed, label.strongest) == (2_250 * 200, 2_250 * 10_000)
    assert (label.escalated, hard.escalated) == (100, 0)
    assert hard.routed == hard.strongest == 750 * 10_000
    assert found.routed == 2_250 * 200 + 7_500_000
    assert found.profile == PROFILE.digest


def test_without_a_mix_the_samples_say_it() -> None:
    found = project(PROFILE, calls_per_day=1, mix={}, classifier=USUAL)
    assert [task.share for task in found.tasks] == [500, 500]


def test_a_task_that_nobody_calls_is_left_out() -> None:
    found = project(PROFILE, calls_per_day=1, mix={"hard": Fraction(1)}, classifier=USUAL)
    assert found.left_out == ("label",)


@pytest.mark.parametrize(
    ("accepted", "steps_max", "tiers"),
    [
        ((True, True, True), 2, ["small"]),
        ((False, True, True), 2, ["small", "mid"]),
        ((False, False, False), 2, ["small", "mid", "frontier"]),
        ((False, False, True), 1, ["small", "mid"]),
        ((False, False, True), 0, ["small"]),
    ],
)
def test_a_walk_ends_where_the_gates_say_yes(
    accepted: tuple[bool, ...], steps_max: int, tiers: list[str]
) -> None:
    trials = {
        tier: make_trial(tier=tier, accepted=says)
        for tier, says in zip(TIER_NAMES, accepted, strict=True)
    }
    taken = walk(trials, TIER_NAMES, start="small", steps_max=steps_max)
    assert [one.tier for one in taken] == tiers


@pytest.mark.parametrize(
    ("per_call", "monthly", "calls"),
    [
        (1_000, 5_000_000, 10_000),  # gains 0.165 of 9,091 n$ a call, 1,500, less what it costs
        (0, 0, 0),
        (2_000, 5_000_000, None),
    ],
)
def test_a_classifier_pays_from_a_volume_on_or_never(
    per_call: int, monthly: int, calls: int | None
) -> None:
    tasks = [
        TaskProjection(
            task="t", share=1000, calls=100, tier="small", routed=90_900, routed_per_call=909,
            strongest=1_000_000, strongest_per_call=10_000, escalated=0, gate_cost=0,
        )
    ]  # fmt: skip
    told = Classifier(rules_right=675, right=840, per_call=per_call, monthly=monthly)
    found = break_even(tasks, told)
    assert found.calls == calls
    gains = [gain for _, gain in found.by_volume]
    assert gains == sorted(gains, reverse=calls is None)


@pytest.mark.parametrize(
    ("profile", "mix", "want"),
    [
        (PROFILE, {"nobody": Fraction(1)}, "nobody in the mix is not profiled"),
        (make_profile(tasks=()), {}, "measured no task"),
        (make_profile(make_trials(3, {"small": 3})), {}, "no answers on frontier"),
    ],
)
def test_what_cannot_be_projected_is_said(
    profile: object, mix: dict[str, Fraction], want: str
) -> None:
    with pytest.raises(ProjectionError, match=want):
        project(profile, calls_per_day=1, mix=mix, classifier=USUAL)  # type: ignore[arg-type]  # a table's column
