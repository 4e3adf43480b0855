"""The benchmark's arithmetic: percentiles, medians over rounds, ratios within a round.

The one rule: two targets are compared within the same round first, and the median is taken over
those comparisons, so that a machine that slows down in the middle of a run slows both. Pure: no
clock, no processes, no text.
"""

import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bench.targets import Name


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One window: one target under one workload in one round. Times in microseconds.

    `cpu_us_per_call` is the proxy's own user plus system time; None where there is no proxy.
    """

    round: int
    workload: str
    target: Name
    calls: int
    calls_per_second: float
    p50_us: float
    p99_us: float
    cpu_us_per_call: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """Resident memory of a target's processes, in KiB: started and idle, and after all load."""

    target: Name
    idle_kib: int
    loaded_kib: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """A median over rounds, with the least and the greatest, which show how noisy it is."""

    median: float
    least: float
    greatest: float


Figure = Callable[[Sample], float | None]
"""Picks one figure of a sample, such as its p99."""


def percentile(ordered: Sequence[int], percent: float) -> int:
    """Return the nearest-rank percentile of a non-empty ascending sequence."""
    if not ordered or not 0 < percent <= 100:
        message = "a percentile needs values, and a percentage above 0 and up to 100"
        raise ValueError(message)
    return ordered[math.ceil(percent / 100 * len(ordered)) - 1]


def spread(values: Sequence[float]) -> Spread | None:
    """Return median, least and greatest; None without values."""
    if not values:
        return None
    return Spread(median=statistics.median(values), least=min(values), greatest=max(values))


def over_rounds(
    samples: Sequence[Sample], workload: str, target: Name, figure: Figure
) -> Spread | None:
    """Return the spread of one figure of one target over the rounds."""
    return spread(list(_by_round(samples, workload, target, figure).values()))


def added(
    samples: Sequence[Sample], workload: str, target: Name, base: Name, figure: Figure
) -> Spread | None:
    """Return the spread of (target - base), each pair taken from the same round."""
    pairs = _pairs(samples, workload, target, base, figure)
    return spread([mine - theirs for mine, theirs in pairs])


def ratio(
    samples: Sequence[Sample], workload: str, target: Name, base: Name, figure: Figure
) -> Spread | None:
    """Return the spread of (target / base), each pair taken from the same round.

    A round in which the base is too small to be seen (zero) has no ratio and is left out.
    """
    pairs = _pairs(samples, workload, target, base, figure)
    return spread([mine / theirs for mine, theirs in pairs if theirs > 0])


def _pairs(
    samples: Sequence[Sample], workload: str, target: Name, base: Name, figure: Figure
) -> list[tuple[float, float]]:
    mine = _by_round(samples, workload, target, figure)
    theirs = _by_round(samples, workload, base, figure)
    return [(mine[number], theirs[number]) for number in mine if number in theirs]


def _by_round(
    samples: Sequence[Sample], workload: str, target: Name, figure: Figure
) -> dict[int, float]:
    chosen = [one for one in samples if one.workload == workload and one.target is target]
    figures = {one.round: figure(one) for one in chosen}
    return {number: value for number, value in figures.items() if value is not None}
