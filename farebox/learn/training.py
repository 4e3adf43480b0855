"""From outcomes to a trained model: two heads, their calibration, and what counts as familiar.

The one rule: heads see the train split only; calibration comes from held-out folds of train, and
the bounds of the familiar from the dev split's prompts, whose outcomes are not looked at.
"""

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from farebox.core.scoring import ODD_MAX, Kind
from farebox.core.wording import Wording, wording_of
from farebox.learn.encoding import (
    SHAPE_SHARE,
    Encoded,
    Floats,
    Integers,
    dense,
    encode,
    kind_of,
    standardised,
    structures_of,
)
from farebox.learn.heads import Trained, fit, sigmoid
from farebox.learn.outcomes import Outcome
from farebox.learn.pairs import Pooled, answer_size
from farebox.learn.teaching import TRUST, fold_of, soft_targets

FOLDS: Final = 4
SLOPE_PRIOR: Final = 20.0
"""How firmly a slope stays near 1, in the unit of a row's squared log odds."""

BELONGING_STRENGTH: Final = 1.0
STRANGE_SHARE: Final = 0.005
"""Each of the three bounds of the familiar leaves out this share of the dev split's prompts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How one model is trained: 2**`bits` buckets, 2**`word_bits` bits for words seen.

    `strength` is what one row's loss weighs against the squared weights' half; `taught` are the
    sources whose targets other models' outcomes soften, by `trust`.
    """

    bits: int = 16
    word_bits: int = 17
    strength: float = 0.5
    trust: float = TRUST
    taught: tuple[str, ...] = ()


@dataclass(frozen=True)
class Calibrated:
    """A head with the line that turns its log odds into honest ones."""

    head: Trained
    slope: float
    offset: float


@dataclass(frozen=True, slots=True)
class Bounds:
    """How far a prompt may differ before the model has no opinion on it."""

    unknown_max: float
    oddness_max: float
    belonging_min: float


@dataclass(frozen=True)
class Fitted:
    """A trained model in floats, before it is packed."""

    recipe: Recipe
    weak: Calibrated
    strong: Calibrated
    overall: Kind
    kinds: tuple[Kind, ...]
    words: bytes
    bounds: Bounds
    belonging: tuple[float, ...]
    usual_size: float


def train(
    pool: Pooled,
    familiar: Sequence[Outcome],
    others: Sequence[Outcome],
    seen: Mapping[str, Mapping[str, float]],
    recipe: Recipe,
) -> Fitted:
    """Train on a pool of the train split; `familiar` are prompts of dev, for the bounds only.

    `others` are training prompts of other sources, from which the pool's must be told;
    `seen` is what `teaching.witnesses` found in the train split.
    """
    wordings = [wording_of(row.prompt) for row in pool.rows]
    structures = structures_of(wordings)
    overall = kind_of(structures)
    encoded = encode(wordings, recipe.bits, overall)
    folds = np.array([fold_of(row.key, FOLDS) for row in pool.rows])
    models = (*pool.pair.weak.names, *pool.pair.strong.names)
    weak, strong = (
        _calibrated(
            encoded,
            _targets(pool, outcomes, seen, models, recipe),
            outcomes,
            folds,
            recipe.strength,
        )
        for outcomes in (pool.weak, pool.strong)
    )
    kinds = _kinds(pool)
    belonging = _belonging(structures, others, overall)
    words = bitmap_of(wordings, recipe.word_bits)
    bounds = _bounds(familiar, kinds, words, belonging, overall)
    return Fitted(
        recipe,
        weak,
        strong,
        overall,
        kinds,
        words,
        bounds,
        belonging,
        usual_size=float(np.mean([wording.size for wording in wordings])) + answer_size(pool) + 1,
    )


def gains(fitted: Fitted, prompts: Sequence[str]) -> Floats:
    """What the float model says the strong one adds, for comparison with the packed weights."""
    encoded = encode([wording_of(prompt) for prompt in prompts], fitted.recipe.bits, fitted.overall)
    return np.asarray(_chances(fitted.strong, encoded) - _chances(fitted.weak, encoded))


def bitmap_of(wordings: Sequence[Wording], bits: int) -> bytes:
    """The words seen in training, as `scoring.Weights.words` has them."""
    seen = np.zeros(1 << bits, dtype=np.bool_)
    for word in set().union(*(wording.words for wording in wordings)):
        seen[zlib.crc32(word) % (1 << bits)] = True
    return np.packbits(seen, bitorder="little").tobytes()


def line(raw: Floats, outcomes: Floats) -> tuple[float, float]:
    """Slope and offset that make log odds honest (Platt's scaling), by Newton's steps.

    The slope is drawn towards 1 by SLOPE_PRIOR, since few errors tell little about it.
    """
    slope, offset = 1.0, 0.0
    for _ in range(25):
        chances = sigmoid(slope * raw + offset)
        pull, weight = chances - outcomes, chances * (1 - chances)
        first = np.array([pull @ raw + SLOPE_PRIOR * (slope - 1), pull.sum()])
        second = np.array(
            [
                [weight @ (raw * raw) + SLOPE_PRIOR, weight @ raw],
                [weight @ raw, weight.sum() + 1e-6],
            ]
        )
        step = np.linalg.solve(second, first)
        slope, offset = slope - float(step[0]), offset - float(step[1])
        if float(np.abs(step).max()) < 1e-8:
            break
    return slope, offset


def _targets(
    pool: Pooled,
    outcomes: Floats,
    seen: Mapping[str, Mapping[str, float]],
    models: Sequence[str],
    recipe: Recipe,
) -> Floats:
    taught = np.array([row.source in recipe.taught for row in pool.rows])
    if not taught.any():
        return outcomes
    softened = soft_targets(pool.rows, outcomes, seen, models, recipe.trust)
    return np.where(taught, softened, outcomes)


def _calibrated(
    encoded: Encoded, targets: Floats, outcomes: Floats, folds: Integers, strength: float
) -> Calibrated:
    held_out = np.zeros(len(targets))
    for fold in range(FOLDS):
        inside, outside = np.flatnonzero(folds == fold), np.flatnonzero(folds != fold)
        if len(inside) and len(outside):
            head = fit(encoded.at(outside), targets[outside], strength)
            held_out[inside] = head.raw(encoded.at(inside))
    slope, offset = line(held_out, outcomes)
    return Calibrated(fit(encoded, targets, strength), slope, offset)


def _chances(calibrated: Calibrated, encoded: Encoded) -> Floats:
    raw = calibrated.head.raw(encoded) * calibrated.slope + calibrated.offset
    return sigmoid(raw)


def _kinds(pool: Pooled) -> tuple[Kind, ...]:
    found = []
    for source in sorted({row.source for row in pool.rows}):
        part = pool.of_sources([source])
        kind = kind_of(structures_of([wording_of(row.prompt) for row in part.rows]))
        found.append(kind._replace(answer_size=answer_size(part)))
    return tuple(found)


def _belonging(structures: Floats, others: Sequence[Outcome], overall: Kind) -> tuple[float, ...]:
    """A head that tells the pool's prompts from others by shape; all zero without others."""
    if not others:
        return (0.0,) * (len(overall.means) + 1)
    strange = structures_of([wording_of(row.prompt) for row in others])
    both = standardised(np.vstack([structures, strange]), overall)
    truths = np.concatenate([np.ones(len(structures)), np.zeros(len(strange))])
    head = fit(dense(both), truths, BELONGING_STRENGTH)
    return (*(head.shape * SHAPE_SHARE).tolist(), head.bias)


def _bounds(
    familiar: Sequence[Outcome],
    kinds: Sequence[Kind],
    words: bytes,
    belonging: Sequence[float],
    overall: Kind,
) -> Bounds:
    wordings = [wording_of(row.prompt) for row in familiar]
    structures = structures_of(wordings)
    away = [
        np.clip((structures - np.array(k.means)) / np.array(k.deviations), -ODD_MAX, ODD_MAX)
        for k in kinds
    ]
    oddness = np.min([np.mean(one * one, axis=1) for one in away], axis=0)
    bitmap = np.unpackbits(np.frombuffer(words, dtype=np.uint8), bitorder="little")
    unknown = [
        1 - np.mean([bitmap[zlib.crc32(word) % len(bitmap)] for word in w.words] or [1.0])
        for w in wordings
    ]
    weights = np.array(belonging[:-1]) / SHAPE_SHARE
    odds = standardised(structures, overall) @ weights + belonging[-1]
    return Bounds(
        unknown_max=float(np.quantile(unknown, 1 - STRANGE_SHARE)),
        oddness_max=float(np.quantile(oddness, 1 - STRANGE_SHARE)),
        belonging_min=float(np.quantile(odds, STRANGE_SHARE)),
    )
