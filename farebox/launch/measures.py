"""What a battery says of each task on each tier: pass rates with intervals, tokens, latency, cost.

The one rule: a rate comes with how sure it is. Rates are thousandths; their intervals are Wilson's
at 95 %, which are right for few samples and for rates near 1. Only answered samples count. This
module must not know thresholds.
"""

import math
from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from farebox.core.money import divide_up
from farebox.launch.battery import ANSWERED, LOST, REFUSED, UNFIT, Trial

Z_95: Final = 1.959964
"""The normal deviate of a 95 % interval."""

THOUSAND: Final = 1_000


class Cell(msgspec.Struct, frozen=True, kw_only=True):
    """One task on one tier. Money in nano-dollars, latency in milliseconds, rates in thousandths.

    `low` and `high` bound the pass rate. `cost_mean` is of one answer, `gate_cost_mean` of judging
    it. `schema_failures` and the like stand in `gate_failures` by the gate's name.
    """

    task: str
    tier: str
    model: str
    answered: int
    passed: int
    accepted: int
    lost: int
    refused: int
    unfit: int
    rate: int
    low: int
    high: int
    input_mean: int
    output_mean: int
    output_p95: int
    latency_p50: int
    latency_p95: int
    cost_mean: int
    gate_cost_mean: int
    gate_failures: dict[str, int]
    unrun: int


def cells_of(trials: Sequence[Trial], tiers: Sequence[str]) -> list[Cell]:
    """One cell for each task and tier, tasks by name, tiers in the order given."""
    groups: dict[tuple[str, str], list[Trial]] = {}
    for trial in trials:
        groups.setdefault((trial.task, trial.tier), []).append(trial)
    tasks = sorted({task for task, _ in groups})
    return [_cell(groups[task, tier]) for task in tasks for tier in tiers if (task, tier) in groups]


def wilson(passed: int, of: int) -> tuple[int, int]:
    """The 95 % interval of a rate, in thousandths, rounded outward; all of it for no samples."""
    if not of:
        return 0, THOUSAND
    share, z2 = passed / of, Z_95**2
    middle = share + z2 / (2 * of)
    reach = Z_95 * math.sqrt(share * (1 - share) / of + z2 / (4 * of * of))
    low, high = ((middle + sign * reach) / (1 + z2 / of) for sign in (-1, 1))
    return max(0, math.floor(low * THOUSAND)), min(THOUSAND, math.ceil(high * THOUSAND))


def rate_of(passed: int, of: int) -> int:
    """A rate in thousandths, cut."""
    return passed * THOUSAND // of if of else 0


def percentile(values: Iterable[int], percent: int) -> int:
    """The nearest-rank percentile; 0 when there are no values."""
    ordered = sorted(values)
    if not ordered:
        return 0
    return ordered[max(0, divide_up(percent * len(ordered), 100) - 1)]


def mean(values: Sequence[int]) -> int:
    """The mean, rounded up; 0 when there are no values."""
    return divide_up(sum(values), len(values)) if values else 0


def _cell(trials: Sequence[Trial]) -> Cell:
    answered = [trial for trial in trials if trial.ending == ANSWERED]
    passed = sum(trial.passed for trial in answered)
    low, high = wilson(passed, len(answered))
    failures: dict[str, int] = {}
    for trial in answered:
        for gate in trial.failed:
            failures[gate] = failures.get(gate, 0) + 1
    first, outputs = trials[0], [trial.output_tokens for trial in answered]
    latencies = [trial.latency_ms for trial in answered]
    return Cell(
        task=first.task,
        tier=first.tier,
        model=first.model,
        answered=len(answered),
        passed=passed,
        accepted=sum(trial.accepted for trial in answered),
        lost=_count(trials, LOST),
        refused=_count(trials, REFUSED),
        unfit=_count(trials, UNFIT),
        rate=rate_of(passed, len(answered)),
        low=low,
        high=high,
        input_mean=mean([trial.input_tokens for trial in answered]),
        output_mean=mean(outputs),
        output_p95=percentile(outputs, 95),
        latency_p50=percentile(latencies, 50),
        latency_p95=percentile(latencies, 95),
        cost_mean=mean([trial.cost for trial in answered]),
        gate_cost_mean=mean([trial.gate_cost for trial in answered]),
        gate_failures=failures,
        unrun=sum(bool(trial.unrun) for trial in answered),
    )


def _count(trials: Sequence[Trial], ending: str) -> int:
    return sum(trial.ending == ending for trial in trials)
