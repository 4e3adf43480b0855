"""Training on made-up outcomes: it learns, it is calibrated, it knows what it does not know."""

import dataclasses

import numpy as np
import pytest

from farebox.learn.curves import apgr
from farebox.learn.heads import sigmoid
from farebox.learn.outcomes import DEV, TRAIN, of_split
from farebox.learn.pairs import pooled
from farebox.learn.teaching import witnesses
from farebox.learn.training import Recipe, gains, line, train
from tests.support.learning import PAIR, made_up, prompts

ROWS = made_up(1_200)
POOL, DEV_POOL = (pooled(of_split(ROWS, split), PAIR) for split in (TRAIN, DEV))
RECIPE = Recipe(bits=10, word_bits=10)


def test_what_can_be_learned_is_learned() -> None:
    fitted = train(POOL, DEV_POOL.rows, [], {}, RECIPE)
    found = gains(fitted, prompts(DEV_POOL.rows))
    assert apgr(found, DEV_POOL.weak, DEV_POOL.strong) > 0.7
    sums = np.array(["total" in row.prompt for row in DEV_POOL.rows])
    assert found[sums].mean() == pytest.approx(0.72, abs=0.1)
    assert found[~sums].mean() == pytest.approx(0.02, abs=0.1)


def test_other_models_may_teach() -> None:
    recipe = dataclasses.replace(RECIPE, taught=("made-up",))
    fitted = train(POOL, DEV_POOL.rows, [], witnesses(POOL.rows), recipe)
    found = gains(fitted, prompts(DEV_POOL.rows))
    assert apgr(found, DEV_POOL.weak, DEV_POOL.strong) > 0.7


def test_what_is_unlike_other_sources_belongs() -> None:
    strange = [
        dataclasses.replace(row, prompt=f"f(x) = {{{n}}} + [y] * _{n} == x^{n}; \\alpha \\beta")
        for n, row in enumerate(made_up(200, source="elsewhere"))
    ]
    fitted = train(POOL, DEV_POOL.rows, strange, {}, RECIPE)
    assert any(fitted.belonging)
    assert fitted.bounds.belonging_min > -5


def test_each_source_is_a_kind_of_its_own() -> None:
    both = [*POOL.rows, *made_up(50, source="second half")]
    fitted = train(pooled(both, PAIR), DEV_POOL.rows, [], {}, RECIPE)
    assert len(fitted.kinds) == 2
    assert all(kind.answer_size > 0 for kind in fitted.kinds)


@pytest.mark.parametrize(("slope", "offset"), [(1.0, 0.0), (0.5, 1.0), (2.0, -1.0)])
def test_a_line_makes_log_odds_honest(slope: float, offset: float) -> None:
    chance = np.random.default_rng(8)
    raw = chance.normal(size=20_000) * 2
    outcomes = (chance.random(20_000) < sigmoid(slope * raw + offset)).astype(float)
    assert line(raw, outcomes) == pytest.approx((slope, offset), abs=0.1)


def test_few_errors_do_not_bend_a_slope() -> None:
    raw = np.linspace(-0.1, 0.1, 30)
    slope, _ = line(raw, (raw > 0).astype(float))
    assert 1.0 <= slope < 1.2
