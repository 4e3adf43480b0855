"""What holders may count on, for each kind of window; and that nothing is lent by it."""

from dataclasses import replace

from farebox.core.budgets import Mode
from farebox.core.instant import DurationMs
from farebox.core.money import Nanos
from farebox.core.windows import WindowSpec, WindowType
from farebox.wire.messages import Grant, Outlook, ReportAck
from tests.support.scenes import (
    FOREVER,
    HOURLY,
    MINUTE,
    TEN_MINUTES,
    Scene,
    Sidecar,
    has,
    pool,
    these_seconds,
    this_minute,
    wants,
)


def granted(sidecar: Sidecar) -> Outlook:
    outlook = sidecar.got_one(Grant).outlook
    assert outlook is not None
    return outlook


def acknowledged(sidecar: Sidecar) -> tuple[Outlook, ...]:
    return sidecar.got_one(ReportAck).outlooks


class TestFixed:
    """A limit of 1,000 a minute, of which nothing is lent or held in the last quarter second."""

    def test_the_only_holder_can_count_on_all_that_is_not_spent(self) -> None:
        scene = Scene(pool(limit=1_000, window=MINUTE))
        sidecar = scene.connect("a")
        scene.pass_time(10_000)
        sidecar.report(want=wants(60))
        assert granted(sidecar) == Outlook(
            lease=this_minute(scene), spent_by_then=Nanos(1_000), lasts=DurationMs(49_750)
        )

    def test_an_acknowledgement_tells_it_of_every_lease_that_changed(self) -> None:
        scene = Scene(pool(limit=1_000, window=MINUTE))
        sidecar = scene.connect("a")
        sidecar.report(want=wants(60))
        granted(sidecar)
        scene.pass_time(30_000)
        sidecar.report(has(this_minute(scene), granted=60, spent=40, reserved=20))
        (outlook,) = acknowledged(sidecar)
        assert (outlook.spent_by_then, outlook.lasts) == (1_000, 29_750)
        sidecar.report()
        assert acknowledged(sidecar) == ()

    def test_several_holders_share_by_what_they_have_spent(self) -> None:
        scene = Scene(pool(limit=1_000, window=MINUTE))
        busy, idle = scene.connect("busy"), scene.connect("idle")
        for sidecar in (busy, idle):
            sidecar.report(want=wants(400))
            sidecar.got(Grant)
        busy.report(has(this_minute(scene), granted=400, spent=300))
        idle.report(has(this_minute(scene), granted=400, returned=380, spent=0))
        (busier,), (idler,) = acknowledged(busy), acknowledged(idle)
        assert busier.spent_by_then == 300 + 700 * 350 // 400
        assert idler.spent_by_then == 700 * 50 // 400

    def test_nobody_counts_on_less_than_it_holds(self) -> None:
        scene = Scene(pool(limit=1_000, window=MINUTE))
        busy, rich = scene.connect("busy"), scene.connect("rich")
        for sidecar in (busy, rich):
            sidecar.report(want=wants(400))
            sidecar.got(Grant)
        busy.report(has(this_minute(scene), granted=400, spent=400))
        rich.report(has(this_minute(scene), granted=400, spent=1))
        (outlook,) = acknowledged(rich)
        assert outlook.spent_by_then == 400

    def test_in_a_pool_that_refuses_nothing_there_is_nothing_to_foresee(self) -> None:
        scene = Scene(pool(limit=1_000, window=MINUTE, mode=Mode.SHADOW))
        sidecar = scene.connect("a")
        sidecar.report(want=wants(60))
        assert sidecar.got_one(Grant).outlook is None

    def test_an_outlook_lends_nothing(self) -> None:
        scene = Scene(pool(limit=1_000, window=MINUTE))
        sidecar = scene.connect("a")
        sidecar.report(want=wants(60))
        before = scene.cell(this_minute(scene)).committed
        sidecar.report(has(this_minute(scene), granted=60))
        assert scene.cell(this_minute(scene)).committed == before == 60


class TestSliding:
    """A limit of 1,000 for ten minutes, in buckets of ten seconds, looked at for five minutes."""

    def test_what_was_spent_lately_does_not_come_back_in_time(self) -> None:
        scene = Scene(pool(limit=1_000, window=TEN_MINUTES))
        sidecar, first = scene.connect("a"), these_seconds(scene)
        sidecar.report(want=wants(400))
        outlook = granted(sidecar)
        assert (outlook.spent_by_then, outlook.lasts) == (1_000, 300_000)
        scene.pass_time(10_000)
        sidecar.report(has(first, granted=400, spent=400, finished=True), want=wants(60))
        assert granted(sidecar).spent_by_then == 600

    def test_what_was_spent_early_does(self) -> None:
        scene = Scene(pool(limit=1_000, window=TEN_MINUTES))
        sidecar, first = scene.connect("a"), these_seconds(scene)
        sidecar.report(want=wants(400))
        sidecar.got(Grant)
        sidecar.report(has(first, granted=400, spent=400))
        for _ in range(33):
            scene.pass_time(10_000)
            sidecar.report(has(first, granted=400, spent=400, finished=True))
        sidecar.received.clear()
        sidecar.report(want=wants(60))
        assert granted(sidecar).spent_by_then == 1_000


class TestTokenBucket:
    """A bucket of 1,000 that is full again after an hour."""

    def test_while_a_bucket_flows_in_two_can_be_spent(self) -> None:
        scene = Scene(pool(limit=1_000, window=HOURLY))
        sidecar = scene.connect("a")
        sidecar.report(want=wants(100))
        outlook = granted(sidecar)
        assert (outlook.spent_by_then, outlook.lasts) == (2_000, 3_600_000)

    def test_what_is_spent_is_gone(self) -> None:
        scene = Scene(pool(limit=1_000, window=HOURLY))
        sidecar = scene.connect("a")
        sidecar.report(want=wants(100))
        sidecar.got(Grant)
        sidecar.report(has(FOREVER, granted=100, spent=90))
        (outlook,) = acknowledged(sidecar)
        assert outlook.spent_by_then == 90 + 1_910

    def test_a_bucket_that_nothing_flows_into_has_no_outlook(self) -> None:
        window = WindowSpec(type=WindowType.TOKEN_BUCKET)
        scene = Scene(replace(pool(limit=1_000), window=window))
        sidecar = scene.connect("a")
        sidecar.report(want=wants(100))
        assert sidecar.got_one(Grant).outlook is None


def test_a_pool_for_ever_has_no_outlook() -> None:
    scene = Scene(pool(limit=1_000))
    sidecar = scene.connect("a")
    sidecar.report(want=wants(100))
    assert sidecar.got_one(Grant).outlook is None
