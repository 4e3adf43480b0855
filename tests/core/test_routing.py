"""The cheapest sufficient model that fits serves; whatever does not serve keeps its reason."""

from dataclasses import replace

import pytest

from farebox.core.classify import Classification, classify
from farebox.core.estimate import estimate
from farebox.core.money import ZERO, Nanos
from farebox.core.policy import Policy
from farebox.core.reasons import Reason
from farebox.core.routing import NoFit, Rejected, Route, output_bound, plan, route
from farebox.core.tasks import Freedom
from farebox.core.tiers import Tier
from tests.core.routes import (
    POLICY,
    RICH,
    UNLISTED,
    call,
    found,
    reasons,
    with_catalogue,
    with_freedom,
)
from tests.support.policies import FRONTIER, MID, SMALL, make_model


def served(choice: Route | NoFit) -> Route:
    assert isinstance(choice, Route), choice
    return choice


def refused(choice: Route | NoFit) -> NoFit:
    assert isinstance(choice, NoFit), choice
    return choice


# Money. A call of 400 bytes and 100 tokens on each of the three models, at worst:
ON_SMALL, ON_MID, ON_FRONTIER = (
    estimate(call(), model, output_asked=100).worst for model in (SMALL, MID, FRONTIER)
)
HARD, MIDDLING, EASY = found(900), found(600), found(100)


@pytest.mark.parametrize(
    ("case", "seen", "headroom", "downgrade", "model", "reason", "rejected"),
    [
        (
            "the cheapest that suffices",
            EASY,
            RICH,
            False,
            "gpt-4o-mini",
            "cheapest_sufficient",
            {"gpt-4o": "costs_more", "o1": "costs_more"},
        ),
        (
            "money for just that",
            EASY,
            ON_SMALL,
            False,
            "gpt-4o-mini",
            "cheapest_sufficient",
            {"gpt-4o": "does_not_fit", "o1": "does_not_fit"},
        ),
        (
            "the cheapest is not good enough",
            MIDDLING,
            RICH,
            True,
            "gpt-4o",
            "cheapest_sufficient",
            {"gpt-4o-mini": "difficulty_too_high", "o1": "costs_more"},
        ),
        (
            "a nano-dollar short: a shorter answer before a lower tier",
            MIDDLING,
            Nanos(ON_MID - 1),
            True,
            "gpt-4o",
            "output_lowered",
            {"gpt-4o-mini": "difficulty_too_high", "o1": "does_not_fit"},
        ),
        (
            "no money for any answer that is good enough",
            HARD,
            ON_MID,
            True,
            "gpt-4o",
            "tier_lowered",
            {"gpt-4o-mini": "difficulty_too_high", "o1": "does_not_fit"},
        ),
        (
            "nor for the next tier as asked",
            HARD,
            ON_SMALL,
            True,
            "gpt-4o-mini",
            "tier_lowered",
            {"gpt-4o": "does_not_fit", "o1": "does_not_fit"},
        ),
    ],
)
def test_what_serves_for_the_money_left(
    case: str,
    seen: Classification,
    headroom: Nanos,
    downgrade: bool,
    model: str,
    reason: str,
    rejected: dict[str, str],
) -> None:
    choice = served(
        route(plan(call(), seen, POLICY), call(), headroom=headroom, may_downgrade=downgrade)
    )
    assert (choice.candidate.model.name, choice.reason) == (model, reason), case
    assert reasons(choice.rejected) == rejected, case
    assert choice.hold <= headroom


def test_an_answer_is_lowered_no_further_than_it_must() -> None:
    headroom = Nanos(ON_MID - 1)
    choice = served(
        route(plan(call(), MIDDLING, POLICY), call(), headroom=headroom, may_downgrade=False)
    )
    assert choice.output_asked == 99
    assert choice.hold == estimate(call(), MID, output_asked=99).worst


def test_an_answer_is_not_lowered_below_what_is_useful() -> None:
    floor = estimate(call(), MID, output_asked=16).worst
    made = plan(call(), MIDDLING, POLICY)
    just = served(route(made, call(), headroom=floor, may_downgrade=False))
    assert just.output_asked == 16
    short = refused(route(made, call(), headroom=Nanos(floor - 1), may_downgrade=False))
    assert short.least == floor
    assert short.fits_max_tokens == 15


def test_without_leave_no_lower_tier_serves_but_it_is_named() -> None:
    made = plan(call(), HARD, POLICY)
    choice = refused(route(made, call(), headroom=ON_SMALL, may_downgrade=False))
    assert choice == NoFit(
        need=ON_FRONTIER,
        least=estimate(call(), FRONTIER, output_asked=16).worst,
        fits_max_tokens=-1,
        cheaper_model="gpt-4o-mini",
        rejected=(
            Rejected(model="gpt-4o-mini", reason=Reason.DIFFICULTY_TOO_HIGH),
            Rejected(model="gpt-4o", reason=Reason.DIFFICULTY_TOO_HIGH),
            Rejected(model="o1", reason=Reason.DOES_NOT_FIT),
        ),
    )


def test_with_leave_the_least_is_that_of_the_cheapest_tier() -> None:
    made = plan(call(), HARD, POLICY)
    choice = refused(route(made, call(), headroom=ZERO, may_downgrade=True))
    assert choice.least == estimate(call(), SMALL, output_asked=16).worst
    assert choice.cheaper_model == ""
    assert set(reasons(choice.rejected).values()) == {"does_not_fit"}


def test_a_failed_model_is_not_tried_again() -> None:
    made = plan(call(), MIDDLING, POLICY)
    choice = served(
        route(made, call(), headroom=RICH, may_downgrade=False, tried=frozenset({"gpt-4o"}))
    )
    assert (choice.candidate.model.name, choice.reason) == ("o1", Reason.FAILED_OVER)
    assert reasons(choice.rejected)["gpt-4o"] == "tried_already"


def test_when_all_that_suffice_have_failed_nothing_is_left() -> None:
    made = plan(call(), HARD, POLICY)
    choice = refused(
        route(made, call(), headroom=RICH, may_downgrade=False, tried=frozenset({"o1"}))
    )
    assert choice.fits_max_tokens == -1
    assert reasons(choice.rejected)["o1"] == "tried_already"


@pytest.mark.parametrize(
    ("case", "model", "policy"),
    [
        ("pinned", "gpt-4o", with_freedom(Freedom.PINNED)),
        (
            "unlisted",
            "gpt-3.5-turbo",
            with_catalogue((SMALL,), (MID,), (FRONTIER,), unlisted=(UNLISTED,)),
        ),
    ],
)
def test_a_model_without_alternatives_says_so(case: str, model: str, policy: Policy) -> None:
    made = plan(call(model=model), EASY, policy)
    choice = served(route(made, call(), headroom=RICH, may_downgrade=False))
    assert (choice.candidate.model.name, choice.reason) == (model, Reason.MODEL_PINNED), case


def test_of_lower_tiers_the_highest_that_fits_serves_and_there_the_cheapest() -> None:
    twin = make_model("gpt-4o-twin", "2.40", "9.00")
    dear_small = make_model("dear-small", "3.00", "11.00")
    policy = with_catalogue((SMALL, dear_small), (MID, twin), (FRONTIER,))
    made = plan(call(), HARD, policy)
    headroom = Nanos(ON_FRONTIER // 4)
    choice = served(route(made, call(), headroom=headroom, may_downgrade=True))
    assert choice.candidate.model.name == "gpt-4o-twin"


def test_a_stream_may_carry_what_its_hold_covers() -> None:
    assert output_bound(replace(SMALL, overrun_percent=25), 100, 2) == 250


def test_a_call_goes_from_its_words_to_its_model() -> None:
    hard = call(prompt="Please write a Python function that sorts a list.")
    choice = served(
        route(plan(hard, classify(hard, POLICY), POLICY), hard, headroom=RICH, may_downgrade=True)
    )
    assert choice.candidate.tier == Tier(
        name="frontier", rank=3, max_difficulty=1_000, models=(FRONTIER,)
    )
