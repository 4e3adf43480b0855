"""Measures: rates with honest intervals, percentiles, and only answers count."""

import pytest

from farebox.launch.battery import LOST, REFUSED, UNFIT
from farebox.launch.measures import cells_of, mean, percentile, rate_of, wilson
from tests.support.launching import TIER_NAMES, make_trial


@pytest.mark.parametrize(
    ("passed", "of", "low", "high"),
    [
        (0, 0, 0, 1000),
        (0, 10, 0, 278),
        (10, 10, 722, 1000),
        (35, 36, 858, 996),
        (95, 100, 888, 979),
        (475, 500, 927, 966),
    ],
)
def test_intervals_are_wilsons(passed: int, of: int, low: int, high: int) -> None:
    assert wilson(passed, of) == (low, high)


@pytest.mark.parametrize(
    ("values", "percent", "found"),
    [([], 50, 0), ([7], 95, 7), ([3, 1, 2], 50, 2), (list(range(1, 101)), 95, 95)],
)
def test_percentiles_are_values_that_were_seen(values: list[int], percent: int, found: int) -> None:
    assert percentile(values, percent) == found


def test_means_round_up_and_rates_are_cut() -> None:
    assert (mean([1, 2]), mean([]), rate_of(2, 3), rate_of(0, 0)) == (2, 0, 666, 0)


def test_a_cell_counts_what_was_answered() -> None:
    trials = [
        make_trial("a", cost=100, gate_cost=10, latency_ms=10),
        make_trial("b", passed=False, failed=("known",), cost=200, latency_ms=30),
        make_trial("c", passed=False, accepted=False, unrun=("graded",)),
        *(make_trial(end, ending=end, passed=False) for end in (LOST, REFUSED, UNFIT)),
        make_trial("a", "frontier"),
        make_trial("a", task="other"),
    ]
    cells = cells_of(trials, TIER_NAMES)
    assert [(cell.task, cell.tier) for cell in cells] == [
        ("label", "small"),
        ("label", "frontier"),
        ("other", "small"),
    ]
    first = cells[0]
    assert (first.answered, first.passed, first.accepted, first.rate) == (3, 1, 2, 333)
    assert (first.lost, first.refused, first.unfit, first.unrun) == (1, 1, 1, 1)
    assert (first.cost_mean, first.gate_cost_mean, first.latency_p95) == (134, 4, 30)
    assert first.gate_failures == {"known": 1}
