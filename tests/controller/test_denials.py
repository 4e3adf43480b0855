"""Why there is no money, and when there may be."""

import pytest

from controller.denials import SOON_MS, closing
from farebox.core.instant import UtcMs
from farebox.core.reasons import Reason
from farebox.core.windows import LIFETIME, WindowSpec
from farebox.wire.codec import decode_response, encode_response
from farebox.wire.messages import Denial, Grant
from tests.support.scenes import (
    FOREVER,
    HOURLY,
    MINUTE,
    START,
    TEN_MINUTES,
    Scene,
    Sidecar,
    has,
    pool,
    these_seconds,
    this_minute,
    wants,
)


class TestATokenBucket:
    """Empty, and one n$ a second flows into it."""

    def scene(self) -> tuple[Scene, Sidecar]:
        scene = Scene(pool(limit=3_600, window=HOURLY))
        sidecar = scene.connect("a")
        sidecar.report(want=wants(3_600))
        sidecar.report(has(granted=3_600, spent=3_600))
        sidecar.got(Grant)
        return scene, sidecar

    def test_that_has_the_money_soon_is_worth_waiting_for(self) -> None:
        scene, sidecar = self.scene()
        sidecar.report(want=wants(20))

        denial = sidecar.got_one(Denial)
        assert (denial.reason, denial.retry_after) == (Reason.HOLD_PENDING, 20_000)
        assert denial.resets_at == scene.now + 20_000

    def test_serves_who_waits_as_soon_as_it_has_the_money(self) -> None:
        scene, sidecar = self.scene()
        sidecar.report(want=wants(20))
        for _ in range(19):
            scene.pass_time(1_000)
            sidecar.report(want=wants(20))
        assert sidecar.got(Grant) == []

        scene.pass_time(1_000)
        assert sidecar.got_one(Grant).granted == 3_620

    def test_that_has_it_late_is_exhausted_until_then(self) -> None:
        _, sidecar = self.scene()
        sidecar.report(want=wants(600))

        denial = sidecar.got_one(Denial)
        assert (denial.reason, denial.retry_after) == (Reason.POOL_EXHAUSTED, 600_000)

    def test_that_can_never_hold_so_much_says_so_for_good(self) -> None:
        _, sidecar = self.scene()
        sidecar.report(want=wants(3_601))

        denial = sidecar.got_one(Denial)
        assert (denial.reason, denial.retry_after) == (Reason.REQUEST_TOO_LARGE, 0)
        assert denial.resets_at is None


class TestASlidingWindow:
    """A limit of 100 in ten minutes, all of it spent in the first bucket of 10 seconds."""

    def scene(self) -> tuple[Scene, Sidecar]:
        scene = Scene(pool(limit=100, window=TEN_MINUTES))
        sidecar = scene.connect("a")
        sidecar.report(want=wants(100))
        sidecar.report(has(these_seconds(scene), granted=100, spent=100))
        scene.pass_time(20_000)
        return scene, sidecar

    def test_is_exhausted_until_its_money_comes_back(self) -> None:
        _, sidecar = self.scene()
        sidecar.report(want=wants(10))

        denial = sidecar.got_one(Denial)
        assert (denial.reason, denial.settled) == (Reason.POOL_EXHAUSTED, 100)
        assert denial.resets_at == START + 10_000 + 600_000

    def test_whose_money_is_back_soon_is_worth_waiting_for(self) -> None:
        scene, sidecar = self.scene()
        scene.pass_time(590_000 - SOON_MS)
        sidecar.report(want=wants(10))

        denial = sidecar.got_one(Denial)
        assert (denial.reason, denial.retry_after) == (Reason.HOLD_PENDING, SOON_MS)


def test_nothing_is_lent_in_the_margin_of_a_window() -> None:
    scene = Scene(pool(window=MINUTE))
    world, lease = scene.engine.world, this_minute(scene)

    ends = UtcMs(START + 60_000)
    assert closing(world, lease, ends) == ends - scene.terms.window_margin
    assert closing(world, lease, UtcMs(START + 1_000)) == START + 900


def test_a_denial_shows_the_pool_without_what_is_kept_for_others() -> None:
    scene = Scene(pool(limit=100))
    busy = scene.connect("busy")
    busy.report(want=wants(80))
    busy.report(has(granted=80, reserved=80))
    scene.connect("first").report(want=wants(50))
    second = scene.connect("second")
    second.report(want=wants(20))

    denial = second.got_one(Denial)
    assert (denial.lease, denial.held, denial.remaining) == (FOREVER, 80, 20)


@pytest.mark.parametrize("window", [LIFETIME, MINUTE, TEN_MINUTES, HOURLY], ids=str)
def test_a_pod_that_says_it_has_spent_anything_keeps_nobody_from_his_answer(
    window: WindowSpec,
) -> None:
    """Its figures would not fit the message, and end the streams of all that share the pool."""
    scene = Scene(pool(window=window))
    liars = [scene.connect("a"), scene.connect("b")]
    for liar in liars:
        liar.report(want=wants(10))
    for liar in liars:
        lease = liar.got_one(Grant).lease
        liar.report(has(lease, granted=10, spent=2**63 - 1, reserved=2**63 - 1))
    other = scene.connect("other")
    other.report(want=wants(10))

    denial = other.got_one(Denial)
    assert decode_response(encode_response(denial)) == denial
