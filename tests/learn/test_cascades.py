"""Cascades: answers compared as text, every call charged, thresholds that keep the quality."""

import numpy as np
import pytest

from farebox.learn.cascades import Cascade, agreed, choose, confidence, run, same_answer
from farebox.learn.pairs import Priced, pooled
from farebox.learn.savings import EVERYTHING, NOTHING
from tests.support.learning import PAIR, made_up

POOL = pooled(made_up(300), PAIR)
SECOND = Priced(names=("second",), input=100, output=100)
NOISE = np.random.default_rng(4).random(len(POOL))


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ("42", " 42. ", True),
        ("$1,000", "1000.00", True),
        ("\\frac{1}{2}", "\\dfrac{1}{2}", True),
        ("A", "a", True),
        ("42", "43", False),
        ("", "", False),
        (None, "42", False),
        ("42", None, False),
    ],
)
def test_answers_agree_as_text(first: str | None, second: str | None, same: bool) -> None:
    assert same_answer(first, second) is same


def test_agreement_is_found_row_by_row() -> None:
    found = agreed(POOL, SECOND)
    assert found is not None
    small = [row.answers["small"] for row in POOL.rows]
    second = [row.answers["second"] for row in POOL.rows]
    assert found.agree.tolist() == [float(a == b) for a, b in zip(small, second, strict=True)]
    assert found.at(np.array([1, 1])).agree.tolist() == [found.agree[1]] * 2


def test_without_answers_there_is_no_cascade() -> None:
    assert agreed(POOL, Priced(names=("nobody",), input=1, output=1)) is None


def test_every_call_is_charged() -> None:
    found = agreed(POOL, SECOND)
    assert found is not None
    bill = POOL.strong_cost.sum()
    weak, second = POOL.weak_cost.sum(), found.second_cost.sum()
    escalated = POOL.strong_cost[found.agree < 0.5].sum()
    ask_all = run(found, NOISE, Cascade(EVERYTHING, NOTHING), 1.0)
    assert ask_all.saved == pytest.approx(1 - (weak + second + escalated) / bill)
    assert run(found, NOISE, Cascade(NOTHING, NOTHING), 1.0).saved == pytest.approx(1 - weak / bill)
    assert run(found, NOISE, Cascade(EVERYTHING, EVERYTHING), 1.0).saved == 0.0


@pytest.mark.parametrize("share", [0.9, 1.0])
def test_the_chosen_cascade_keeps_the_quality(share: float) -> None:
    found = agreed(POOL, SECOND)
    assert found is not None
    result = run(found, NOISE, choose(found, NOISE, share), share)
    assert result.achieved >= share
    assert result.counts


def test_confidence_puts_agreement_first() -> None:
    found = agreed(POOL, SECOND)
    assert found is not None
    trust = confidence(found, np.full(len(POOL), 0.4))
    assert trust[found.agree > 0].min() > trust[found.agree < 1].max()
