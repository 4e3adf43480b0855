"""How much to ask for and to keep."""

from farebox.core.instant import DurationMs
from farebox.core.money import Nanos
from sidecar.demand import FIRST_CALLS, Demand, after_beat, after_hold

SECOND = DurationMs(1_000)
TEN_SECONDS = DurationMs(10_000)


def test_before_a_rate_is_known_a_few_calls_like_the_last_are_wanted() -> None:
    assert Demand().target(TEN_SECONDS) == 0
    assert after_hold(Demand(), Nanos(5)).target(TEN_SECONDS) == FIRST_CALLS * 5


def test_a_steady_flow_is_wanted_for_the_horizon() -> None:
    demand = Demand()
    for _ in range(12):
        for _ in range(10):
            demand = after_hold(demand, Nanos(1_000_000))
        demand = after_beat(demand, SECOND)
    assert 9_900_000 < demand.rate <= 10_000_000
    assert 99_000_000 < demand.target(TEN_SECONDS) <= 100_000_000
    assert demand.is_low(Nanos(20_000_000), TEN_SECONDS)
    assert not demand.is_low(Nanos(30_000_000), TEN_SECONDS)


def test_a_flow_that_grows_within_a_beat_is_not_held_to_its_first_calls() -> None:
    demand = Demand()
    for _ in range(100):
        demand = after_hold(demand, Nanos(5))
    assert demand.target(TEN_SECONDS) == 100 * 5
    assert after_hold(demand, Nanos(5)).is_low(Nanos(100), TEN_SECONDS)


def test_an_idle_pool_keeps_less_and_then_nothing() -> None:
    demand = after_beat(after_hold(Demand(), Nanos(1_000)), SECOND)
    assert demand.to_keep(TEN_SECONDS)
    demand = after_beat(demand, SECOND)
    assert demand.to_keep(TEN_SECONDS)
    demand = after_beat(demand, SECOND)
    assert demand.to_keep(TEN_SECONDS) == 0


def test_one_call_ends_idleness() -> None:
    demand = after_hold(Demand(idle_beats=9), Nanos(7))
    assert demand.idle_beats == 0
    assert demand.to_keep(TEN_SECONDS) == 2 * FIRST_CALLS * 7


def test_a_pool_of_which_nothing_is_known_yet_keeps_all_for_a_while() -> None:
    """After a restart the leases are there before the first call is."""
    demand = Demand()
    assert demand.to_keep(TEN_SECONDS) is None
    assert after_beat(after_beat(demand, SECOND), SECOND).to_keep(TEN_SECONDS) == 0
