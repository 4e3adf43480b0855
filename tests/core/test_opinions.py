"""What the small model thinks becomes a difficulty, and a guess never saves money."""

from dataclasses import replace

import pytest

from farebox.core.opinions import DIFFICULTY_MAX, opinion_on, threshold_named
from farebox.core.pacing import Pace
from farebox.core.policy import Policy
from farebox.core.reasons import Reason
from farebox.core.shortcuts import Bound, Shortcut
from farebox.core.tasks import RoutingPolicy
from farebox.core.wording import STRUCTURE_NAMES
from tests.support.weights import small_weights

POLICY = Policy(scorer=small_weights())
ONE_WORD = STRUCTURE_NAMES.index("tokens")
"""The logarithm of one more than the number of tokens."""


def with_routing(**changes: object) -> Policy:
    routing = replace(RoutingPolicy(), **changes)  # type: ignore[arg-type]  # names its fields
    return replace(POLICY, routing=routing)


@pytest.mark.parametrize(
    ("case", "prompt", "policy", "reason", "low", "high"),
    [
        ("worth the strong model", "Ocean", POLICY, Reason.MODEL_SCORED, 501, 1_000),
        ("not worth it", "Pebble", POLICY, Reason.MODEL_SCORED, 0, 500),
        ("unlike all training", "Quartz", POLICY, Reason.MODEL_UNSURE, 700, 700),
        (
            "unlike it, and the policy takes the unknown for easy",
            "Quartz",
            with_routing(unsure_difficulty=100),
            Reason.MODEL_UNSURE,
            501,
            501,
        ),
        (
            "another boundary",
            "Ocean",
            with_routing(boundary_difficulty=900),
            Reason.MODEL_SCORED,
            901,
            1_000,
        ),
        (
            "a boundary at the top",
            "Ocean",
            with_routing(boundary_difficulty=1_000),
            Reason.MODEL_SCORED,
            1_000,
            1_000,
        ),
        (
            "a boundary at the bottom",
            "Pebble",
            with_routing(boundary_difficulty=0),
            Reason.MODEL_SCORED,
            0,
            0,
        ),
        (
            "a quality that the weights don't know",
            "Pebble",
            with_routing(quality="0.5"),
            Reason.MODEL_MISSING,
            700,
            700,
        ),
        (
            "no weights",
            "Pebble",
            replace(POLICY, scorer=None),
            Reason.MODEL_MISSING,
            700,
            700,
        ),
    ],
)
def test_a_difficulty_lies_on_the_side_of_the_boundary_that_was_meant(
    case: str, prompt: str, policy: Policy, reason: Reason, low: int, high: int
) -> None:
    opinion = opinion_on(prompt, policy, None)
    assert opinion.reason is reason, case
    assert low <= opinion.difficulty <= high, case


@pytest.mark.parametrize(
    ("case", "prompt", "policy", "cut", "reason"),
    [
        ("worth less than what money is kept for", "Ocean", POLICY, 0.9, Reason.PACED),
        ("worth more", "Ocean", POLICY, 0.2, Reason.MODEL_SCORED),
        ("weak anyway", "Pebble", POLICY, 0.9, Reason.MODEL_SCORED),
        ("not familiar, with the usual gain", "Quartz", POLICY, 0.9, Reason.PACED),
        ("not familiar, and money enough", "Quartz", POLICY, 0.01, Reason.MODEL_UNSURE),
        ("pacing switched off", "Ocean", with_routing(pacing=False), 0.9, Reason.MODEL_SCORED),
    ],
)
def test_where_money_must_be_paced_the_model_is_choosier(
    case: str, prompt: str, policy: Policy, cut: float, reason: Reason
) -> None:
    opinion = opinion_on(prompt, policy, Pace(cut))
    assert opinion.reason is reason, case
    paced = opinion.reason is Reason.PACED
    assert not paced or opinion.difficulty <= RoutingPolicy().boundary_difficulty, case


def shaped(*, strong: bool) -> Policy:
    """A policy whose shortcut is any prompt of one token."""
    bound = Bound(number=ONE_WORD, cut=0.7, at_most=True)
    return replace(POLICY, shortcuts=(Shortcut("one word", (bound,), strong),))


@pytest.mark.parametrize(
    ("case", "prompt", "strong", "pace", "reason", "easy"),
    [
        ("a shape that the strong model is for", "Pebble", True, None, Reason.SHAPE_MATCHED, False),
        ("a shape that the weak one does", "Ocean", False, None, Reason.SHAPE_MATCHED, True),
        ("the same, in words never seen", "Quartz", False, None, Reason.MODEL_UNSURE, False),
        ("no shortcut for the shape", "Ocean pebble", True, None, Reason.MODEL_SCORED, False),
        ("short of money it is scored", "Pebble", True, Pace(0.9), Reason.MODEL_SCORED, True),
    ],
)
def test_shapes_stand_in_for_the_model(
    case: str, prompt: str, strong: bool, pace: Pace | None, reason: Reason, easy: bool
) -> None:
    opinion = opinion_on(prompt, shaped(strong=strong), pace, shortcuts=True)
    assert opinion.reason is reason, case
    assert (opinion.difficulty <= 500) is easy, case
    assert (opinion.score is None) is (reason is Reason.SHAPE_MATCHED), case


def test_shapes_are_looked_at_only_where_they_may_be() -> None:
    assert opinion_on("Pebble", shaped(strong=True), None).reason is Reason.MODEL_SCORED


def test_what_is_worth_more_is_more_difficult() -> None:
    prompts = ("pebble pebble pebble", "pebble ocean pebble", "ocean pebble", "ocean")
    found = [opinion_on(prompt, POLICY, None) for prompt in prompts]
    worths = [opinion.score.worth for opinion in found if opinion.score is not None]
    difficulties = [opinion.difficulty for opinion in found]
    assert len(worths) == len(prompts)
    assert sorted(worths) == worths
    assert sorted(difficulties) == difficulties
    assert difficulties[-1] <= DIFFICULTY_MAX


def test_a_threshold_is_named_by_the_quality_that_it_keeps() -> None:
    assert threshold_named(RoutingPolicy().quality) in small_weights().thresholds
