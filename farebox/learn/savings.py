"""Savings at a quality, and quality under a budget.

The one rule: a threshold is a number chosen once on given rows and then applied as it is; what it
costs and achieves is counted call by call, and a budget is never overrun, whatever the order.
Costs are n$ per call, arrays have one entry per row.
"""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from farebox.learn.curves import quality_curve
from farebox.learn.encoding import Bools, Floats
from farebox.learn.pairs import Pooled

SLACK: Final = 0.01
"""A saving counts while the share of the strong model's quality misses the aim by no more."""

RESERVE: Final = 0.1
"""What is kept for weak answers to the calls to come is this much more than their usual cost."""

EVERYTHING: Final = -1e9
"""A threshold below every score: all calls go to the strong model."""

NOTHING: Final = 1e9
"""A threshold above every score of a prompt on which there is an opinion; others score higher."""


@dataclass(frozen=True, slots=True)
class Saving:
    """What a threshold achieves: share of the always-strong bill saved, share of its quality."""

    saved: float
    achieved: float
    counts: bool


def threshold_for(order: Floats, pool: Pooled, share: float) -> float:
    """The cheapest threshold that keeps `share` of the strong model's quality on these rows.

    Calls that score at least the threshold go to the strong model. EVERYTHING when none keeps it.
    Calls that score NOTHING or more go there whatever the threshold.
    """
    forced = int((order >= NOTHING).sum())
    aim = share * float(pool.strong.mean())
    qualities = quality_curve(order, pool.weak, pool.strong)
    ranked = np.sort(order)[::-1]
    extra = np.concatenate(
        [[0.0], np.cumsum((pool.strong_cost - pool.weak_cost)[np.argsort(-order, kind="stable")])]
    )
    best, threshold = np.inf, EVERYTHING
    for k in np.flatnonzero(qualities >= aim):
        # A threshold cannot cut between equal scores.
        if k < forced or (0 < k < len(ranked) and ranked[k - 1] == ranked[k]):
            continue
        if extra[k] < best:
            best = float(extra[k])
            threshold = NOTHING if k == forced else _between(ranked, int(k))
    return threshold


def saving(order: Floats, pool: Pooled, threshold: float, share: float) -> Saving:
    """CMQ(share) of a given threshold on these rows."""
    return saving_of(order >= threshold, pool, share)


def saving_of(strong: Bools, pool: Pooled, share: float) -> Saving:
    """CMQ(share) of given routes: true where a call goes to the strong model."""
    spent = float(np.where(strong, pool.strong_cost, pool.weak_cost).sum())
    quality = float(np.where(strong, pool.strong, pool.weak).mean())
    achieved = quality / max(float(pool.strong.mean()), 1e-9)
    return Saving(
        saved=1 - spent / float(pool.strong_cost.sum()),
        achieved=achieved,
        counts=achieved >= share - SLACK,
    )


class Overrun(AssertionError):
    """More was spent than the budget had; this fails the run."""


@dataclass(frozen=True, slots=True)
class Forecast:
    """What one who paces knows beforehand: the percentiles of usual scores and usual costs.

    `spend` is, for each percentile, the share of the strong model's extra bill that calls from
    there on make up; costs are n$ a call.
    """

    scores: Floats
    spend: Floats
    weak_cost: float
    strong_cost: float

    def cut(self, payable: float) -> float:
        """The score from which on calls can go strong for a share of the usual extra bill."""
        if payable >= 1:
            return EVERYTHING
        if payable <= 0:
            return NOTHING
        return float(np.interp(-payable, -self.spend, self.scores))


def forecast(scores: Floats, pool: Pooled) -> Forecast:
    """A forecast from rows seen before; their outcomes are not looked at."""
    cuts = np.percentile(scores, np.arange(101))
    extra = pool.strong_cost - pool.weak_cost
    spend = np.array([extra[scores >= cut].sum() for cut in cuts]) / extra.sum()
    spend[-1] = 0.0
    return Forecast(cuts, spend, float(pool.weak_cost.mean()), float(pool.strong_cost.mean()))


def online_order(pool: Pooled) -> list[int]:
    """Positions of the rows in the order in which they arrive: shuffled, the same every time."""
    return sorted(range(len(pool)), key=lambda n: zlib.crc32(f"online {pool.rows[n].id}".encode()))


@dataclass(frozen=True, eq=False)
class Online:
    """How each row fared online, by position: its quality, and what it cost (n$)."""

    qualities: Floats
    costs: Floats


def under_budget(order: Floats, pool: Pooled, share: float, usual: Forecast) -> Floats:
    """The quality of each row online under `share` of the always-strong bill; BQ is the mean."""
    return online(order, pool, share, usual).qualities


def online(order: Floats, pool: Pooled, share: float, usual: Forecast) -> Online:
    """Serve all rows online under `share` of the always-strong bill; raises Overrun.

    With the money and the calls left, the best-scored share that can be paid goes to the strong
    model; enough for weak answers to the rest, and RESERVE of that, is always kept. A call that
    nothing is left for scores 0.
    """
    left, calls = share * float(pool.strong_cost.sum()), len(order)
    qualities, costs = np.zeros(calls), np.zeros(calls)
    for n, place in enumerate(online_order(pool)):
        rest = calls - n
        weak, strong = float(pool.weak_cost[place]), float(pool.strong_cost[place])
        kept = (rest - 1) * usual.weak_cost * (1 + RESERVE)
        payable = (left - rest * usual.weak_cost) / rest
        payable /= max(usual.strong_cost - usual.weak_cost, 1e-9)
        if order[place] >= usual.cut(payable) and left - strong >= kept:
            qualities[place], costs[place] = pool.strong[place], strong
        elif left >= weak:
            qualities[place], costs[place] = pool.weak[place], weak
        left -= float(costs[place])
        if left < 0:
            raise Overrun(f"Call {n} overran the budget by {-left:.0f} n$.")
    return Online(qualities, costs)


def random_mix(pool: Pooled, share: float) -> float:
    """Expected BQ(share) of sending calls to the strong model at random, as many as can be paid.

    A budget below the weak model's whole bill answers as many calls as it pays for.
    """
    weak, strong = float(pool.weak_cost.mean()), float(pool.strong_cost.mean())
    if share * strong < weak:
        return float(pool.weak.mean()) * share * strong / weak
    mixed = float(np.clip((share * strong - weak) / (strong - weak), 0, 1))
    return float(pool.weak.mean()) + mixed * pool.gap


def strong_until_broke(pool: Pooled, share: float) -> float:
    """BQ(share) of the strong model for every call until nothing is left, then refusals."""
    spent = np.cumsum(pool.strong_cost)
    served = spent <= share * float(spent[-1])
    return float(np.where(served, pool.strong, 0.0).mean())


def oracle_order(pool: Pooled) -> Floats:
    """Scores of one who knows the outcomes: what the strong model adds to each row.

    Ties are broken by position, which tells nothing, so that a quantile can cut them.
    """
    ties = np.array([zlib.crc32(row.id.encode()) for row in pool.rows]) / 2**32
    return np.asarray(pool.strong - pool.weak + ties * 1e-3)


def cost_curve(order: Floats, pool: Pooled) -> Sequence[tuple[float, float]]:
    """(mean cost, mean quality) when the k best-scored rows go strong, k = 0 .. n."""
    ranked = np.argsort(-order, kind="stable")
    extra = np.concatenate([[0.0], np.cumsum((pool.strong_cost - pool.weak_cost)[ranked])])
    prices = (pool.weak_cost.sum() + extra) / len(order)
    qualities = quality_curve(order, pool.weak, pool.strong)
    return list(zip(prices.tolist(), qualities.tolist(), strict=True))


def _between(ranked: Floats, k: int) -> float:
    """A threshold that lets exactly the k highest of descending scores pass; k is above 0."""
    if k == len(ranked):
        return EVERYTHING
    return float((ranked[k - 1] + ranked[k]) / 2)
