"""The metrics of tasks: sums, rates of late, conditions; labels from policies only."""

from prometheus_client import CollectorRegistry

from controller.events import Tick
from controller.telemetry import Telemetry
from farebox.core.tallies import Tally
from farebox.wire.messages import Report
from tests.support.tallies import in_bin, made, told
from tests.support.watched import MEASURED, scene_of

TASK = {"namespace": "acme", "task": "intent"}


def scraped(tally: Tally) -> CollectorRegistry:
    """What a scrape sees after a sidecar has told this."""
    scene, registry = scene_of(MEASURED), CollectorRegistry()
    Telemetry(registry, scene.engine)
    sidecar = scene.connect("a")
    sidecar.say(Report(seq=1, boot_ms=scene.boot, tallies=told(tally)))
    scene.step(Tick())
    return registry


def test_sums_rates_and_conditions_are_shown() -> None:
    get = scraped(made(200, escalated=60, schema_failed=50, unsure=20)).get_sample_value
    assert get("farebox_task_calls_total", TASK) == 200
    assert get("farebox_task_escalated_total", TASK) == 60
    by = {**TASK, "tier": "small", "model": "gpt-4o-mini"}
    assert get("farebox_task_cost_nanodollars_total", by) == 2_000
    assert get("farebox_task_escalation_ratio", TASK) == 0.3
    assert get("farebox_task_escalation_baseline_ratio", TASK) == 0.1
    assert get("farebox_task_schema_failure_ratio", TASK) == 0.25
    assert get("farebox_task_unfamiliar_ratio", TASK) == 0.1
    assert get("farebox_task_drift_ratio", TASK) == 0
    assert get("farebox_condition", {**TASK, "condition": "Escalating"}) == 1
    assert get("farebox_condition", {**TASK, "condition": "PromptsDrifted"}) == 0
    everywhere = {"namespace": "", "task": "", "condition": "PricesOld"}
    assert get("farebox_condition", everywhere) == 0


def test_prompts_that_are_elsewhere_are_far() -> None:
    get = scraped(made(200, difficulties=in_bin(9, 200))).get_sample_value
    assert get("farebox_task_drift_ratio", TASK) == 1
    assert get("farebox_condition", {**TASK, "condition": "PromptsDrifted"}) == 1


def test_a_task_without_calls_has_no_rates() -> None:
    get = scraped(made(0)).get_sample_value
    assert get("farebox_task_calls_total", TASK) == 0
    assert get("farebox_task_escalation_ratio", TASK) is None
