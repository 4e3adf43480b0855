"""Accuracies beside majorities, AUC with ties, and intervals that repeat."""

import math

import numpy as np
import pytest

from farebox.learn.accuracy import accuracy, auc, bootstrap, calibration_error


def test_an_accuracy_comes_with_the_majoritys() -> None:
    found = accuracy(np.array([0.9, 0.6, 0.2, 0.7]), np.array([1.0, 1.0, 0.0, 0.0]))
    assert (found.value, found.majority) == (0.75, 0.5)
    assert accuracy(np.zeros(4), np.array([0.0, 0.0, 0.0, 1.0])).majority == 0.75


@pytest.mark.parametrize(
    ("order", "area"),
    [([3, 2, 1, 0], 1.0), ([0, 1, 2, 3], 0.0), ([1, 1, 1, 1], 0.5), ([1, 0, 1, 0], 0.5)],
)
def test_auc(order: list[float], area: float) -> None:
    assert auc(np.array(order, dtype=float), np.array([1.0, 1.0, 0.0, 0.0])) == area


def test_auc_of_one_kind_is_no_number() -> None:
    assert math.isnan(auc(np.arange(3.0), np.ones(3)))


def test_an_interval_holds_its_figure_and_repeats() -> None:
    values = np.random.default_rng(2).random(200)
    first = bootstrap(lambda at: float(values[at].mean()), 200)
    assert first == bootstrap(lambda at: float(values[at].mean()), 200)
    assert first.low < first.value < first.high
    assert first.high - first.low == pytest.approx(4 * values.std() / math.sqrt(200), rel=0.2)


def test_resamples_without_a_figure_are_left_out() -> None:
    found = bootstrap(lambda _: float("nan"), 5)
    assert math.isnan(found.low)


def test_too_few_resamples_are_refused() -> None:
    with pytest.raises(ValueError, match="fewer"):
        bootstrap(lambda _: 0.0, 5, resamples=100)


def test_calibration_error() -> None:
    assert calibration_error(np.array([0.25] * 4), np.array([1.0, 0, 0, 0])) == 0.0
    assert calibration_error(np.array([1.0] * 4), np.array([1.0, 0, 0, 0])) == 0.75
