"""What is proposed, and what is not: tiers, baselines, the small model's threshold."""

from dataclasses import replace
from typing import Any

import pytest

from farebox.after.measured import Rate, TaskSeen, TierSeen
from farebox.after.retune import (
    MONTH_MS,
    Change,
    Ground,
    Proposal,
    proposals,
    quality_proposal,
)
from farebox.core.gates import Gate, GateKind
from farebox.core.money import Nanos
from farebox.core.tasks import Baseline, Consequence, RoutingPolicy, TaskProfile
from farebox.core.tiers import Catalogue
from farebox.core.usage import Usage
from farebox.launch.profiles import Profile
from tests.support.launching import make_profile, make_trials
from tests.support.policies import TIERS

CATALOGUE = Catalogue(tiers=TIERS)
GATE = Gate(name="label", kind=GateKind.LABELS, labels=("yes",))
SHARES = (0, 0, 0, 1_000, 0, 0, 0, 0, 0, 0)
TRUE_STILL = Baseline(
    measured="2026-11-01",
    samples=300,
    catalogue=CATALOGUE.version,
    pass_rates=(("small", 950),),
    escalation_rate=50,
    difficulties=SHARES,
)


def task(**changes: Any) -> TaskProfile:
    fields: dict[str, Any] = {
        "name": "intent",
        "default_tier": "small",
        "gates": (GATE,),
        "baseline": TRUE_STILL,
        **changes,
    }
    return TaskProfile(**fields)


def seen(passed: int, of: int, *, tier: str = "small", **tiers: Rate) -> TaskSeen:
    """So many first answers of a tier passed; each cost 10,000 n$."""
    rates = {tier: Rate(of=of, passed=passed), **tiers}
    return TaskSeen(
        task="intent",
        calls=of,
        gated=of,
        escalated=of - passed,
        cost=Nanos(10_000 * of),
        difficulties=[0, 0, 0, of, 0, 0, 0, 0, 0, 0],
        tiers={
            name: TierSeen(first=rate, answers=rate.of, cost=Nanos(10_000 * rate.of))
            for name, rate in rates.items()
        },
        usages=[Usage(input=100, output=20, call=1)] * 10,
    )


def proposed(
    profile: TaskProfile, known: TaskSeen, *, measured_by: Profile | None = None, **changes: Any
) -> list[Proposal]:
    fields: dict[str, Any] = {
        "profile": measured_by,
        "catalogue": CATALOGUE,
        "routing": RoutingPolicy(),
        "today": "2026-11-23",
        "span_ms": MONTH_MS // 30,
        **changes,
    }
    return list(proposals([profile], {"intent": known}, Ground(**fields)))


@pytest.mark.parametrize(
    ("profile", "known", "changes"),
    [
        (task(), seen(950, 1_000), []),
        (task(), seen(700, 1_000), [Change.TIER_UP]),
        (task(), seen(40, 49), []),  # too few
        (task(), seen(42, 50), [Change.BASELINE]),  # 84 % of 50 is not surely under 85 %
        (task(ceiling_tier="small"), seen(700, 1_000), [Change.BASELINE]),
        (task(gates=()), seen(700, 1_000), []),
        (task(baseline=None), seen(950, 1_000), [Change.BASELINE]),
        (
            task(baseline=replace(TRUE_STILL, catalogue="0" * 12)),
            seen(950, 1_000),
            [Change.BASELINE],
        ),
        (task(), seen(900, 1_000), [Change.BASELINE]),  # escalates twice as often
        (task(default_tier="mid"), seen(990, 1_000, tier="mid"), [Change.BASELINE]),
        (
            task(default_tier="mid"),
            seen(990, 1_000, tier="mid", small=Rate(of=500, passed=490)),
            [Change.TIER_DOWN],
        ),
        (
            task(default_tier="mid", floor_tier="mid", baseline=None),
            seen(990, 1_000, tier="mid", small=Rate(of=500, passed=490)),
            [Change.BASELINE],
        ),
        (
            task(default_tier="mid", consequence=Consequence.HIGH, baseline=None),
            seen(990, 1_000, tier="mid", small=Rate(of=500, passed=490)),
            [Change.BASELINE],
        ),
    ],
)
def test_what_is_proposed(profile: TaskProfile, known: TaskSeen, changes: list[Change]) -> None:
    if profile.default_tier == "mid" and profile.baseline is TRUE_STILL:
        profile = replace(profile, baseline=replace(TRUE_STILL, catalogue="0" * 12))
    found = proposed(profile, known)
    assert [one.change for one in found] == changes
    assert all(one.reason for one in found)


def test_prompts_of_another_difficulty_make_another_baseline() -> None:
    known = seen(950, 1_000)
    known.difficulties = [0] * 9 + [1_000]
    (found,) = proposed(task(), known)
    assert found.change is Change.BASELINE
    assert "another difficulty" in found.reason


def test_a_new_baseline_is_what_the_receipts_measured() -> None:
    (found,) = proposed(task(baseline=None), seen(950, 1_000))
    assert found.baseline == replace(TRUE_STILL, measured="2026-11-23", samples=1_000)
    assert found.effect == 0


def test_a_tier_up_says_what_a_month_costs_more() -> None:
    (found,) = proposed(task(), seen(700, 1_000))
    assert found.tier == "mid"
    assert found.baseline is None
    # 100 tokens in and 20 out on gpt-4o instead of 10,000 n$ a call, 1,000 calls a day.
    assert found.effect == (100 * 2_500 + 20 * 10_000 - 10_000) * 30_000
    assert "70 % of 1000" in found.reason


def test_a_tier_down_counts_the_escalations_that_come_with_it() -> None:
    known = seen(990, 1_000, tier="mid", small=Rate(of=500, passed=490))
    known.tiers["small"].cost = Nanos(500 * 1_000)
    stale = replace(TRUE_STILL, catalogue="0" * 12)
    (found,) = proposed(task(default_tier="mid", baseline=stale), known)
    assert (found.change, found.tier) == (Change.TIER_DOWN, "small")
    assert found.effect == (1_000 + 10_000 * 20 // 1_000 - 10_000) * 30_000
    assert found.baseline is not None
    assert found.baseline.escalation_rate == 20


def test_receipts_of_minutes_say_nothing_about_a_month() -> None:
    (found,) = proposed(task(), seen(700, 1_000), span_ms=60_000)
    assert found.effect is None


@pytest.mark.parametrize(
    ("rate", "quality", "expected"),
    [
        (Rate(of=49, passed=0), "0.95", None),
        (Rate(of=1_000, passed=900), "0.95", "0.99"),
        (Rate(of=1_000, passed=950), "0.95", None),
        (Rate(of=1_000, passed=990), "0.99", "0.95"),
        (Rate(of=1_000, passed=900), "0.99", None),
    ],
)
def test_another_threshold_is_proposed_where_the_cheap_side_fails_or_excels(
    rate: Rate, quality: str, expected: str | None
) -> None:
    found = quality_proposal(rate, ["0.99", "0.95"], RoutingPolicy(quality=quality))
    assert (found and found.quality) == expected


def measured(passed: int, answered: int, **changes: Any) -> Profile:
    """A profiling run that tried the small tier."""
    trials = make_trials(answered, {"small": passed}, task="intent")
    return make_profile(trials, **changes)


def test_a_tier_that_was_never_used_is_known_by_the_profiling_run() -> None:
    stale = replace(TRUE_STILL, catalogue="0" * 12)
    on_mid = task(default_tier="mid", baseline=stale)
    known = seen(990, 1_000, tier="mid")
    (found,) = proposed(on_mid, known, measured_by=measured(299, 300))
    assert (found.change, found.tier) == (Change.TIER_DOWN, "small")
    assert "(profile)" in found.reason
    assert found.baseline is not None
    assert dict(found.baseline.pass_rates) == {"small": 996, "mid": 990}


def test_a_profiling_run_on_other_tiers_or_prices_counts_for_nothing() -> None:
    run = measured(299, 300, catalogue="0" * 12)
    (found,) = proposed(
        task(default_tier="mid", baseline=None), seen(990, 1_000, tier="mid"), measured_by=run
    )
    assert found.change is Change.BASELINE
