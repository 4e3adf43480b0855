"""How much to ask for and to keep."""

from farebox.core.instant import BootMs, DurationMs
from farebox.core.money import Nanos
from sidecar.demand import (
    FIRST_CALLS,
    IDLE_BEATS,
    KEEP_FACTOR,
    NOTHING_KNOWN,
    SCARCE_PART,
    Demand,
    after_beat,
    after_grant,
    after_look,
)

MINUTE = DurationMs(60_000)
BEGAN = BootMs(1_000)


def nanos(amount: int) -> Nanos:
    return Nanos(amount)


def calling(demand: Demand, calls: int, each: int) -> Demand:
    """After so many calls that held so much each."""
    return demand._replace(
        held=nanos(demand.held + calls * each),
        calls=demand.calls + calls,
        last=nanos(each),
        idle_beats=0,
    )


def steady(seconds: int, *, hold: int, cost: int, takes_s: int) -> Demand:
    """After a time of one call a second, looked at every ten seconds."""
    demand = Demand(looked_at=BEGAN)
    for second in range(1, seconds + 1):
        demand = calling(demand, 1, hold)
        spent, under_way = max(0, second - takes_s) * cost, min(second, takes_s) * hold
        if second % 10 == 0:
            now = BootMs(BEGAN + second * 1_000)
            demand = after_look(demand, nanos(spent), nanos(under_way), now)
    return demand


def test_before_a_rate_is_known_a_few_calls_like_the_last_are_wanted() -> None:
    assert NOTHING_KNOWN.target(MINUTE) == 0
    assert calling(NOTHING_KNOWN, 1, 5).target(MINUTE) == FIRST_CALLS * 5


def test_a_flow_that_grows_before_it_is_measured_is_not_held_to_its_first_calls() -> None:
    assert calling(NOTHING_KNOWN, 100, 5).target(MINUTE) == 2 * 100 * 5


def test_a_lease_is_to_last_by_what_calls_cost_and_not_by_what_they_hold() -> None:
    demand = steady(300, hold=4_000, cost=1_000, takes_s=10)
    assert 950 <= demand.rate <= 1_050
    assert 60_000 < demand.target(MINUTE) < 60 * 4_000


def test_the_first_calls_tell_no_more_than_later_ones_though_many_have_not_ended() -> None:
    assert steady(10, hold=4_000, cost=1_000, takes_s=5).rate == 1_000


def test_while_no_call_has_ended_each_may_cost_all_that_it_holds() -> None:
    assert steady(10, hold=4_000, cost=1_000, takes_s=30).rate == 4_000


def test_few_large_calls_are_wanted_more_for_than_many_small_ones_of_the_same_cost() -> None:
    few = after_look(calling(Demand(looked_at=BEGAN), 10, 6_000), nanos(60_000), nanos(0), at(60))
    many = after_look(calling(Demand(looked_at=BEGAN), 600, 100), nanos(60_000), nanos(0), at(60))
    assert few.rate == many.rate == 1_000
    assert few.target(MINUTE) > many.target(MINUTE) > 60_000


def test_a_rate_is_not_taken_from_an_instant() -> None:
    demand = calling(Demand(looked_at=BEGAN), 10, 100)
    assert after_look(demand, nanos(0), nanos(1_000), BootMs(BEGAN + 5)) == demand


def test_a_rate_is_not_taken_from_a_time_whose_beginning_is_not_known() -> None:
    demand = after_look(calling(NOTHING_KNOWN, 10, 100), nanos(700), nanos(300), at(60))
    assert (demand.rate, demand.looked_at, demand.spent, demand.reserved) == (0, at(60), 700, 300)


def test_a_new_lease_counts_from_zero() -> None:
    demand = calling(Demand(looked_at=BEGAN, spent=nanos(10**9)), 60, 100)
    assert after_look(demand, nanos(6_000), nanos(0), at(60)).rate == 100


def test_calls_that_cost_more_than_they_hold_count_at_their_cost() -> None:
    demand = calling(Demand(looked_at=BEGAN), 60, 100)
    assert after_look(demand, nanos(9_000), nanos(0), at(60)).rate == 150


def test_more_is_asked_for_when_a_quarter_is_left() -> None:
    demand = Demand(rate=nanos(1_000))
    assert demand.is_low(nanos(14_999), MINUTE)
    assert not demand.is_low(nanos(15_000), MINUTE)


def test_when_a_message_goes_out_anyway_more_is_asked_for_earlier() -> None:
    demand = Demand(rate=nanos(1_000))
    assert demand.is_below(nanos(44_999), MINUTE)
    assert not demand.is_below(nanos(45_000), MINUTE)


def test_who_was_lent_less_than_it_wanted_asks_by_what_it_was_lent() -> None:
    demand = after_grant(Demand(rate=nanos(1_000)), nanos(40_000), MINUTE)
    assert demand.is_low(nanos(9_999), MINUTE)
    assert not demand.is_low(nanos(10_000), MINUTE)


def test_where_there_is_little_to_be_had_nobody_asks_before_a_call_lacks_money() -> None:
    little = nanos(60_000 // SCARCE_PART - 1)
    demand = after_grant(Demand(rate=nanos(1_000)), little, MINUTE)
    assert demand.scarce
    assert not demand.is_low(nanos(0), MINUTE)
    assert not after_grant(demand, nanos(60_000), MINUTE).scarce


def test_an_idle_pool_keeps_less_and_then_nothing() -> None:
    demand = after_beat(
        calling(Demand(looked_at=BEGAN), 60, 1_000), nanos(60_000), nanos(0), at(60)
    )
    assert demand.to_keep(MINUTE) == KEEP_FACTOR * demand.target(MINUTE)
    idle = after_beat(demand, nanos(60_000), nanos(0), at(120))
    assert idle.to_keep(MINUTE)
    assert after_beat(idle, nanos(60_000), nanos(0), at(180)).to_keep(MINUTE) == 0


def test_one_call_ends_idleness() -> None:
    demand = calling(Demand(idle_beats=9), 1, 7)
    assert demand.to_keep(MINUTE) == KEEP_FACTOR * FIRST_CALLS * 7


def test_a_pool_of_which_nothing_is_known_yet_keeps_all_for_a_while() -> None:
    """After a restart the leases are there before the first call is."""
    demand = after_beat(Demand(), nanos(0), nanos(0), at(60))
    assert demand.to_keep(MINUTE) is None
    assert after_beat(demand, nanos(0), nanos(0), at(120)).to_keep(MINUTE) == 0


def at(seconds: int) -> BootMs:
    return BootMs(BEGAN + seconds * 1_000)


def test_who_gives_all_back_for_want_of_calls_does_not_ask_for_it_again() -> None:
    busy = Demand(last=Nanos(100), rate=Nanos(50))
    idle = busy._replace(idle_beats=IDLE_BEATS)
    horizon = DurationMs(60_000)

    assert busy.is_below(Nanos(0), horizon)
    assert idle.to_keep(horizon) == 0
    assert not idle.is_below(Nanos(0), horizon)
