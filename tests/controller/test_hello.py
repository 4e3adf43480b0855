"""The start of a stream: who is accepted, and what each side learns that it missed."""

import pytest

from controller.store.protocol import PutHolder
from farebox.core.leases import LeaseState
from farebox.wire.messages import Grant, JournalState, LeaseClosed, PolicyPush, Welcome
from tests.support.scenes import FOREVER, MINUTE, ORG, Scene, has, pool, this_minute, wants


def test_a_newcomer_is_welcomed_then_gets_its_policy_and_is_kept_in_the_ledger() -> None:
    scene = Scene()
    sidecar = scene.connect("a", journal=JournalState.NEW)

    welcome, policy = sidecar.received
    assert isinstance(welcome, Welcome)
    assert isinstance(policy, PolicyPush)
    assert (welcome.accepted, welcome.epoch, welcome.ttl) == (True, 1, 15_000)
    assert [one.uid for one in policy.policy.pools] == [ORG.pool]
    assert scene.tables.holders["a"].workload.name == "pod-a"


def test_the_epoch_is_that_of_the_ledgers_opening() -> None:
    scene = Scene()
    scene.restart()

    assert scene.connect("a").got_one(Welcome).epoch == 2


def test_a_known_holder_that_comes_again_unchanged_writes_nothing() -> None:
    scene = Scene()
    scene.connect("a", boot_seq=1)
    scene.connect("a", boot_seq=1)
    assert len(scene.writes) == 1

    scene.connect("a", boot_seq=2)
    assert isinstance(scene.writes[-1], PutHolder)
    assert scene.tables.holders["a"].boot_seq == 2


def test_a_second_hello_of_a_holder_replaces_its_older_stream() -> None:
    scene = Scene()
    older = scene.connect("a")
    newer = scene.connect("a")

    assert older.ended
    assert not newer.ended

    older.report(want=wants(10))
    assert older.got(Grant) == [], "nobody listens to a replaced stream any more"

    older.leave()
    newer.report(want=wants(10))
    assert newer.got_one(Grant).granted == 10, "the end of the older stream takes nobody away"


def test_a_grant_that_never_arrived_is_said_again() -> None:
    scene = Scene()
    scene.connect("a").report(want=wants(30))

    again = scene.connect("a", has(granted=0))
    assert again.got_one(Grant).granted == 30

    unlisted = scene.connect("a")
    assert unlisted.got_one(Grant).granted == 30


def test_a_grant_that_arrived_is_not_said_again() -> None:
    scene = Scene()
    scene.connect("a").report(want=wants(30))

    assert scene.connect("a", has(granted=30)).got(Grant) == []


@pytest.mark.parametrize("journal", JournalState)
def test_a_grant_of_an_ended_window_that_never_arrived_is_closed_unspent(
    journal: JournalState,
) -> None:
    """A holder is named when its journal begins, so it lists whatever it had, however it began."""
    scene = Scene(pool(window=MINUTE))
    lease = this_minute(scene)
    scene.connect("a").report(want=wants(30))
    scene.pass_time(60_000)
    again = scene.connect("a", journal=journal)

    assert again.got(Grant) == []
    assert scene.tables.closed[lease].spent == 0
    assert scene.tables.accounts == {}


def test_a_hello_brings_the_ledger_up_to_date() -> None:
    scene = Scene()
    scene.connect("a").report(want=wants(30))
    scene.connect("a", has(granted=30, returned=5, spent=10, reserved=2))

    entry = scene.entry("a")
    assert (entry.returned, entry.spent, entry.reserved) == (5, 10, 2)
    assert scene.tables.accounts[FOREVER, "a"].spent == 10


def test_a_finished_lease_that_is_settled_already_is_only_confirmed() -> None:
    scene = Scene(pool(window=MINUTE))
    lease = this_minute(scene)

    sidecar = scene.connect("a", has(lease, granted=10, returned=4, spent=6, finished=True))

    assert sidecar.got_one(LeaseClosed).lease == lease
    assert scene.tables.accounts == {}


class TestAnOlderJournal:
    """A journal that tells less than its holder has told before is a copy, or went back in time."""

    def scene(self) -> Scene:
        scene = Scene()
        sidecar = scene.connect("a", boot_seq=3)
        sidecar.report(want=wants(30))
        sidecar.report(has(granted=30, returned=5, spent=10))
        sidecar.leave()
        return scene

    def test_is_refused_by_its_boot_count(self) -> None:
        scene = self.scene()
        copy = scene.connect("a", has(granted=30, returned=5, spent=10), boot_seq=2)

        assert not copy.got_one(Welcome).accepted
        assert copy.ended
        assert "boot 2 after 3" in scene.warnings[0]

    def test_is_refused_by_what_it_spent_and_by_what_it_returned(self) -> None:
        for told in (has(granted=30, returned=5, spent=9), has(granted=30, returned=4, spent=10)):
            welcome = self.scene().connect("a", told, boot_seq=4).got_one(Welcome)
            assert not welcome.accepted
            assert "starts as a new holder" in welcome.refusal

    def test_is_refused_when_it_does_not_know_the_lease_at_all(self) -> None:
        assert not self.scene().connect("a", boot_seq=4).got_one(Welcome).accepted

    def test_is_refused_when_it_does_not_know_a_grant_that_was_confirmed(self) -> None:
        """Nothing was said of what was spent of it, and something may have been."""
        for told in ((), (has(granted=29),)):
            scene = Scene()
            sidecar = scene.connect("a")
            sidecar.report(want=wants(30))
            sidecar.report(has(granted=30))
            sidecar.leave()
            copy = scene.connect("a", *told, boot_seq=2)

            assert not copy.got_one(Welcome).accepted
            assert copy.got(Grant) == []
            assert scene.cell().committed == 30

    def test_freezes_the_leases_and_frees_nothing(self) -> None:
        scene = self.scene()
        scene.connect("a", boot_seq=2)

        assert scene.cell().accounts["a"].frozen
        assert scene.cell().committed == 25

    def test_is_not_listened_to(self) -> None:
        scene = self.scene()
        copy = scene.connect("a", boot_seq=2)
        copy.report(want=wants(10))

        assert copy.got(Grant) == []

    def test_does_not_keep_the_real_holder_out(self) -> None:
        scene = self.scene()
        scene.connect("a", boot_seq=2)
        real = scene.connect("a", has(granted=30, returned=5, spent=10), boot_seq=3)

        assert real.got_one(Welcome).accepted
        assert not scene.cell().accounts["a"].frozen
        assert scene.entry("a").state is LeaseState.ACTIVE


def test_a_holder_of_a_restarted_controller_finds_its_leases_as_it_left_them() -> None:
    scene = Scene()
    scene.connect("a").report(want=wants(30))
    scene.restart()

    assert scene.cell().committed == 30
    sidecar = scene.connect("a", has(granted=30, spent=12))
    assert sidecar.got(Grant) == []
    assert scene.entry("a").spent == 12
