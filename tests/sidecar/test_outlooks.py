"""What was foreseen of leases: the newest counts, for as long as it lasts."""

import pytest

from farebox.core.instant import BootMs, DurationMs
from farebox.core.money import Nanos
from farebox.wire.messages import Grant, LeaseClosed, Outlook, ReportAck
from sidecar import outlooks
from sidecar.outlooks import Foreseen, Outlooks
from tests.support.desks import TTL, Desk
from tests.support.money import ORG, TEAM, lease_id


def outlook(spent: int, lasts: int = 1_000, window: int = 1) -> Outlook:
    return Outlook(lease=lease_id(ORG, window), spent_by_then=Nanos(spent), lasts=DurationMs(lasts))


def test_an_outlook_counts_from_the_message_that_it_answers_and_is_over_with_its_time() -> None:
    known = Outlooks()
    known.hear([outlook(70), None], BootMs(5_000))
    assert known.of(lease_id(ORG), BootMs(5_999)) == Foreseen(Nanos(70), BootMs(6_000))
    assert known.of(lease_id(ORG), BootMs(6_000)) is None
    assert known.of(lease_id(TEAM), BootMs(5_999)) is None


def test_the_newest_counts_and_windows_are_apart() -> None:
    known = Outlooks()
    known.hear([outlook(70), outlook(90, window=2)], BootMs(0))
    known.hear([outlook(60)], BootMs(10))
    assert known.of(lease_id(ORG), BootMs(10)) == Foreseen(Nanos(60), BootMs(1_010))
    assert known.of(lease_id(ORG, 2), BootMs(10)) == Foreseen(Nanos(90), BootMs(1_000))


def test_a_closed_lease_is_forgotten() -> None:
    known = Outlooks()
    known.hear([outlook(70)], BootMs(0))
    known.forget(lease_id(ORG))
    known.forget(lease_id(TEAM))
    assert known.of(lease_id(ORG), BootMs(0)) is None


def test_beyond_the_bound_the_oldest_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outlooks, "OUTLOOKS_MAX", 2)
    known = Outlooks()
    known.hear([outlook(1, window=window) for window in (1, 2, 3)], BootMs(0))
    assert [known.of(lease_id(ORG, w), BootMs(0)) is not None for w in (1, 2, 3)] == [
        False,
        True,
        True,
    ]


def test_a_holder_hears_of_them_with_grants_and_acknowledgements() -> None:
    leasing, lease = Desk(org=50).leasing, lease_id(ORG)
    granted = Grant(
        epoch=1,
        lease=lease,
        granted=Nanos(60),
        ttl=TTL,
        echo_boot_ms=BootMs(1_000),
        outlook=outlook(70),
    )
    leasing.hear(granted, BootMs(1_500))
    assert leasing.outlooks.of(lease, BootMs(1_500)) == Foreseen(Nanos(70), BootMs(2_000))
    answered = ReportAck(
        epoch=1, seq=1, echo_boot_ms=BootMs(1_900), ttl=TTL, outlooks=(outlook(65),)
    )
    leasing.hear(answered, BootMs(2_000))
    assert leasing.outlooks.of(lease, BootMs(2_000)) == Foreseen(Nanos(65), BootMs(2_900))
    leasing.hear(LeaseClosed(lease=lease), BootMs(2_100))
    assert leasing.outlooks.of(lease, BootMs(2_100)) is None
