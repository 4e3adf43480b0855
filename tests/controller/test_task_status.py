"""The view of tasks: calls, cost and conditions as Kubernetes has them."""

from dataclasses import replace

from controller.events import Tick
from controller.task_status import conditions_view, tasks_view
from controller.watching import Watching
from farebox.core.instant import UtcMs
from farebox.core.watching import Condition, ConditionType, Status
from farebox.wire.messages import Report
from tests.support.tallies import made, profile, told
from tests.support.watched import MEASURED, scene_of

CONDITION = Condition(
    type=ConditionType.ESCALATING,
    status=Status.TRUE,
    reason="OverLimit",
    message="30 % of 200 calls with gates escalated",
    since=UtcMs(1_790_000_000_000),
    observed_generation=4,
)


def test_a_condition_has_kubernetes_fields() -> None:
    assert conditions_view([CONDITION]) == [
        {
            "type": "Escalating",
            "status": "True",
            "reason": "OverLimit",
            "message": "30 % of 200 calls with gates escalated",
            "lastTransitionTime": "2026-09-21T14:13:20Z",
            "observedGeneration": 4,
        }
    ]


def test_a_task_shows_its_calls_its_cost_by_model_and_its_baseline() -> None:
    scene = scene_of(MEASURED)
    sidecar = scene.connect("a")
    sidecar.say(Report(seq=1, boot_ms=scene.boot, tallies=told(made(200, escalated=20))))
    scene.step(Tick())

    view = tasks_view(scene.engine.watching)
    (row,) = view["tasks"]
    assert view["window_ms"] == 3_600_000
    assert (row["namespace"], row["task"]) == ("acme", "intent")
    assert row["resource"] == "TaskProfile/acme/intent"
    assert row["default_tier"] == "small"
    assert row["baseline"]["pass_rates"] == {"small": 900, "mid": 980}
    assert row["total"] == row["recent"]
    assert (row["total"]["calls"], row["total"]["escalated"]) == (200, 20)
    assert row["total"]["cost_usd"] == "0.000002000"
    assert row["total"]["services"] == [
        {
            "tier": "small",
            "model": "gpt-4o-mini",
            "calls": 200,
            "judged": 200,
            "failed": 20,
            "cost_usd": "0.000002000",
        }
    ]
    assert row["total"]["gates"] == [
        {"kind": "JSONSchema", "checked": 200, "failed": 0, "unrun": 0}
    ]
    assert {one["type"] for one in row["conditions"]} == set(ConditionType) - {"PricesOld"}
    assert [one["type"] for one in view["conditions"]] == ["PricesOld"]


def test_a_task_that_nobody_called_is_there_with_its_profile() -> None:
    scene = scene_of(replace(profile("quiet"), baseline=None))
    scene.step(Tick())
    (row,) = tasks_view(scene.engine.watching)["tasks"]
    assert (row["task"], row["baseline"], row["total"]["calls"]) == ("quiet", None, 0)


def test_nobody_leads_and_nothing_is_known() -> None:
    assert tasks_view(Watching())["tasks"] == []
