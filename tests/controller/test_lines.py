"""Who waits, in which order, and for how long what comes free is kept for the first."""

from controller.lines import ahead_of, move_on, replace_wants, reserve, seniors_of
from farebox.core.budgets import Charge, PoolUid
from farebox.core.reasons import Reason
from farebox.wire.messages import Denial, Grant, ShrinkTo
from tests.support.scenes import FOREVER, ORG, Scene, Sidecar, has, pool, wants

TEAM = Charge(PoolUid("acme/team"), "")


class TestALargeDemand:
    """A limit of 100, of which 90 are held by calls of "busy"; "large" waits for 60."""

    def scene(self) -> tuple[Scene, Sidecar, Sidecar]:
        scene = Scene(pool(limit=100))
        busy = scene.connect("busy")
        busy.report(want=wants(90))
        busy.report(has(granted=90, reserved=90))
        large = scene.connect("large")
        large.report(want=wants(60))
        assert large.got_one(Denial).reason is Reason.HOLD_PENDING
        return scene, busy, large

    def test_is_not_passed_by_small_ones_that_come_later(self) -> None:
        scene, _, _ = self.scene()
        small = scene.connect("small")
        small.report(want=wants(5))

        denial = small.got_one(Denial)
        assert (denial.reason, denial.remaining) == (Reason.HOLD_PENDING, 10)
        assert small.got(Grant) == []

    def test_gets_what_comes_free_before_them(self) -> None:
        scene, busy, large = self.scene()
        small = scene.connect("small")
        small.report(want=wants(5))
        busy.report(has(granted=90, returned=40, reserved=50))
        assert small.got(Grant) == []
        busy.report(has(granted=90, returned=55, reserved=35))

        assert large.got_one(Grant).granted == 60
        assert small.got_one(Grant).granted == 5

    def test_is_passed_when_its_time_is_over_and_told_so(self) -> None:
        scene, _, large = self.scene()
        small = scene.connect("small")
        small.report(want=wants(5))
        scene.pass_time(scene.terms.line_wait)

        assert small.got_one(Grant).granted == 5
        assert large.got_one(Denial).reason is Reason.HOLD_PENDING

    def test_that_was_passed_keeps_nothing_back_any_more_and_is_served_when_there_is_enough(
        self,
    ) -> None:
        scene, busy, large = self.scene()
        scene.pass_time(scene.terms.line_wait)
        large.report(want=wants(60))
        small = scene.connect("small")
        small.report(want=wants(5))
        assert small.got_one(Grant).granted == 5

        busy.report(has(granted=90, returned=80, reserved=10))
        assert large.got_one(Grant).granted == 60

    def test_that_gave_up_keeps_nothing_back(self) -> None:
        scene, _, large = self.scene()
        large.report()
        small = scene.connect("small")
        small.report(want=wants(5))

        assert small.got_one(Grant).granted == 5

    def test_that_can_never_be_met_keeps_nothing_back(self) -> None:
        scene, _, _ = self.scene()
        scene.connect("huge").report(want=wants(101))
        line = scene.engine.world.waiting[ORG]

        assert (line["large"].reserves, line["huge"].reserves) == (True, False)


def test_of_a_demand_only_what_is_not_on_its_way_is_kept() -> None:
    scene = Scene(pool(limit=100))
    busy = scene.connect("busy")
    busy.report(want=wants(70))
    busy.report(has(granted=70, reserved=70))
    large = scene.connect("large")
    large.report(want=wants(20))
    large.report(want=wants(60))
    world = scene.engine.world
    other = scene.connect("other")
    other.report(want=wants(40))

    assert ahead_of(world, world.holders["other"], scene.cell()) == 60 - 20
    assert ahead_of(world, world.holders["large"], scene.cell()) == 0


def test_two_that_hold_what_the_other_lacks_do_not_take_it_from_each_other_for_ever() -> None:
    """Each pool has enough for one call; who began to wait first gets both."""
    scene = Scene(pool(limit=50), pool("team", limit=50))
    first, second = scene.connect("first"), scene.connect("second")
    first.report(want=wants(50))
    second.report(want=wants(50, of=TEAM))
    team = FOREVER._replace(charge=TEAM)
    first.report(has(granted=50), want=wants(50, of=TEAM))
    scene.pass_time(10)
    second.report(has(team, granted=50), want=wants(50))

    assert second.got_one(ShrinkTo).lease == team
    assert first.got(ShrinkTo) == [], "who waits longer keeps what it has"
    world = scene.engine.world
    assert seniors_of(world, world.holders["second"], scene.cell()) == {"first"}

    second.report(has(team, granted=50, returned=50), want=wants(50))
    assert [grant.lease for grant in first.got(Grant)] == [FOREVER, team]


def test_wants_keep_their_place_as_long_as_they_are_repeated() -> None:
    scene = Scene()
    world = scene.engine.world
    for name in "ab":
        scene.connect(name)
        replace_wants(world, world.holders[name], [wants(500)])
    replace_wants(world, world.holders["a"], [wants(600)])
    assert list(world.waiting[ORG]) == ["a", "b"]
    assert world.waiting[ORG]["a"].want.need == 600

    replace_wants(world, world.holders["a"], [])
    replace_wants(world, world.holders["a"], [wants(500)])
    assert list(world.waiting[ORG]) == ["b", "a"]


def test_only_who_waits_in_a_line_moves_in_it() -> None:
    scene = Scene()
    scene.connect("a")
    world = scene.engine.world
    reserve(world, world.holders["a"], ORG)

    assert move_on(world, ORG) is None
    assert world.waiting == {}
