"""Soft targets: how likely a model is right on a prompt, judged by how other models did on it.

One outcome is one throw of a coin; the outcomes of other models on the same question say much about
how the coin is loaded. The one rule: a row's soft target is predicted by a fit that has not seen
the row's own question, and only training rows are ever asked (rows of dev keep their outcomes).
"""

import zlib
from collections.abc import Collection, Mapping, Sequence
from typing import Final

import numpy as np

from farebox.learn.encoding import Floats, dense
from farebox.learn.heads import fit
from farebox.learn.outcomes import Outcome

FOLDS: Final = 5
TRUST: Final = 0.8
"""The usual share of a target that other models decide; the rest is the outcome itself."""

STRENGTH: Final = 0.3


def fold_of(key: str, folds: int = FOLDS) -> int:
    """The fold of a question: a checksum, so that it is the same everywhere."""
    return zlib.crc32(b"fold " + key.encode()) % folds


def witnesses(rows: Sequence[Outcome]) -> dict[str, dict[str, float]]:
    """By question: what each model made of it. A model is named with its source's family."""
    found: dict[str, dict[str, float]] = {}
    for row in rows:
        family = row.source.partition("-")[0]
        known = found.setdefault(row.key, {})
        known.update({f"{family}:{name}": score for name, score in row.scores.items()})
    return found


def soft_targets(
    rows: Sequence[Outcome],
    outcomes: Floats,
    seen: Mapping[str, Mapping[str, float]],
    without: Collection[str],
    trust: float = TRUST,
) -> Floats:
    """Outcomes (one per row) mixed with what other models' outcomes say, which weighs `trust`.

    `without` names models that may not testify: the pair itself, since its own outcomes would only
    be copied. A question that no other model was asked keeps its outcome.
    """
    names = sorted({name for row in rows for name in seen.get(row.key, {})})
    own = {f"{row.source.partition('-')[0]}:{model}" for row in rows for model in without}
    names = [name for name in names if name not in own]
    if not names:
        return outcomes.copy()
    told = np.array([[seen.get(r.key, {}).get(n, np.nan) for n in names] for r in rows])
    silent = np.isnan(told)
    evidence = np.hstack([np.where(silent, 0.0, told - 0.5), silent.astype(np.float64)])
    heard = ~silent.all(axis=1)
    folds = np.array([fold_of(row.key) for row in rows])
    targets = outcomes.copy()
    for fold in range(FOLDS):
        taught, asked = heard & (folds != fold), heard & (folds == fold)
        if taught.any() and asked.any():
            head = fit(dense(evidence[taught]), outcomes[taught], STRENGTH)
            told_chance = head.chances(dense(evidence[asked]))
            targets[asked] = (1 - trust) * outcomes[asked] + trust * told_chance
    return targets
