"""The default terms fit together."""

from controller.terms import Terms


def test_a_holder_may_miss_a_report_without_losing_its_leases() -> None:
    terms = Terms()

    assert terms.ttl >= 2 * terms.heartbeat
    assert terms.recall_wait < terms.heartbeat


def test_many_holders_together_report_no_oftener_than_is_said() -> None:
    terms = Terms()

    for holders in (1, 10, 11, 60, 119):
        assert holders * 1_000 <= terms.beats_per_second * terms.beat(holders).heartbeat
    assert terms.beat(10) == (terms.heartbeat, terms.ttl)
    assert terms.beat(120) == terms.beat(2_000) == (terms.heartbeat_max, terms.ttl_max)
    assert terms.ttl_max == 125_000
