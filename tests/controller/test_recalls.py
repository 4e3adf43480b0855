"""Asking money back: for who needs it, and because a limit fell."""

from farebox.core.reasons import Reason
from farebox.wire.messages import Denial, Grant, ShrinkTo
from tests.support.scenes import FOREVER, MINUTE, Scene, Sidecar, has, pool, this_minute, wants


class TestForWhoNeedsIt:
    """A pool of 100, all lent to "a" and idle there; "b" needs 40."""

    def scene(self) -> tuple[Scene, Sidecar, Sidecar]:
        scene = Scene()
        idle = scene.connect("a")
        idle.report(want=wants(100))
        idle.report(has(granted=100))
        asker = scene.connect("b")
        asker.report(want=wants(40))
        return scene, idle, asker

    def test_the_idle_holder_is_asked_and_the_asker_told_to_wait(self) -> None:
        _, idle, asker = self.scene()

        assert idle.got_one(ShrinkTo).limit == 50
        denial = asker.got_one(Denial)
        assert (denial.reason, denial.retry_after) == (Reason.HOLD_PENDING, 500)

    def test_what_is_given_back_goes_to_the_asker(self) -> None:
        scene, idle, asker = self.scene()
        idle.report(has(granted=100, returned=50))

        assert asker.got_one(Grant).granted == 40
        assert scene.cell().committed == 90
        assert scene.entry("a").recall is None

    def test_nothing_is_lent_before_it_is_given_back(self) -> None:
        scene, _, asker = self.scene()
        asker.report(want=wants(40))

        assert asker.got(Grant) == []
        assert scene.cell().committed == 100

    def test_a_holder_is_asked_once_at_a_time(self) -> None:
        scene, idle, asker = self.scene()
        asker.report(want=wants(40))
        scene.connect("c").report(want=wants(30))

        assert len(idle.got(ShrinkTo)) == 1

    def test_a_report_that_crossed_the_request_is_no_answer(self) -> None:
        scene, idle, asker = self.scene()
        idle.report(has(granted=100))
        assert scene.cell().accounts["a"].recalled

        idle.report(has(granted=100, returned=50))
        assert asker.got_one(Grant).granted == 40

    def test_a_holder_that_has_become_busy_has_answered(self) -> None:
        scene, idle, asker = self.scene()
        idle.report(has(granted=100, reserved=100))

        assert scene.entry("a").recall is None
        asker.got(Denial)
        asker.report(want=wants(40))
        assert asker.got_one(Denial).retry_after == 1_000

    def test_no_answer_ends_the_wait_and_tells_the_asker(self) -> None:
        scene, idle, asker = self.scene()
        idle.got(ShrinkTo)
        asker.got(Denial)
        scene.pass_time(499)
        assert asker.got(Denial) == []

        scene.pass_time(1)
        assert asker.got_one(Denial).retry_after == 1_000
        assert idle.got(ShrinkTo) == [], "it is left alone for a while"

    def test_after_a_rest_it_is_asked_again(self) -> None:
        scene, idle, _ = self.scene()
        scene.pass_time(500)
        idle.got(ShrinkTo)
        scene.pass_time(1_000)

        assert idle.got_one(ShrinkTo).limit == 50

    def test_a_holder_that_is_away_is_not_asked(self) -> None:
        scene, idle, _ = self.scene()
        idle.leave()
        late = scene.connect("c")
        late.report(want=wants(30))

        assert late.got_one(Denial).reason is Reason.HOLD_PENDING
        assert idle.got(ShrinkTo)[1:] == []

    def test_a_holder_that_comes_back_is_asked_for_those_who_wait(self) -> None:
        scene, idle, asker = self.scene()
        idle.leave()
        scene.pass_time(500)
        scene.pass_time(1_000)

        back = scene.connect("a", has(granted=100))
        assert back.got_one(ShrinkTo).limit == 50
        back.report(has(granted=100, returned=50))
        assert asker.got_one(Grant).granted == 40


class TestBecauseALimitFell:
    """A pool of 100: "a" has 60, 20 of it held; "b" has 40."""

    def scene(self) -> tuple[Scene, Sidecar, Sidecar]:
        scene = Scene()
        a, b = scene.connect("a"), scene.connect("b")
        a.report(want=wants(60))
        b.report(want=wants(40))
        a.report(has(granted=60, reserved=20))
        b.report(has(granted=40))
        return scene, a, b

    def test_the_excess_is_asked_back_from_the_idlest_first(self) -> None:
        scene, a, b = self.scene()
        scene.change(pool(limit=70))

        assert b.got(ShrinkTo) == [] or a.got(ShrinkTo) == [], "30 lie idle with either"

    def test_more_than_one_holder_is_asked_when_need_be(self) -> None:
        scene, a, b = self.scene()
        scene.change(pool(limit=30))

        assert (a.got_one(ShrinkTo).limit, b.got_one(ShrinkTo).limit) in [(20, 10), (30, 0)]

    def test_nothing_is_lent_while_the_limit_is_exceeded(self) -> None:
        scene, a, _ = self.scene()
        scene.change(pool(limit=30))
        a.report(want=wants(5))
        late = scene.connect("c")
        late.report(want=wants(5))

        assert late.got(Grant) == []
        assert scene.cell().committed == 100

    def test_what_calls_hold_is_asked_back_when_they_end(self) -> None:
        scene, a, b = self.scene()
        scene.change(pool(limit=10))
        a.report(has(granted=60, returned=40, reserved=20))
        b.report(has(granted=40, returned=40))
        a.got(ShrinkTo)

        a.report(has(granted=60, returned=40, spent=5))
        assert a.got_one(ShrinkTo).limit == 10

        a.report(has(granted=60, returned=50, spent=5))
        assert scene.cell().committed == 10

    def test_what_was_asked_already_is_not_asked_again(self) -> None:
        scene, a, b = self.scene()
        scene.change(pool(limit=70))
        first = len(a.got(ShrinkTo)) + len(b.got(ShrinkTo))
        scene.change(pool(limit=70, generation=2))

        assert first == 1
        assert a.got(ShrinkTo) + b.got(ShrinkTo) == []

    def test_a_raised_limit_asks_nothing_back(self) -> None:
        scene, a, b = self.scene()
        scene.change(pool(limit=1_000))

        assert a.got(ShrinkTo) + b.got(ShrinkTo) == []

    def test_windows_that_are_over_are_left_alone(self) -> None:
        scene = Scene(pool(window=MINUTE))
        sidecar = scene.connect("a")
        sidecar.report(want=wants(60))
        sidecar.report(has(this_minute(scene), granted=60))
        scene.pass_time(60_000)
        sidecar.report()
        scene.change(pool(limit=10, window=MINUTE))

        assert sidecar.got(ShrinkTo) == []


def test_spending_beyond_what_was_lent_is_recovered_from_others() -> None:
    scene = Scene()
    overdrawn, idle = scene.connect("a"), scene.connect("b")
    overdrawn.report(want=wants(50))
    idle.report(want=wants(50))
    idle.report(has(granted=50))
    overdrawn.report(has(granted=50, spent=50))

    overdrawn.report(has(granted=50, spent=58))
    assert scene.cell(FOREVER).committed == 108
    assert idle.got_one(ShrinkTo).limit == 42
