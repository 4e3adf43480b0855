"""What the ledger keeps of token buckets, and in which order."""

from collections.abc import Sequence

import pytest

from controller.levels import before_change, level_now
from controller.store.memory import apply, take_over
from controller.store.protocol import PoisonHolder, PutAccount, PutBucket, Write
from farebox.core.budgets import Mode
from farebox.core.money import Nanos
from farebox.wire.messages import Grant
from tests.support.scenes import FOREVER, HOURLY, ORG, START, Scene, has, pool, wants


def kinds(writes: Sequence[Write]) -> list[str]:
    return [type(write).__name__ for write in writes]


def bucket_scene(limit: int = 3_600) -> Scene:
    return Scene(pool(limit=limit, window=HOURLY))


def test_a_loan_is_taken_from_the_bucket_before_it_is_kept() -> None:
    scene = bucket_scene()
    step = scene.connect("a").report(want=wants(1_000))

    assert kinds(step.writes) == ["PutBucket", "PutAccount"]
    assert scene.tables.buckets[ORG] == PutBucket(charge=ORG, level=Nanos(2_600), at=START)


def test_time_is_kept_before_spending_and_money_is_put_back_after_its_return() -> None:
    scene = bucket_scene()
    sidecar = scene.connect("a")
    sidecar.report(want=wants(3_600))
    scene.pass_time(100_000)
    step = sidecar.report(has(granted=3_600, returned=1_000, spent=2_000))

    assert kinds(step.writes) == ["PutBucket", "PutAccount", "PutBucket"]
    levels = [(one.level, one.at) for one in step.writes if isinstance(one, PutBucket)]
    now = START + 100_000
    assert levels == [(0, now), (1_000, now)], "nothing flowed in: all of it was lent"


@pytest.mark.parametrize("done", range(4))
def test_a_controller_that_dies_amid_the_writes_never_finds_more_than_there_is(done: int) -> None:
    scene = bucket_scene()
    sidecar = scene.connect("a")
    sidecar.report(want=wants(3_600))
    scene.pass_time(100_000)
    kept = take_over(scene.tables)
    step = sidecar.report(has(granted=3_600, returned=1_000, spent=2_000))
    for write in (*kept.accounts, *kept.buckets, *step.writes[:done]):
        apply(scene.tables, write)
    scene.restart()

    world = scene.engine.world
    cell = world.cells[FOREVER]
    level = level_now(world, scene.resources.pools[ORG.pool], cell).level
    assert level <= 1_000
    assert level + cell.outstanding <= 3_600 - (2_000 if done > 1 else 0)


def test_time_before_spending_was_reported_does_not_fill_the_bucket_after_a_restart() -> None:
    """All was lent for an hour, then spent at once: the hour counts for nothing."""
    scene = bucket_scene()
    sidecar = scene.connect("a")
    sidecar.report(want=wants(3_600))
    scene.pass_time(3_600_000)
    sidecar.report(has(granted=3_600, spent=3_600))
    scene.restart()
    scene.pass_time(10_000)
    other = scene.connect("b")
    other.report(want=wants(11, least=10))

    assert other.got_one(Grant).granted == 10


def test_nothing_flows_in_while_the_pool_is_gone() -> None:
    scene = bucket_scene()
    sidecar = scene.connect("a")
    sidecar.report(want=wants(3_600))
    sidecar.report(has(granted=3_600, spent=3_600))
    scene.change()
    scene.pass_time(1_000_000)
    scene.change(pool(limit=3_600, window=HOURLY))
    scene.pass_time(5_000)

    world = scene.engine.world
    assert level_now(world, scene.resources.pools[ORG.pool], world.cells[FOREVER]).level == 5


def test_what_the_pool_lent_before_it_became_a_bucket_is_not_in_it() -> None:
    scene = Scene(pool(limit=3_600))
    sidecar = scene.connect("a")
    sidecar.report(want=wants(1_000))
    scene.change(pool(limit=3_600, window=HOURLY))

    world = scene.engine.world
    cell = world.cells[FOREVER]
    assert level_now(world, scene.resources.pools[ORG.pool], cell).level == 2_600
    level = before_change(world, cell)
    assert level is not None
    assert level.rate is not None


def test_pools_of_other_kinds_have_no_level() -> None:
    scene = Scene()
    scene.connect("a").report(want=wants(10))

    assert before_change(scene.engine.world, scene.cell()) is None


def test_a_grant_that_the_ledger_lost_is_taken_out_of_the_bucket() -> None:
    scene = bucket_scene()
    sidecar = scene.connect("a")
    sidecar.report(want=wants(3_000))
    sidecar.report(has(granted=3_500))

    assert scene.tables.buckets[ORG].level == 100


def test_in_shadow_mode_the_level_falls_below_zero() -> None:
    scene = Scene(pool(limit=100, window=HOURLY, mode=Mode.SHADOW))
    scene.connect("a").report(want=wants(250))

    assert scene.tables.buckets[ORG].level == -150


def test_who_is_written_off_is_marked_before_its_money_counts_as_spent() -> None:
    scene = bucket_scene()
    sidecar = scene.connect("a")
    sidecar.report(want=wants(600))
    sidecar.leave()
    scene.pass_time(scene.terms.ttl)
    step = scene.pass_time(scene.terms.write_off_after)

    assert isinstance(step.writes[0], PoisonHolder)
    assert not any(isinstance(write, PutAccount) for write in step.writes)
    assert kinds(step.writes)[-1] == "CloseAccount"
