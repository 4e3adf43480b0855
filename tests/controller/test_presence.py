"""Heard from, away, silent, gone."""

from controller.store.protocol import ForgetHolder
from farebox.core.leases import LeaseState
from farebox.core.reasons import Reason
from farebox.wire.messages import Denial, Grant
from tests.support.scenes import MINUTE, Scene, Sidecar, has, pool, this_minute, wants


def lent(scene: Scene, name: str = "a", amount: int = 60) -> Sidecar:
    sidecar = scene.connect(name)
    sidecar.report(want=wants(amount))
    granted = sidecar.got_one(Grant)
    sidecar.report(has(granted.lease, granted=amount))
    return sidecar


def test_silence_past_the_deadline_freezes_and_frees_nothing() -> None:
    scene = Scene()
    lent(scene)
    scene.pass_time(14_999)
    assert not scene.cell().accounts["a"].frozen

    scene.pass_time(1)
    assert scene.cell().accounts["a"].frozen
    assert scene.entry().state is LeaseState.EXPIRED
    assert scene.cell().committed == 60


def test_each_report_moves_the_deadline() -> None:
    scene = Scene()
    sidecar = lent(scene)
    for _ in range(5):
        scene.pass_time(10_000)
        sidecar.report()

    assert not scene.cell().accounts["a"].frozen


def test_a_report_revives_all_leases_of_its_holder() -> None:
    scene = Scene()
    sidecar = lent(scene)
    scene.pass_time(20_000)
    sidecar.report()

    assert scene.entry().state is LeaseState.ACTIVE
    assert scene.cell().accounts["a"].idle == 60

    scene.pass_time(15_000)
    assert scene.entry().state is LeaseState.EXPIRED, "its next deadline holds as well"


def test_money_of_a_frozen_holder_is_not_to_be_had() -> None:
    scene = Scene()
    lent(scene)
    scene.pass_time(15_000)
    late = scene.connect("b")
    late.report(want=wants(50))

    assert late.got_one(Denial).reason is Reason.POOL_EXHAUSTED


def test_a_revived_holder_serves_those_who_wait() -> None:
    scene = Scene()
    sidecar = lent(scene)
    scene.pass_time(15_000)
    late = scene.connect("b")
    late.report(want=wants(50))

    sidecar.report(has(granted=60, returned=40))
    assert late.got_one(Grant).granted == 50


def test_a_holder_that_is_away_keeps_its_leases_until_its_deadline() -> None:
    scene = Scene()
    lent(scene).leave()

    assert scene.cell().committed == 60
    assert not scene.cell().accounts["a"].frozen
    scene.pass_time(15_000)
    assert scene.cell().accounts["a"].frozen


def test_after_a_restart_nobody_is_silent_before_a_whole_time_to_live() -> None:
    scene = Scene()
    lent(scene)
    scene.pass_time(10_000)
    scene.restart()
    scene.pass_time(14_999)
    assert not scene.cell().accounts["a"].frozen

    scene.pass_time(1)
    assert scene.cell().accounts["a"].frozen


class TestGoneForGood:
    """Who is away and silent and has no lease is forgotten."""

    def test_without_ever_having_had_a_lease(self) -> None:
        scene = Scene()
        scene.connect("a").leave()
        assert "a" in scene.tables.holders

        scene.pass_time(15_000)
        assert scene.tables.holders == {}
        assert scene.writes[-1] == ForgetHolder(holder="a")

    def test_not_while_it_is_connected(self) -> None:
        scene = Scene()
        sidecar = scene.connect("a")
        scene.pass_time(15_000)
        assert "a" in scene.tables.holders

        sidecar.leave()
        assert scene.tables.holders == {}

    def test_not_while_it_has_a_lease(self) -> None:
        scene = Scene()
        lent(scene).leave()
        scene.pass_time(90 * 24 * 3_600_000)

        assert "a" in scene.tables.holders

    def test_together_with_its_last_window(self) -> None:
        scene = Scene(pool(window=MINUTE))
        lease = this_minute(scene)
        lent(scene).leave()
        scene.pass_time(60_000)
        scene.pass_time(24 * 3_600_000)

        assert scene.tables.holders == {}
        assert lease not in scene.engine.world.cells

    def test_and_may_come_again_as_if_new(self) -> None:
        scene = Scene()
        scene.connect("a", boot_seq=5).leave()
        scene.pass_time(15_000)

        scene.connect("a", boot_seq=1).report(want=wants(10))
        assert scene.cell().committed == 10
