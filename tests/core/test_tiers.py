"""The catalogue finds models by either of their names, tiers first."""

from dataclasses import replace

import pytest

from farebox.core.prices import Price, Rates
from farebox.core.tiers import VERSION_CHARS, Catalogue, Model, Tier
from farebox.core.usage import UsageKind
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


def test_the_version_changes_with_tiers_models_and_prices_and_with_nothing_else() -> None:
    dearer = make_model("gpt-4o-mini", "0.16", "0.60", upstream_name=DATED.upstream_name)
    others = [
        replace(CATALOGUE, tiers=CATALOGUE.tiers[:2]),
        replace(CATALOGUE, tiers=(replace(SMALL_TIER, rank=0), *CATALOGUE.tiers[1:])),
        replace(CATALOGUE, tiers=(replace(SMALL_TIER, models=(SMALL,)), *CATALOGUE.tiers[1:])),
        replace(CATALOGUE, tiers=(replace(SMALL_TIER, models=(dearer,)), *CATALOGUE.tiers[1:])),
    ]
    versions = {one.version for one in (CATALOGUE, *others)}
    assert len(versions) == 5
    assert {len(version) for version in versions} == {12}
    moved = replace(SMALL_TIER, models=(replace(DATED, base_url="http://127.0.0.1:1/v1"),))
    assert replace(CATALOGUE, tiers=(moved, *CATALOGUE.tiers[1:])).version == CATALOGUE.version


def test_a_version_says_whether_models_or_prices_have_changed() -> None:
    tier = CATALOGUE.tiers[0]
    model = tier.models[0]
    half = VERSION_CHARS // 2

    def version(changed: Model) -> tuple[str, str]:
        models = (changed, *tier.models[1:])
        found = Catalogue(tiers=(replace(tier, models=models), *CATALOGUE.tiers[1:])).version
        return found[:half], found[half:]

    before = version(model)
    renamed = version(replace(model, upstream_name="another"))
    rates = Rates(by_kind={UsageKind.INPUT: 1, UsageKind.OUTPUT: 2})
    repriced = version(replace(model, price=Price(rates=rates)))
    assert (renamed[0] != before[0], renamed[1] != before[1]) == (True, False)
    assert (repriced[0] != before[0], repriced[1] != before[1]) == (False, True)
