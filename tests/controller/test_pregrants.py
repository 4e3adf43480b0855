"""Money of the next window before it starts."""

from farebox.core.instant import DurationMs
from farebox.core.windows import WindowSpec, WindowType
from farebox.wire.messages import Grant
from tests.support.scenes import MINUTE, START, Scene, Sidecar, has, pool, this_minute, wants


class TestInTheLastHeartbeatsOfAWindow:
    """A limit of 1,000 a minute; "a" was lent 100 and uses 40 of it."""

    def scene(self, window: WindowSpec = MINUTE) -> tuple[Scene, Sidecar]:
        scene = Scene(pool(limit=1_000, window=window))
        sidecar = scene.connect("a")
        sidecar.report(want=wants(100))
        self.lease = sidecar.got_one(Grant).lease
        sidecar.report(has(self.lease, granted=100, spent=30, reserved=10))
        scene.pass_time(60_000 - 2 * scene.terms.heartbeat)
        return scene, sidecar

    def test_a_holder_gets_as_much_of_the_next_one_as_it_has_of_this(self) -> None:
        scene, sidecar = self.scene()
        scene.pass_time(1_000)
        sidecar.report()

        grant = sidecar.got_one(Grant)
        assert grant.lease == self.lease._replace(window=START + 60_000)
        assert (grant.granted, grant.starts_in) == (70, 9_000)
        assert grant.window_ends_in == 69_000 - scene.terms.window_margin
        assert scene.cell(grant.lease).committed == 70
        assert scene.cell(self.lease).committed == 100

    def test_it_gets_that_once(self) -> None:
        _, sidecar = self.scene()
        sidecar.report()
        sidecar.report()

        assert len(sidecar.got(Grant)) == 1

    def test_not_before(self) -> None:
        scene = Scene(pool(limit=1_000, window=MINUTE))
        sidecar = scene.connect("a")
        sidecar.report(want=wants(100))
        scene.pass_time(60_000 - 2 * scene.terms.heartbeat - 1)
        sidecar.got(Grant)
        sidecar.report(has(this_minute(scene), granted=100))

        assert sidecar.got(Grant) == []

    def test_who_has_nothing_of_this_window_gets_nothing_of_the_next(self) -> None:
        _, sidecar = self.scene()
        sidecar.report(has(self.lease, granted=100, returned=70, spent=30))

        assert sidecar.got(Grant) == []

    def test_a_share_of_the_next_window_is_left_for_others(self) -> None:
        scene = Scene(pool(limit=100, window=MINUTE))
        sidecar = scene.connect("a")
        sidecar.report(want=wants(100))
        scene.pass_time(55_000)
        sidecar.got(Grant)
        sidecar.report(has(this_minute(scene), granted=100))

        assert 0 < sidecar.got_one(Grant).granted <= 50

    def test_who_waits_for_this_window_is_served_first(self) -> None:
        scene, sidecar = self.scene()
        waiting = scene.connect("b")
        waiting.report(want=wants(990))
        sidecar.report(has(self.lease, granted=100, spent=30, reserved=70))

        assert sidecar.got(Grant) == []

    def test_a_repeated_grant_says_again_when_the_window_starts(self) -> None:
        scene, sidecar = self.scene()
        sidecar.report()
        ahead = sidecar.got_one(Grant)
        scene.pass_time(4_000)
        again = scene.connect("a", has(self.lease, granted=100, spent=30, reserved=10))

        repeated = [one for one in again.got(Grant) if one.lease == ahead.lease]
        assert [one.starts_in for one in repeated] == [2 * scene.terms.heartbeat - 4_000]

    def test_when_the_window_has_started_its_grants_start_at_once(self) -> None:
        scene, sidecar = self.scene()
        sidecar.report()
        ahead = sidecar.got_one(Grant).lease
        scene.pass_time(2 * scene.terms.heartbeat)
        sidecar.report(has(ahead, granted=70), want=wants(100))

        grant = sidecar.got_one(Grant)
        assert (grant.lease, grant.starts_in) == (ahead, None)
        assert grant.granted >= 170

    def test_windows_too_short_for_it_have_no_such_grants(self) -> None:
        short = WindowSpec(type=WindowType.FIXED, period=DurationMs(20_000))
        scene = Scene(pool(limit=1_000, window=short))
        sidecar = scene.connect("a")
        sidecar.report(want=wants(100))
        lease = sidecar.got_one(Grant).lease
        scene.pass_time(lease.window + 20_000 - scene.now - 2_000)
        sidecar.report(has(lease, granted=100))

        assert sidecar.got(Grant) == []
