"""The statuses of tiers, tasks and routing policies."""

from dataclasses import replace
from typing import Any

from controller.kube.conditions import Seen, conditions_of
from controller.kube.other_status import (
    MODEL_NAMES_CHARACTERS_MAX,
    TASK_CONDITIONS,
    policy_status,
    task_status,
    tier_status,
)
from farebox.core.instant import UtcMs
from farebox.core.tasks import RoutingPolicy
from farebox.core.tiers import Tier
from farebox.core.watching import Condition, ConditionType, Status
from farebox.manifests.resources import Kind, Problem, ResourceId, Value
from tests.deploy.validation import faults
from tests.support.policies import MID, SMALL, TIERS
from tests.support.tallies import profile

NOW = UtcMs(1_790_000_000_000)
TIER = ResourceId(Kind.MODEL_TIER, "", "small")
TASK = ResourceId(Kind.TASK_PROFILE, "acme", "intent")
POLICY = ResourceId(Kind.ROUTING_POLICY, "acme", "routing")
BY_TABLE = {"name": "gpt-4o-mini", "provider": "openai"}
BY_ITSELF = {"name": "own", "provider": "openai", "price": {"input": "1", "output": "2"}}


def seen(id_: ResourceId, value: Value | None, *problems: str, **more: Any) -> Seen:
    """A resource in its third generation; each problem is a field."""
    found = tuple(
        Problem(file="", line=0, resource=str(id_), field=field, message="is missing")
        for field in problems
    )
    in_force = None if value is None else 3
    return Seen(
        id=id_,
        uid="u",
        generation=3,
        version="1",
        in_force=in_force,
        value=value,
        problems=found,
        **more,
    )


def found(type_: ConditionType, status: Status, message: str = "said") -> Condition:
    return Condition(
        type=type_,
        status=status,
        reason="OverLimit",
        message=message,
        since=UtcMs(1),
        observed_generation=77,
    )


OLD = found(ConditionType.PRICES_OLD, Status.TRUE, "the table is of 2026-01-01")


def priced(
    *models: dict[str, Any], prices: Condition | None = None, problems: tuple[str, ...] = ()
) -> tuple[str, str, str]:
    tier = seen(TIER, None if problems else TIERS[0], *problems, spec={"models": list(models)})
    row = conditions_of(tier_status(tier, prices, NOW))["Priced"]
    return row["status"], row["reason"], row["message"]


class TestTier:
    def test_it_names_its_models(self) -> None:
        two = Tier(name="small", rank=1, max_difficulty=350, models=(SMALL, MID))
        status = tier_status(seen(TIER, two), None, NOW)
        assert status["modelNames"] == "gpt-4o-mini, gpt-4o"
        assert status["observedGeneration"] == 3
        assert conditions_of(status)["Ready"]["status"] == "True"

    def test_many_models_are_cut(self) -> None:
        many = tuple(
            replace(SMALL, name=f"a-model-of-some-length-{number}") for number in range(99)
        )
        tier = Tier(name="small", rank=1, max_difficulty=350, models=many)
        names = tier_status(seen(TIER, tier), None, NOW)["modelNames"]
        assert len(names) == MODEL_NAMES_CHARACTERS_MAX

    def test_one_that_was_never_good_names_none(self) -> None:
        status = tier_status(seen(TIER, None, "spec.rank"), None, NOW)
        assert "modelNames" not in status
        assert conditions_of(status)["Ready"]["status"] == "False"

    def test_every_model_has_a_price(self) -> None:
        status, reason, message = priced(BY_TABLE, BY_ITSELF)
        assert (status, reason) == ("True", "AllPriced")
        assert message == "every model has a price: 1 their own, 1 the built-in price table's"

    def test_models_without_a_price_are_named(self) -> None:
        status, reason, message = priced(
            BY_ITSELF, BY_TABLE, problems=("spec.models[1].price", "spec.models[1].provider")
        )
        assert (status, reason) == ("False", "NoPrice")
        assert message == "no price of gpt-4o-mini; spec.models[1].price: is missing"

    def test_a_problem_with_a_price_that_is_written_names_the_model_too(self) -> None:
        assert priced(BY_ITSELF, problems=("spec.models[0].price.input",))[2].startswith(
            "no price of own; spec.models[0].price.input"
        )

    def test_a_model_that_is_nowhere_is_named_by_its_place(self) -> None:
        assert "spec.models[4].price" in priced(problems=("spec.models[4].price",))[2]

    def test_an_old_price_table_is_told_of_models_that_need_it(self) -> None:
        status, reason, message = priced(BY_TABLE, BY_ITSELF, prices=OLD)
        assert (status, reason) == ("False", "PriceTableOld")
        assert message == "gpt-4o-mini: the table is of 2026-01-01"
        assert priced(BY_ITSELF, prices=OLD)[:2] == ("True", "AllPriced")


class TestTask:
    def test_what_the_watch_has_found_stands_beside_ready(self) -> None:
        watched = {
            ConditionType.ESCALATING: found(ConditionType.ESCALATING, Status.TRUE),
            ConditionType.PRICES_OLD: OLD,
        }
        rows = conditions_of(task_status(seen(TASK, profile()), watched, NOW))
        assert list(rows) == ["Ready", "Escalating"]
        assert rows["Escalating"] == {
            "type": "Escalating",
            "status": "True",
            "reason": "OverLimit",
            "message": "said",
            "lastTransitionTime": "2026-09-21T14:13:20Z",
            "observedGeneration": 3,
        }

    def test_another_controller_keeps_since_when_it_is_so(self) -> None:
        since = "2026-09-01T00:00:00Z"
        stood = {"type": "Escalating", "status": "True", "lastTransitionTime": since}
        task = seen(TASK, profile(), status={"conditions": [stood]})
        watched = {ConditionType.ESCALATING: found(ConditionType.ESCALATING, Status.TRUE)}
        rows = conditions_of(task_status(task, watched, NOW))
        assert rows["Escalating"]["lastTransitionTime"] == since

    def test_all_that_the_watch_can_find_is_written_but_the_age_of_prices(self) -> None:
        assert set(TASK_CONDITIONS) == {"Ready", *ConditionType} - {ConditionType.PRICES_OLD}


def test_a_routing_policy_is_ready_or_not() -> None:
    good = conditions_of(policy_status(seen(POLICY, RoutingPolicy()), NOW))
    assert {type_: row["status"] for type_, row in good.items()} == {"Ready": "True"}
    bad = conditions_of(policy_status(seen(POLICY, None, "spec.quality"), NOW))
    assert bad["Ready"]["message"].startswith("spec.quality: is missing")


def test_every_status_fits_its_schema() -> None:
    watched = {one: found(one, Status.UNKNOWN) for one in ConditionType}
    statuses = {
        Kind.MODEL_TIER: tier_status(seen(TIER, TIERS[0]), None, NOW),
        Kind.TASK_PROFILE: task_status(seen(TASK, profile()), watched, NOW),
        Kind.ROUTING_POLICY: policy_status(seen(POLICY, RoutingPolicy()), NOW),
    }
    for kind, status in statuses.items():
        told = [fault for fault in faults(kind, {"status": status}) if "status" in fault]
        assert told == []
