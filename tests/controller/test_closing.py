"""The end of leases and of holders: closed, opened again, written off."""

from controller.closing import is_spent
from controller.events import Tick
from controller.store.protocol import CloseAccount, ForgetHolder, PoisonHolder
from farebox.core.instant import UtcMs
from farebox.core.leases import LeaseId
from farebox.core.money import Nanos
from farebox.wire.messages import Denial, Grant, LeaseClosed, Welcome
from tests.support.scenes import (
    FOREVER,
    HOURLY,
    MINUTE,
    ORG,
    Scene,
    Sidecar,
    has,
    pool,
    this_minute,
    wants,
)

AGAIN = LeaseId(ORG, 1)


class TestALifetimeLeaseThatLiesIdle:
    """Of a limit of 100, "a" has spent 30 and given the rest back."""

    def scene(self) -> tuple[Scene, Sidecar]:
        scene = Scene(pool(limit=100))
        sidecar = scene.connect("a")
        sidecar.report(want=wants(50))
        sidecar.report(has(granted=50, returned=20, spent=30))
        sidecar.got(Grant)
        return scene, sidecar

    def idle(self, scene: Scene, sidecar: Sidecar) -> None:
        for _ in range(24):
            scene.pass_time(3_600_000)
            sidecar.report()

    def test_is_closed_after_a_day(self) -> None:
        scene, sidecar = self.scene()
        self.idle(scene, sidecar)

        assert sidecar.got_one(LeaseClosed).lease == FOREVER
        assert scene.tables.accounts == {}
        assert (scene.tables.closed[FOREVER].spent, scene.cell().committed) == (30, 30)

    def test_is_not_closed_while_it_is_used(self) -> None:
        scene, sidecar = self.scene()
        scene.pass_time(23 * 3_600_000)
        sidecar.report(has(granted=50, returned=20, spent=30), want=wants(5))
        sidecar.report(has(granted=55, returned=20, spent=35))
        scene.pass_time(23 * 3_600_000)

        assert sidecar.got(LeaseClosed) == []

    def test_is_not_closed_while_calls_hold_money(self) -> None:
        scene, sidecar = self.scene()
        sidecar.report(has(granted=50, returned=20, spent=30), want=wants(10))
        sidecar.report(has(granted=60, returned=20, spent=30, reserved=10))
        self.idle(scene, sidecar)

        assert sidecar.got(LeaseClosed) == []

    def test_is_nobodys_any_more_who_comes_with_an_older_journal(self) -> None:
        """What it had given back is lent to others by now, and no lease is left that shows it."""
        scene, sidecar = self.scene()
        self.idle(scene, sidecar)
        sidecar.leave()
        scene.connect("b").report(want=wants(70))
        copy = scene.connect("a", has(granted=50, spent=30), boot_seq=2)

        assert not copy.got_one(Welcome).accepted
        assert copy.ended
        assert scene.cell().committed == 100
        assert "older journal" in scene.warnings[0]

    def test_is_not_opened_again_by_a_call_that_passed_its_pool_by(self) -> None:
        """A lenient pool books a call on a lease that has no money, and may be closed meanwhile."""
        scene, sidecar = self.scene()
        self.idle(scene, sidecar)
        sidecar.leave()
        again = scene.connect("a", has(granted=50, returned=20, spent=30, reserved=7))

        assert again.got_one(Welcome).accepted
        assert scene.tables.accounts == {}
        assert scene.cell().committed == 67, (
            "30 closed, and the lease with that call: the safe side"
        )
        again.report(has(granted=50, returned=20, spent=35))
        assert len(again.got(LeaseClosed)) == 2
        assert scene.cell().committed == 67

    def test_is_not_opened_again_by_a_report_that_was_overtaken(self) -> None:
        scene, sidecar = self.scene()
        self.idle(scene, sidecar)
        sidecar.got(LeaseClosed)
        step = sidecar.report(has(granted=50, spent=20, reserved=10))

        assert step.writes == ()
        assert sidecar.got_one(LeaseClosed).lease == FOREVER
        assert scene.cell().committed == 30

    def test_is_opened_again_under_another_number_from_zero(self) -> None:
        scene, sidecar = self.scene()
        self.idle(scene, sidecar)
        sidecar.report(want=wants(70))

        grant = sidecar.got_one(Grant)
        assert (grant.lease, grant.granted) == (AGAIN, 70)
        assert scene.cell().committed == 100, "what was spent before still counts"
        sidecar.report(has(AGAIN, granted=70, spent=70), want=wants(1))
        assert sidecar.got_one(Denial).settled == 100

    def test_late_words_of_it_are_not_taken_for_the_next_one(self) -> None:
        scene, sidecar = self.scene()
        self.idle(scene, sidecar)
        sidecar.report(want=wants(10))
        sidecar.got(LeaseClosed)
        sidecar.report(has(granted=50, returned=20, spent=30))

        assert sidecar.got_one(LeaseClosed).lease == FOREVER
        assert scene.cell().committed == 40
        assert scene.warnings == []

    def test_is_known_as_closed_after_a_restart_too(self) -> None:
        """The word that it is closed was lost with the old controller."""
        scene, sidecar = self.scene()
        self.idle(scene, sidecar)
        scene.restart()
        again = scene.connect("a", has(granted=50, returned=20, spent=30))

        assert again.got_one(LeaseClosed).lease == FOREVER
        assert scene.cell().committed == 30
        again.report(want=wants(10))
        assert again.got_one(Grant).lease == AGAIN

    def test_each_closing_takes_a_number(self) -> None:
        scene, sidecar = self.scene()
        self.idle(scene, sidecar)
        sidecar.report(want=wants(10))
        sidecar.report(has(AGAIN, granted=10, returned=4, spent=6))
        self.idle(scene, sidecar)
        assert (scene.tables.closed[FOREVER].spent, scene.tables.closed[FOREVER].last) == (36, 1)

        scene.restart()
        other = scene.connect("b")
        other.report(want=wants(10))
        assert other.got_one(Grant).lease == LeaseId(ORG, 2)

    def test_of_a_holder_that_is_gone_is_closed_and_the_holder_forgotten(self) -> None:
        scene, sidecar = self.scene()
        sidecar.leave()
        for _ in range(26):
            scene.pass_time(3_600_000)

        assert scene.tables.accounts == {}
        assert ForgetHolder(holder="a") in scene.writes


def test_leases_of_a_pool_that_is_gone_are_asked_back_and_closed() -> None:
    scene = Scene(pool(limit=100))
    sidecar = scene.connect("a")
    sidecar.report(want=wants(50))
    sidecar.report(has(granted=50, spent=10, reserved=15))
    scene.change()
    recall = scene.entry().recall
    assert recall is not None
    assert recall.amount == 25

    sidecar.report(has(granted=50, returned=25, spent=10, reserved=15))
    assert sidecar.got(LeaseClosed) == []
    sidecar.report(has(granted=50, returned=25, spent=25))
    assert sidecar.got_one(LeaseClosed).lease == FOREVER
    assert scene.tables.closed[FOREVER].spent == 25


class TestALostHolder:
    """A bucket of 3,600; "a" has 1,000 of it, 100 of which it is known to have spent."""

    def scene(self) -> tuple[Scene, Sidecar]:
        scene = Scene(pool(limit=3_600, window=HOURLY), pool("day", 500, window=MINUTE))
        sidecar = scene.connect("a")
        sidecar.report(want=wants(1_000))
        sidecar.report(has(granted=1_000, spent=100))
        return scene, sidecar

    def lose(self, scene: Scene) -> None:
        for _ in range(2):
            scene.pass_time(scene.terms.ttl + scene.terms.write_off_after)

    def test_keeps_its_money_until_it_is_surely_lost(self) -> None:
        scene, sidecar = self.scene()
        sidecar.leave()
        scene.pass_time(scene.terms.ttl)
        scene.pass_time(scene.terms.write_off_after - 1)

        assert scene.cell().outstanding == 900

    def test_is_written_off_as_spent_and_never_accepted_again(self) -> None:
        scene, sidecar = self.scene()
        sidecar.leave()
        self.lose(scene)

        assert scene.cell().outstanding == 0
        assert scene.tables.closed[FOREVER].spent == 1_000
        assert scene.tables.poisoned == {"a"}
        back = scene.connect("a", has(granted=1_000, spent=100))
        welcome = back.got_one(Welcome)
        assert (welcome.accepted, back.ended) == (False, True)
        assert "starts as a new holder" in welcome.refusal

    def test_is_refused_by_the_next_controller_too(self) -> None:
        scene, sidecar = self.scene()
        sidecar.leave()
        self.lose(scene)
        scene.restart()

        assert not scene.connect("a", has(granted=1_000, spent=100)).got_one(Welcome).accepted

    def test_is_refused_even_when_it_is_remembered_no_more(self) -> None:
        scene, sidecar = self.scene()
        sidecar.leave()
        self.lose(scene)
        for _ in range(25):
            scene.pass_time(3_600_000)
        assert scene.tables.poisoned == set()

        back = scene.connect("a", has(granted=1_000, spent=100))
        assert not back.got_one(Welcome).accepted

    def test_on_a_stream_that_still_stands_loses_that_first(self) -> None:
        scene, sidecar = self.scene()
        scene.pass_time(scene.terms.ttl)
        scene.pass_time(scene.terms.write_off_after)
        assert sidecar.ended
        assert scene.cell().outstanding == 900
        sidecar.report(has(granted=1_000, spent=300), want=wants(50))
        assert sidecar.got(Grant)[1:] == []

        scene.pass_time(scene.terms.write_off_after)
        assert scene.cell().outstanding == 0

    def test_whose_stream_ends_after_its_deadline_is_lost_that_much_later(self) -> None:
        scene, sidecar = self.scene()
        scene.pass_time(scene.terms.ttl)
        scene.pass_time(scene.terms.write_off_after - 10_000)
        sidecar.leave()
        scene.pass_time(10_000)
        assert scene.cell().outstanding == 900

        scene.pass_time(scene.terms.write_off_after - 10_000)
        assert scene.cell().outstanding == 0

    def test_is_not_lost_because_the_clock_of_the_controller_is_set(self) -> None:
        scene, sidecar = self.scene()
        scene.now = UtcMs(scene.now + 3_600_000)
        for _ in range(3):
            scene.step(Tick())
        assert sidecar.ended

        back = scene.connect("a", has(granted=1_000, spent=100))
        assert back.got_one(Welcome).accepted
        assert scene.cell().outstanding == 900

    def test_frees_its_other_money_with_its_last_word(self) -> None:
        scene, sidecar = self.scene()
        day = this_minute(scene, ORG._replace(pool=pool("day").uid))
        sidecar.report(want=wants(200, of=day.charge))
        sidecar.report(has(day, granted=200))
        sidecar.leave()
        self.lose(scene)
        assert scene.cell(day).committed == 200

        scene.connect(
            "a", has(granted=1_000, spent=100), has(day, granted=200, spent=50, reserved=30)
        )
        assert scene.cell(day).committed == 80

    def test_has_no_last_word_before_its_deadline_is_over_by_its_own_clock(self) -> None:
        """A clock here that was set forward says nothing of when a holder stops spending."""
        scene, sidecar = self.scene()
        day = this_minute(scene, ORG._replace(pool=pool("day").uid))
        sidecar.report(want=wants(200, of=day.charge))
        sidecar.report(has(day, granted=200))
        sidecar.leave()
        scene.now = UtcMs(scene.now + 3_600_000)
        for _ in range(3):
            scene.step(Tick())
        assert scene.tables.poisoned == {"a"}

        back = scene.connect("a", has(granted=1_000, spent=100), has(day, granted=200, spent=50))
        assert not back.got_one(Welcome).accepted
        assert scene.cell(day).committed == 200

    def test_with_nothing_of_a_bucket_is_welcome_whenever_it_comes(self) -> None:
        scene, sidecar = self.scene()
        sidecar.report(has(granted=1_000, returned=900, spent=100))
        sidecar.leave()
        self.lose(scene)

        assert not any(isinstance(write, PoisonHolder) for write in scene.writes)
        back = scene.connect("a", has(granted=1_000, returned=900, spent=100))
        assert back.got_one(Welcome).accepted


def test_a_second_lease_in_a_window_without_an_end_counts_as_spent() -> None:
    """Only a holder whose journal was mixed up can tell of one."""
    scene = Scene(pool(limit=100))
    sidecar = scene.connect("a")
    sidecar.report(want=wants(10))
    sidecar.report(has(LeaseId(ORG, 7), granted=20, spent=5, reserved=5))

    assert scene.cell().committed == 10 + 20
    assert CloseAccount(lease=LeaseId(ORG, 7), holder="a", spent=Nanos(20), window_ends=None) in (
        scene.writes
    )
    assert sidecar.got_one(LeaseClosed).lease == LeaseId(ORG, 7)


def test_counters_that_leave_nothing_to_spend() -> None:
    assert is_spent(Nanos(10), Nanos(4), Nanos(6), Nanos(0))
    assert is_spent(Nanos(10), Nanos(0), Nanos(12), Nanos(0))
    assert not is_spent(Nanos(10), Nanos(4), Nanos(5), Nanos(0))
    assert not is_spent(Nanos(10), Nanos(4), Nanos(6), Nanos(1))


def test_who_waits_for_a_bucket_is_served_by_what_flows_in_after_a_holder_was_lost() -> None:
    scene = Scene(pool(limit=3_600, window=HOURLY))
    lost = scene.connect("a")
    lost.report(want=wants(3_600))
    lost.leave()
    waiting = scene.connect("b")
    waiting.report(want=wants(30))
    for _ in range(20):
        scene.pass_time(5_000)
        waiting.report(want=wants(30))
    assert waiting.got(Grant) == []
    scene.pass_time(5_000)

    assert waiting.got_one(Grant).granted == 30
    assert scene.tables.closed[FOREVER].spent == 3_600
