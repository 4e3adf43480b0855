"""Resources as an API server has them."""

import json
from decimal import Decimal
from typing import Any

import pytest

from farebox.core.budgets import Pool
from farebox.core.instant import UtcMs
from farebox.manifests.objects import id_of, read_object
from farebox.manifests.pricebook import built_in_prices
from farebox.manifests.resources import Kind, ResourceId
from farebox.manifests.tiers import Surroundings

AROUND = Surroundings(prices=built_in_prices(), now=UtcMs(1_790_000_000_000), variables={})
TEAM = ResourceId(Kind.BUDGET_POOL, "shop", "team")
SPEC: dict[str, Any] = {
    "limit": "10.00",
    "window": {"type": "Lifetime"},
    "selector": {"matchLabels": {"team": "x"}},
}


def test_an_object_is_read_as_its_manifest_is() -> None:
    reading = read_object(TEAM, SPEC, AROUND)

    (source,) = reading.sources
    assert (source.id, source.file, source.place) == (TEAM, "", "BudgetPool/shop/team")
    assert isinstance(source.value, Pool)
    assert source.value.limit == 10_000_000_000
    assert source.value.uid == "shop/team", "as its name, so that a new pool finds what was spent"
    assert (reading.problems, reading.complete) == ((), True)


@pytest.mark.parametrize(
    ("change", "want"),
    [
        ({"limit": "ten"}, 'BudgetPool/shop/team: spec.limit: is "ten": write'),
        ({"limit": 0.1}, "spec.limit: is the number 0.1"),
        ({"limit": Decimal("1E-7")}, "spec.limit: is the number 0.0000001"),
        ({"limit": 10}, "spec.limit: is the number 10"),
        ({"limit": True}, "spec.limit: is the yes-or-no value true"),
        ({"limit": None}, "spec.limit: is empty"),
        ({"limits": "1"}, "spec.limits: is not a field here: did you mean limit?"),
        ({"selector": ["x"]}, "spec.selector: is a list"),
        ({"selector": {"matchLabels": {"k" * 400: "x"}}}, "has a key of over 320 characters"),
        ({"selector": {"matchLabels": {"k\n": "x"}}}, "has a key with invisible characters"),
        ({"window": [[[[[[]]]]]] * 20_000}, "has over 50000 values or 32 levels"),
    ],
)
def test_a_problem_names_the_resource_and_the_field(change: dict[str, Any], want: str) -> None:
    reading = read_object(TEAM, SPEC | change, AROUND)

    assert reading.complete, "what an object is, is never in doubt"
    (source,) = reading.sources
    assert (source.id, source.value) == (TEAM, None)
    texts = [str(problem) for problem in reading.problems]
    assert all(text.startswith("BudgetPool/shop/team: ") for text in texts)
    assert any(want in text for text in texts), texts


def test_a_name_that_no_manifest_may_have_is_that_objects_problem() -> None:
    reading = read_object(ResourceId(Kind.BUDGET_POOL, "shop", "UPPER"), SPEC, AROUND)

    assert [problem.field for problem in reading.problems] == ["metadata.name"]
    assert [(source.id.name, source.value) for source in reading.sources] == [("UPPER", None)]


def test_a_tier_belongs_to_no_namespace() -> None:
    assert id_of(Kind.MODEL_TIER, "shop", "best") == ResourceId(Kind.MODEL_TIER, "", "best")
    assert id_of(Kind.TASK_PROFILE, "shop", "x") == ResourceId(Kind.TASK_PROFILE, "shop", "x")


def test_json_and_yaml_give_the_same_value() -> None:
    text = json.dumps(SPEC)
    (first,) = read_object(TEAM, json.loads(text, parse_float=Decimal), AROUND).sources
    (second,) = read_object(TEAM, SPEC, AROUND).sources
    assert first == second
