"""How often a holder speaks: what goes into one message, and what can wait."""

from dataclasses import replace
from pathlib import Path

from farebox.core.budgets import Charge
from farebox.core.instant import BootMs, DurationMs
from farebox.core.ledger import Held
from farebox.core.money import Nanos
from farebox.wire.messages import Grant, ReportAck, ShrinkTo, Welcome, Workload
from sidecar.leasing import EARLY_BEAT, SCARCE_GAP_MS, Leasing
from sidecar.purse import Purse
from sidecar.wants import Waiting
from tests.support.money import ORG, lease_id, make_purse

TTL = DurationMs(120_000)
BEAT = DurationMs(60_000)
START = BootMs(1_000)
LENT = 1_000_000


def granting(amount: int, echo: int, charge: Charge = ORG) -> Grant:
    return Grant(
        epoch=1,
        lease=lease_id(charge),
        granted=Nanos(amount),
        ttl=TTL,
        echo_boot_ms=BootMs(echo),
    )


def lent(folder: Path) -> tuple[Leasing, Purse]:
    """A holder that was lent LENT for its first calls, and has answered for nothing yet."""
    purse = make_purse(folder, deadline=BootMs(0))
    leasing = Leasing(purse, Workload(namespace="acme", name="pod-0"))
    leasing.hello(START)
    leasing.hear(Welcome(epoch=1, accepted=True, heartbeat=BEAT, ttl=TTL, drift_ppm=0), START)
    leasing.hear(granting(LENT, START), START)
    return leasing, purse


def call(leasing: Leasing, purse: Purse, amount: int, now: int) -> bool:
    """Hold for a call; says whether more should be asked for."""
    held = purse.hold((ORG,), Nanos(amount), BootMs(now))
    assert isinstance(held, Held)
    assert held.headroom is not None
    return leasing.note_hold((ORG,), Nanos(amount), held.headroom, BootMs(now))


def in_need(leasing: Leasing, number: int) -> None:
    leasing.ask(ORG, number, Waiting(need=Nanos(LENT), least=Nanos(LENT)))


def made_scarce(folder: Path) -> Leasing:
    """A holder that got next to nothing though its calls take much, and was answered at 20 s."""
    leasing, purse = lent(folder)
    for second in range(1, 10):
        call(leasing, purse, LENT // 10, START + second * 1_000)
    in_need(leasing, 1)
    report = leasing.report(BootMs(20_000))
    assert report.wants
    leasing.hear(granting(LENT + 1, 20_000), BootMs(20_010))
    leasing.stop_waiting(ORG, 1)
    return leasing


def test_a_grant_decided_after_a_report_acknowledges_it(tmp_path: Path) -> None:
    leasing, _ = lent(tmp_path)
    in_need(leasing, 1)
    leasing.report(BootMs(5_000))
    in_need(leasing, 2)
    assert not leasing.report_is_due
    leasing.hear(granting(LENT + 1, 5_000), BootMs(5_010))
    assert leasing.report_is_due


def test_a_grant_decided_before_does_not(tmp_path: Path) -> None:
    leasing, _ = lent(tmp_path)
    in_need(leasing, 1)
    leasing.report(BootMs(5_000))
    in_need(leasing, 2)
    leasing.hear(granting(LENT + 1, START), BootMs(5_010))
    assert not leasing.report_is_due


def test_a_late_enough_report_is_the_heartbeat_too(tmp_path: Path) -> None:
    leasing, _ = lent(tmp_path)
    half = START + BEAT // EARLY_BEAT
    in_need(leasing, 1)
    leasing.report(BootMs(half))
    assert leasing.until_beat(BootMs(half)) == BEAT


def test_an_early_one_is_not(tmp_path: Path) -> None:
    leasing, _ = lent(tmp_path)
    before = START + BEAT // EARLY_BEAT - 1
    in_need(leasing, 1)
    leasing.report(BootMs(before))
    assert leasing.until_beat(BootMs(before)) == START + BEAT - before


def test_a_heartbeat_asks_for_what_will_be_lacking_before_the_next(tmp_path: Path) -> None:
    leasing, purse = lent(tmp_path)
    for second in range(1, 31):
        call(leasing, purse, LENT // 50, START + second * 1_000)
    (want,) = leasing.report(BootMs(START + BEAT)).wants
    assert (want.charge, want.need) == (ORG, 0)
    assert want.want > 0


def test_where_money_is_scarce_asks_are_paced(tmp_path: Path) -> None:
    leasing = made_scarce(tmp_path)
    in_need(leasing, 2)
    assert not leasing.report_is_due
    assert leasing.until_beat(BootMs(20_100)) == SCARCE_GAP_MS - 100
    (want,) = leasing.report(BootMs(20_000 + SCARCE_GAP_MS)).wants
    assert want.need > 0


def test_a_call_that_found_its_money_meanwhile_is_not_asked_for(tmp_path: Path) -> None:
    leasing = made_scarce(tmp_path)
    in_need(leasing, 2)
    leasing.stop_waiting(ORG, 2)
    assert leasing.until_beat(BootMs(20_100)) > SCARCE_GAP_MS


def test_after_a_good_grant_nothing_is_paced(tmp_path: Path) -> None:
    leasing = made_scarce(tmp_path)
    in_need(leasing, 2)
    report = leasing.report(BootMs(21_000))
    leasing.hear(granting(1_000 * LENT, 21_000), BootMs(21_010))
    leasing.hear(ReportAck(epoch=1, seq=report.seq, echo_boot_ms=BootMs(21_000), ttl=TTL), START)
    in_need(leasing, 3)
    assert leasing.report_is_due


def shrink(limit: int) -> ShrinkTo:
    return ShrinkTo(epoch=1, lease=lease_id(ORG), limit=Nanos(limit))


def test_who_is_asked_to_give_back_says_so_without_waiting_for_an_answer(tmp_path: Path) -> None:
    leasing, _ = lent(tmp_path)
    in_need(leasing, 1)
    asked = leasing.report(BootMs(5_000))
    leasing.hear(granting(LENT + 1, 5_000), BootMs(5_010))
    leasing.stop_waiting(ORG, 1)
    leasing.hear(shrink(LENT // 2), BootMs(6_000))
    assert leasing.report_is_due
    told = leasing.report(BootMs(6_001))
    assert (told.seq, told.wants) == (asked.seq, ())
    assert [one.returned for one in told.leases] == [LENT // 2 + 1]
    assert not leasing.awaits_answer


def test_the_last_report_wants_nothing_and_is_answered(tmp_path: Path) -> None:
    leasing, _ = lent(tmp_path)
    in_need(leasing, 1)
    last = leasing.report(BootMs(5_000), last=True)
    assert (last.seq, last.wants) == (1, ())
    assert leasing.awaits_answer


def test_where_a_report_is_worth_more_it_comes_later(tmp_path: Path) -> None:
    leasing, _ = lent(tmp_path)
    ack = ReportAck(epoch=1, seq=1, echo_boot_ms=BootMs(2_000), ttl=DurationMs(TTL + 20_000))
    leasing.hear(ack, BootMs(2_000))
    assert leasing.heartbeat == BEAT + 10_000
    assert leasing.until_beat(BootMs(2_000)) == START + BEAT + 10_000 - 2_000
    leasing.hear(replace(ack, ttl=TTL), BootMs(3_000))
    assert leasing.heartbeat == BEAT


def test_a_grant_that_overtakes_the_welcome_sets_no_pace(tmp_path: Path) -> None:
    leasing = Leasing(make_purse(tmp_path), Workload(namespace="acme", name="pod-0"))
    leasing.hello(START)
    told = leasing.heartbeat
    leasing.hear(replace(granting(LENT, START), ttl=DurationMs(2_000)), START)
    assert leasing.heartbeat == told
