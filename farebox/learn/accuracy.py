"""Accuracies, AUC and bootstrap intervals.

The one rule: an accuracy never travels without the majority's, nor a figure without its 95 %
interval. Resampling is by row with a fixed seed, so a figure printed twice is the same twice.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from farebox.learn.encoding import Floats

RESAMPLES_MIN: Final = 1_000
SEED: Final = 20_261_123


@dataclass(frozen=True, slots=True)
class Interval:
    """A figure and its bootstrap 95 % interval."""

    value: float
    low: float
    high: float


def bootstrap(
    measure: Callable[[NDArray[np.int64]], float], rows: int, resamples: int = RESAMPLES_MIN
) -> Interval:
    """The measure of all rows (their positions, in order) with its percentile interval.

    Resamples on which the measure is nan are left out; raises ValueError for fewer than
    RESAMPLES_MIN resamples.
    """
    if resamples < RESAMPLES_MIN:
        raise ValueError(f"{resamples} resamples are fewer than {RESAMPLES_MIN}.")
    chance = np.random.default_rng(SEED)
    drawn = np.array([measure(np.sort(chance.integers(0, rows, rows))) for _ in range(resamples)])
    value = measure(np.arange(rows, dtype=np.int64))
    drawn = drawn[~np.isnan(drawn)]
    if not len(drawn):
        return Interval(value, float("nan"), float("nan"))
    low, high = np.percentile(drawn, [2.5, 97.5])
    return Interval(value, float(low), float(high))


@dataclass(frozen=True, slots=True)
class Accuracy:
    """An accuracy beside that of always saying what most rows are."""

    value: float
    majority: float


def accuracy(chances: Floats, truths: Floats) -> Accuracy:
    """How often a chance of one half or more is right; a truth of one half or more counts as 1."""
    said, true = chances >= 0.5, truths >= 0.5
    ones = float(np.mean(true))
    return Accuracy(float(np.mean(said == true)), max(ones, 1 - ones))


def auc(order: Floats, truths: Floats) -> float:
    """The chance that a true row ranks above a false one, ties half; nan without both kinds."""
    true = truths >= 0.5
    positives, negatives = int(true.sum()), int((~true).sum())
    if not positives or not negatives:
        return float("nan")
    _, places, counts = np.unique(order, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    ranks = (last - (counts - 1) / 2)[places]
    return float((ranks[true].sum() - positives * (positives + 1) / 2) / (positives * negatives))


def calibration_error(chances: Floats, truths: Floats, bins: int = 10) -> float:
    """Expected calibration error: mean distance of chance and frequency over equal bins."""
    places = np.minimum((chances * bins).astype(np.int64), bins - 1)
    total = 0.0
    for place in range(bins):
        inside = places == place
        if inside.any():
            total += float(abs(chances[inside].mean() - truths[inside].mean()) * inside.sum())
    return total / len(chances)
