"""The purse: journal first, then memory; a restart comes to the same money."""

from dataclasses import replace
from pathlib import Path

import pytest

from farebox.core.budgets import Charge
from farebox.core.instant import BootMs
from farebox.core.leases import HoldId
from farebox.core.ledger import Granted, Held, Shortfall
from farebox.core.money import ZERO, Nanos
from farebox.core.reasons import Reason
from sidecar import journal as journal_module
from sidecar import purse as purse_module
from sidecar.journal import Journal
from sidecar.purse import UNBOUNDED, Purse
from tests.support.disks import MemoryFile
from tests.support.money import ANA, FOREVER, ORG, TEAM, granted, lease_id, make_purse

NOW = BootMs(100)


def held(purse: Purse, amount: int, *charges: Charge) -> HoldId:
    """Hold an amount that must fit."""
    decided = purse.hold(charges or (ORG, TEAM), Nanos(amount), NOW)
    assert not isinstance(decided, Shortfall)
    return decided.hold


def test_a_call_without_pools_has_unbounded_room(tmp_path: Path) -> None:
    assert make_purse(tmp_path).room((), NOW).money == UNBOUNDED


def test_room_is_the_least_headroom_and_names_its_pool(tmp_path: Path) -> None:
    purse = make_purse(tmp_path, granted(ORG, 900), granted(TEAM, 40))
    room = purse.room((ORG, TEAM), NOW)
    assert (room.money, room.binding, room.missing) == (40, TEAM, ())


def test_a_pool_without_a_lease_is_missing(tmp_path: Path) -> None:
    purse = make_purse(tmp_path, granted(ORG, 900))
    room = purse.room((ORG, ANA), NOW)
    assert (room.money, room.missing) == (0, (ANA,))
    assert isinstance(purse.hold((ORG, ANA), Nanos(1), NOW), Shortfall)


def test_a_hold_is_taken_in_all_pools_or_in_none(tmp_path: Path) -> None:
    purse = make_purse(tmp_path, granted(ORG, 900), granted(TEAM, 40))
    short = purse.hold((ORG, TEAM), Nanos(41), NOW)
    assert isinstance(short, Shortfall)
    assert short.lease == lease_id(TEAM)
    assert purse.room((ORG,), NOW).money == 900
    held(purse, 40)
    assert purse.room((ORG,), NOW).money == 860
    assert purse.room((TEAM,), NOW).money == 0


def test_settling_frees_the_surplus_at_once(tmp_path: Path) -> None:
    purse = make_purse(tmp_path, granted(ORG, 100), granted(TEAM, 100))
    purse.settle(held(purse, 90), Nanos(30), Reason.USAGE_REPORTED)
    assert purse.room((ORG, TEAM), NOW).money == 70


def test_a_call_that_cost_more_than_its_hold_is_booked_in_full(tmp_path: Path) -> None:
    purse = make_purse(tmp_path, granted(ORG, 100), granted(TEAM, 100))
    purse.settle(held(purse, 90), Nanos(130), Reason.USAGE_REPORTED)
    lease = purse.lease_of(ORG)
    assert lease is not None
    assert (lease.spent, lease.headroom, lease.overdraft) == (130, 0, 30)


def test_no_hold_after_the_deadline_or_after_the_window(tmp_path: Path) -> None:
    purse = make_purse(tmp_path, granted(ORG, 100, window_ends=500), deadline=BootMs(900))
    assert purse.room((ORG,), BootMs(499)).money == 100
    assert purse.room((ORG,), BootMs(500)).missing == (ORG,)
    assert isinstance(purse.hold((ORG,), Nanos(1), BootMs(500)), Shortfall)
    purse.take_grant(granted(ORG, 100, window=2, window_ends=10_000))
    assert purse.room((ORG,), BootMs(500)).money == 100
    assert purse.room((ORG,), BootMs(900)).missing == (ORG,)


def test_a_deadline_is_never_moved_back(tmp_path: Path) -> None:
    purse = make_purse(tmp_path, granted(ORG, 100), deadline=BootMs(900))
    purse.renew(BootMs(300))
    assert purse.room((ORG,), BootMs(899)).money == 100


@pytest.mark.parametrize("times", [1, 3])
def test_a_grant_told_several_times_counts_once(tmp_path: Path, times: int) -> None:
    purse = make_purse(tmp_path, *[granted(ORG, 100)] * times, granted(ORG, 60))
    assert purse.room((ORG,), NOW).money == 100


def test_giving_back_keeps_what_is_held(tmp_path: Path) -> None:
    purse = make_purse(tmp_path, granted(ORG, 100))
    held(purse, 30, ORG)
    assert purse.give_back(lease_id(ORG), keep=Nanos(20))
    lease = purse.lease_of(ORG)
    assert lease is not None
    assert (lease.returned, lease.headroom, lease.reserved) == (50, 20, 30)
    assert not purse.give_back(lease_id(ORG), keep=Nanos(20))
    assert not purse.give_back(lease_id(ANA), keep=ZERO)


def test_a_restart_counts_what_was_under_way_as_spent_and_keeps_the_rest(tmp_path: Path) -> None:
    purse = make_purse(tmp_path, granted(ORG, 100), granted(TEAM, 80))
    purse.settle(held(purse, 30), Nanos(10), Reason.USAGE_REPORTED)
    lost = held(purse, 25)
    purse.note_epoch(7)
    purse.close()

    again = make_purse(tmp_path)
    assert (again.holder, again.boot_seq, again.epoch) == (purse.holder, 2, 7)
    lease = again.lease_of(ORG)
    assert lease is not None
    assert (lease.spent, lease.reserved, lease.headroom) == (35, 0, 65)
    assert held(again, 1) > lost, "hold numbers are never used twice"
    again.settle(lost, Nanos(1), Reason.USAGE_REPORTED)
    assert lease.spent == 35, "what expired at the restart is over"


def test_a_checkpoint_in_the_middle_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_module, "CHECKPOINT_BYTES", 400)
    purse = make_purse(tmp_path, granted(ORG, 10_000))
    still_open = held(purse, 500, ORG)
    for _ in range(50):
        purse.settle(held(purse, 20, ORG), Nanos(7), Reason.USAGE_REPORTED)
    before = purse.lease_of(ORG)
    assert before is not None
    assert purse.is_open(still_open)
    assert (tmp_path / "journal").stat().st_size < 2_000
    purse.close()
    after = make_purse(tmp_path).lease_of(ORG)
    assert after is not None
    assert after.spent == before.spent + 500
    assert after.granted == before.granted


def test_nothing_counts_that_the_journal_did_not_take(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    purse = make_purse(tmp_path, granted(ORG, 100))

    def full(_self: Journal, _record: object) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(Journal, "append", full)
    with pytest.raises(OSError, match="no space"):
        purse.hold((ORG,), Nanos(10), NOW)
    assert purse.room((ORG,), NOW).money == 100


def test_a_finished_lease_is_forgotten_but_never_one_that_holds_money(tmp_path: Path) -> None:
    purse = make_purse(tmp_path, granted(ORG, 100))
    hold = held(purse, 10, ORG)
    purse.forget(lease_id(ORG))
    assert purse.find(lease_id(ORG)) is not None
    purse.void(hold, Reason.NOTHING_SENT)
    purse.forget(lease_id(ORG))
    assert purse.find(lease_id(ORG)) is None
    assert purse.lease_of(ORG) is None


@pytest.mark.parametrize(
    ("now", "deadline", "current"),
    [(499, 900, True), (500, 900, False), (499, 499, False)],
    ids=["in time", "the window is over", "the lease has ended"],
)
def test_what_was_held_in_time_may_be_too_late_to_be_sent(
    tmp_path: Path, now: int, deadline: int, current: bool
) -> None:
    purse = make_purse(tmp_path, granted(ORG, 100, window_ends=500), deadline=BootMs(deadline))
    hold = held(purse, 10, ORG)
    assert purse.is_current(hold, BootMs(now)) is current
    purse.void(hold, Reason.NOTHING_SENT)
    assert not purse.is_current(hold, NOW)


def test_starting_over_leaves_all_money_behind(tmp_path: Path) -> None:
    purse = make_purse(tmp_path, granted(ORG, 100))
    holder, hold = purse.holder, held(purse, 10, ORG)
    purse.start_over()
    assert purse.holder != holder
    assert purse.room((ORG,), NOW).missing == (ORG,)
    purse.settle(hold, Nanos(3), Reason.USAGE_REPORTED)
    assert tuple(purse.leases()) == ()


# Windows that are lent ahead.


def ahead(charge: Charge, amount: int, *, window: int, starts: int) -> Granted:
    """A grant of a window that begins later."""
    return replace(granted(charge, amount, window=window), starts=BootMs(starts))


def test_money_of_the_next_window_is_held_only_once_it_has_begun(tmp_path: Path) -> None:
    purse = make_purse(tmp_path, granted(ORG, 100, window_ends=500))
    purse.take_grant(ahead(ORG, 70, window=2, starts=600))
    assert purse.room((ORG,), BootMs(499)).money == 100
    assert purse.room((ORG,), BootMs(599)).missing == (ORG,)
    assert isinstance(purse.hold((ORG,), Nanos(1), BootMs(599)), Shortfall)
    purse.close()
    again = make_purse(tmp_path)
    assert again.room((ORG,), BootMs(599)).missing == (ORG,), "nor after a restart"
    decided = again.hold((ORG,), Nanos(60), BootMs(600))
    assert isinstance(decided, Held)
    assert decided.leases == (lease_id(ORG, window=2),)


def test_a_window_begins_no_later_than_any_message_said(tmp_path: Path) -> None:
    purse = make_purse(tmp_path, ahead(ORG, 70, window=2, starts=600))
    purse.take_grant(ahead(ORG, 80, window=2, starts=900))
    assert purse.room((ORG,), BootMs(600)).money == 80
    purse.take_grant(ahead(ORG, 90, window=2, starts=1_500))
    assert purse.room((ORG,), BootMs(700)).money == 90, "what has begun goes on"
    purse.take_grant(granted(TEAM, 10, window=2))
    purse.take_grant(ahead(TEAM, 20, window=2, starts=5_000))
    assert purse.room((TEAM,), BootMs(700)).money == 20


def test_the_window_that_goes_on_is_spent_while_the_next_is_there(tmp_path: Path) -> None:
    purse = make_purse(tmp_path, granted(ORG, 100, window_ends=500))
    purse.take_grant(ahead(ORG, 70, window=2, starts=600))
    purse.forget(lease_id(ORG, window=2))
    assert purse.room((ORG,), BootMs(499)).money == 100
    assert purse.room((ORG,), BootMs(700)).missing == (ORG,), "it was closed before it began"


# Pools that do not refuse.


def test_what_is_booked_unchecked_ends_like_any_other_hold(tmp_path: Path) -> None:
    purse = make_purse(tmp_path, granted(ORG, 100), granted(TEAM, 5))
    first = purse.hold((ORG,), Nanos(30), NOW, unchecked=(TEAM, ANA))
    assert isinstance(first, Held)
    assert (first.headroom, purse.charges_held(first.hold)) == (100, (ORG, TEAM))
    purse.settle(first.hold, Nanos(20), Reason.USAGE_REPORTED)
    lost = purse.hold((ORG,), Nanos(30), NOW, unchecked=(TEAM,))
    assert isinstance(lost, Held)
    purse.close()
    again = make_purse(tmp_path)
    lease = again.lease_of(TEAM)
    assert lease is not None
    assert (lease.spent, lease.reserved, lease.overdraft) == (50, 0, 45)


def test_nothing_is_booked_on_a_window_that_is_over(tmp_path: Path) -> None:
    purse = make_purse(tmp_path, granted(ORG, 100), granted(TEAM, 5, window_ends=500))
    decided = purse.hold((ORG,), Nanos(30), BootMs(500), unchecked=(TEAM,))
    assert isinstance(decided, Held)
    assert decided.unchecked == ()


# Late messages.


@pytest.mark.parametrize("known", [True, False], ids=["known before", "never heard of"])
def test_a_grant_that_comes_after_its_lease_was_closed_brings_nothing_back(
    tmp_path: Path, known: bool
) -> None:
    purse = make_purse(tmp_path, *[granted(ORG, 100, window=3)] * known)
    purse.forget(lease_id(ORG, window=3))
    for window in (2, 3):
        purse.take_grant(granted(ORG, 500, window=window))
    assert purse.lease_of(ORG) is None
    purse.take_grant(granted(ORG, 50, window=4))
    assert purse.room((ORG,), NOW).money == 50


def test_an_older_lease_that_is_still_open_gets_its_money(tmp_path: Path) -> None:
    purse = make_purse(tmp_path, granted(ORG, 10, window=1), granted(ORG, 20, window=2))
    purse.forget(lease_id(ORG, window=2))
    purse.take_grant(granted(ORG, 30, window=1))
    lease = purse.find(lease_id(ORG, window=1))
    assert lease is not None
    assert lease.granted == 30


def test_so_many_closed_leases_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(purse_module, "CLOSED_MAX", 2)
    purse = Purse(Journal(MemoryFile(), boot_id="boot-1"))
    for charge in (ORG, TEAM, ANA):
        purse.forget(lease_id(charge))
        purse.take_grant(granted(charge, 5))
        assert purse.lease_of(charge) is None
    purse.take_grant(granted(ORG, 5))
    assert purse.lease_of(ORG) is not None, "it was the first of three"


# A disk that is full.


def full_disk(*grants: Granted) -> tuple[Purse, MemoryFile]:
    """A purse whose journal takes nothing any more."""
    disk = MemoryFile()
    purse = Purse(Journal(disk, boot_id="boot-1"))
    purse.renew(FOREVER)
    for grant in grants:
        purse.take_grant(grant)
    return purse, disk


def test_while_the_disk_is_full_nothing_is_held_and_nothing_is_lost() -> None:
    purse, disk = full_disk(granted(ORG, 100))
    ends, goes_on = held(purse, 30, ORG), held(purse, 20, ORG)
    disk.room = 0
    with pytest.raises(OSError, match="No space"):
        purse.hold((ORG,), Nanos(1), NOW)
    purse.settle(ends, Nanos(10), Reason.USAGE_REPORTED)
    assert not purse.is_open(ends)
    purse.void(ends, Reason.NOTHING_SENT)
    purse.take_grant(granted(TEAM, 40))
    purse.note_epoch(5)
    assert not purse.give_back(lease_id(ORG), keep=ZERO)
    lease = purse.lease_of(ORG)
    assert lease is not None
    assert (lease.spent, lease.reserved, lease.returned) == (0, 50, 0), "the journal comes first"
    disk.room = None
    assert held(purse, 1, ORG) > goes_on
    lease = purse.lease_of(ORG)
    assert lease is not None
    assert (lease.spent, lease.reserved) == (10, 21)
    assert purse.room((TEAM,), NOW).money == 40
    again = Purse(Journal(disk, boot_id="boot-1"))
    assert again.epoch == 5
    assert again.find(lease_id(ORG)) == lease._replace(spent=Nanos(31), reserved=ZERO)


def test_a_process_that_dies_on_a_full_disk_counts_what_it_could_not_write_in_full() -> None:
    purse, disk = full_disk(granted(ORG, 100))
    ends = held(purse, 30, ORG)
    disk.room = 0
    purse.settle(ends, Nanos(10), Reason.USAGE_REPORTED)
    disk.room = None
    lease = Purse(Journal(disk, boot_id="boot-1")).lease_of(ORG)
    assert lease is not None
    assert (lease.spent, lease.reserved) == (30, 0)


def test_a_lease_that_was_closed_meanwhile_is_not_brought_back_by_its_late_grant() -> None:
    purse, disk = full_disk(granted(ORG, 100))
    disk.room = 0
    purse.take_grant(granted(TEAM, 40))
    purse.forget(lease_id(TEAM))
    purse.forget(lease_id(ORG))
    disk.room = None
    purse.write_again()
    assert tuple(purse.leases()) == ()


def test_a_journal_at_its_bound_is_written_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_module, "JOURNAL_BYTES_MAX", 1_000)
    purse, disk = full_disk(granted(ORG, 10**6))
    for _ in range(70):
        purse.settle(held(purse, 20, ORG), Nanos(7), Reason.USAGE_REPORTED)
    assert disk.rewrites > 0
    assert len(disk.content) < 1_100
    lease = Purse(Journal(disk, boot_id="boot-1")).lease_of(ORG)
    assert lease is not None
    assert lease.spent == 70 * 7
