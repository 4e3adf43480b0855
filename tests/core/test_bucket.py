"""A token bucket fills exactly as fast as it says and never beyond what fits beside its loans."""

from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farebox.core.bucket import (
    Bucket,
    BucketRate,
    full,
    overdrawn,
    put_back,
    ready_at,
    refilled,
    resized,
    taken,
)
from farebox.core.instant import DurationMs, UtcMs
from farebox.core.money import Nanos

HOUR_MS = DurationMs(3_600_000)
NOW = UtcMs(1_000_000)


def rate(size: int = 100, refill: int = 10, per: int = 1_000) -> BucketRate:
    return BucketRate(size=Nanos(size), refill=Nanos(refill), per=DurationMs(per))


def bucket(level: int, at: int = 0) -> Bucket:
    return Bucket(level=Nanos(level), at=UtcMs(at))


rates = st.builds(rate, st.integers(0, 500), st.integers(0, 50), st.integers(1, 60))
waits = st.lists(st.integers(0, 50), max_size=30)


class Filling(NamedTuple):
    level: int
    outstanding: int
    after_ms: int
    filled: int


FILLINGS = {
    "nothing flows in at once": Filling(0, 0, 0, 0),
    "a tenth of a second brings a tenth of the refill": Filling(0, 0, 100, 1),
    "what is no whole n$ yet is not there yet": Filling(0, 0, 199, 1),
    "it is full in the end": Filling(0, 0, 10_000, 100),
    "and no fuller after that": Filling(0, 0, 1_000_000, 100),
    "what is lent keeps its place": Filling(0, 70, 1_000_000, 30),
    "nothing flows in while all of it is lent": Filling(0, 100, 1_000_000, 0),
    "a bucket beside more loans than fit does not fall": Filling(40, 80, 1_000, 40),
    "an overdraft is paid off first": Filling(-5, 0, 1_000, 5),
    "a clock that went back changes nothing": Filling(7, 0, -5_000, 7),
}


@pytest.mark.parametrize("name", FILLINGS)
def test_filling(name: str) -> None:
    case = FILLINGS[name]
    before = bucket(case.level, NOW)
    now = UtcMs(NOW + case.after_ms)
    after = refilled(before, rate(), outstanding=Nanos(case.outstanding), now=now)
    assert after.level == case.filled
    assert after.at == max(NOW, now)


@given(rates, st.integers(0, 500), waits)
def test_filling_in_many_steps_is_filling_in_one(
    of: BucketRate, outstanding: int, pauses: list[int]
) -> None:
    stepwise = bucket(0)
    for pause in pauses:
        now = UtcMs(stepwise.at + pause)
        stepwise = refilled(stepwise, of, outstanding=Nanos(outstanding), now=now)
    at_once = refilled(bucket(0), of, outstanding=Nanos(outstanding), now=UtcMs(sum(pauses)))
    assert (stepwise.level, stepwise.at) == (at_once.level, at_once.at)
    assert stepwise.level == min(of.refill * sum(pauses) // of.per, max(0, of.size - outstanding))


def test_a_slow_bucket_loses_nothing_however_often_it_is_asked() -> None:
    slow = rate(size=1_000, refill=7, per=HOUR_MS)
    asked = bucket(0)
    for now in range(0, 10 * HOUR_MS + 1, 1_000):
        asked = refilled(asked, slow, outstanding=Nanos(0), now=UtcMs(now))
    assert asked.level == 70


@pytest.mark.parametrize("at", [UtcMs(1_999), UtcMs(199_999)])
def test_a_full_bucket_collects_nothing_towards_the_next_nano_dollar(at: UtcMs) -> None:
    of = rate(size=1, refill=1, per=1_000)
    brimming = refilled(bucket(0), of, outstanding=Nanos(0), now=at)
    emptied = taken(brimming, Nanos(1))
    almost = refilled(emptied, of, outstanding=Nanos(0), now=UtcMs(at + 999))
    assert (brimming.level, almost.level) == (1, 0)


def test_a_new_bucket_is_full() -> None:
    assert full(rate(size=100), NOW) == bucket(100, NOW)


def test_what_is_taken_is_gone_and_no_more_than_is_there() -> None:
    assert taken(bucket(30), Nanos(30)).level == 0
    with pytest.raises(ValueError, match=r"31 n\$ can't be taken from a bucket of 30"):
        taken(bucket(30), Nanos(31))
    with pytest.raises(ValueError, match=r"-1 n\$ can't be taken"):
        taken(bucket(30), Nanos(-1))


def test_nothing_but_nothing_is_taken_from_an_overdrawn_bucket() -> None:
    assert taken(bucket(-5), Nanos(0)).level == -5
    with pytest.raises(ValueError, match="can't be taken"):
        taken(bucket(-5), Nanos(1))


def test_what_comes_back_fills_the_bucket_beside_what_is_still_lent() -> None:
    assert put_back(bucket(10), rate(size=100), Nanos(20), Nanos(70)).level == 30
    # Whatever is said to come back, the bucket never holds more than fits.
    assert put_back(bucket(10), rate(size=100), Nanos(40), Nanos(70)).level == 30
    with pytest.raises(ValueError, match=r"-1 n\$ can't be put back"):
        put_back(bucket(10), rate(), Nanos(-1), Nanos(0))


def test_what_comes_back_pays_an_overdraft_first() -> None:
    assert put_back(bucket(-30), rate(size=100), Nanos(20), Nanos(0)).level == -10


def test_an_overdraft_makes_a_debt() -> None:
    assert overdrawn(bucket(10), Nanos(25)).level == -15
    with pytest.raises(ValueError, match="overdraft of -1"):
        overdrawn(bucket(10), Nanos(-1))


def test_a_smaller_bucket_spills_over_and_a_larger_one_is_not_filled_up() -> None:
    assert resized(bucket(80), rate(size=50), Nanos(20)).level == 30
    assert resized(bucket(80), rate(size=50), Nanos(60)).level == 0
    assert resized(bucket(80), rate(size=500), Nanos(0)).level == 80
    assert resized(bucket(-5), rate(size=50), Nanos(60)).level == -5


def test_a_rest_of_another_rate_is_dropped() -> None:
    begun = refilled(bucket(0), rate(refill=1, per=1_000), outstanding=Nanos(0), now=UtcMs(999))
    assert (begun.level, begun.rest) == (0, 999)
    faster = rate(refill=1, per=100)
    assert refilled(begun, faster, outstanding=Nanos(0), now=UtcMs(1_000)).level == 0
    assert refilled(begun, faster, outstanding=Nanos(0), now=UtcMs(1_099)).level == 1


@given(rates, st.integers(-50, 500), st.integers(0, 500), st.integers(0, 500), st.integers(0, 59))
def test_a_bucket_is_ready_when_it_says_and_not_before(
    of: BucketRate, level: int, outstanding: int, amount: int, rest: int
) -> None:
    begun = Bucket(level=Nanos(level), at=NOW, rest=min(rest, of.per - 1), per=of.per)
    ready = ready_at(begun, of, Nanos(amount), outstanding=Nanos(outstanding))
    if ready is None:
        for_ever = UtcMs(NOW + 10**9)
        later = refilled(begun, of, outstanding=Nanos(outstanding), now=for_ever)
        assert later.level < amount
        return
    assert refilled(begun, of, outstanding=Nanos(outstanding), now=ready).level >= amount
    if ready > NOW:
        before = UtcMs(ready - 1)
        assert refilled(begun, of, outstanding=Nanos(outstanding), now=before).level < amount
