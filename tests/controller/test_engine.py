"""The engine as a whole: order, time, the last word, and what a restart finds."""

from controller.engine import Engine
from controller.events import Received, StreamClosed, Tick
from controller.store.memory import take_over
from farebox.core.instant import UtcMs
from farebox.wire.messages import Grant, Report, ShrinkTo
from tests.support.scenes import FOREVER, MINUTE, Scene, has, pool, resources, this_minute, wants


def test_the_same_events_lead_to_the_same_steps() -> None:
    def script() -> list[object]:
        scene = Scene()
        one, two = scene.connect("a"), scene.connect("b")
        steps = [one.report(want=wants(80)), one.report(has(granted=80))]
        steps += [two.report(want=wants(50)), scene.pass_time(600)]
        return list(steps)

    assert script() == script()


def test_two_demands_are_never_judged_on_the_same_money() -> None:
    scene = Scene(pool(limit=100))
    one, two = scene.connect("a"), scene.connect("b")
    one.report(want=wants(60))
    two.report(want=wants(60, least=1))

    assert one.got_one(Grant).granted + sum(g.granted for g in two.got(Grant)) <= 100


def test_who_waited_is_served_before_the_one_whose_report_brought_the_money() -> None:
    scene = Scene(pool(limit=100))
    busy = scene.connect("a")
    busy.report(want=wants(100))
    busy.report(has(granted=100, reserved=100))
    waiting = scene.connect("b")
    waiting.report(want=wants(50))

    busy.report(has(granted=100, returned=50, reserved=50), want=wants(50))

    assert waiting.got_one(Grant).granted == 50


def test_the_last_word_is_committed_before_the_stream_ends() -> None:
    scene = Scene()
    sidecar = scene.connect("a")
    sidecar.report(want=wants(60))
    step = sidecar.goodbye(has(granted=60, returned=45, spent=15))

    assert step.ended == (sidecar.stream,)
    assert scene.tables.accounts[FOREVER, "a"].returned == 45
    assert scene.cell().committed == 15


def test_the_last_word_serves_those_who_wait() -> None:
    scene = Scene(pool(limit=60))
    leaving, waiting = scene.connect("a"), scene.connect("b")
    leaving.report(want=wants(60))
    leaving.report(has(granted=60, reserved=60))
    waiting.report(want=wants(40))
    leaving.goodbye(has(granted=60, returned=45, spent=15))

    assert waiting.got_one(Grant).granted == 40


def test_after_its_last_word_a_holder_is_not_asked_for_anything() -> None:
    scene = Scene()
    sidecar = scene.connect("a")
    sidecar.report(want=wants(60))
    sidecar.goodbye(has(granted=60))
    scene.connect("b").report(want=wants(80))

    assert sidecar.got(ShrinkTo) == []


def test_messages_and_ends_of_unknown_streams_change_nothing() -> None:
    scene = Scene()
    sidecar = scene.connect("a")
    report = sidecar.report()
    assert report.sends

    for event in (StreamClosed(99), Received(99, _report_of(scene))):
        step = scene.step(event)
        assert (step.writes, step.sends) == ((), ())


def _report_of(scene: Scene) -> Report:
    return Report(seq=1, boot_ms=scene.boot, wants=(wants(10),))


def test_a_restart_sums_up_what_is_lent_from_the_ledger() -> None:
    scene = Scene(pool(limit=100))
    one = scene.connect("a")
    one.report(want=wants(70))
    one.report(has(granted=70, returned=10, spent=20))
    scene.restart()

    assert scene.cell().committed == 60
    two = scene.connect("b")
    two.report(want=wants(50, least=1))
    grant = two.got_one(Grant)
    assert (grant.granted, grant.epoch) == (40, 2)


class TestAClockThatGoesBack:
    """Windows of a minute; in the first one 100 were spent and the lease was closed."""

    def scene(self) -> Scene:
        scene = Scene(pool(limit=100, window=MINUTE))
        first, sidecar = this_minute(scene), scene.connect("a")
        sidecar.report(want=wants(100))
        scene.pass_time(60_000)
        sidecar.report(has(first, granted=100, spent=100, finished=True))
        self.first = first
        return scene

    def test_does_not_open_an_ended_window_again(self) -> None:
        scene = self.scene()
        scene.now = UtcMs(scene.now - 30_000)
        other = scene.connect("b")
        other.report(want=wants(10))

        assert other.got_one(Grant).lease.window > self.first.window

    def test_does_not_do_so_after_a_restart_either(self) -> None:
        scene = self.scene()
        scene.now = UtcMs(scene.now - 30_000)
        scene.restart()
        other = scene.connect("b")
        other.report(want=wants(10))

        assert other.got_one(Grant).lease.window > self.first.window

    def test_not_even_when_the_window_is_forgotten(self) -> None:
        scene = self.scene()
        scene.pass_time(24 * 3_600_000)
        scene.pass_time(0)
        assert scene.tables.closed == {}
        scene.now = UtcMs(self.first.window)
        scene.restart()
        other = scene.connect("b")
        other.report(want=wants(10))

        assert other.got_one(Grant).lease.window > self.first.window


def test_time_is_that_of_the_latest_event() -> None:
    scene = Scene()
    engine = Engine(
        take_over(scene.tables), terms=scene.terms, resources=resources(), now=UtcMs(1_000)
    )
    engine.step(Tick(), UtcMs(5_000))
    engine.step(Tick(), UtcMs(3_000))

    assert engine.now == 5_000
