"""Logistic regression with soft targets on encoded prompts, by L-BFGS; numpy only.

The one rule: the loss is convex and the start is zero, so the same data gives the same head on
every machine up to rounding. Targets are chances (0 to 1), not only outcomes.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np

from farebox.learn.encoding import Encoded, Floats

STEPS_MAX: Final = 60
MEMORY: Final = 8
HALVINGS_MAX: Final = 20
_ENOUGH: Final = 1e-4
"""Armijo's share of the promised descent that a step must bring."""

_STILL: Final = 1e-5
"""The search ends where the loss falls by less than this share of itself."""


@dataclass(frozen=True)
class Trained:
    """A head in floats: one weight per bucket, one per number of the shape, and a bias."""

    words: Floats
    shape: Floats
    bias: float

    def raw(self, encoded: Encoded) -> Floats:
        """Log odds of all rows."""
        return encoded.times(self.words, self.shape) + self.bias

    def chances(self, encoded: Encoded) -> Floats:
        """Chances of all rows, 0 to 1."""
        return sigmoid(self.raw(encoded))


def sigmoid(raw: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-np.clip(raw, -30, 30))))


def fit(encoded: Encoded, targets: Floats, strength: float) -> Trained:
    """Fit a head; `strength` is what one row's loss weighs against the squared weights' half."""
    size = encoded.size
    numbers = encoded.shape.shape[1]

    def loss(point: Floats) -> tuple[float, Floats]:
        words, shape, bias = point[:size], point[size:-1], point[-1]
        raw = encoded.times(words, shape) + bias
        misses = np.logaddexp(0, raw) - targets * raw
        pull = strength * (sigmoid(raw) - targets)
        of_words, of_shape = encoded.gather(pull)
        penalty = 0.5 * float(words @ words + shape @ shape)
        slope = np.concatenate([of_words + words, of_shape + shape, [pull.sum()]])
        return strength * float(misses.sum()) + penalty, slope

    found = minimise(loss, np.zeros(size + numbers + 1))
    return Trained(words=found[:size], shape=found[size:-1], bias=float(found[-1]))


def minimise(loss: Callable[[Floats], tuple[float, Floats]], start: Floats) -> Floats:
    """The point of the least convex loss that STEPS_MAX steps of L-BFGS reach."""
    point, (height, slope) = start, loss(start)
    pairs: deque[tuple[Floats, Floats, float]] = deque(maxlen=MEMORY)
    for _ in range(STEPS_MAX):
        direction = -_descend(slope, pairs)
        promised = float(slope @ direction)
        if promised > -1e-12:
            break
        length = 1.0 if pairs else min(1.0, 1 / float(np.abs(slope).sum() + 1e-12))
        for _ in range(HALVINGS_MAX):
            ahead = point + length * direction
            new_height, new_slope = loss(ahead)
            if new_height <= height + _ENOUGH * length * promised:
                break
            length /= 2
        else:
            break
        moved, turned = ahead - point, new_slope - slope
        along = float(moved @ turned)
        if along > 1e-12:
            pairs.append((moved, turned, along))
        fallen = height - new_height
        point, height, slope = ahead, new_height, new_slope
        if fallen <= _STILL * max(1.0, abs(height)):
            break
    return point


def _descend(slope: Floats, pairs: deque[tuple[Floats, Floats, float]]) -> Floats:
    """The two loops of L-BFGS: the slope times the inverse of the curvature seen so far."""
    rest = slope.copy()
    shares: list[float] = []
    for moved, turned, along in reversed(pairs):
        share = float(moved @ rest) / along
        rest -= share * turned
        shares.append(share)
    if pairs:
        _, turned, along = pairs[-1]
        rest *= along / float(turned @ turned)
    for (moved, turned, along), share in zip(pairs, reversed(shares), strict=True):
        rest += (share - float(turned @ rest) / along) * moved
    return rest
