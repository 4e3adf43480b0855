"""Cascades: the weak model answers, a second cheap one agrees or not, the strong one decides.

The one rule: every call that a cascade makes is charged, the second opinion too. Agreement is
about answers as text; it never looks at who was right. Arrays have one entry per row.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from farebox.learn.encoding import Floats, Integers
from farebox.learn.pairs import Pooled, Priced, answer_of, costs
from farebox.learn.savings import EVERYTHING, NOTHING, SLACK, Saving

STEPS: Final = 24
"""So many quantiles of the scores are tried for each of the two thresholds."""

NEARLY: Final = 0.7
"""So much of the greatest saving is nearly as much."""

_NOISE: Final = re.compile(r"[\s$,]|\\(?:text|mathrm|left|right|dfrac|frac|,|!|;)|\.0+$|\.$|[{}]")


@dataclass(frozen=True, slots=True)
class Cascade:
    """Below `trust` a weak answer stands unasked; from `doubt` on the strong model is called first.

    Between them a second cheap model is asked, and where it disagrees the strong one.
    """

    trust: float
    doubt: float


@dataclass(frozen=True, eq=False)
class Agreed:
    """A pool with a second opinion: where both cheap answers agree, and what asking costs, n$."""

    pool: Pooled
    agree: Floats
    second_cost: Floats

    def at(self, places: Integers) -> "Agreed":
        """Some of the rows, by position; a position may come twice."""
        some = self.pool.at(places.tolist())
        return Agreed(some, self.agree[places], self.second_cost[places])


def same_answer(first: str | None, second: str | None) -> bool:
    """Whether two answers say the same; an answer that is not there agrees with nothing."""
    if first is None or second is None:
        return False
    return bool(_plain(first)) and _plain(first) == _plain(second)


def agreed(pool: Pooled, second: Priced) -> Agreed | None:
    """A pool with the second model's opinion; None where no answers are known at all.

    A single answer that is not there agrees with nothing, so its call goes to the strong model.
    """
    firsts = [answer_of(row, pool.pair.weak) for row in pool.rows]
    seconds = [answer_of(row, second) for row in pool.rows]
    if not any(firsts) or not any(seconds):
        return None
    agree = [float(same_answer(*answers)) for answers in zip(firsts, seconds, strict=True)]
    return Agreed(pool, np.array(agree), costs(pool.rows, second))


def confidence(found: Agreed, weak_chances: Floats) -> Floats:
    """How far a weak answer may be trusted: agreement first, the prompt's own chance within it."""
    return np.asarray(found.agree + weak_chances)


def run(found: Agreed, order: Floats, cascade: Cascade, share: float) -> Saving:
    """What a cascade saves and achieves on these rows; `order` is the prompt's score."""
    pool = found.pool
    straight = order >= cascade.doubt
    asked = ~straight & (order >= cascade.trust)
    strong = straight | (asked & (found.agree < 0.5))
    spent = np.where(straight, 0.0, pool.weak_cost)
    spent = spent + np.where(asked, found.second_cost, 0.0)
    spent = spent + np.where(strong, pool.strong_cost, 0.0)
    achieved = float(np.where(strong, pool.strong, pool.weak).mean())
    achieved /= max(float(pool.strong.mean()), 1e-9)
    saved = 1 - float(spent.sum()) / float(pool.strong_cost.sum())
    return Saving(saved, achieved, counts=achieved >= share - SLACK)


def choose(found: Agreed, order: Floats, share: float) -> Cascade:
    """A cascade that keeps `share` of the strong model's quality on these rows and saves most.

    Of those that save nearly as much (NEARLY) it is the one with the best quality: the very
    cheapest of hundreds owes its quality to luck, which new questions do not repeat.
    """
    levels = cuts(order)
    tried = [Cascade(trust, doubt) for trust in levels for doubt in levels if trust <= doubt]
    results = [(cascade, run(found, order, cascade, share)) for cascade in tried]
    kept = [(cascade, result) for cascade, result in results if result.achieved >= share]
    most = max((result.saved for _, result in kept), default=0.0)
    near = [one for one in kept if one[1].saved >= NEARLY * most]
    if most <= 0 or not near:
        return Cascade(EVERYTHING, EVERYTHING)
    return max(near, key=lambda one: (one[1].achieved, one[1].saved))[0]


def cuts(order: Floats) -> Sequence[float]:
    """The thresholds that are tried: quantiles of the scores and both ends."""
    inner = np.quantile(order, np.arange(1, STEPS) / STEPS).tolist()
    return [EVERYTHING, *inner, NOTHING]


def _plain(answer: str) -> str:
    return _NOISE.sub("", answer.strip().lower())
