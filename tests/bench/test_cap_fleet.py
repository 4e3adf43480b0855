"""The processes of a cap run are told one thing: manifests, provider and judge agree."""

from pathlib import Path

import pytest

from bench import manifests
from bench.cap_fleet import past_lines, provider_config, read_lines, resources
from bench.cap_judge import Account
from bench.cap_scenario import Scenario, exhaustion, storm
from farebox.core.instant import UtcMs
from farebox.core.usage import UsageKind
from farebox.manifests.folder import load_folder
from farebox.simulated.config import parse_config


@pytest.mark.parametrize("scenario", [storm(1), storm(2), exhaustion(1)])
def test_the_manifests_say_what_the_scenario_says(tmp_path: Path, scenario: Scenario) -> None:
    folder = manifests.write_folder(tmp_path / "manifests", resources(scenario, 9_100))
    loaded = load_folder(folder, None, now=UtcMs(0))
    assert not loaded.problems
    pools = {pool.name: pool for pool in loaded.resources.pools.values()}
    assert {name: pool.limit for name, pool in pools.items()} == {
        plan.name: plan.limit_nanos for plan in scenario.pools
    }
    periods = {plan.name: plan.period_ms for plan in scenario.pools}
    assert {name: pool.window.period for name, pool in pools.items()} == periods
    priced = {model.name: model for _, model in loaded.resources.catalogue}
    for model in scenario.models:
        rates = priced[model.name].price.rates
        assert rates.of(UsageKind.INPUT) == model.input_nanos * 1_000_000
        assert rates.of(UsageKind.OUTPUT) == model.output_nanos * 1_000_000
        assert priced[model.name].overrun_percent == scenario.overrun_percent


@pytest.mark.parametrize("scenario", [storm(1), storm(2), exhaustion(1)])
def test_the_provider_bills_at_the_prices_of_the_scenario(scenario: Scenario) -> None:
    config = parse_config(provider_config(scenario))
    for model, billed in zip(scenario.models, config.models, strict=True):
        assert billed.rates().input_pico == model.input_nanos * 1_000
        assert billed.rates().output_pico == model.output_nanos * 1_000
    assert config.faults.overrun_percent == scenario.overrun_percent


def test_the_controllers_figures_are_read_by_account() -> None:
    row = {
        "pool": "default/people",
        "key": "user-1",
        "window_starts": "2026-11-23T00:12:30Z",
        "limit_usd": "0.000000100",
        "settled_usd": "0.000000040",
        "held_usd": "0.000000010",
        "leased_usd": "0.000000020",
        "headroom_usd": "0.000000030",
    }
    ((account, line),) = read_lines([row]).items()
    assert account == Account("people", "user-1", 1_795_392_750_000)
    assert (line.settled_nanos, line.out_nanos, line.headroom_nanos) == (40, 30, 30)


def test_windows_that_are_over_are_put_together_from_closed_and_open_leases() -> None:
    account = Account("org", "", 6_000)
    lease = {
        "pool": "default/org",
        "key": "",
        "window": 6_000,
        "granted_usd": "0.000000050",
        "returned_usd": "0.000000010",
        "spent_usd": "0.000000015",
        "reserved_usd": "0.000000005",
    }
    lines = past_lines([{"leases": [lease]}], {account: 30}, {"org": 100})
    assert lines[account].settled_nanos == 45
    assert lines[account].out_nanos == 25
    assert past_lines([], {account: 30}, {"org": 100})[account].out_nanos == 0
