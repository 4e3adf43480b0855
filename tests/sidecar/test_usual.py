"""Rates and means: near the truth after a while, cautious before, and bounded in memory."""

from farebox.core.instant import BootMs, DurationMs
from farebox.core.money import Nanos
from sidecar.usual import CALLS_KEPT, CallRate, Costs, Mix

MINUTE, DAY = DurationMs(60_000), DurationMs(86_400_000)


def called(rate: CallRate, calls: int, left: DurationMs, now: int) -> int:
    rate.fresh += calls
    return rate.expected(left, BootMs(now))


class TestCallRate:
    def test_a_steady_stream_goes_on_as_it_came(self) -> None:
        rate = CallRate(BootMs(0))
        expected = [called(rate, 2, MINUTE, at) for at in range(100, 20_001, 100)]
        assert 1_150 <= expected[-1] <= 1_200, "20 calls a second for a minute"

    def test_a_burst_at_the_start_does_not_go_on_until_night(self) -> None:
        rate = CallRate(BootMs(0))
        assert called(rate, 10, DAY, 100) < 15_000, "and not 8,640,000"

    def test_a_stream_that_ends_is_forgotten(self) -> None:
        rate = CallRate(BootMs(0))
        for at in range(100, 10_001, 100):
            called(rate, 2, MINUTE, at)
        assert called(rate, 1, MINUTE, 200_000) < 10

    def test_there_is_always_the_call_itself(self) -> None:
        rate = CallRate(BootMs(0))
        assert rate.expected(DurationMs(0), BootMs(0)) == 1
        assert rate.expected(MINUTE, BootMs(50_000)) == 1


class TestCosts:
    def test_before_any_call_nothing_is_said(self) -> None:
        assert Costs().mean() is None

    def test_at_first_the_estimates_count(self) -> None:
        costs = Costs()
        for expected in (100, 200):
            costs.offer(Nanos(expected))
        assert costs.mean() == 150

    def test_then_what_calls_cost_corrects_them(self) -> None:
        costs = Costs()
        for _ in range(1_000):
            costs.offer(Nanos(200))
            costs.settle(Nanos(200), Nanos(100))
        assert costs.mean() == 101

    def test_that_only_cheap_calls_were_served_does_not_make_the_others_cheap(self) -> None:
        costs = Costs()
        for number in range(1_000):
            expected = Nanos(100 if number % 2 else 900)
            costs.offer(expected)
            if number % 2:
                costs.settle(expected, Nanos(2 * expected))
        mean = costs.mean()
        assert mean is not None
        assert 950 <= mean <= 1_000, "twice the mean estimate of 500, of all calls"

    def test_old_calls_count_less_and_less(self) -> None:
        costs = Costs()
        for price in (1_000, 10):
            for _ in range(10 * CALLS_KEPT):
                costs.offer(Nanos(price))
                costs.settle(Nanos(price), Nanos(price))
        mean = costs.mean()
        assert mean is not None
        assert mean <= 11


class TestMix:
    def test_before_any_call_has_ended_a_hold_counts_whole(self) -> None:
        assert Mix().cost_of(Nanos(70)) == 70
        assert Mix().others(10) == (0, 0)

    def test_calls_that_nobody_scores_take_their_part(self) -> None:
        mix = Mix()
        for number in range(CALLS_KEPT * 2):
            mix.ended(scored=number % 4 > 0, held=Nanos(100), cost=Nanos(25))
        assert mix.others(100) == (25, 625)
        assert mix.cost_of(Nanos(80)) == 20
