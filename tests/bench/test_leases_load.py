"""The load: the same for every policy, few sidecars with most of the calls, few calls that cost."""

from bench.leases_load import CALL_MS_MAX, CALL_MS_MIN, Load, sources
from farebox.core.money import NANOS_PER_DOLLAR, Nanos

LOAD = Load(sidecars=50, limit=Nanos(NANOS_PER_DOLLAR), horizon_ms=1_000)


def test_a_seed_gives_the_same_calls_again() -> None:
    one, again = sources(LOAD, 7), sources(LOAD, 7)
    assert [source.next() for source in one] == [source.next() for source in again]
    assert [source.next() for source in sources(LOAD, 8)] != [source.next() for source in one]


def test_a_call_holds_more_than_it_costs_and_takes_its_time() -> None:
    source = sources(LOAD, 1)[0]
    for _ in range(300):
        work = source.next()
        assert 1.49 * work.cost <= work.worst <= 6.01 * work.cost
        assert CALL_MS_MIN <= work.takes_ms <= CALL_MS_MAX


def test_the_means_are_the_loads() -> None:
    calls = [source.next() for source in sources(LOAD, 3) for _ in range(400)]
    mean = sum(work.cost for work in calls) / len(calls)
    assert 0.9 * LOAD.cost_mean < mean < 1.1 * LOAD.cost_mean
    rates = [
        60_000 * 400 / sum(source.next().next_ms for _ in range(400)) for source in sources(LOAD, 3)
    ]
    assert 0.8 < sum(rates) / (LOAD.sidecars * LOAD.calls_per_minute) < 1.2
    assert max(rates) > 3 * LOAD.calls_per_minute
