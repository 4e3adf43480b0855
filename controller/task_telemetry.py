"""The metrics of tasks: what became of their calls, and what is wrong with them.

The one rule: labels are namespaces, tasks, tiers and models of the policies and members of closed
lists, all bounded where they are counted. This module must not know how anything is decided.
"""

from collections.abc import Iterable, Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from controller.watching import Row, Watching
from farebox.core.gates import GateKind
from farebox.core.rates import PPM, distance_ppm, rate_ppm
from farebox.core.tallies import BINS
from farebox.core.watching import Condition, Status

_TASK = ("namespace", "task")

_TOTALS = {
    "calls": "Finished calls.",
    "refused": "Calls that Farebox refused.",
    "gated": "Calls of which an answer was checked.",
    "escalated": "Calls of which a second answer was fetched.",
    "unmended": "Calls whose last answer did not pass its gates.",
    "unsure": "Calls whose prompt is unlike what the small model knows.",
}


class TaskMetrics(Collector):
    """Sums and conditions of tasks, made when asked."""

    def __init__(self, watching: Watching) -> None:
        self._watching = watching

    def describe(self) -> Iterable[Metric]:
        """Nothing ahead of time: the families are made with their values."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """Counters since this controller leads, rates of the observation window, conditions."""
        rows = tuple(self._watching.rows.values())
        yield from _totals(rows)
        yield _costs(rows)
        yield from _rates(rows)
        yield _conditions(rows, tuple(self._watching.everywhere.values()))


def _totals(rows: Iterable[Row]) -> Iterator[Metric]:
    for name, text in _TOTALS.items():
        family = CounterMetricFamily(f"farebox_task_{name}", text, labels=_TASK)
        for row in rows:
            family.add_metric(row.id, getattr(row.observed.total, name))
        yield family


def _costs(rows: Iterable[Row]) -> Metric:
    labels = (*_TASK, "tier", "model")
    family = CounterMetricFamily("farebox_task_cost_nanodollars", "Money, in n$.", labels=labels)
    for row in rows:
        for by, service in row.observed.total.services.items():
            family.add_metric((*row.id, *by), service.cost)
    return family


def _rates(rows: Iterable[Row]) -> Iterator[Metric]:
    escalated = _gauge("escalation", "Escalated of gated calls, of late.")
    baseline = _gauge("escalation_baseline", "The same as measured before launch.")
    schema = _gauge("schema_failure", "Failed of answers checked against a schema, of late.")
    drift = _gauge("drift", "Calls of another difficulty than measured, of late.")
    unfamiliar = _gauge("unfamiliar", "Prompts unlike what the small model knows, of late.")
    for row in rows:
        recent = row.observed.recent
        checks = recent.checks(GateKind.JSON_SCHEMA)
        measured = None if row.profile is None else row.profile.baseline
        if recent.gated:
            escalated.add_metric(row.id, _ratio(recent.escalated, recent.gated))
        if checks.checked:
            schema.add_metric(row.id, _ratio(checks.failed, checks.checked))
        if recent.calls:
            unfamiliar.add_metric(row.id, _ratio(recent.unsure, recent.calls))
        if measured is not None:
            baseline.add_metric(row.id, measured.escalation_rate / 1_000)
            if recent.calls and len(measured.difficulties) == BINS:
                far = distance_ppm(recent.difficulties, measured.difficulties)
                drift.add_metric(row.id, far / PPM)
    yield from (escalated, baseline, schema, drift, unfamiliar)


def _conditions(rows: Iterable[Row], everywhere: Iterable[Condition]) -> Metric:
    family = GaugeMetricFamily(
        "farebox_condition",
        "1 while something is wrong with a task, or (without a task) with all of them.",
        labels=(*_TASK, "condition"),
    )
    for condition in everywhere:
        family.add_metric(("", "", condition.type), int(condition.status is Status.TRUE))
    for row in rows:
        for condition in row.conditions.values():
            family.add_metric((*row.id, condition.type), int(condition.status is Status.TRUE))
    return family


def _gauge(name: str, text: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"farebox_task_{name}_ratio", text, labels=_TASK)


def _ratio(part: int, of: int) -> float:
    """As a metric shows it."""
    return rate_ppm(part, of) / PPM
