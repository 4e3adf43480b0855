"""What may be lent, for each kind of window."""

from dataclasses import replace

from controller.limits import SHADOW_ROOM, back_at, figures, limit_of, room, state_of
from farebox.core.budgets import Mode, Override
from farebox.core.instant import DurationMs, UtcMs
from farebox.core.money import Nanos
from farebox.core.windows import WindowSpec, WindowType
from farebox.wire.messages import Denial, Grant
from tests.support.scenes import (
    FOREVER,
    HOURLY,
    MINUTE,
    START,
    TEN_MINUTES,
    Scene,
    has,
    pool,
    these_seconds,
    this_minute,
    wants,
)


class TestSliding:
    """A limit of 100 for ten minutes, in buckets of 10 seconds."""

    def scene(self) -> Scene:
        """In the first bucket 30 were spent and 10 are still held."""
        scene = Scene(pool(limit=100, window=TEN_MINUTES))
        self.first, self.sidecar = these_seconds(scene), scene.connect("a")
        self.sidecar.report(want=wants(60))
        scene.pass_time(10_000)
        self.sidecar.report(has(self.first, granted=60, returned=20, spent=30, reserved=10))
        self.sidecar.got(Grant)
        return scene

    def test_each_bucket_is_a_lease_of_its_own(self) -> None:
        scene = self.scene()
        self.sidecar.report(want=wants(60))

        grant = self.sidecar.got_one(Grant)
        assert (grant.lease, grant.granted) == (these_seconds(scene), 60)
        assert grant.lease != self.first

    def test_what_other_buckets_lent_counts_against_the_limit(self) -> None:
        scene = self.scene()
        self.sidecar.report(want=wants(61))

        denial = self.sidecar.got_one(Denial)
        assert (denial.settled, denial.held, denial.remaining) == (30, 10, 60)
        assert scene.cell(self.first).committed == 40

    def test_idle_money_of_an_ended_bucket_comes_back_at_once(self) -> None:
        scene = self.scene()
        self.sidecar.report(
            has(self.first, granted=60, returned=28, spent=32, finished=True), want=wants(68)
        )

        assert self.sidecar.got_one(Grant).granted == 68
        assert scene.tables.closed[self.first].spent == 32

    def test_what_was_spent_comes_back_a_period_after_its_bucket(self) -> None:
        scene = self.scene()
        self.sidecar.report(has(self.first, granted=60, returned=30, spent=30, finished=True))
        scene.pass_time(600_000 - 1)
        scene.connect("b").report(want=wants(100))
        assert scene.engine.world.waiting

        scene.pass_time(1)
        assert scene.cell(these_seconds(scene)).committed == 100, "who waited got it"
        assert self.first not in scene.tables.closed, "and nothing of that bucket is kept"

    def test_money_comes_back_bucket_by_bucket(self) -> None:
        scene = self.scene()
        self.sidecar.report(has(self.first, granted=60, returned=20, spent=40), want=wants(60))
        cell = scene.cell(these_seconds(scene))
        owner = scene.resources.pools[cell.lease.charge.pool]

        first_back = START + 10_000 + 600_000
        world = scene.engine.world
        assert back_at(world, owner, cell, Nanos(40)) == first_back
        assert back_at(world, owner, cell, Nanos(41)) == first_back + 10_000
        assert back_at(world, owner, cell, Nanos(101)) is None


class TestTokenBucket:
    """3,600 n$, and as much flows in each hour: one n$ a second."""

    def scene(self) -> Scene:
        """Of 3,000 that were lent, 1,000 are spent."""
        scene = Scene(pool(limit=3_600, window=HOURLY))
        self.sidecar = scene.connect("a")
        self.sidecar.report(want=wants(3_000))
        self.sidecar.report(has(granted=3_000, spent=1_000, reserved=500))
        self.sidecar.got(Grant)
        return scene

    def test_one_lease_goes_on_for_ever(self) -> None:
        scene = self.scene()
        scene.pass_time(100_000)
        self.sidecar.report(want=wants(700))

        grant = self.sidecar.got_one(Grant)
        assert (grant.lease, grant.granted, grant.window_ends_in) == (FOREVER, 3_700, None)

    def test_what_is_lent_and_unspent_leaves_less_room_for_what_flows_in(self) -> None:
        scene = self.scene()
        scene.pass_time(7_200_000)

        world, owner = scene.engine.world, scene.resources.pools[FOREVER.charge.pool]
        assert room(world, owner, scene.cell()) == 3_600 - 2_000
        assert state_of(world, owner, scene.cell()).remaining == 1_600

    def test_figures_tell_what_has_to_flow_in_again(self) -> None:
        scene = self.scene()

        world, owner = scene.engine.world, scene.resources.pools[FOREVER.charge.pool]
        shown = figures(world, owner, scene.cell())
        assert (shown.limit, shown.settled, shown.committed) == (3_600, 1_000, 3_000)
        assert shown.remaining == 600

    def test_more_than_its_size_is_too_large(self) -> None:
        scene = self.scene()

        world, owner = scene.engine.world, scene.resources.pools[FOREVER.charge.pool]
        assert back_at(world, owner, scene.cell(), Nanos(1_000)) == START + 400_000
        assert back_at(world, owner, scene.cell(), Nanos(3_601)) is None

    def test_spending_that_nobody_lent_is_paid_by_what_flows_in(self) -> None:
        scene = self.scene()
        self.sidecar.report(has(granted=3_000, spent=4_000))

        world, owner = scene.engine.world, scene.resources.pools[FOREVER.charge.pool]
        assert world.buckets[FOREVER.charge].level == 600 - 1_000
        assert room(world, owner, scene.cell()) == 0
        scene.pass_time(500_000)
        assert room(world, owner, scene.cell()) == 100

    def test_a_smaller_bucket_spills_and_asks_back(self) -> None:
        scene = self.scene()
        smaller = replace(HOURLY, burst=Nanos(1_500))
        scene.change(pool(limit=3_600, window=smaller))

        world, owner = scene.engine.world, scene.resources.pools[FOREVER.charge.pool]
        assert room(world, owner, scene.cell()) == -500
        assert scene.entry().recall is not None


def test_an_override_holds_until_its_end_and_then_what_is_too_much_is_asked_back() -> None:
    until = UtcMs(START + 5_000)
    scene = Scene(pool(limit=100, override=Override(limit=Nanos(300), until=until)))
    sidecar = scene.connect("a")
    sidecar.report(want=wants(250))
    sidecar.report(has(granted=250, reserved=50))
    world, owner = scene.engine.world, scene.resources.pools[FOREVER.charge.pool]
    assert limit_of(world, owner, scene.cell()) == 300

    scene.pass_time(5_000)
    assert limit_of(world, owner, scene.cell()) == 100
    assert room(world, owner, scene.cell()) == -150
    recall = scene.entry().recall
    assert recall is not None
    assert recall.amount == 150


def test_an_override_that_begins_or_ends_changes_how_fast_a_bucket_fills() -> None:
    scene = Scene(pool(limit=3_600, window=HOURLY))
    sidecar = scene.connect("a")
    sidecar.report(want=wants(3_600))
    sidecar.report(has(granted=3_600, spent=3_600))
    until = UtcMs(START + 20_000)
    scene.change(
        pool(limit=3_600, window=HOURLY, override=Override(limit=Nanos(7_200), until=until))
    )
    scene.pass_time(100_000)

    world, owner = scene.engine.world, scene.resources.pools[FOREVER.charge.pool]
    assert room(world, owner, scene.cell()) == 20 * 2 + 80


def test_the_next_window_has_the_limit_that_holds_then() -> None:
    until = UtcMs(START + 30_000)
    limited = pool(limit=100, window=MINUTE, override=Override(limit=Nanos(300), until=until))
    scene = Scene(limited)
    now, following = this_minute(scene), this_minute(scene)._replace(window=START + 60_000)
    world = scene.engine.world

    assert limit_of(world, limited, world.cell(now, UtcMs(START + 60_000))) == 300
    assert limit_of(world, limited, world.cell(following, UtcMs(START + 120_000))) == 100


def test_a_pool_in_shadow_mode_lends_whatever_is_asked_and_keeps_count() -> None:
    shadow = pool(limit=100, mode=Mode.SHADOW)
    scene = Scene(shadow)
    sidecar = scene.connect("a")
    sidecar.report(want=wants(5_000))

    assert sidecar.got_one(Grant).granted == 5_000
    world = scene.engine.world
    assert room(world, shadow, scene.cell()) == SHADOW_ROOM
    shown = figures(world, shadow, scene.cell())
    assert (shown.limit, shown.committed, shown.remaining) == (100, 5_000, 0)


def test_a_pool_that_leaves_shadow_mode_asks_back_what_is_too_much() -> None:
    scene = Scene(pool(limit=100, mode=Mode.SHADOW))
    sidecar = scene.connect("a")
    sidecar.report(want=wants(5_000))
    sidecar.report(has(granted=5_000, spent=30))
    scene.change(pool(limit=100))

    recall = scene.entry().recall
    assert recall is not None
    assert recall.amount == 4_900


def test_a_bucket_in_shadow_mode_owes_what_it_lent_beyond_its_level() -> None:
    scene = Scene(pool(limit=3_600, window=HOURLY, mode=Mode.SHADOW))
    sidecar = scene.connect("a")
    sidecar.report(want=wants(5_000))
    sidecar.report(has(granted=5_000, spent=5_000))
    scene.change(pool(limit=3_600, window=HOURLY))

    world, owner = scene.engine.world, scene.resources.pools[FOREVER.charge.pool]
    assert world.buckets[FOREVER.charge].level == -1_400
    scene.pass_time(1_500_000)
    assert room(world, owner, scene.cell()) == 100


def test_a_window_that_becomes_sliding_counts_what_it_lent_before() -> None:
    scene = Scene(pool(limit=100, window=MINUTE))
    sidecar = scene.connect("a")
    sidecar.report(want=wants(70))
    sidecar.report(has(this_minute(scene), granted=70, spent=70))
    sliding = WindowSpec(type=WindowType.SLIDING, period=DurationMs(600_000))
    scene.change(pool(limit=100, window=sliding))
    sidecar.report(want=wants(40))

    assert sidecar.got_one(Denial).remaining == 30
