"""What the smallest call lacked, and how many windows and needs are remembered."""

from controller.kube.needs import WINDOWS_MAX, Needs, Windows
from farebox.core.budgets import Charge, PoolUid
from farebox.core.instant import DurationMs, UtcMs
from farebox.core.leases import LeaseId
from farebox.core.windows import CalendarUnit, WindowSpec, WindowType, window_at
from tests.support.scenes import MINUTE, START, Scene, has, per_user, wants


def test_what_calls_needed_is_remembered_of_so_many_sub_pools() -> None:
    scene, needs = Scene(per_user(limit=10)), Needs(Windows(), needs_max=2)
    users = [Charge(PoolUid("acme/people"), name) for name in ("ana", "ben", "cai")]
    sidecar = scene.connect("a")
    sidecar.report(want=tuple(wants(10, of=user) for user in users))
    spent = [has(LeaseId(user, 0), granted=10, spent=6) for user in users]
    sidecar.report(*spent, want=tuple(wants(9, least=5, of=user) for user in users))
    needs.look(scene.engine.world)
    assert [needs.of(user) for user in users] == [0, 9, 9], "what is free of it included"
    assert len(needs) == 2


def test_the_smallest_of_those_who_wait_counts() -> None:
    scene, needs = Scene(), Needs(Windows())
    scene.connect("a").report(want=wants(100))
    for name, least in (("b", 30), ("c", 20), ("d", 101)):
        scene.connect(name).report(want=wants(200, least=least))
    needs.look(scene.engine.world)
    assert needs.of(next(iter(scene.engine.world.waiting))) == 20


def test_windows_are_those_of_the_instant() -> None:
    windows, day = Windows(), WindowSpec(type=WindowType.FIXED, period=CalendarUnit.DAY)
    for spec in (MINUTE, day, WindowSpec(type=WindowType.LIFETIME)):
        for later in (0, 59_999, 60_000, 86_400_000, 30):
            now = UtcMs(START + later)
            assert windows.at(spec, now) == window_at(spec, now)


def test_a_window_is_looked_up_once() -> None:
    windows = Windows()
    first = windows.at(MINUTE, START)
    assert windows.at(MINUTE, UtcMs(START + 59_999)) is first
    for seconds in range(1, WINDOWS_MAX + 1):
        period = DurationMs(120_000 + seconds * 1_000)
        windows.at(WindowSpec(type=WindowType.FIXED, period=period), START)
    assert windows.at(MINUTE, START) is not first
