"""Rates: chance alone hardly raises anything, and what is high is found."""

import math
import random

import pytest

from farebox.core.rates import (
    PPM,
    at,
    chance_ppm,
    distance_ppm,
    is_high,
    lowest_likely,
    over,
    percent,
    rate_ppm,
)

SHARES = (50, 150, 200, 200, 150, 100, 50, 50, 25, 25)


@pytest.mark.parametrize(
    ("failed", "of"), [(0, 10), (1, 50), (5, 50), (50, 50), (21, 300), (1_500, 10_000), (1, 10**7)]
)
def test_the_lower_end_is_wilsons(failed: int, of: int) -> None:
    share, z = failed / of, 3.0
    middle = share + z * z / 2 / of
    reach = z * math.sqrt(share * (1 - share) / of + z * z / 4 / of / of)
    low = (middle - reach) / (1 + z * z / of)
    assert lowest_likely(failed, of) == pytest.approx(low * PPM, abs=2)


def test_a_rate_of_nothing_is_none() -> None:
    assert rate_ppm(0, 0) == 0
    assert lowest_likely(0, 0) == 0


@pytest.mark.parametrize(
    ("part", "of", "high"),
    [
        (8, 50, False),  # 16 %, which chance gives of 10 %
        (14, 50, True),
        (116, 1_000, False),  # over the limit, not over chance
        (140, 1_000, True),
        (1_100, 10_000, False),  # surely over 10 %, not over the limit
        (1_160, 10_000, True),
    ],
)
def test_a_rate_is_high_over_its_limit_and_over_chance(part: int, of: int, high: bool) -> None:
    assert is_high(part, of, over(100_000, 15), raised=False) is high


def test_what_was_raised_stays_until_it_is_half_way_back() -> None:
    limit = over(100_000, 20)
    assert (limit.raised, limit.clear) == (120_000, 110_000)
    assert is_high(115, 1_000, limit, raised=True)
    assert not is_high(110, 1_000, limit, raised=True)
    assert at(20).clear == 150_000


def test_a_baseline_without_failures_is_taken_for_one_in_a_hundred() -> None:
    assert over(0, 15).usual == 10_000


def test_small_numbers_do_not_cry_wolf() -> None:
    """A rate that is as measured is raised in less than one look of a hundred."""
    chance = random.Random(1)
    limit, looks = over(100_000, 15), 2_000
    for calls in (50, 200, 1_000):
        raised = sum(
            is_high(sum(chance.random() < 0.1 for _ in range(calls)), calls, limit, raised=False)
            for _ in range(looks)
        )
        assert raised < looks // 100


def test_equal_distributions_are_no_distance_apart_and_disjoint_ones_all_of_it() -> None:
    assert distance_ppm(tuple(2 * share for share in SHARES), SHARES) == 0
    assert distance_ppm((0, 10), (1_000, 0)) == PPM
    assert distance_ppm((0, 0), (1_000, 0)) == 0


def test_chance_gives_about_the_distance_that_is_reckoned() -> None:
    chance, calls, samples, rounds = random.Random(2), 200, 300, 300

    def drawn(size: int) -> tuple[int, ...]:
        found = chance.choices(range(10), weights=SHARES, k=size)
        return tuple(found.count(number) for number in range(10))

    total = 0
    for _ in range(rounds):
        shares = tuple(count * PPM // samples for count in drawn(samples))
        total += distance_ppm(drawn(calls), shares)
    reckoned = chance_ppm(drawn(calls), SHARES, samples)
    assert reckoned == pytest.approx(total / rounds, rel=0.05)
    assert chance_ppm(drawn(calls), SHARES, 0) == PPM


def test_shares_are_cut_for_people() -> None:
    assert (percent(57_999), percent(1_000_000), percent(0)) == ("5.7 %", "100.0 %", "0.0 %")
