"""Counters only grow; leases close when both sides are done with them."""

import pytest

from controller.store.protocol import CloseAccount, PutAccount
from controller.unknowns import NUMBER_MAX, WINDOW_MAX
from farebox.core.budgets import Charge, PoolUid
from farebox.core.instant import UTC_MS_MAX
from farebox.core.leases import LeaseId, LeaseState
from farebox.core.money import Nanos
from farebox.core.windows import LIFETIME, CalendarUnit, WindowSpec, WindowType
from farebox.wire.messages import Grant, LeaseClosed, ReportAck
from tests.support.scenes import FOREVER, MINUTE, ORG, Scene, Sidecar, has, pool, this_minute, wants


def lent(scene: Scene, amount: int = 30) -> Sidecar:
    """A sidecar that was lent money and has confirmed it."""
    sidecar = scene.connect("a")
    sidecar.report(want=wants(amount))
    granted = sidecar.got_one(Grant)
    sidecar.report(has(granted.lease, granted=amount))
    return sidecar


def test_a_report_is_acknowledged_with_what_the_holder_needs_to_live_on() -> None:
    scene = Scene()
    sidecar = scene.connect("a")
    scene.pass_time(70)
    sidecar.report()

    ack = sidecar.got_one(ReportAck)
    assert (ack.seq, ack.epoch, ack.echo_boot_ms, ack.ttl) == (1, 1, scene.boot, 15_000)


def test_what_was_spent_and_returned_is_written_and_frees_what_was_returned() -> None:
    scene = Scene()
    sidecar = lent(scene)
    sidecar.report(has(granted=30, returned=10, spent=5, reserved=3))

    assert scene.tables.accounts[FOREVER, "a"] == PutAccount(
        lease=FOREVER,
        holder="a",
        granted=Nanos(30),
        returned=Nanos(10),
        spent=Nanos(5),
        state=LeaseState.ACTIVE,
        window_ends=None,
    )
    assert scene.cell().committed == 20


def test_a_report_that_says_nothing_new_writes_nothing() -> None:
    scene = Scene()
    sidecar = lent(scene)
    sidecar.report(has(granted=30, spent=5))
    step = sidecar.report(has(granted=30, spent=5, reserved=9))

    assert step.writes == (), "what is held by calls is not kept in the ledger"
    assert scene.entry().reserved == 9


def test_an_older_report_changes_no_counter() -> None:
    scene = Scene()
    sidecar = lent(scene)
    sidecar.report(has(granted=30, returned=10, spent=5))
    sidecar.report(has(granted=20, returned=2, spent=1))

    entry = scene.entry()
    assert (entry.granted, entry.returned, entry.spent) == (30, 10, 5)


def test_what_an_older_report_says_is_held_was_held_then() -> None:
    scene = Scene()
    sidecar = lent(scene)
    sidecar.report(has(granted=30, spent=25, reserved=2))
    sidecar.report(has(granted=30, spent=5, reserved=25))

    assert scene.entry().reserved == 2
    assert scene.cell().committed == 30


def test_spending_more_than_was_lent_counts_in_full() -> None:
    scene = Scene()
    sidecar = lent(scene)
    sidecar.report(has(granted=30, spent=37))

    assert scene.cell().committed == 37


def test_a_lease_that_the_ledger_does_not_know_is_adopted_and_told_of() -> None:
    scene = Scene()
    sidecar = scene.connect("a")
    sidecar.report(has(granted=40, returned=5, spent=20))

    assert scene.cell().committed == 35
    assert scene.tables.accounts[FOREVER, "a"].granted == 40
    assert "which the ledger does not know" in scene.warnings[0]


def test_an_unknown_lease_without_any_money_is_not_adopted() -> None:
    scene = Scene()
    scene.connect("a").report(has())

    assert scene.tables.accounts == {}


@pytest.mark.parametrize(
    ("lease", "want_ends"),
    [
        (LeaseId(ORG, 1_790_000_040_000), 1_790_000_100_000),
        (LeaseId(Charge(PoolUid("acme/gone"), ""), 1_790_000_040_000), 1_790_000_040_000),
        (LeaseId(Charge(PoolUid("acme/gone"), ""), 0), None),
    ],
    ids=["of a known pool", "of a pool that is gone", "of a lifetime pool that is gone"],
)
def test_an_adopted_lease_ends_with_its_window_as_far_as_it_is_known(
    lease: LeaseId, want_ends: int | None
) -> None:
    scene = Scene(pool(window=MINUTE))
    scene.connect("a").report(has(lease, granted=10))

    assert scene.cell(lease).window_ends == want_ends


def test_a_grant_that_only_its_holder_knows_is_believed_and_told_of() -> None:
    scene = Scene()
    sidecar = lent(scene)
    sidecar.report(has(granted=45))

    assert scene.cell().committed == 45
    assert "that the ledger lost" in scene.warnings[0]


class TestFinished:
    """A lease of a window of a minute, lent 30 of which 12 were spent."""

    def scene(self) -> tuple[Scene, Sidecar, LeaseId]:
        scene = Scene(pool(window=MINUTE))
        lease = this_minute(scene)
        sidecar = lent(scene)
        scene.pass_time(59_000)
        return scene, sidecar, lease

    def test_lease_of_an_ended_window_is_closed_and_its_spending_kept(self) -> None:
        scene, sidecar, lease = self.scene()
        scene.pass_time(1_000)
        step = sidecar.report(has(lease, granted=30, returned=18, spent=12, finished=True))

        assert any(isinstance(write, CloseAccount) for write in step.writes)
        assert sidecar.got_one(LeaseClosed).lease == lease
        assert scene.tables.closed[lease].spent == 12
        assert (scene.cell(lease).committed, scene.cell(lease).closed_spent) == (12, 12)

    def test_twice_is_confirmed_twice_and_counted_once(self) -> None:
        scene, sidecar, lease = self.scene()
        scene.pass_time(1_000)
        for _ in range(2):
            sidecar.report(has(lease, granted=30, returned=18, spent=12, finished=True))

        assert len(sidecar.got(LeaseClosed)) == 2
        assert scene.tables.closed[lease].spent == 12

    def test_and_then_a_late_report_of_the_same_lease_does_not_open_it_again(self) -> None:
        scene, sidecar, lease = self.scene()
        scene.pass_time(1_000)
        sidecar.report(has(lease, granted=30, returned=18, spent=12, finished=True))
        sidecar.report(has(lease, granted=30, spent=12))

        assert scene.cell(lease).committed == 12
        assert scene.warnings == []

    def test_and_then_more_spending_is_not_lost(self) -> None:
        scene, sidecar, lease = self.scene()
        scene.pass_time(1_000)
        sidecar.report(has(lease, granted=30, returned=18, spent=12, finished=True))
        sidecar.report(has(lease, granted=30, returned=18, spent=13))

        assert scene.cell(lease).committed == 25, "12 closed and 13 adopted: the safe side"
        assert "adopted" in scene.warnings[0]

    def test_early_by_the_holders_clock_waits_for_the_window_to_end_here(self) -> None:
        scene, sidecar, lease = self.scene()
        sidecar.report(has(lease, granted=30, returned=18, spent=12, finished=True))
        assert sidecar.got(LeaseClosed) == []

        scene.pass_time(1_000)
        assert sidecar.got_one(LeaseClosed).lease == lease

    def test_early_and_then_lent_anew_is_not_closed(self) -> None:
        scene, sidecar, lease = self.scene()
        finished = has(lease, granted=30, returned=18, spent=12, finished=True)
        sidecar.report(finished, want=wants(5))
        grants = [grant.granted for grant in sidecar.got(Grant) if grant.lease == lease]
        assert grants == [35], "the same account goes on, never from zero"

        scene.pass_time(1_000)
        assert sidecar.got(LeaseClosed) == []
        assert scene.cell(lease).committed == 17

    def test_without_knowing_the_last_grant_gets_the_grant_again_instead(self) -> None:
        scene, sidecar, lease = self.scene()
        sidecar.report(want=wants(5))
        sidecar.got(Grant)
        scene.pass_time(1_000)

        sidecar.report(has(lease, granted=30, returned=18, spent=12, finished=True))
        assert sidecar.got_one(Grant).granted == 35
        assert sidecar.got(LeaseClosed) == []

        sidecar.report(has(lease, granted=35, returned=23, spent=12, finished=True))
        assert sidecar.got_one(LeaseClosed).lease == lease

    def test_while_calls_hold_money_is_not_finished(self) -> None:
        scene, sidecar, lease = self.scene()
        scene.pass_time(1_000)
        sidecar.report(has(lease, granted=30, returned=17, spent=12, reserved=1, finished=True))

        assert sidecar.got(LeaseClosed) == []

    def test_with_money_not_returned_is_not_closed(self) -> None:
        scene, sidecar, lease = self.scene()
        scene.pass_time(1_000)
        sidecar.report(has(lease, granted=30, returned=10, spent=12, finished=True))

        assert sidecar.got(LeaseClosed) == []
        assert scene.cell(lease).committed == 20

    def test_with_more_spent_than_lent_is_closed_at_what_was_spent(self) -> None:
        scene, sidecar, lease = self.scene()
        scene.pass_time(1_000)
        sidecar.report(has(lease, granted=30, spent=33, finished=True))

        assert scene.tables.closed[lease].spent == 33

    def test_by_an_expired_holder_is_reclaimed(self) -> None:
        scene, sidecar, lease = self.scene()
        scene.pass_time(20_000)
        assert scene.entry("a", lease).state is LeaseState.EXPIRED

        sidecar.report(has(lease, granted=30, returned=18, spent=12, finished=True))
        assert scene.tables.closed[lease].spent == 12
        assert scene.tables.accounts == {}


def test_a_lifetime_lease_is_not_closed_when_its_holder_calls_it_finished() -> None:
    scene = Scene()
    sidecar = lent(scene)
    sidecar.report(has(granted=30, returned=20, spent=10, finished=True))

    assert sidecar.got(LeaseClosed) == []
    assert scene.cell().committed == 10


def test_a_controller_that_did_not_close_a_lease_itself_does_not_count_it_twice() -> None:
    scene = Scene(pool(window=MINUTE))
    lease = this_minute(scene)
    sidecar = lent(scene)
    scene.pass_time(60_000)
    sidecar.report(has(lease, granted=30, returned=18, spent=12, finished=True))
    scene.restart()
    again = scene.connect("a", has(lease, granted=30, returned=18, spent=12))

    assert again.got_one(LeaseClosed).lease == lease
    assert scene.cell(lease).committed == 12
    assert scene.warnings == []


CALENDAR = WindowSpec(type=WindowType.FIXED, period=CalendarUnit.DAY)


@pytest.mark.parametrize(
    ("window", "number"),
    [(CALENDAR, UTC_MS_MAX), (CALENDAR, 2**63 - 1), (MINUTE, 2**63 - 1), (LIFETIME, 2**63 - 1)],
    ids=str,
)
def test_a_lease_of_a_number_that_nobody_gives_out_is_not_believed(
    window: WindowSpec, number: int
) -> None:
    """Such a window is no date, and after such a lease there would be no number for the next."""
    scene = Scene(pool(window=window))
    made_up = LeaseId(ORG, number)
    sidecar = scene.connect("a", has(made_up, granted=10, spent=10))
    assert sidecar.got_one(LeaseClosed).lease == made_up
    sidecar.report(has(made_up, granted=10, spent=10), want=wants(10))
    assert sidecar.got_one(Grant).granted == 10
    assert sidecar.got(LeaseClosed) != []


@pytest.mark.parametrize(
    ("window", "number"), [(CALENDAR, WINDOW_MAX), (MINUTE, WINDOW_MAX), (LIFETIME, NUMBER_MAX)]
)
def test_whatever_else_a_ledger_may_have_lost_is_believed(window: WindowSpec, number: int) -> None:
    scene = Scene(pool(window=window))
    scene.connect("a", has(LeaseId(ORG, number), granted=10, spent=10))
    (cell,) = scene.engine.world.cells.values()
    assert cell.committed == 10


@pytest.mark.parametrize(("spent", "is_told"), [(31, False), (60, False), (61, True)])
def test_who_tells_of_a_large_overdraft_is_named(spent: int, is_told: bool) -> None:
    scene = Scene()
    sidecar = scene.connect("a", uid="1")
    sidecar.report(want=wants(30))
    sidecar.report(has(granted=30, spent=spent))
    assert scene.cell().committed == spent
    told = [one for one in scene.warnings if "pod acme/pod-a says that it spent" in one]
    assert len(told) == is_told
