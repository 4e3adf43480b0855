"""What time does to windows. Deadlines are in test_presence, recalls in test_recalls."""

from dataclasses import replace

from controller.store.protocol import ForgetWindow
from farebox.core.instant import DurationMs, UtcMs
from farebox.wire.messages import Grant, LeaseClosed
from tests.support.scenes import MINUTE, START, Scene, has, pool, this_minute, wants

DAY_MS = 24 * 3_600_000


def test_each_window_has_the_whole_limit() -> None:
    scene = Scene(pool(limit=100, window=MINUTE))
    first, sidecar = this_minute(scene), scene.connect("a")
    sidecar.report(want=wants(100))
    scene.pass_time(60_000)
    sidecar.report(has(first, granted=100, spent=100), want=wants(100))

    assert [grant.granted for grant in sidecar.got(Grant)] == [100, 100]
    assert scene.cell(first).committed == 100
    assert scene.cell(this_minute(scene)).committed == 100


def test_late_settlement_is_charged_to_the_window_that_lent() -> None:
    scene = Scene(pool(limit=100, window=MINUTE))
    first, sidecar = this_minute(scene), scene.connect("a")
    sidecar.report(want=wants(100))
    sidecar.report(has(first, granted=100, returned=20, reserved=80))
    scene.pass_time(60_000)
    sidecar.report(want=wants(90))
    sidecar.report(has(first, granted=100, returned=30, spent=70, finished=True))

    assert scene.tables.closed[first].spent == 70
    assert scene.cell(this_minute(scene)).committed == 90


def test_a_window_is_kept_for_a_day_and_then_forgotten() -> None:
    scene = Scene(pool(window=MINUTE))
    lease, sidecar = this_minute(scene), scene.connect("a")
    sidecar.report(want=wants(30))
    scene.pass_time(60_000)
    scene.pass_time(DAY_MS - 1)
    assert scene.cell(lease).committed == 30

    scene.pass_time(1)
    assert lease not in scene.engine.world.cells
    assert scene.tables.accounts == {}
    assert ForgetWindow(lease=lease, window_ends=UtcMs(START + 60_000)) in scene.writes
    assert scene.tables.clock_floor == START + 60_000


def test_a_holder_that_reports_a_forgotten_window_can_still_finish_it() -> None:
    scene = Scene(pool(window=MINUTE))
    lease, sidecar = this_minute(scene), scene.connect("a")
    sidecar.report(want=wants(30))
    scene.pass_time(60_000)
    scene.pass_time(DAY_MS)

    sidecar.report(has(lease, granted=30, returned=30, finished=True))
    assert sidecar.got_one(LeaseClosed).lease == lease


def test_windows_kept_in_the_ledger_are_forgotten_after_a_restart_too() -> None:
    scene = Scene(pool(window=MINUTE))
    lease, sidecar = this_minute(scene), scene.connect("a")
    sidecar.report(want=wants(30))
    scene.pass_time(60_000)
    sidecar.report(has(lease, granted=30, returned=20, spent=10, finished=True))
    scene.now = UtcMs(scene.now + DAY_MS)
    scene.restart()
    assert scene.cell(lease).closed_spent == 10

    scene.pass_time(0)
    scene.pass_time(0)
    assert scene.tables.closed == {}


def test_a_pool_whose_window_grows_while_it_runs_keeps_what_it_lent() -> None:
    scene = Scene(pool(limit=100, window=MINUTE))
    lease, sidecar = this_minute(scene), scene.connect("a")
    sidecar.report(want=wants(60))
    sidecar.report(has(lease, granted=60, reserved=60))
    two_minutes = pool(limit=100, window=replace(MINUTE, period=DurationMs(120_000)))
    assert lease.window % 120_000 == 0, "both windows start now, so they share their id"
    scene.change(two_minutes)
    other = scene.connect("b")
    other.report(want=wants(70, least=1))

    assert other.got_one(Grant).granted == 40
    assert scene.cell(lease).window_ends == START + 120_000
    scene.pass_time(60_000)
    assert scene.cell(lease).over_at(scene.now) is False
