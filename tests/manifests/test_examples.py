"""Every example is read without a problem and says what it claims."""

from pathlib import Path
from typing import Final

import pytest

from farebox.core.budgets import (
    Mode,
    OnExhausted,
    Per,
    PoolUid,
    effective_limit,
    pools_of_pod,
    with_reserves,
)
from farebox.core.gates import GateKind
from farebox.core.money import parse_dollars
from farebox.core.tasks import ClassifierKind
from farebox.core.usage import UsageKind
from farebox.core.windows import WindowType
from farebox.manifests.adoption import Loaded
from farebox.manifests.folder import load_folder
from tests.manifests.builders import AROUND, NOW

EXAMPLES: Final = Path(__file__).parent.parent.parent / "examples"
FOLDERS: Final = sorted(path.name for path in EXAMPLES.iterdir() if path.is_dir())


def example(name: str, **variables: str) -> Loaded:
    return load_folder(EXAMPLES / name, None, now=NOW, variables=variables)


@pytest.mark.parametrize("name", FOLDERS)
def test_an_example_has_no_problem(name: str) -> None:
    loaded = example(name)
    assert [str(problem) for problem in loaded.problems] == []
    files = {path.name for path in (EXAMPLES / name).iterdir() if path.suffix in {".yaml", ".yml"}}
    assert {source.file for source in loaded.sources.values()} == files


def test_all_examples_are_found() -> None:
    assert {"quickstart", "demo", "gates", "windows"} <= set(FOLDERS)


def test_the_quickstart_caps_every_pod_and_every_call() -> None:
    resources = example("quickstart").resources
    found = pools_of_pod(resources.pools, namespace="default", labels={})
    assert {(one.name, one.per) for one in found} == {
        ("team", Per.SHARED),
        ("single-call", Per.REQUEST),
    }


def test_the_demo_has_an_organisation_a_team_and_its_users() -> None:
    resources = example("demo").resources
    found = pools_of_pod(resources.pools, namespace="default", labels={"app": "assistant"})
    assert [one.name for one in found] == ["support-user", "support", "acme"]
    assert pools_of_pod(resources.pools, namespace="default", labels={"app": "other"}) == ()
    assert resources.pools[PoolUid("default/support-user")].per is Per.USER


def test_the_demo_routes_six_tasks_over_three_tiers() -> None:
    resources = example("demo").resources
    assert [tier.name for tier in resources.catalogue.tiers] == ["small", "mid", "frontier"]
    assert {task.name: task.default_tier for task in resources.tasks["default"]} == {
        "classification": "small",
        "extraction": "small",
        "summarization": "mid",
        "rag": "mid",
        "reasoning": "frontier",
        "code": "frontier",
    }


def test_the_demo_has_the_prices_of_the_price_book() -> None:
    for _, model in example("demo").resources.catalogue:
        published = AROUND.prices.at("openai", model.name, NOW)
        assert published is not None
        for kind in (UsageKind.INPUT, UsageKind.CACHED_INPUT, UsageKind.OUTPUT):
            assert model.price.rates.of(kind) == published.rates.of(kind)


def test_the_demo_goes_where_it_is_told() -> None:
    given = example("demo", FAREBOX_DEMO_PROVIDER="http://127.0.0.1:4711/v1")
    for loaded, address in ((given, "127.0.0.1:4711"), (example("demo"), "127.0.0.1:9100")):
        assert {model.base_url for _, model in loaded.resources.catalogue} == {
            f"http://{address}/v1"
        }


def test_the_windows_are_of_every_kind_and_bind_the_same_pod() -> None:
    pools = with_reserves(example("windows").resources.pools)
    found = pools_of_pod(pools, namespace="default", labels={"app": "agent"})
    assert {one.window.type for one in found} == set(WindowType)
    assert [one.name for one in found] == [
        *("agents", "agents-pace", "company (normal)", "company", "session")
    ]
    company = pools[PoolUid("default/company")]
    assert effective_limit(company, NOW) == parse_dollars("2600.00")
    assert pools[PoolUid("default/company#normal")].limit == parse_dollars("1600.00")
    assert OnExhausted.DEFER in pools[PoolUid("default/agents-pace")].on_exhausted
    assert pools[PoolUid("default/session")].mode is Mode.SHADOW


def test_the_gates_check_before_and_after_the_weak_tier() -> None:
    resources = example("gates").resources
    kinds = {task.name: [gate.kind for gate in task.gates] for task in resources.tasks["default"]}
    assert kinds == {
        "arithmetic": [GateKind.NUMERIC, GateKind.AGREEMENT],
        "invoice": [GateKind.JSON_SCHEMA],
        "policy-answer": [GateKind.CITATION, GateKind.GRADER],
        "triage": [GateKind.LABELS],
    }
    assert resources.routing["default"].classifier is ClassifierKind.CASCADE
