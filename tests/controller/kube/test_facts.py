"""What is true of a pool's money: figures, and whether calls find any."""

from controller.kube.facts import Facts, PoolFacts
from farebox.core.budgets import Charge, Mode, Override, Per, PoolUid, Reserve
from farebox.core.instant import UtcMs
from farebox.core.leases import LeaseId
from farebox.core.money import Nanos
from farebox.core.windows import WindowSpec, WindowType
from tests.support.scenes import (
    HOURLY,
    MINUTE,
    ORG,
    START,
    TEN_MINUTES,
    Scene,
    has,
    per_user,
    pool,
    these_seconds,
    this_minute,
    wants,
)

TEAM = Charge(PoolUid("acme/team"), "")


def facts(scene: Scene, name: str = "org", watching: Facts | None = None) -> PoolFacts:
    """The facts of a pool, for somebody new or for those who watch it all the time."""
    return (watching or Facts()).of(scene.engine.world)[PoolUid(f"acme/{name}")]


def test_a_pool_that_nobody_has_used_has_all_its_money() -> None:
    found = facts(Scene(pool(limit=100, window=MINUTE)))
    assert (found.limit, found.headroom, found.spent, found.holders) == (100, 100, 0, 0)
    assert (found.starts, found.ends) == (START, START + 60_000)
    assert (found.exhausted, found.over, found.sub_pools) == (0, 0, None)


def test_figures_are_those_of_the_window() -> None:
    scene = Scene(pool(limit=100, window=MINUTE))
    sidecar = scene.connect("a")
    sidecar.report(want=wants(60))
    sidecar.report(has(this_minute(scene), granted=60, spent=20, reserved=15))
    found = facts(scene)
    assert (found.spent, found.held, found.leased, found.headroom) == (20, 15, 25, 40)
    assert found.holders == 1
    scene.pass_time(60_000)
    assert (facts(scene).spent, facts(scene).headroom) == (0, 100)


def test_a_sliding_window_sums_what_counts_and_says_when_money_comes_back() -> None:
    scene = Scene(pool(limit=100, window=TEN_MINUTES))
    lease, sidecar = these_seconds(scene), scene.connect("a")
    sidecar.report(want=wants(100))
    sidecar.report(has(lease, granted=100, spent=100))
    scene.pass_time(60_000)
    found = facts(scene)
    assert (found.spent, found.exhausted) == (100, 1)
    assert found.back == START + 10_000 + 600_000


def test_a_lifetime_has_neither_beginning_nor_end() -> None:
    found = facts(Scene(pool(limit=100)))
    assert (found.starts, found.ends) == (None, None)


def test_a_pool_that_is_split_is_summed_and_shows_the_least_headroom() -> None:
    scene = Scene(per_user(limit=50))
    assert (facts(scene, "people").sub_pools, facts(scene, "people").headroom) == (0, 50)
    sidecar = scene.connect("a")
    ana, ben = (Charge(PoolUid("acme/people"), key) for key in ("ana", "ben"))
    sidecar.report(want=(wants(20, of=ana), wants(40, of=ben)))
    found = facts(scene, "people")
    assert (found.sub_pools, found.leased, found.limit, found.headroom) == (2, 60, 50, 10)
    assert found.holders == 1


class TestExhausted:
    def test_nobody_asks_and_there_is_money(self) -> None:
        scene = Scene(pool(limit=100))
        sidecar = scene.connect("a")
        sidecar.report(want=wants(99))
        sidecar.report(has(granted=99, spent=99))
        assert facts(scene).exhausted == 0

    def test_all_of_it_is_spent(self) -> None:
        scene = Scene(pool(limit=100))
        sidecar = scene.connect("a")
        sidecar.report(want=wants(100))
        assert facts(scene).exhausted == 0, "what is lent and idle can be had"
        sidecar.report(has(granted=100, spent=40, reserved=60))
        assert facts(scene).exhausted == 0, "calls under way may cost less than they hold"
        sidecar.report(has(granted=100, spent=100))
        found = facts(scene)
        assert (found.exhausted, found.need, found.back) == (1, 0, None)

    def test_a_limit_of_nothing_lets_no_call_through(self) -> None:
        assert facts(Scene(pool(limit=0))).exhausted == 1

    def test_a_call_waits_that_does_not_fit_what_is_left(self) -> None:
        scene = Scene(pool(limit=100, window=MINUTE))
        sidecar = scene.connect("a")
        sidecar.report(want=wants(90))
        sidecar.report(has(this_minute(scene), granted=90, spent=90), want=wants(30, least=20))
        found = facts(scene)
        assert (found.exhausted, found.need, found.back) == (1, 20, START + 60_000)

    def test_its_sidecar_knows_and_asks_no_more(self) -> None:
        scene, watching = Scene(pool(limit=100)), Facts()
        sidecar = scene.connect("a")
        sidecar.report(want=wants(90))
        sidecar.report(has(granted=90, spent=90), want=wants(20))
        assert facts(scene, watching=watching).exhausted == 1
        sidecar.report(has(granted=90, spent=90))
        assert facts(scene, watching=watching).exhausted == 1
        assert facts(scene).exhausted == 0, "who has just begun to watch can't know"
        scene.change(pool(limit=200))
        assert facts(scene, watching=watching).exhausted == 0

    def test_smaller_calls_pass_again(self) -> None:
        scene, watching = Scene(pool(limit=100)), Facts()
        sidecar = scene.connect("a")
        sidecar.report(want=wants(80))
        sidecar.report(has(granted=80, spent=80), want=wants(30))
        assert facts(scene, watching=watching).need == 30
        sidecar.report(has(granted=80, spent=80), want=wants(5))
        sidecar.report(has(granted=85, spent=80, reserved=5))
        assert facts(scene, watching=watching).exhausted == 0

    def test_a_call_larger_than_the_limit_exhausts_nothing(self) -> None:
        scene = Scene(pool(limit=100))
        sidecar = scene.connect("a")
        sidecar.report(want=wants(10))
        sidecar.report(has(granted=10, spent=10), want=wants(101))
        assert facts(scene).exhausted == 0

    def test_what_flows_in_soon_is_waited_for(self) -> None:
        # 36 an hour are one in 100 seconds; 3600 are one a second.
        for limit, exhausted in ((36, 1), (3_600, 0)):
            scene = Scene(pool(limit=limit, window=HOURLY))
            sidecar = scene.connect("a")
            sidecar.report(want=wants(limit))
            sidecar.report(has(granted=limit, spent=limit))
            assert facts(scene).exhausted == exhausted

    def test_some_sub_pools_are(self) -> None:
        scene = Scene(per_user(limit=50))
        sidecar = scene.connect("a")
        ana, ben = (Charge(PoolUid("acme/people"), key) for key in ("ana", "ben"))
        sidecar.report(want=(wants(50, of=ana), wants(40, of=ben)))
        sidecar.report(has(LeaseId(ana, 0), granted=50, spent=50))
        assert facts(scene, "people").exhausted == 1

    def test_the_pool_above_is(self) -> None:
        scene = Scene(pool(limit=10), pool("team", 100, parent=ORG.pool))
        sidecar = scene.connect("a")
        sidecar.report(want=wants(10))
        sidecar.report(has(granted=10, spent=10))
        found = facts(scene, "team")
        assert (found.exhausted, found.above) == (0, "acme/org")

    def test_a_pool_above_in_shadow_mode_turns_nobody_away(self) -> None:
        scene = Scene(pool(limit=0, mode=Mode.SHADOW), pool("team", 100, parent=ORG.pool))
        assert facts(scene).exhausted == 1
        assert facts(scene, "team").above == ""

    def test_only_the_reserve_is_left(self) -> None:
        scene = Scene(pool(limit=100, reserve=Reserve(percent=40)))
        sidecar = scene.connect("a")
        normal = Charge(PoolUid("acme/org#normal"), "")
        sidecar.report(want=(wants(60), wants(60, of=normal)))
        sidecar.report(has(granted=60, spent=60), has(LeaseId(normal, 0), granted=60, spent=60))
        found = facts(scene)
        assert (found.exhausted, found.only_reserve, found.spent) == (0, True, 60)
        assert list(Facts().of(scene.engine.world)) == ["acme/org"]


class TestOverCommitted:
    def test_the_limit_fell_below_what_is_lent(self) -> None:
        scene = Scene(pool(limit=100))
        sidecar = scene.connect("a")
        sidecar.report(want=wants(80))
        scene.change(pool(limit=50))
        assert (facts(scene).over, facts(scene).overs, facts(scene).headroom) == (30, 1, 0)

    def test_an_override_ended(self) -> None:
        scene = Scene(pool(limit=50, override=Override(limit=Nanos(100), until=UtcMs(START + 1))))
        scene.connect("a").report(want=wants(80))
        assert (facts(scene).limit, facts(scene).over) == (100, 0)
        scene.pass_time(1)
        assert (facts(scene).limit, facts(scene).over) == (50, 30)

    def test_a_bucket_was_overdrawn(self) -> None:
        scene = Scene(pool(limit=100, window=HOURLY))
        sidecar = scene.connect("a")
        sidecar.report(want=wants(100))
        sidecar.report(has(granted=100, spent=120))
        assert facts(scene).over == 20


def test_silent_holders_and_what_they_have_are_counted() -> None:
    scene = Scene(pool(limit=100))
    sidecar = scene.connect("a")
    sidecar.report(want=wants(40))
    sidecar.report(has(granted=40, spent=10, reserved=5))
    sidecar.leave()
    scene.pass_time(scene.terms.ttl + 1)
    found = facts(scene)
    assert (found.frozen, found.lost, found.holders) == (1, 30, 1)


def test_money_lent_ahead_of_the_next_window_is_not_this_ones() -> None:
    scene = Scene(pool(limit=100, window=MINUTE))
    sidecar = scene.connect("a")
    sidecar.report(want=wants(60))
    scene.pass_time(58_000)
    sidecar.report(has(this_minute(scene), granted=60, spent=60), want=wants(20))
    assert (facts(scene).holders, facts(scene).spent) == (1, 60)


def test_a_limit_of_each_call_has_no_facts() -> None:
    scene = Scene(pool(limit=100), pool("cap", 5, per=Per.REQUEST))
    assert list(Facts().of(scene.engine.world)) == ["acme/org"]


def test_facts_of_what_did_not_move_are_not_made_anew() -> None:
    scene, watching = Scene(pool(limit=100, window=MINUTE), pool("idle", 7)), Facts()
    sidecar = scene.connect("a")
    sidecar.report(want=wants(30))
    first, idle = facts(scene, watching=watching), facts(scene, "idle", watching)
    assert facts(scene, watching=watching) is first
    sidecar.report(has(this_minute(scene), granted=30, spent=10, reserved=20))
    second = facts(scene, watching=watching)
    assert (second.spent, second.held) == (10, 20)
    sidecar.report(has(this_minute(scene), granted=30, spent=20, reserved=10))
    assert facts(scene, watching=watching).held == 10
    sidecar.leave()
    scene.pass_time(scene.terms.ttl + 1)
    assert facts(scene, watching=watching).frozen == 1
    scene.pass_time(60_000)
    assert facts(scene, watching=watching).spent == 0
    assert facts(scene, "idle", watching) is idle


def test_a_spec_without_a_period_is_shown_as_it_is() -> None:
    once = WindowSpec(type=WindowType.TOKEN_BUCKET, burst=Nanos(7))
    assert facts(Scene(pool(limit=100, window=once))).limit == 7
