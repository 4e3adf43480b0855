"""Metrics of the data plane.

Calls are added up in plain numbers, which a scrape reads; that costs a call far less than a client
library's counters. The one rule: every series is of bounded cardinality: labels hold names from the
policy and members of closed lists, never what a caller says of itself. Money is counted in whole
nano-dollars. This module must not know how a call went beyond its receipt.
"""

import bisect
from collections.abc import Callable, Iterator
from itertools import accumulate
from operator import add
from typing import Final

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from farebox.core.gates import Verdict
from farebox.core.usage import KINDS
from sidecar.commands import AttemptRecord, Outcome
from sidecar.receipts import Receipt

SERIES_MAX: Final = 2_000
"""So many combinations of labels are kept for each metric; what comes later counts as "other"."""

_OTHER: Final = "other"
_DURATION_MS_BUCKETS: Final = (
    *(10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000),
    *(10_000, 30_000, 60_000, 120_000, 300_000, 600_000),
)

COUNTERS: Final[dict[str, tuple[str, tuple[str, ...]]]] = {
    "farebox_calls": ("Finished calls.", ("model", "tier", "task", "outcome")),
    "farebox_cost_nanodollars": ("Money spent, in n$.", ("model", "tier", "task")),
    "farebox_overdraft_nanodollars": ("Cost beyond what was held, in n$.", ("model",)),
    "farebox_tokens": ("Tokens that providers reported.", ("model", "kind")),
    "farebox_attempts": ("Attempts, by how their money ended.", ("model", "end")),
    "farebox_refusals": ("Calls that Farebox refused.", ("reason",)),
    "farebox_gate_checks": ("Answers that a gate judged.", ("task", "gate", "result")),
    "farebox_escalations": ("Answers asked of a higher tier after a gate said no.", ("task",)),
    "farebox_let_pass": ("Attempts that a pool let pass without the money.", ("pool", "why")),
}
"""Every counter: its help and its labels."""

DURATION: Final = ("farebox_call_duration_seconds", "From arrival to settled.", ("outcome",))
OPEN: Final = ("farebox_calls_open", "Calls under way.")
DROPPED: Final = ("farebox_receipts_dropped", "Receipts that could not be written.")


class _Sums:
    """Numbers by labels, bounded."""

    def __init__(self, labels: int) -> None:
        self.by_labels: dict[tuple[str, ...], int] = {}
        self._others = (_OTHER,) * labels

    def add(self, labels: tuple[str, ...], amount: int = 1) -> None:
        sums = self.by_labels
        if labels not in sums and len(sums) >= SERIES_MAX:
            labels = self._others
        sums[labels] = sums.get(labels, 0) + amount


class _Alike:
    """Calls that went alike: one attempt, usage reported, within its hold."""

    __slots__ = ("calls", "cost", "usage")

    def __init__(self) -> None:
        self.calls = 0
        self.cost = 0
        self.usage: tuple[int, ...] = (0,) * len(KINDS)


class Telemetry(Collector):
    """Adds up finished calls, and shows what is open now."""

    def __init__(
        self,
        registry: CollectorRegistry,
        *,
        calls_open: Callable[[], int],
        receipts_dropped: Callable[[], int],
    ) -> None:
        self._calls_open = calls_open
        self._receipts_dropped = receipts_dropped
        self._sums = {name: _Sums(len(labels)) for name, (_, labels) in COUNTERS.items()}
        self._alike: dict[tuple[str, str, str, str, str], _Alike] = {}
        self._durations: dict[str, list[int]] = {}
        self._duration_ms: dict[str, int] = {}
        registry.register(self)

    def refused_early(self, reason: str) -> None:
        """A call was refused before it was known what it is."""
        self._sums["farebox_refusals"].add((reason,))

    def finished(self, receipt: Receipt) -> None:
        """Count one call."""
        outcome = receipt.outcome
        how = outcome_label(outcome)
        self._observe(how, receipt.duration)
        if len(outcome.attempts) == 1 and outcome.usage is not None and not outcome.gate:
            attempt = outcome.attempts[0]
            within = attempt.cost <= attempt.held and not (attempt.shadow or attempt.unverified)
            if within and outcome.refused is None:
                self._count_alike(outcome, how, attempt)
                return
        self._count(outcome, how)

    def _count_alike(self, outcome: Outcome, how: str, attempt: AttemptRecord) -> None:
        """Count what nearly all calls are with one look-up; a scrape adds it to the rest."""
        key = (outcome.model, outcome.tier, outcome.task, how, attempt.end)
        alike = self._alike.get(key)
        if alike is None:
            if len(self._alike) >= SERIES_MAX:
                self._count(outcome, how)
                return
            alike = self._alike[key] = _Alike()
        assert outcome.usage is not None
        alike.calls += 1
        alike.cost += attempt.cost
        alike.usage = tuple(map(add, alike.usage, outcome.usage.vector))

    def _count(self, outcome: Outcome, how: str) -> None:
        sums = self._sums
        model, tier, task = outcome.model, outcome.tier, outcome.task
        sums["farebox_calls"].add((model, tier, task, how))
        if outcome.refused is not None:
            sums["farebox_refusals"].add((outcome.refused,))
        for attempt in outcome.attempts:
            sums["farebox_attempts"].add((attempt.model, attempt.end))
            labels = (attempt.model, attempt.tier, task)
            sums["farebox_cost_nanodollars"].add(labels, attempt.cost)
            for pool in attempt.shadow:
                sums["farebox_let_pass"].add((pool, "shadow"))
            for pool in attempt.unverified:
                sums["farebox_let_pass"].add((pool, "unverified"))
            if attempt.cost > attempt.held:
                overdraft = attempt.cost - attempt.held
                sums["farebox_overdraft_nanodollars"].add((attempt.model,), overdraft)
            if attempt.usage is not None:
                for kind, count in attempt.usage.counts().items():
                    sums["farebox_tokens"].add((attempt.model, kind), count)
            for verdict in attempt.verdicts:
                checked = (task, verdict.gate, result_label(verdict))
                sums["farebox_gate_checks"].add(checked)
        if outcome.escalations:
            sums["farebox_escalations"].add((task,), outcome.escalations)

    def _fold(self) -> None:
        """Add the calls that went alike to the sums that a scrape shows."""
        sums = self._sums
        for (model, tier, task, how, end), alike in self._alike.items():
            sums["farebox_calls"].add((model, tier, task, how), alike.calls)
            sums["farebox_attempts"].add((model, end), alike.calls)
            sums["farebox_cost_nanodollars"].add((model, tier, task), alike.cost)
            for kind, count in zip(KINDS, alike.usage, strict=True):
                if count:
                    sums["farebox_tokens"].add((model, kind), count)
        self._alike.clear()

    def collect(self) -> Iterator[Metric]:
        """What a scrape reads."""
        self._fold()
        for name, (text, labels) in COUNTERS.items():
            counter = CounterMetricFamily(name, text, labels=labels)
            for values, total in self._sums[name].by_labels.items():
                counter.add_metric([str(value) for value in values], total)
            yield counter
        yield self._duration_metric()
        yield GaugeMetricFamily(*OPEN, value=self._calls_open())
        yield GaugeMetricFamily(*DROPPED, value=self._receipts_dropped())

    def _observe(self, how: str, duration_ms: int) -> None:
        buckets = self._durations.get(how)
        if buckets is None:
            buckets = self._durations[how] = [0] * (len(_DURATION_MS_BUCKETS) + 1)
        buckets[bisect.bisect_left(_DURATION_MS_BUCKETS, duration_ms)] += 1
        self._duration_ms[how] = self._duration_ms.get(how, 0) + duration_ms

    def _duration_metric(self) -> Metric:
        name, text, labels = DURATION
        metric = HistogramMetricFamily(name, text, labels=labels)
        bounds = [str(bound / 1000) for bound in _DURATION_MS_BUCKETS] + ["+Inf"]
        for how, counts in self._durations.items():
            buckets = list(zip(bounds, accumulate(counts), strict=True))
            metric.add_metric([how], buckets, sum_value=self._duration_ms[how] / 1000)
        return metric


def result_label(verdict: Verdict) -> str:
    """What a gate said, in one word; a gate that could not be run has not passed."""
    if not verdict.ran:
        return "not_run"
    return "passed" if verdict.passed else "failed"


def outcome_label(outcome: Outcome) -> str:
    """How a call went, in one word."""
    if outcome.refused is not None:
        return "refused"
    if outcome.caller_gone:
        return "caller_gone"
    return "served" if outcome.model else "failed"
