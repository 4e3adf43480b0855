"""Rules on the shape of a prompt that decide as the model would, without asking it.

A tree over `wording.STRUCTURE_NAMES`, grown on the train split; a leaf decides only when nearly all
training prompts in it were routed one way. The one rule: every decision has a name that says what
was seen ("words <= 41, options > 3"). Rules never see an outcome: they stand in for the model, and
their loss is measured against it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from farebox.core.wording import STRUCTURE_NAMES
from farebox.learn.encoding import Bools, Floats, Integers
from farebox.learn.pairs import Pooled
from farebox.learn.savings import cost_curve

LEAVES_MAX: Final = 64
ROWS_SHARE_MIN: Final = 0.004
"""A leaf has at least this share of the rows it was grown on."""

CUTS: Final = 12
"""So many quantiles of each number are tried as cuts."""


@dataclass(frozen=True, slots=True)
class Test:
    """One comparison of a number of the shape: true where it is at most `cut`."""

    number: int
    cut: float
    at_most: bool

    def holds(self, structures: Floats) -> Bools:
        below = structures[:, self.number] <= self.cut
        return below if self.at_most else ~below

    def __str__(self) -> str:
        sign = "<=" if self.at_most else ">"
        return f"{STRUCTURE_NAMES[self.number]} {sign} {self.cut:.3g}"


@dataclass(frozen=True, slots=True)
class Rule:
    """All tests must hold; then the call goes to the strong model or it does not."""

    tests: tuple[Test, ...]
    strong: bool
    purity: float

    @property
    def name(self) -> str:
        """What was seen, as a receipt would say it."""
        return ", ".join(map(str, self.tests)) or "any prompt"


@dataclass(frozen=True, slots=True)
class Decided:
    """Per row: whether a rule decides it, and how."""

    by_rule: Bools
    strong: Bools


def grow(structures: Floats, strong: Bools, purity_min: float) -> list[Rule]:
    """Rules whose training rows were routed one way by at least `purity_min`; purest first."""
    leaves: list[tuple[Integers, tuple[Test, ...]]] = [(np.arange(len(strong)), ())]
    least = max(2, int(ROWS_SHARE_MIN * len(strong)))
    cuts = [_cuts(structures[:, number]) for number in range(structures.shape[1])]
    splits = [_best_split(structures, strong, leaves[0][0], cuts, least)]
    while len(leaves) < LEAVES_MAX:
        worth = [split[0] if split is not None else 0.0 for split in splits]
        place = int(np.argmax(worth))
        split = splits[place]
        if split is None or worth[place] <= 0:
            break
        rows, tests = leaves.pop(place)
        splits.pop(place)
        for at_most in (True, False):
            test = Test(split[1], split[2], at_most)
            inside = rows[test.holds(structures[rows])]
            leaves.append((inside, (*tests, test)))
            splits.append(_best_split(structures, strong, inside, cuts, least))
    rules = [_rule(tests, strong[rows]) for rows, tests in leaves]
    return sorted((r for r in rules if r.purity >= purity_min), key=lambda rule: -rule.purity)


def as_json(rules: Sequence[Rule]) -> list[dict[str, Any]]:
    """Rules as they are stored; the name is for the reader."""
    return [
        {
            "name": rule.name,
            "strong": rule.strong,
            "purity": round(rule.purity, 4),
            "tests": [[STRUCTURE_NAMES[t.number], t.cut, t.at_most] for t in rule.tests],
        }
        for rule in rules
    ]


def of_json(stored: Sequence[Mapping[str, Any]]) -> list[Rule]:
    """Rules as they were stored; raises ValueError for a number that no prompt has."""
    return [
        Rule(
            tuple(
                Test(STRUCTURE_NAMES.index(name), float(cut), bool(at_most))
                for name, cut, at_most in one["tests"]
            ),
            bool(one["strong"]),
            float(one["purity"]),
        )
        for one in stored
    ]


def apply(rules: Sequence[Rule], structures: Floats) -> Decided:
    """What rules say of rows; at most one rule of a tree holds for a row."""
    by_rule = np.zeros(len(structures), dtype=np.bool_)
    strong = np.zeros(len(structures), dtype=np.bool_)
    for rule in rules:
        holds = np.ones(len(structures), dtype=np.bool_)
        for test in rule.tests:
            holds &= test.holds(structures)
        by_rule |= holds
        strong |= holds & rule.strong
    return Decided(by_rule, strong)


def loss(hybrid: Bools, order: Floats, pool: Pooled) -> float:
    """Quality that the model alone has for the hybrid's money, less the hybrid's own quality."""
    spent = float(np.where(hybrid, pool.strong_cost, pool.weak_cost).mean())
    quality = float(np.where(hybrid, pool.strong, pool.weak).mean())
    curve = np.array(cost_curve(order, pool))
    return float(np.interp(spent, curve[:, 0], curve[:, 1])) - quality


def _cuts(numbers: Floats) -> Floats:
    return np.unique(np.quantile(numbers, np.arange(1, CUTS) / CUTS))


def _impurity(strong: Bools) -> float:
    """Rows that would be routed the other way if the leaf decided."""
    several = int(strong.sum())
    return several * (len(strong) - several) / max(len(strong), 1)


def _best_split(
    structures: Floats, strong: Bools, rows: Integers, cuts: Sequence[Floats], least: int
) -> tuple[float, int, float] | None:
    """The gain in purity, the number and the cut of the best split of a leaf; None if none is."""
    if len(rows) < 2 * least or _impurity(strong[rows]) == 0:
        return None
    before = _impurity(strong[rows])
    best: tuple[float, int, float] | None = None
    for gain, number, cut in _splits(structures[rows], strong[rows], cuts, least):
        if best is None or before - gain > best[0]:
            best = (before - gain, number, cut)
    return best


def _splits(
    structures: Floats, strong: Bools, cuts: Sequence[Floats], least: int
) -> Iterator[tuple[float, int, float]]:
    total, ones = len(strong), float(strong.sum())
    for number, tried in enumerate(cuts):
        if not len(tried):
            continue
        below = structures[:, number, None] <= tried[None, :]
        left = below.sum(axis=0)
        left_ones = strong.astype(np.float64) @ below
        right, right_ones = total - left, ones - left_ones
        fits = (left >= least) & (right >= least)
        if not fits.any():
            continue
        rest = left_ones * (left - left_ones) / np.maximum(left, 1)
        rest = rest + right_ones * (right - right_ones) / np.maximum(right, 1)
        place = int(np.argmin(np.where(fits, rest, np.inf)))
        yield float(rest[place]), number, float(tried[place])


def _rule(tests: tuple[Test, ...], strong: Bools) -> Rule:
    share = float(strong.mean()) if len(strong) else 0.0
    return Rule(tests, share >= 0.5, max(share, 1 - share))
