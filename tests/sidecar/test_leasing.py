"""The holder's conversation with the controller, message by message, without a network."""

from dataclasses import replace
from pathlib import Path

import pytest

from farebox.core.budgets import Charge
from farebox.core.instant import BootMs, DurationMs
from farebox.core.leases import HoldId
from farebox.core.ledger import Granted, Held
from farebox.core.money import Nanos
from farebox.core.policy import Policy
from farebox.core.reasons import Reason
from farebox.wire.messages import (
    Denial,
    Grant,
    LeaseClosed,
    PolicyPush,
    ReportAck,
    ShrinkTo,
    Welcome,
    Workload,
)
from sidecar.demand import FIRST_CALLS
from sidecar.journal import Journal
from sidecar.leasing import MARGIN_MS, PREFETCH_GAP_MS, Leasing
from sidecar.purse import Purse
from sidecar.wants import Waiting
from tests.support.disks import MemoryFile
from tests.support.money import ANA, ORG, TEAM, granted, lease_id, make_purse

TTL = DurationMs(15_000)
BEAT = DurationMs(5_000)
START = BootMs(10_000)


def make_leasing(folder: Path, *grants: Granted) -> tuple[Leasing, Purse]:
    """A leasing that has said hello at START and was welcomed in epoch 3."""
    purse = make_purse(folder, *grants, deadline=BootMs(0))
    leasing = Leasing(purse, Workload(namespace="acme", name="pod-0"))
    leasing.hello(START)
    leasing.hear(welcome(), START)
    return leasing, purse


def welcome(epoch: int = 3, *, accepted: bool = True) -> Welcome:
    """A welcome with a drift of 200 parts in a million."""
    return Welcome(
        epoch=epoch,
        accepted=accepted,
        heartbeat=BEAT,
        ttl=TTL,
        drift_ppm=200,
        refusal="" if accepted else "stale copy",
    )


def grant(charge: Charge, amount: int, *, echo: int = START, ends_in: int | None = None) -> Grant:
    """A grant of a total amount in window 1."""
    return Grant(
        epoch=3,
        lease=lease_id(charge),
        granted=Nanos(amount),
        ttl=TTL,
        echo_boot_ms=BootMs(echo),
        window_ends_in=None if ends_in is None else DurationMs(ends_in),
    )


def denial(charge: Charge, reason: Reason = Reason.POOL_EXHAUSTED) -> Denial:
    """A denial with made-up figures."""
    return Denial(
        epoch=3,
        lease=lease_id(charge),
        reason=reason,
        retry_after=DurationMs(500),
        limit=Nanos(100),
        settled=Nanos(90),
        held=Nanos(10),
        remaining=Nanos(0),
    )


def acknowledgement(seq: int) -> ReportAck:
    """The controller's word that it has committed a report sent at START."""
    return ReportAck(epoch=3, seq=seq, echo_boot_ms=START, ttl=TTL)


def acknowledged(leasing: Leasing) -> None:
    """Send a report and hear that it is committed."""
    leasing.hear(acknowledgement(leasing.report(START).seq), START)


def hold(purse: Purse, amount: int, charge: Charge = ORG, now: int = START) -> HoldId:
    """Hold money that must be there."""
    held = purse.hold((charge,), Nanos(amount), BootMs(now))
    assert isinstance(held, Held)
    return held.hold


def test_hello_tells_everything_the_journal_knew(tmp_path: Path) -> None:
    purse = make_purse(tmp_path, granted(ORG, 100), granted(TEAM, 50))
    leasing = Leasing(purse, Workload(namespace="acme", name="pod-0"))
    hello = leasing.hello(START)
    assert hello.holder == purse.holder
    assert {item.lease.charge: item.granted for item in hello.leases} == {ORG: 100, TEAM: 50}
    assert not leasing.connected


def test_time_to_live_counts_from_when_the_hello_was_sent(tmp_path: Path) -> None:
    leasing, purse = make_leasing(tmp_path, granted(ORG, 100))
    drift = TTL * 200 // 1_000_000
    last = START + TTL - drift - MARGIN_MS
    assert purse.room((ORG,), BootMs(last - 1)).money == 100
    assert purse.room((ORG,), BootMs(last)).missing == (ORG,)
    leasing.hear(ReportAck(epoch=3, seq=1, echo_boot_ms=BootMs(START + 2_000), ttl=TTL), START)
    assert purse.room((ORG,), BootMs(last + 1_999)).money == 100


def test_an_old_acknowledgement_shortens_nothing(tmp_path: Path) -> None:
    leasing, purse = make_leasing(tmp_path, granted(ORG, 100))
    leasing.hear(ReportAck(epoch=3, seq=1, echo_boot_ms=BootMs(1), ttl=TTL), START)
    assert purse.room((ORG,), BootMs(START + 10_000)).money == 100


def test_one_report_is_on_its_way_at_a_time(tmp_path: Path) -> None:
    leasing, _ = make_leasing(tmp_path)
    leasing.ask(ORG, 1, Waiting(need=Nanos(40), least=Nanos(10)))
    due = [leasing.report_is_due]
    first = leasing.report(START)
    leasing.ask(ORG, 2, Waiting(need=Nanos(50), least=Nanos(10)))
    leasing.ask(TEAM, 3, Waiting(need=Nanos(60), least=Nanos(10)))
    due.append(leasing.report_is_due)
    leasing.hear(acknowledgement(first.seq), START)
    due.append(leasing.report_is_due)
    assert due == [True, False, True], "not before the first is acknowledged"
    assert {want.charge for want in leasing.report(START).wants} == {ORG, TEAM}


def test_a_new_stream_waits_for_no_answer_of_the_old_one(tmp_path: Path) -> None:
    leasing, _ = make_leasing(tmp_path)
    leasing.report(START)
    leasing.disconnected()
    leasing.hello(START)
    leasing.hear(welcome(), START)
    leasing.ask(ORG, 1, Waiting(need=Nanos(40), least=Nanos(10)))
    assert leasing.report_is_due


def test_a_waiting_call_is_asked_for_with_all_who_wait(tmp_path: Path) -> None:
    leasing, _ = make_leasing(tmp_path, granted(ORG, 30))
    leasing.ask(ORG, 1, Waiting(need=Nanos(100), least=Nanos(40)))
    leasing.ask(ORG, 2, Waiting(need=Nanos(60), least=Nanos(50)))
    assert leasing.report_is_due
    want = leasing.report(START).wants[0]
    ahead = FIRST_CALLS * 100
    assert (want.charge, want.need, want.least, want.want) == (ORG, 70, 10, 130 + ahead)
    assert not leasing.report_is_due


def test_a_grant_is_money_and_wakes_who_waits_for_it(tmp_path: Path) -> None:
    leasing, purse = make_leasing(tmp_path)
    leasing.hear(denial(ORG), START)
    heard = leasing.hear(grant(ORG, 500, ends_in=60_000), START)
    assert heard.changed == (ORG,)
    assert ORG not in leasing.denials
    assert purse.room((ORG,), START).money == 500
    lease = purse.lease_of(ORG)
    assert lease is not None
    assert lease.window_ends == START + 60_000


def test_a_denial_is_remembered_until_there_is_money_or_a_new_policy(tmp_path: Path) -> None:
    leasing, _ = make_leasing(tmp_path)
    assert leasing.hear(denial(ORG), START).changed == (ORG,)
    assert leasing.denials[ORG][0].settled == 90
    heard = leasing.hear(PolicyPush(epoch=3, policy=Policy(generation=2)), START)
    assert heard.policy == Policy(generation=2)
    assert not leasing.denials


@pytest.mark.parametrize(
    ("limit", "returned"),
    [(80, 20), (60, 40), (10, 60), (200, 0)],
    ids=["some", "all that is free", "held money can't be recalled", "nothing to give"],
)
def test_a_shrink_gives_back_free_money_and_is_answered(
    tmp_path: Path, limit: int, returned: int
) -> None:
    leasing, purse = make_leasing(tmp_path, granted(ORG, 100))
    hold(purse, 40)
    acknowledged(leasing)
    leasing.hear(ShrinkTo(epoch=3, lease=lease_id(ORG), limit=Nanos(limit)), START)
    lease = purse.lease_of(ORG)
    assert lease is not None
    assert lease.returned == returned
    assert leasing.report_is_due
    assert [item.returned for item in leasing.report(START).leases] == [returned]


def test_orders_of_a_deposed_controller_are_not_obeyed(tmp_path: Path) -> None:
    leasing, purse = make_leasing(tmp_path, granted(ORG, 100))
    leasing.hear(ShrinkTo(epoch=2, lease=lease_id(ORG), limit=Nanos(0)), START)
    assert purse.room((ORG,), START).money == 100
    assert leasing.hear(PolicyPush(epoch=2, policy=Policy()), START).policy is None
    assert leasing.hear(welcome(epoch=2), START).outdated
    purse.close()
    again = Leasing(make_purse(tmp_path), Workload(namespace="acme", name="pod-0"))
    assert again.hear(welcome(epoch=2), START).outdated, "the journal remembers the epoch"


def test_a_holder_that_is_not_accepted_starts_over_without_money(tmp_path: Path) -> None:
    leasing, purse = make_leasing(tmp_path, granted(ORG, 100))
    before = purse.holder
    assert leasing.hear(welcome(accepted=False), START).refused == "stale copy"
    leasing.start_over()
    assert leasing.hello(START).holder == purse.holder != before
    assert leasing.hello(START).leases == ()


def test_reports_tell_only_what_changed(tmp_path: Path) -> None:
    leasing, purse = make_leasing(tmp_path, granted(ORG, 100), granted(TEAM, 100))
    assert leasing.report(BootMs(START + BEAT)).leases == (), "the hello has told it all"
    held = hold(purse, 10)
    purse.settle(held, Nanos(4), Reason.USAGE_REPORTED)
    told = leasing.report(BootMs(START + 2 * BEAT)).leases
    assert [(item.lease.charge, item.spent, item.reserved) for item in told if item.spent] == [
        (ORG, 4, 0)
    ]


def test_money_is_given_back_after_idle_heartbeats(tmp_path: Path) -> None:
    leasing, purse = make_leasing(tmp_path, granted(ORG, 1_000))
    purse.settle(hold(purse, 10), Nanos(4), Reason.USAGE_REPORTED)
    leasing.note_hold((ORG,), Nanos(10), Nanos(1_000), START)
    for beats in range(1, 5):
        leasing.report(BootMs(START + beats * BEAT))
    lease = purse.lease_of(ORG)
    assert lease is not None
    assert (lease.returned, lease.headroom) == (996, 0)


def test_money_for_waiting_calls_is_never_given_back(tmp_path: Path) -> None:
    leasing, purse = make_leasing(tmp_path, granted(ORG, 1_000))
    leasing.ask(ORG, 1, Waiting(need=Nanos(5_000), least=Nanos(5_000)))
    for beats in range(1, 5):
        leasing.report(BootMs(START + beats * BEAT))
    assert purse.room((ORG,), START).money == 1_000


def test_more_is_asked_for_before_the_lease_is_empty_but_not_all_the_time(tmp_path: Path) -> None:
    leasing, _ = make_leasing(tmp_path, granted(ORG, 15))
    assert leasing.note_hold((ORG,), Nanos(10), Nanos(15), START)
    want = leasing.report(START).wants[0]
    assert (want.need, want.least) == (0, 0), "no call waits for it"
    assert want.want == FIRST_CALLS * 10 - 15
    again = BootMs(START + PREFETCH_GAP_MS)
    assert not leasing.note_hold((ORG,), Nanos(10), Nanos(15), BootMs(again - 1))
    assert leasing.note_hold((ORG,), Nanos(10), Nanos(15), again)


def test_a_window_that_ended_is_returned_finished_and_forgotten(tmp_path: Path) -> None:
    leasing, purse = make_leasing(tmp_path, granted(ORG, 100, window_ends=START + 1_000))
    late = hold(purse, 30)
    first = leasing.report(BootMs(START + BEAT)).leases
    assert [(item.returned, item.reserved, item.finished) for item in first] == [(70, 30, False)]
    purse.settle(late, Nanos(20), Reason.USAGE_REPORTED)
    second = leasing.report(BootMs(START + 2 * BEAT)).leases
    assert [(item.returned, item.spent, item.finished) for item in second] == [(80, 20, True)]
    leasing.hear(LeaseClosed(lease=lease_id(ORG)), START)
    assert purse.lease_of(ORG) is None


def test_goodbye_gives_back_all_that_is_not_held(tmp_path: Path) -> None:
    leasing, purse = make_leasing(tmp_path, granted(ORG, 100), granted(ANA, 40))
    hold(purse, 30)
    told = {item.lease.charge: item.returned for item in leasing.goodbye(START).leases}
    assert told == {ORG: 70, ANA: 40}


def test_after_a_reconnect_the_calls_that_wait_are_asked_for_again(tmp_path: Path) -> None:
    leasing, _ = make_leasing(tmp_path)
    leasing.ask(ORG, 1, Waiting(need=Nanos(5), least=Nanos(5)))
    leasing.report(START)
    leasing.disconnected()
    due = [leasing.report_is_due]
    leasing.hello(START)
    assert leasing.hear(welcome(epoch=4), START).changed == (ORG,)
    due.append(leasing.report_is_due)
    assert due == [False, True]
    assert leasing.report(START).wants[0].need == 5
    leasing.stop_waiting(ORG, 1)
    assert leasing.report(START).wants == ()


def test_money_of_the_next_window_counts_from_when_its_grant_is_received(tmp_path: Path) -> None:
    leasing, purse = make_leasing(tmp_path)
    late = BootMs(START + 700)
    next_window = replace(
        grant(ORG, 100, ends_in=60_000), lease=lease_id(ORG, 2), starts_in=DurationMs(2_000)
    )
    leasing.hear(next_window, late)
    assert purse.room((ORG,), BootMs(late + 1_999)).missing == (ORG,)
    assert purse.room((ORG,), BootMs(late + 2_000)).money == 100


def test_money_of_the_next_window_is_reported_but_not_given_back(tmp_path: Path) -> None:
    leasing, purse = make_leasing(tmp_path, granted(ORG, 50, window_ends=START + 60_000))
    next_window = replace(grant(ORG, 100), lease=lease_id(ORG, 2), starts_in=DurationMs(60_000))
    leasing.hear(next_window, START)
    for beats in range(1, 5):
        told = leasing.report(BootMs(START + beats * BEAT)).leases
    lease = purse.find(lease_id(ORG, 2))
    assert lease is not None
    assert (lease.granted, lease.returned) == (100, 0)
    assert told == ()


def test_a_grant_after_the_lease_was_closed_brings_nothing_back(tmp_path: Path) -> None:
    leasing, purse = make_leasing(tmp_path, granted(ORG, 100))
    leasing.hear(LeaseClosed(lease=lease_id(ORG)), START)
    leasing.hear(grant(ORG, 100), START)
    assert purse.lease_of(ORG) is None


def test_what_the_disk_refused_is_written_before_a_report() -> None:
    disk = MemoryFile()
    purse = Purse(Journal(disk, boot_id="boot-1"))
    leasing = Leasing(purse, Workload(namespace="acme", name="pod-0"))
    leasing.hello(START)
    leasing.hear(welcome(), START)
    disk.room = 0
    leasing.hear(grant(ORG, 100), START)
    assert leasing.report(BootMs(START + BEAT)).leases == ()
    disk.room = None
    told = leasing.report(BootMs(START + 2 * BEAT)).leases
    assert [(item.lease.charge, item.granted) for item in told] == [(ORG, 100)]
