"""What the small model thinks of a prompt, as a difficulty.

The boundary is the difficulty at the weights' threshold: what is worth the strong model lies above
it, all else below. The one rule: nothing is saved on a guess. Without weights, and for a prompt
unlike those of training, the difficulty lies above the boundary. This module must not know tasks,
tiers or money.
"""

from bisect import bisect_left, bisect_right
from typing import Final, NamedTuple

from farebox.core.pacing import Pace
from farebox.core.policy import Policy
from farebox.core.reasons import Reason
from farebox.core.scoring import Reading, Score, Weights, Worth
from farebox.core.shortcuts import shortcut_for
from farebox.core.tasks import RoutingPolicy

DIFFICULTY_MAX: Final = 1_000


class Opinion(NamedTuple):
    """A difficulty in thousandths and why; `score` is None where the model was not asked."""

    difficulty: int
    reason: Reason
    rule: str
    score: Score | None = None


def threshold_named(quality: str) -> str:
    """What weights call the threshold that keeps this share of the strong model's quality."""
    return f"cmq-{quality}"


def opinion_on(
    prompt: str, policy: Policy, pace: Pace | None, *, shortcuts: bool = False
) -> Opinion:
    """Judge a prompt, by its shape alone where `shortcuts` may and can."""
    routing, scorer = policy.routing, policy.scorer
    threshold = scorer and scorer.thresholds.get(threshold_named(routing.quality))
    if scorer is None or threshold is None:
        return Opinion(_above(routing), Reason.MODEL_MISSING, f"weights:{routing.weights}")
    paced = pace if routing.pacing else None
    reading = scorer.reading_of(prompt)
    if shortcuts:
        seen = _by_shape(reading, policy, paced)
        if seen is not None:
            return seen
    return _by_score(scorer.score_reading(reading), scorer, threshold, routing, paced)


def _by_shape(reading: Reading, policy: Policy, pace: Pace | None) -> Opinion | None:
    shortcut = shortcut_for(policy.shortcuts, reading.wording.structure)
    if shortcut is None:
        return None
    boundary = policy.routing.boundary_difficulty
    if shortcut.strong:
        # Where money is short the model says which of these calls are worth the strong one most.
        difficulty = (boundary + 1 + DIFFICULTY_MAX) // 2
        return None if pace else Opinion(difficulty, Reason.SHAPE_MATCHED, shortcut.name)
    if not reading.familiar:
        return None
    return Opinion(boundary // 2, Reason.SHAPE_MATCHED, shortcut.name)


def _by_score(
    score: Score, scorer: Weights, threshold: Worth, routing: RoutingPolicy, pace: Pace | None
) -> Opinion:
    boundary, usual = routing.boundary_difficulty, scorer.usual
    if score.familiar and score.worth < threshold:
        difficulty = _below(boundary, usual, score.worth, threshold)
        return Opinion(difficulty, Reason.MODEL_SCORED, scorer.name, score)
    if pace is not None and score.pacing < pace.cut:
        difficulty = _below(boundary, usual, score.pacing, pace.cut)
        return Opinion(difficulty, Reason.PACED, scorer.name, score)
    if not score.familiar:
        return Opinion(_above(routing), Reason.MODEL_UNSURE, scorer.name, score)
    first = bisect_left(usual, threshold)
    over = bisect_right(usual, score.worth) - first
    rest = DIFFICULTY_MAX - boundary - 1
    difficulty = boundary + 1 + rest * over // (len(usual) - first + 1)
    return Opinion(min(difficulty, DIFFICULTY_MAX), Reason.MODEL_SCORED, scorer.name, score)


def _below(boundary: int, usual: tuple[Worth, ...], value: Worth, bound: Worth) -> int:
    """How far up to the boundary a value lies, by its place among the usual ones."""
    return boundary * bisect_right(usual, value) // (bisect_left(usual, bound) + 1)


def _above(routing: RoutingPolicy) -> int:
    return min(max(routing.unsure_difficulty, routing.boundary_difficulty + 1), DIFFICULTY_MAX)
