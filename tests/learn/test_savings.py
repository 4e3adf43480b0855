"""Savings and budgets: thresholds keep what they promise, budgets are never overrun."""

import numpy as np
import pytest

from farebox.learn.pairs import pooled
from farebox.learn.savings import (
    EVERYTHING,
    NOTHING,
    cost_curve,
    forecast,
    online,
    online_order,
    oracle_order,
    random_mix,
    saving,
    strong_until_broke,
    threshold_for,
    under_budget,
)
from tests.support.learning import PAIR, made_up

POOL = pooled(made_up(400), PAIR)
ORACLE = oracle_order(POOL)
NOISE = np.random.default_rng(3).random(len(POOL))


@pytest.mark.parametrize("share", [0.9, 0.95, 0.99, 1.0])
@pytest.mark.parametrize("order", [ORACLE, NOISE])
def test_a_threshold_keeps_the_quality_it_was_chosen_for(
    share: float, order: np.ndarray[tuple[int], np.dtype[np.float64]]
) -> None:
    found = saving(order, POOL, threshold_for(order, POOL, share), share)
    assert found.achieved >= share
    assert found.counts
    assert 0 <= found.saved < 1


def test_who_knows_more_saves_more() -> None:
    knowing, guessing = (
        saving(order, POOL, threshold_for(order, POOL, 0.95), 0.95).saved
        for order in (ORACLE, NOISE)
    )
    assert knowing > guessing + 0.1


def test_a_saving_that_misses_its_quality_does_not_count() -> None:
    found = saving(NOISE, POOL, NOTHING, 0.99)
    assert found.saved == pytest.approx(1 - POOL.weak_cost.sum() / POOL.strong_cost.sum())
    assert not found.counts


def test_what_there_is_no_opinion_on_is_never_saved_on() -> None:
    order = ORACLE.copy()
    order[::10] = 10 * NOTHING
    threshold = threshold_for(order, POOL, 0.5)
    assert threshold == NOTHING
    assert (order >= threshold).sum() == len(order[::10])


def test_equal_scores_are_never_cut_apart() -> None:
    assert threshold_for(np.zeros(len(POOL)), POOL, 0.95) in {EVERYTHING, NOTHING}


@pytest.mark.parametrize("share", [0.0, 0.05, 0.25, 0.5, 1.0, 2.0])
@pytest.mark.parametrize("order", [ORACLE, NOISE, np.zeros(len(POOL))])
def test_no_budget_is_overrun(
    share: float, order: np.ndarray[tuple[int], np.dtype[np.float64]]
) -> None:
    served = online(order, POOL, share, forecast(order, POOL))
    assert len(served.qualities) == len(served.costs) == len(POOL)
    assert served.costs.sum() <= share * POOL.strong_cost.sum()
    at_a_price = np.isin(served.costs, np.concatenate([POOL.weak_cost, POOL.strong_cost]))
    assert np.all(at_a_price | (served.qualities == 0)), "what costs nothing was refused"


def test_under_a_budget_knowing_beats_mixing_beats_going_broke() -> None:
    knowing = under_budget(ORACLE, POOL, 0.4, forecast(ORACLE, POOL)).mean()
    mixed = random_mix(POOL, 0.4)
    assert knowing > mixed + 0.05
    assert mixed > strong_until_broke(POOL, 0.4)


def test_plenty_of_money_buys_the_strong_models_quality() -> None:
    assert random_mix(POOL, 1.0) == pytest.approx(POOL.strong.mean())
    assert under_budget(NOISE, POOL, 2.0, forecast(NOISE, POOL)).mean() == POOL.strong.mean()


def test_a_forecast_cuts_where_the_money_ends() -> None:
    usual = forecast(NOISE, POOL)
    extra = POOL.strong_cost - POOL.weak_cost
    for payable in (0.1, 0.5, 0.9):
        spent = extra[usual.cut(payable) <= NOISE].sum() / extra.sum()
        assert spent == pytest.approx(payable, abs=0.02)
    assert usual.cut(0.0) == NOTHING
    assert usual.cut(1.0) == EVERYTHING


def test_calls_arrive_shuffled_the_same_way_each_time() -> None:
    order = online_order(POOL)
    assert order == online_order(POOL)
    assert sorted(order) == list(range(len(POOL)))
    assert order != sorted(order)


def test_the_cost_curve_begins_weak_and_ends_strong() -> None:
    curve = cost_curve(NOISE, POOL)
    assert curve[0] == pytest.approx((POOL.weak_cost.mean(), POOL.weak.mean()))
    assert curve[-1] == pytest.approx((POOL.strong_cost.mean(), POOL.strong.mean()))
