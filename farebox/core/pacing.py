"""Pacing: how choosy to be about the strong model, so that a pool lasts until its window ends.

A pool that would run dry sends only what gains most to the strong model, from now on and not from
when it is empty. The one rule: pacing only ever chooses among models and never touches what is
held, so no cap depends on it. Money is whole nano-dollars; only the cut is a score. This module
must not know where its figures come from.
"""

from collections.abc import Iterable
from typing import Final, NamedTuple

from farebox.core.money import ZERO, Nanos
from farebox.core.scoring import NEVER_WORTH_IT, Weights, Worth

RESERVE_PERCENT: Final = 10
"""What is kept for weak answers to the calls to come is this much more than their usual cost."""

WHOLE_PPM: Final = 1_000_000


class Pace(NamedTuple):
    """How to stretch the money left: a prompt whose pacing value is below `cut` goes cheap."""

    cut: Worth


class Prospect(NamedTuple):
    """What is left and what is to come until a window ends.

    `left` may be spent by then, on `calls` calls, this one among them; in the mean a call costs
    `weak` where the weak model answers, and `strong` where the strong one does.
    """

    left: Nanos
    calls: int
    weak: Nanos
    strong: Nanos


WEAK_ONLY: Final = Pace(NEVER_WORTH_IT)
"""Nothing is left for strong answers: what there is will be needed for weak ones."""


def pace_of(weights: Weights, prospect: Prospect) -> Pace | None:
    """The cut that the money left allows; None where it allows the strong model for every call.

    The best share of the calls that the spare money pays for goes to the strong model. Weights that
    do not say what scores are usual can pace nothing.
    """
    left, calls, weak, strong = prospect
    extra, spare = calls * (strong - weak), left - calls * weak
    if extra <= ZERO or spare >= extra or not weights.usual:
        return None
    kept = (calls - 1) * weak * (100 + RESERVE_PERCENT)
    if spare <= ZERO or (left - strong) * 100 < kept:
        return WEAK_ONLY
    return Pace(weights.cut_for(spare * WHOLE_PPM // extra))


def tightest(paces: Iterable[Pace | None]) -> Pace | None:
    """The pace of a call that draws on several pools: the one with the highest cut."""
    return max((pace for pace in paces if pace is not None), default=None)
