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

    __slots__ = ("calls", "cost", "durations", "usage")

    def __init__(self, durations: "_Durations") -> None:
        self.calls = 0
        self.cost = 0
        self.usage: tuple[int, ...] = (0,) * len(KINDS)
        self.durations = durations


class _Durations:
    """How long calls took, by bucket and in all."""

    __slots__ = ("buckets", "ms")

    def __init__(self) -> None:
        self.buckets = [0] * (len(_DURATION_MS_BUCKETS) + 1)
        self.ms = 0

    def add(self, ms: int) -> None:
        self.buckets[bisect.bisect_left(_DURATION_MS_BUCKETS, ms)] += 1
        self.ms += ms


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
        self._alike: dict[tuple[str, str, str, bool, str], _Alike] = {}
        self._durations: dict[str, _Durations] = {}
        registry.register(self)

    def refused_early(self, reason: str) -> None:
        """A call was refused before it was known what it is."""
        self._sums["farebox_refusals"].add((reason,))

    def finished(self, receipt: Receipt) -> None:
        """Count one call."""
        outcome = receipt.outcome
        attempts, usage = outcome.attempts, outcome.usage
        if len(attempts) == 1 and usage is not None and not outcome.gate:
            alike = self._alike_of(outcome, attempts[0])
            if alike is not None:
                alike.calls += 1
                alike.cost += attempts[0].cost
                alike.usage = tuple(map(add, alike.usage, usage.vector))
                alike.durations.add(receipt.duration)
                return
        how = outcome_label(outcome)
        self._durations_of(how).add(receipt.duration)
        self._count(outcome, how)

    def _alike_of(self, outcome: Outcome, attempt: AttemptRecord) -> _Alike | None:
        """What nearly all calls are, by one look-up; a scrape adds it to the rest."""
        over = attempt.cost > attempt.held or attempt.shadow or attempt.unverified
        if over or outcome.refused is not None:
            return None
        key = (outcome.model, outcome.tier, outcome.task, outcome.caller_gone, attempt.end)
        alike = self._alike.get(key)
        if alike is None and len(self._alike) < SERIES_MAX:
            durations = self._durations_of(outcome_label(outcome))
            alike = self._alike[key] = _Alike(durations)
        return alike

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
        for (model, tier, task, gone, end), alike in self._alike.items():
            how = _went(model, caller_gone=gone)
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

    def _durations_of(self, how: str) -> _Durations:
        known = self._durations.get(how)
        if known is None:
            known = self._durations[how] = _Durations()
        return known

    def _duration_metric(self) -> Metric:
        name, text, labels = DURATION
        metric = HistogramMetricFamily(name, text, labels=labels)
        bounds = [str(bound / 1000) for bound in _DURATION_MS_BUCKETS] + ["+Inf"]
        for how, durations in self._durations.items():
            buckets = list(zip(bounds, accumulate(durations.buckets), strict=True))
            metric.add_metric([how], buckets, sum_value=durations.ms / 1000)
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
    return _went(outcome.model, caller_gone=outcome.caller_gone)


def _went(model: str, *, caller_gone: bool) -> str:
    """How a call went that was not refused; `model` served it, "" when none did."""
    if caller_gone:
        return "caller_gone"
    return "served" if model else "failed"
