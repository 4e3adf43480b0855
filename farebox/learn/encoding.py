"""Prompts as numbers for training: the very buckets and shapes that the scorer computes.

The one rule: a row's features come from `farebox.core`, so that training and run time cannot drift
apart. Sparse rows are kept flat: `indices` of row i are `indices[starts[i]:starts[i + 1]]`, each
with the value 1 / sqrt(number of buckets in the row).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from farebox.core.scoring import SPREAD_MAX, Kind, buckets_of
from farebox.core.wording import Wording

Floats: TypeAlias = NDArray[np.float64]
Bools: TypeAlias = NDArray[np.bool_]
Integers: TypeAlias = NDArray[np.int64]


SHAPE_SHARE = 0.1
"""A standardised number of the shape enters a head times this, so that words are heard too."""


@dataclass(frozen=True)
class Encoded:
    """`rows` prompts: flat sparse buckets beside a dense shape (rows x numbers, standardised)."""

    size: int
    starts: Integers
    indices: Integers
    shape: Floats

    @cached_property
    def counts(self) -> Integers:
        return np.diff(self.starts)

    @cached_property
    def values(self) -> Floats:
        return np.repeat(1 / np.sqrt(np.maximum(self.counts, 1)), self.counts)

    @cached_property
    def owners(self) -> Integers:
        return np.repeat(np.arange(len(self.counts)), self.counts)

    def at(self, rows: Integers) -> "Encoded":
        """Some of the rows, by position."""
        parts = [self.indices[self.starts[row] : self.starts[row + 1]] for row in rows]
        starts = np.concatenate([[0], np.cumsum([len(part) for part in parts])])
        flat = np.concatenate([*parts, np.zeros(0, dtype=np.int64)])
        return Encoded(self.size, starts.astype(np.int64), flat, self.shape[rows])

    def times(self, words: Floats, shape: Floats) -> Floats:
        """The raw scores of all rows under one head."""
        terms = self.values * words[self.indices]
        sums = np.bincount(self.owners, weights=terms, minlength=len(self.counts))
        return np.asarray(sums + self.shape @ shape)

    def gather(self, per_row: Floats) -> tuple[Floats, Floats]:
        """The transposed product: what a number per row adds to each bucket and shape weight."""
        weights = self.values * per_row[self.owners]
        words = np.bincount(self.indices, weights=weights, minlength=self.size)
        return np.asarray(words, dtype=np.float64), np.asarray(self.shape.T @ per_row)


def kind_of(structures: Floats) -> Kind:
    """Mean and deviation of each number; one that never varies gets a small deviation."""
    floor = 0.05
    deviations = np.maximum(structures.std(axis=0), floor)
    return Kind(tuple(structures.mean(axis=0).tolist()), tuple(deviations.tolist()))


def structures_of(wordings: Sequence[Wording]) -> Floats:
    """The shapes as they are (rows x numbers)."""
    return np.array([wording.structure for wording in wordings], dtype=np.float64)


def standardised(structures: Floats, kind: Kind) -> Floats:
    """As `scoring.spread` with SPREAD_MAX, then scaled by SHAPE_SHARE."""
    away = (structures - np.array(kind.means)) / np.array(kind.deviations)
    return np.asarray(np.clip(away, -SPREAD_MAX, SPREAD_MAX) * SHAPE_SHARE)


def encode(wordings: Sequence[Wording], bits: int, kind: Kind) -> Encoded:
    """Encode prompts with 2**bits buckets and the shape as `kind` standardises it."""
    found = [sorted(buckets_of(wording.tokens, bits)) for wording in wordings]
    starts = np.concatenate([[0], np.cumsum([len(buckets) for buckets in found])])
    flat = [bucket for buckets in found for bucket in buckets]
    return Encoded(
        size=1 << bits,
        starts=starts.astype(np.int64),
        indices=np.array(flat, dtype=np.int64),
        shape=standardised(structures_of(wordings), kind),
    )


def dense(numbers: Floats) -> Encoded:
    """Rows of plain numbers without any buckets (rows x numbers, taken as they are)."""
    none = np.zeros(0, dtype=np.int64)
    starts = np.zeros(len(numbers) + 1, dtype=np.int64)
    return Encoded(size=0, starts=starts, indices=none, shape=numbers)
