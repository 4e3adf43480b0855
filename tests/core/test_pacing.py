"""Pacing: as choosy as the money demands, by the offline formula, and silent where it is plenty."""

import numpy as np
import pytest

from farebox.core.money import Nanos
from farebox.core.pacing import WEAK_ONLY, Pace, Prospect, pace_of, tightest
from farebox.learn import shipped
from farebox.learn.savings import Forecast

WEIGHTS = shipped.weights("A")
WEAK, STRONG = 20, 1_000


def prospect(left: int, calls: int = 100, weak: int = WEAK, strong: int = STRONG) -> Prospect:
    return Prospect(Nanos(left), calls, Nanos(weak), Nanos(strong))


@pytest.mark.parametrize(
    ("what", "given", "pace"),
    [
        ("all calls can have the strong model", prospect(100 * STRONG), None),
        ("the last call, and money for it", prospect(STRONG, calls=1), None),
        ("the strong model costs no more", prospect(10, weak=20, strong=20), None),
        ("not even weak answers to all", prospect(100 * WEAK - 1), WEAK_ONLY),
        ("nothing at all", prospect(0), WEAK_ONLY),
        ("a strong answer would use up what weak ones need", prospect(3_100), WEAK_ONLY),
    ],
)
def test_ends(what: str, given: Prospect, pace: Pace | None) -> None:
    assert pace_of(WEIGHTS, given) == pace, what


@pytest.mark.parametrize("share", [0.05, 0.1, 0.25, 0.5, 0.75, 0.95])
def test_the_cut_is_that_of_the_offline_forecast(share: float) -> None:
    left = round(100 * (WEAK + share * (STRONG - WEAK)))
    usual = Forecast(np.array(WEIGHTS.usual), np.array(WEIGHTS.usual_spend), WEAK, STRONG)
    pace = pace_of(WEIGHTS, prospect(left))
    assert pace is not None
    assert pace.cut == pytest.approx(usual.cut(share), abs=1e-4)


def test_less_money_makes_it_choosier() -> None:
    paces = [pace_of(WEIGHTS, prospect(left)) for left in (90_000, 50_000, 20_000, 5_000)]
    cuts = [pace.cut for pace in paces if pace is not None]
    assert len(cuts) == 4
    assert cuts == sorted(cuts)


def test_weights_that_know_nothing_usual_pace_nothing() -> None:
    assert pace_of(WEIGHTS._replace(usual=(), usual_spend=()), prospect(5_000)) is None


def test_of_several_pools_the_tightest_counts() -> None:
    assert tightest([None, Pace(0.1), Pace(0.3), None]) == Pace(0.3)
    assert tightest([Pace(0.1), WEAK_ONLY]) == WEAK_ONLY
    assert tightest([None]) is None
