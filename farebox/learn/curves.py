"""Quality against the share of calls sent to the strong model, and against cost.

Scores are chances that the strong model is worth it: the highest go to the strong model first. The
one rule: curves are exact (one point per row), nothing is smoothed, and nothing assumes that a
curve never falls. Arrays have one entry per row.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np

from farebox.learn.encoding import Floats

GAP_MIN: Final = 0.05
"""Below this gap in quality between the models an APGR is noise: shown, never judged."""

ROWS_MIN: Final = 1_000
"""The same for fewer rows."""

BINS: Final = 10


def quality_curve(order: Floats, weak: Floats, strong: Floats) -> Floats:
    """Mean quality when the k best-scored rows go to the strong model, k = 0 .. n (n + 1 points).

    Rows of one score keep their order.
    """
    ranked = np.argsort(-order, kind="stable")
    gained = np.concatenate([[0.0], np.cumsum((strong - weak)[ranked])])
    return np.asarray((weak.sum() + gained) / len(weak))


def pgr_curve(order: Floats, weak: Floats, strong: Floats) -> Floats:
    """Performance gap recovered at k = 0 .. n; nan where the models are equally good."""
    qualities = quality_curve(order, weak, strong)
    gap = qualities[-1] - qualities[0]
    if gap == 0:
        return np.full(len(qualities), np.nan)
    return np.asarray((qualities - qualities[0]) / gap)


def apgr(order: Floats, weak: Floats, strong: Floats) -> float:
    """Mean performance gap recovered: the trapezoid over k / n. Random order has 0.5."""
    recovered = pgr_curve(order, weak, strong)
    return float(np.mean((recovered[1:] + recovered[:-1]) / 2))


def apgr_10(order: Floats, weak: Floats, strong: Floats) -> float:
    """RouteLLM's variant: the mean over thresholds at ten equal shares of strong calls."""
    recovered = pgr_curve(order, weak, strong)
    shares = np.linspace(0, 1, BINS + 1)[1:]
    places = np.round(shares * (len(recovered) - 1)).astype(np.int64)
    before = np.round((shares - 1 / BINS) * (len(recovered) - 1)).astype(np.int64)
    return float(np.mean((recovered[places] + recovered[before]) / 2))


def cpt(order: Floats, weak: Floats, strong: Floats, recovered: float) -> float:
    """The first share of strong calls with at least that PGR; nan when no share has it."""
    reached = np.flatnonzero(pgr_curve(order, weak, strong) >= recovered)
    return float(reached[0]) / len(order) if len(reached) else float("nan")


def may_be_judged(weak: Floats, strong: Floats) -> bool:
    """Whether an APGR may decide anything: gap and rows are large enough."""
    return len(weak) >= ROWS_MIN and float(strong.mean() - weak.mean()) >= GAP_MIN


def upper_hull(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """The non-decreasing upper hull of (cost, quality) points, by cost."""
    hull: list[tuple[float, float]] = []
    best = -np.inf
    for cost, quality in sorted(points):
        while len(hull) >= 2 and _below(hull[-2], hull[-1], (cost, quality)):
            hull.pop()
        hull.append((cost, quality))
    kept: list[tuple[float, float]] = []
    for cost, quality in hull:
        if quality >= best:
            best = quality
            if kept and kept[-1][0] == cost:
                kept.pop()
            kept.append((cost, quality))
    return kept


def aiq(points: Sequence[tuple[float, float]], cheapest: float, dearest: float) -> float:
    """Mean height of the hull between two costs; flat beyond its last point.

    A cost below the first point has the first point's quality.
    """
    hull = upper_hull(points)
    xs = np.array([cost for cost, _ in hull])
    ys = np.array([quality for _, quality in hull])
    inner = xs[(xs > cheapest) & (xs < dearest)]
    grid = np.concatenate([[cheapest], inner, [dearest]])
    heights = np.interp(grid, xs, ys)
    area = np.sum((heights[1:] + heights[:-1]) / 2 * np.diff(grid))
    return float(area / (dearest - cheapest))


def _below(
    first: tuple[float, float], middle: tuple[float, float], last: tuple[float, float]
) -> bool:
    """Whether the middle point lies on or under the line through the others."""
    rise = (middle[1] - first[1]) * (last[0] - first[0])
    return rise <= (last[1] - first[1]) * (middle[0] - first[0])
