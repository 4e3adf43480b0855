"""Everything about a run follows from its seed, and stays within the bounds that it promises."""

from itertools import islice, pairwise

import pytest

from bench.cap_scenario import (
    CALLERS,
    CALLS_WORTH_MAX,
    CALLS_WORTH_MIN,
    SIDECARS,
    USERS,
    Scenario,
    exhaustion,
    storm,
    typical_worst_nanos,
)

SEEDS = range(1, 200)


def facts(scenario: Scenario) -> tuple[object, ...]:
    """A run with all that its callers do in their first calls."""
    orders = [tuple(islice(scenario.orders(number), 5)) for number in range(CALLERS)]
    homes = [scenario.sidecar_of(number) for number in range(CALLERS)]
    return scenario, orders, homes


@pytest.mark.parametrize("make", [storm, exhaustion])
def test_a_seed_gives_the_same_run_every_time(make: object) -> None:
    assert callable(make)
    assert facts(make(7)) == facts(make(7))
    assert facts(make(7)) != facts(make(8))


def test_limits_lie_between_5_and_100_calls() -> None:
    for scenario in (make(seed) for seed in SEEDS for make in (storm, exhaustion)):
        worst = typical_worst_nanos(scenario.overrun_percent)
        for plan in scenario.pools:
            assert CALLS_WORTH_MIN <= plan.calls_worth <= CALLS_WORTH_MAX
            assert 0 <= plan.limit_nanos - plan.calls_worth * worst < worst


def test_storms_have_kills_within_the_run_and_windows_that_end_in_it() -> None:
    storms = [storm(seed) for seed in SEEDS]
    for scenario in storms:
        assert 3 <= len(scenario.kills) <= 6
        assert all(0 < kill.at_ms < scenario.storm_ms for kill in scenario.kills)
        assert sum(scenario.faults.values()) < 0.6
        periods = {plan.period_ms for plan in scenario.pools} - {None}
        assert all(period is not None and 6_000 <= period <= 15_000 for period in periods)
    together = [
        (one, two)
        for scenario in storms
        for one, two in pairwise(scenario.kills)
        if one.at_ms == two.at_ms and one.victim != two.victim
    ]
    assert together, "a controller must also come back while a sidecar is away"
    victims = {kill.victim for scenario in storms for kill in scenario.kills}
    assert victims == {"controller", *SIDECARS}
    assert {plan.period_ms is None for one in storms for plan in one.pools} == {True, False}


def test_a_provider_writes_beyond_the_limit_only_where_that_is_declared() -> None:
    for scenario in map(storm, SEEDS):
        assert ("longAnswer" in scenario.faults) is (scenario.overrun_percent > 0)


def test_an_exhaustion_has_no_faults_and_each_caller_stays_with_one_user() -> None:
    scenario = exhaustion(3)
    assert not scenario.faults
    assert not scenario.kills
    assert all(plan.period_ms is None for plan in scenario.pools)
    users = [{order.user for order in islice(scenario.orders(one), 9)} for one in range(CALLERS)]
    assert all(len(one) == 1 for one in users)
    assert set.union(*users) == set(USERS)


def test_the_sidecars_share_the_callers() -> None:
    homes = [storm(1).sidecar_of(number) for number in range(CALLERS)]
    assert set(homes) == set(range(len(SIDECARS)))
