"""The watch in the controller: conditions of tasks come, stay and go with what sidecars tell."""

from dataclasses import replace

from controller.engine import Engine
from controller.events import ResourcesChanged, Tick
from controller.observations import HOUR_MS, TaskId
from controller.watching import Row, Watching
from farebox.core.tallies import Tally
from farebox.core.tiers import Catalogue
from farebox.core.watching import ConditionType, Status
from farebox.wire.messages import Goodbye, Report
from tests.support.policies import TIERS
from tests.support.scenes import Scene, Sidecar
from tests.support.tallies import made, told
from tests.support.watched import MEASURED, scene_of

INTENT = TaskId("acme", "intent")


def tell(scene: Scene, sidecar: Sidecar, tally: Tally, incarnation: int = 1) -> None:
    """A sidecar reports, and the controller looks at it."""
    sidecar.say(Report(seq=1, boot_ms=scene.boot, tallies=told(tally, incarnation=incarnation)))
    scene.pass_time(5_000)
    scene.step(Tick())


def row_of(engine: Engine) -> Row:
    return engine.watching.rows[INTENT]


def status(scene: Scene, type_: ConditionType) -> Status:
    return row_of(scene.engine).conditions[type_].status


def test_a_condition_comes_with_the_calls_and_goes_with_better_ones() -> None:
    scene = scene_of(MEASURED)
    sidecar = scene.connect("a")
    tell(scene, sidecar, made(200, escalated=20))
    assert status(scene, ConditionType.ESCALATING) is Status.FALSE
    tell(scene, sidecar, made(400, escalated=220))
    raised_at = row_of(scene.engine).conditions[ConditionType.ESCALATING].since
    assert {(one, of.type) for one, of in scene.engine.watching.raised()} == {
        (INTENT, ConditionType.ESCALATING),
        (INTENT, ConditionType.GATES_FAILING),
    }
    tell(scene, sidecar, made(500, escalated=230))
    assert row_of(scene.engine).conditions[ConditionType.ESCALATING].since == raised_at
    tell(scene, sidecar, made(10_000, escalated=700))
    assert status(scene, ConditionType.ESCALATING) is Status.FALSE
    assert list(scene.engine.watching.raised()) == []


def test_a_condition_ends_when_its_calls_are_long_ago() -> None:
    scene = scene_of(MEASURED)
    tell(scene, scene.connect("a"), made(200, escalated=200))
    assert status(scene, ConditionType.ESCALATING) is Status.TRUE
    scene.pass_time(HOUR_MS)
    scene.step(Tick())
    assert status(scene, ConditionType.ESCALATING) is Status.UNKNOWN


def test_the_last_word_of_a_sidecar_counts() -> None:
    scene = scene_of(MEASURED)
    scene.connect("a").say(Goodbye(tallies=told(made(7))))
    scene.pass_time(5_000)
    scene.step(Tick())
    assert row_of(scene.engine).observed.total.calls == 7


def test_who_is_no_holder_counts_nothing() -> None:
    scene = scene_of(MEASURED)
    sidecar = scene.connect("a")
    sidecar.leave()
    tell(scene, sidecar, made(7))
    assert row_of(scene.engine).observed.total.calls == 0


def test_a_price_that_changes_makes_the_baseline_stale_and_says_so() -> None:
    scene = scene_of(MEASURED)
    tell(scene, scene.connect("a"), made(1))
    assert status(scene, ConditionType.BASELINE_STALE) is Status.FALSE
    tier = TIERS[0]
    dearer = replace(tier.models[0], price=TIERS[1].models[0].price)
    tiers = (replace(tier, models=(dearer,)), *TIERS[1:])
    resources = replace(scene.engine.world.resources, catalogue=Catalogue(tiers=tiers))
    scene.step(ResourcesChanged(resources))
    scene.pass_time(5_000)
    scene.step(Tick())
    stale = row_of(scene.engine).conditions[ConditionType.BASELINE_STALE]
    assert (stale.status, stale.reason) == (Status.TRUE, "PricesChanged")
    assert stale.observed_generation == scene.engine.world.generation


def test_calls_of_a_task_without_a_profile_are_told() -> None:
    scene = scene_of()
    tell(scene, scene.connect("a"), made(1))
    missing = row_of(scene.engine).conditions[ConditionType.BASELINE_MISSING]
    assert (missing.status, missing.reason) == (Status.TRUE, "NoTaskProfile")


def test_nothing_that_is_watched_changes_what_a_sidecar_gets() -> None:
    got: list[list[str]] = []
    for tally in (made(1), made(500, escalated=500, unsure=500)):
        scene = scene_of(MEASURED)
        sidecar = scene.connect("a")
        sidecar.received.clear()
        tell(scene, sidecar, tally)
        got.append([str(one) for one in sidecar.received])
    assert got[0] == got[1]


def test_the_price_table_grows_old() -> None:
    scene = scene_of()
    scene.engine.watching = Watching(prices_days_max=0)
    scene.pass_time(400 * 24 * HOUR_MS)
    scene.step(Tick())
    (found,) = scene.engine.watching.everywhere.values()
    assert (found.type, found.status) == (ConditionType.PRICES_OLD, Status.TRUE)
