"""Fitting: the minimum is found, soft targets are met, and the same data gives the same head."""

import numpy as np
import pytest

from farebox.learn.encoding import Floats, dense
from farebox.learn.heads import fit, minimise, sigmoid


def test_the_lowest_point_of_a_bowl_is_found() -> None:
    steep = np.array([1.0, 10.0, 100.0])
    goal = np.array([3.0, -2.0, 1.0])

    def bowl(point: Floats) -> tuple[float, Floats]:
        return float(steep @ (point - goal) ** 2), 2 * steep * (point - goal)

    assert minimise(bowl, np.zeros(3)) == pytest.approx(goal, abs=1e-2)


def test_without_slope_the_start_stays() -> None:
    assert minimise(lambda point: (0.0, np.zeros_like(point)), np.ones(2)).tolist() == [1.0, 1.0]


def test_a_head_recovers_the_chances_that_made_the_data() -> None:
    chance = np.random.default_rng(6)
    numbers = chance.normal(size=(2_000, 2))
    targets = sigmoid(numbers @ np.array([1.5, -1.0]) + 0.5)
    head = fit(dense(numbers), targets, 10.0)
    assert head.shape == pytest.approx([1.5, -1.0], abs=0.05)
    assert head.bias == pytest.approx(0.5, abs=0.05)
    assert head.chances(dense(numbers)) == pytest.approx(targets, abs=0.02)


def test_the_same_data_gives_the_same_head() -> None:
    numbers = np.random.default_rng(7).normal(size=(50, 3))
    targets = (numbers[:, 0] > 0).astype(float)
    first, second = (fit(dense(numbers), targets, 1.0) for _ in range(2))
    assert first.shape.tolist() == second.shape.tolist()


def test_log_odds_of_any_size_are_chances() -> None:
    assert sigmoid(np.array([-1e9, 0.0, 1e9])) == pytest.approx([0.0, 0.5, 1.0])
