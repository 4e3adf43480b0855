"""Other resources while money is lent."""

from dataclasses import replace

from farebox.core.budgets import Charge, Per, PoolUid, Reserve, normal_uid
from farebox.core.instant import DurationMs
from farebox.core.windows import WindowSpec, WindowType
from farebox.wire.messages import Denial, Grant, LeaseClosed, PolicyPush, ShrinkTo
from tests.support.scenes import (
    FOREVER,
    HOURLY,
    MINUTE,
    ORG,
    START,
    Scene,
    has,
    pool,
    this_minute,
    wants,
)

NORMAL = Charge(normal_uid(ORG.pool), "")


def test_a_limit_that_falls_asks_back_what_lies_idle_and_lends_no_more() -> None:
    scene = Scene(pool(limit=100))
    sidecar = scene.connect("a")
    sidecar.report(want=wants(80))
    sidecar.report(has(granted=80, spent=20, reserved=20))
    scene.change(pool(limit=50))
    assert sidecar.got_one(ShrinkTo).limit == 50

    other = scene.connect("b")
    other.report(want=wants(1))
    assert other.got(Grant) == []
    committed = scene.cell().committed
    sidecar.report(has(granted=80, returned=30, spent=25, reserved=15))
    assert scene.cell().committed == 50 < committed


def test_a_limit_that_rises_serves_who_waits() -> None:
    scene = Scene(pool(limit=100))
    sidecar = scene.connect("a")
    sidecar.report(want=wants(150))
    sidecar.got(Denial)
    scene.change(pool(limit=150))

    assert sidecar.got_one(Grant).granted == 150


def test_a_pool_of_the_same_name_goes_on_with_what_it_has_spent() -> None:
    scene = Scene(pool(limit=100))
    sidecar = scene.connect("a")
    sidecar.report(want=wants(60))
    sidecar.report(has(granted=60, spent=60))
    scene.change()
    scene.change(pool(limit=100))
    sidecar.report(want=wants(60, least=1))

    assert sum(grant.granted for grant in sidecar.got(Grant)[1:]) in {40, 100}
    assert scene.cell().committed == 100


def test_a_pool_of_another_uid_starts_anew() -> None:
    scene = Scene(pool(limit=100))
    sidecar = scene.connect("a")
    sidecar.report(want=wants(100))
    reborn = replace(pool(limit=100), uid=PoolUid("5f0c"))
    scene.change(reborn)
    sidecar.report(has(granted=100), want=wants(100, of=Charge(reborn.uid, "")))

    assert sidecar.got(Grant)[-1].granted == 100
    assert scene.entry().recall is not None, "what the old one lent is asked back"


def test_a_pool_under_another_parent_keeps_its_leases() -> None:
    parents = (pool("one", 500, selector=None), pool("two", 500, selector=None))
    child = pool(limit=100, parent=parents[0].uid)
    scene = Scene(child, *parents)
    sidecar = scene.connect("a")
    sidecar.report(want=(wants(50), wants(50, of=Charge(parents[0].uid, ""))))
    sidecar.got(PolicyPush)
    scene.change(replace(child, parent=parents[1].uid), *parents)

    (policy,) = sidecar.got(PolicyPush)
    assert [one.uid for one in policy.policy.pools] == [ORG.pool, parents[1].uid]
    assert (scene.cell().committed, sidecar.got(ShrinkTo)) == (50, [])


def test_a_pool_that_is_split_otherwise_asks_back_its_old_leases() -> None:
    scene = Scene(pool(limit=100))
    sidecar = scene.connect("a")
    sidecar.report(want=wants(60))
    sidecar.report(has(granted=60, spent=10))
    scene.change(pool(limit=100, per=Per.USER))
    sidecar.report(has(granted=60, returned=50, spent=10))

    assert sidecar.got_one(LeaseClosed).lease == FOREVER


def test_a_reserve_is_kept_free_of_normal_calls() -> None:
    scene = Scene(pool(limit=100, reserve=Reserve(percent=20)))
    sidecar = scene.connect("a")
    sidecar.report(want=(wants(90, least=1), wants(90, of=NORMAL, least=1)))

    lent = {grant.lease.charge: grant.granted for grant in sidecar.got(Grant)}
    assert lent[NORMAL] == 80
    assert [one.uid for one in sidecar.got_one(PolicyPush).policy.pools] == [NORMAL.pool, ORG.pool]


def test_a_reserve_that_is_taken_away_closes_its_leases() -> None:
    scene = Scene(pool(limit=100, reserve=Reserve(percent=20)))
    sidecar = scene.connect("a")
    sidecar.report(want=wants(50, of=NORMAL))
    lease = FOREVER._replace(charge=NORMAL)
    sidecar.report(has(lease, granted=50))
    scene.change(pool(limit=100))
    sidecar.report(has(lease, granted=50, returned=50))

    assert sidecar.got_one(LeaseClosed).lease == lease


def test_a_period_that_grows_lets_money_count_for_longer() -> None:
    def sliding(minutes: int) -> WindowSpec:
        return WindowSpec(type=WindowType.SLIDING, period=DurationMs(minutes * 60_000))

    scene = Scene(pool(limit=100, window=sliding(1)))
    scene.connect("a").report(want=wants(100))
    (cell,) = scene.engine.world.cells.values()
    assert cell.counts_until == START + 61_000
    scene.change(pool(limit=100, window=sliding(2)))

    assert cell.counts_until == START + 121_000
    scene.pass_time(61_000)
    assert cell.lease in scene.engine.world.cells


def test_who_is_silent_when_its_pool_becomes_a_bucket_is_written_off_too() -> None:
    scene = Scene(pool(limit=3_600))
    sidecar = scene.connect("a")
    sidecar.report(want=wants(600))
    sidecar.leave()
    for _ in range(3):
        scene.pass_time(scene.terms.ttl + scene.terms.write_off_after)
    scene.change(pool(limit=3_600, window=HOURLY))
    scene.pass_time(0)

    assert scene.tables.poisoned == {"a"}


def test_pools_whose_window_still_runs_close_their_leases_with_it() -> None:
    scene = Scene(pool(limit=100, window=MINUTE))
    lease, sidecar = this_minute(scene), scene.connect("a")
    sidecar.report(want=wants(60))
    scene.change()
    sidecar.report(has(lease, granted=60, returned=50, spent=10))
    assert sidecar.got(LeaseClosed) == []

    scene.pass_time(60_000)
    sidecar.report(has(lease, granted=60, returned=50, spent=10, finished=True))
    assert sidecar.got_one(LeaseClosed).lease == lease
