"""Curves against values worked out by hand."""

import math

import numpy as np
import pytest

from farebox.learn.curves import (
    aiq,
    apgr,
    apgr_10,
    cpt,
    may_be_judged,
    pgr_curve,
    quality_curve,
    upper_hull,
)

WEAK = np.array([1.0, 0.0, 0.0, 1.0])
STRONG = np.array([1.0, 1.0, 1.0, 0.0])
BEST = np.array([0.0, 0.9, 0.8, -1.0])
WORST = -BEST


def test_quality_at_each_number_of_strong_calls() -> None:
    assert quality_curve(BEST, WEAK, STRONG).tolist() == [0.5, 0.75, 1.0, 1.0, 0.75]


def test_recovery_may_exceed_one_and_fall_again() -> None:
    assert pgr_curve(BEST, WEAK, STRONG).tolist() == [0.0, 1.0, 2.0, 2.0, 1.0]


def test_apgr_is_the_trapezoid() -> None:
    assert apgr(BEST, WEAK, STRONG) == pytest.approx((0.5 + 1.5 + 2.0 + 1.5) / 4)
    # The worst order mirrors the best one around one half.
    assert apgr(BEST, WEAK, STRONG) + apgr(WORST, WEAK, STRONG) == pytest.approx(1.0)


def test_a_random_order_has_one_half() -> None:
    chance = np.random.default_rng(1)
    weak = (chance.random(4_000) < 0.4).astype(float)
    strong = (chance.random(4_000) < 0.8).astype(float)
    assert apgr(chance.random(4_000), weak, strong) == pytest.approx(0.5, abs=0.05)
    assert apgr_10(chance.random(4_000), weak, strong) == pytest.approx(0.5, abs=0.05)


def test_cpt_is_the_first_share_even_on_a_curve_that_falls_again() -> None:
    assert cpt(BEST, WEAK, STRONG, 1.0) == 0.25
    assert cpt(BEST, WEAK, STRONG, 2.0) == 0.5
    assert math.isnan(cpt(BEST, WEAK, STRONG, 2.5))


def test_equally_good_models_have_no_recovery() -> None:
    assert math.isnan(apgr(BEST, WEAK, WEAK))


def test_the_hull_keeps_what_is_worth_its_cost() -> None:
    points = [(1.0, 0.5), (2.0, 0.6), (2.0, 0.55), (3.0, 0.9), (4.0, 0.8)]
    assert upper_hull(points) == [(1.0, 0.5), (3.0, 0.9)]


def test_aiq_is_the_mean_height_of_the_hull() -> None:
    zero = [(1.0, 0.5), (3.0, 0.9)]
    assert aiq(zero, 1.0, 3.0) == pytest.approx(0.7)
    assert aiq([*zero, (1.5, 0.9)], 1.0, 3.0) == pytest.approx((0.35 + 1.35) / 2)


@pytest.mark.parametrize(
    ("rows", "gap", "judged"), [(1_000, 0.05, True), (999, 0.5, False), (1_000, 0.04, False)]
)
def test_small_gaps_and_few_rows_are_not_judged(rows: int, gap: float, judged: bool) -> None:
    assert may_be_judged(np.zeros(rows), np.full(rows, gap)) is judged
