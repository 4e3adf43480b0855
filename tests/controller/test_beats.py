"""How often holders report, what a report is worth to them, and when it is answered."""

from dataclasses import replace

import pytest

from controller.terms import Terms
from farebox.core.instant import BootMs, DurationMs
from farebox.wire.messages import Grant, Report, ReportAck, Welcome
from tests.support.scenes import HOURLY, Scene, Sidecar, has, pool, wants

SLOWLY = Terms(
    heartbeat=DurationMs(1_000),
    ttl=DurationMs(3_000),
    heartbeat_max=DurationMs(4_000),
    beats_per_second=1,
)
"""One holder reports every second, two every two seconds; from four on, every four."""


def fleet(scene: Scene, holders: int) -> list[Sidecar]:
    return [scene.connect(f"holder-{number}") for number in range(holders)]


class TestTheMoreHoldersThereAre:
    @pytest.mark.parametrize(
        ("holders", "heartbeat", "ttl"),
        [(1, 1_000, 3_000), (2, 2_000, 5_000), (4, 4_000, 9_000), (5, 4_000, 9_000)],
    )
    def test_the_less_often_the_next_reports(self, holders: int, heartbeat: int, ttl: int) -> None:
        *_, last = fleet(Scene(terms=SLOWLY), holders)

        welcome = last.got_one(Welcome)
        assert (welcome.heartbeat, welcome.ttl) == (heartbeat, ttl)

    def test_those_who_came_first_hear_it_with_their_next_answer(self) -> None:
        scene = Scene(terms=SLOWLY)
        first, *_ = fleet(scene, 4)
        first.report()
        assert first.got_one(ReportAck).ttl == 9_000

        first.report(want=wants(10))
        assert first.got_one(Grant).ttl == 9_000

    def test_what_was_said_before_is_worth_no_less_when_others_have_left(self) -> None:
        scene = Scene(terms=SLOWLY)
        one, *others = fleet(scene, 4)
        one.report(want=wants(60))
        for other in others:
            other.leave()
        scene.pass_time(1_000)
        one.report()
        assert one.got_one(ReportAck).ttl == 3_000

        scene.pass_time(7_999)
        assert not scene.cell().accounts["holder-0"].frozen
        scene.pass_time(1)
        assert scene.cell().accounts["holder-0"].frozen

    def test_what_comes_unasked_is_worth_what_the_last_answer_was(self) -> None:
        """The deadline kept here is that of the last report, whoever has come since."""
        scene = Scene(terms=SLOWLY)
        keeper, asker = fleet(scene, 2)
        keeper.report(want=wants(100))
        keeper.report(has(granted=100, reserved=100))
        asker.report(want=wants(40))
        asker.got(ReportAck)
        scene.connect("late")
        scene.connect("later")
        keeper.report(has(granted=100, returned=40))

        assert asker.got_one(Grant).ttl == 5_000


class TestAfterARestart:
    """Nobody knows any more what was told to whom."""

    def scene(self) -> Scene:
        scene = Scene(pool(window=HOURLY), terms=SLOWLY)
        first, *_ = fleet(scene, 4)
        first.report(want=wants(60))
        scene.restart()
        return scene

    def test_money_of_a_bucket_is_written_off_after_the_longest_time_to_live(self) -> None:
        scene = self.scene()
        longest = SLOWLY.ttl_max + SLOWLY.write_off_after
        scene.pass_time(longest - 1)
        assert not scene.engine.world.holders["holder-0"].poisoned

        scene.pass_time(1)
        assert scene.engine.world.holders["holder-0"].poisoned


class TestAReport:
    def scene(self) -> Sidecar:
        sidecar = Scene().connect("a")
        sidecar.report()
        sidecar.got_one(ReportAck)
        return sidecar

    def said(self, sidecar: Sidecar, report: Report) -> list[ReportAck]:
        sidecar.say(report)
        return sidecar.got(ReportAck)

    def test_with_a_new_number_is_answered(self) -> None:
        assert self.said(self.scene(), Report(seq=2, boot_ms=BootMs(1)))

    def test_that_repeats_the_last_number_is_heard_and_not_answered(self) -> None:
        assert self.said(self.scene(), Report(seq=1, boot_ms=BootMs(1))) == []

    def test_that_wants_something_is_answered_in_any_case(self) -> None:
        report = Report(seq=1, boot_ms=BootMs(1), wants=(wants(1_000),))
        assert self.said(self.scene(), report)

    def test_that_is_the_first_on_a_stream_is_answered_whatever_its_number(self) -> None:
        scene = Scene()
        scene.connect("a").report()
        again = scene.connect("a", boot_seq=2)
        again.report()
        assert again.got_one(ReportAck).seq == 1

    def test_that_is_answered_by_a_grant_gets_no_acknowledgement(self) -> None:
        sidecar = self.scene()
        report = Report(seq=2, boot_ms=BootMs(1), wants=(wants(10),))
        assert self.said(sidecar, report) == []
        assert sidecar.got_one(Grant).echo_boot_ms == 1


def test_a_heartbeat_that_is_long_from_the_start_is_never_made_longer() -> None:
    terms = replace(SLOWLY, heartbeat=DurationMs(60_000), ttl=DurationMs(120_000))
    assert terms.beat(1_000) == (60_000, 120_000)
    assert terms.ttl_max == 120_000
