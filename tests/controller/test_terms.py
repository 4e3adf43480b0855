"""The default terms fit together."""

from controller.terms import Terms


def test_a_holder_may_miss_a_report_without_losing_its_leases() -> None:
    terms = Terms()

    assert terms.ttl >= 2 * terms.heartbeat
    assert terms.recall_wait < terms.heartbeat
