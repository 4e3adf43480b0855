"""The catalogue finds models by either of their names, tiers first."""

from dataclasses import replace

import pytest

from farebox.core.tiers import Catalogue, Model, Tier
from tests.support.policies import FRONTIER, MID, SMALL, TIERS, make_model

DATED = replace(SMALL, upstream_name="gpt-4o-mini-2024-07-18")
UNLISTED = make_model("gpt-3.5-turbo", "0.50", "1.50")
SMALL_TIER = replace(TIERS[0], models=(DATED,))
CATALOGUE = Catalogue(
    tiers=(SMALL_TIER, TIERS[1], TIERS[2]), unlisted=(UNLISTED, replace(MID, provider="azure"))
)


@pytest.mark.parametrize(
    ("name", "tier", "model"),
    [
        ("gpt-4o-mini", SMALL_TIER, DATED),
        ("gpt-4o-mini-2024-07-18", SMALL_TIER, DATED),
        ("o1", TIERS[2], FRONTIER),
        ("gpt-3.5-turbo", None, UNLISTED),
        # What a tier lists is taken from the tier, though the price book knows it too.
        ("gpt-4o", TIERS[1], MID),
    ],
)
def test_a_model_is_found_by_the_name_that_a_caller_uses(
    name: str, tier: Tier | None, model: Model
) -> None:
    assert CATALOGUE.find(name) == (tier, model)


@pytest.mark.parametrize("name", ["", "gpt", "GPT-4O", "farebox/auto"])
def test_other_names_find_nothing(name: str) -> None:
    assert CATALOGUE.find(name) is None


def test_iteration_goes_up_the_ranks_and_leaves_unlisted_models_out() -> None:
    assert [model.name for _, model in CATALOGUE] == ["gpt-4o-mini", "gpt-4o", "o1"]


def test_tiers_are_found_by_name() -> None:
    assert CATALOGUE.tier_named("mid") == TIERS[1]
    assert CATALOGUE.tier_named("") is None
