"""The writer: what changed, in its turn, again after a failure, and only while it leads."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace

import pytest

from controller.engine import Engine
from controller.kube.conditions import Seen, conditions_of
from controller.kube.plan import Draft
from controller.kube.statuses import (
    ROUND_MS,
    WRITES_PER_SECOND_MAX,
    WRITES_UNDER_WAY_MAX,
    Statuses,
    body_of,
    path_of_status,
)
from farebox.core.budgets import Charge, Pool
from farebox.core.instant import BootMs
from farebox.manifests.resources import Kind, ResourceId
from farebox.runtime.clock import Clock, SystemClock
from tests.support.clocks import ManualClock
from tests.support.kube_statuses import Shelf, id_of, in_force, refusal
from tests.support.peers import eventually
from tests.support.scenes import Scene, has, pool, wants
from tests.support.tasks import beside

ORG = pool(limit=100)
HASTE = 20


class Reign:
    """Whether this controller leads, and with what."""

    def __init__(self, scene: Scene) -> None:
        self.engine: Engine | None = scene.engine


class Hasty(SystemClock):
    """A clock on which rests are soon over."""

    def boot(self) -> BootMs:
        return BootMs(HASTE * super().boot())


@contextlib.asynccontextmanager
async def writing(
    shelf: Shelf, reign: Reign, clock: Clock | None = None
) -> AsyncIterator[Statuses]:
    """The writer at work."""
    statuses = Statuses(
        shelf, lambda: reign.engine, shelf, clock or Hasty(), round_ms=ROUND_MS // HASTE
    )
    running = beside(statuses.run())
    try:
        yield statuses
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


def shelf_of(*pools: Pool) -> Shelf:
    shelf = Shelf()
    shelf.put(*(in_force(id_of(one), one) for one in pools))
    return shelf


def test_a_status_is_applied_where_it_belongs() -> None:
    seen = in_force(id_of(ORG), ORG)
    assert (
        path_of_status(seen) == "/apis/farebox.dev/v1alpha1/namespaces/acme/budgetpools/org/status"
    )
    assert body_of(Draft(seen=seen, before={}, status={"limit": "1.00"})) == {
        "apiVersion": "farebox.dev/v1alpha1",
        "kind": "BudgetPool",
        "metadata": {"name": "org", "namespace": "acme"},
        "status": {"limit": "1.00"},
    }
    tier = in_force(ResourceId(Kind.MODEL_TIER, "", "small"), None)
    assert path_of_status(tier) == "/apis/farebox.dev/v1alpha1/modeltiers/small/status"
    assert "namespace" not in body_of(Draft(seen=tier, before={}, status={}))["metadata"]


async def test_what_moves_is_written_and_what_does_not_is_not() -> None:
    scene, shelf = Scene(ORG, pool("idle", 7)), shelf_of(ORG, pool("idle", 7))
    async with writing(shelf, Reign(scene)):
        await eventually(lambda: sorted(shelf.names()) == ["idle", "org"])
        sidecar = scene.connect("a")
        sidecar.report(want=wants(30))
        sidecar.report(has(granted=30, spent=12))
        await eventually(lambda: shelf.status("org")["spent"] == "0.000000012")
    assert shelf.names().count("idle") == 1


async def test_nothing_is_written_by_who_does_not_lead() -> None:
    scene, shelf = Scene(ORG), shelf_of(ORG)
    reign = Reign(scene)
    reign.engine = None
    async with writing(shelf, reign) as statuses:
        await statuses.look()
        await asyncio.sleep(0)
        assert shelf.writes == []
        reign.engine = scene.engine
        await eventually(lambda: shelf.names() == ["org"])


async def test_a_write_that_was_queued_is_dropped_with_the_reign() -> None:
    many = [pool(f"p{number}", 7) for number in range(100)]
    shelf, reign = shelf_of(*many), Reign(Scene(*many))
    shelf.gate.clear()
    async with writing(shelf, reign):
        await eventually(lambda: shelf.under_way == WRITES_UNDER_WAY_MAX)
        reign.engine = None
        shelf.gate.set()
        await eventually(lambda: shelf.under_way == 0)
        await asyncio.sleep(0)
    assert len(shelf.writes) <= 2 * WRITES_UNDER_WAY_MAX


async def test_so_many_are_under_way_at_most() -> None:
    many = [pool(f"p{number}", 7) for number in range(40)]
    shelf = shelf_of(*many)
    async with writing(shelf, Reign(Scene(*many))):
        await eventually(lambda: len(shelf.writes) == len(many))
    assert shelf.under_way_max <= WRITES_UNDER_WAY_MAX


def test_all_together_keep_to_their_rate() -> None:
    shelf = Shelf()
    statuses = Statuses(shelf, lambda: None, shelf, ManualClock())
    waits = [statuses._turn_in_ms() for _ in range(WRITES_PER_SECOND_MAX * 3)]
    assert waits.count(0) == WRITES_PER_SECOND_MAX + 1
    assert max(waits) == 2_000 - 1_000 // WRITES_PER_SECOND_MAX


@pytest.mark.parametrize("status", [400, 403, 404, 409, 422, 500])
async def test_one_that_is_refused_holds_up_no_other(
    status: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    bad, good = pool("bad", 7), pool("good", 7)
    scene, shelf = Scene(bad, good), shelf_of(bad, good)
    shelf.refusals["bad"] = [refusal(status) for _ in range(100)]
    async with writing(shelf, Reign(scene)):
        await eventually(lambda: shelf.names() == ["good"])
        sidecar = scene.connect("a")
        sidecar.report(want=wants(3, of=Charge(good.uid, "")))
        await eventually(lambda: shelf.names() == ["good", "good"])
    said = [one.message for one in caplog.records if "the API server answers" in one.message]
    assert len(said) == 1
    assert len(shelf.refusals["bad"]) >= 90


async def test_what_failed_is_written_later() -> None:
    shelf = shelf_of(ORG)
    shelf.refusals["org"] = [refusal(500)]
    async with writing(shelf, Reign(Scene(ORG))):
        await eventually(lambda: shelf.names() == ["org"])


async def test_a_bug_of_one_write_ends_no_writer(caplog: pytest.LogCaptureFixture) -> None:
    bad, good = pool("bad", 7), pool("good", 7)
    shelf = shelf_of(bad, good)
    shelf.refusals["bad"] = [ValueError("not JSON")]
    async with writing(shelf, Reign(Scene(bad, good))):
        await eventually(lambda: shelf.names() == ["good"])
    assert "BudgetPool/acme/bad: its status is not written" in caplog.text


@pytest.mark.parametrize("status", [0, 429, 503])
async def test_an_api_server_that_is_away_is_left_alone_for_a_while(
    status: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    many, clock = [pool(f"p{number}", 7) for number in range(30)], ManualClock()
    shelf = shelf_of(*many)
    for one in many:
        shelf.refusals[one.name] = [refusal(status, retry_after_s=5.0)]
    async with writing(shelf, Reign(Scene(*many)), clock) as statuses:
        await eventually(lambda: shelf.asked > 0)
        for _ in range(5):
            clock.advance(900)
            await statuses.look()
            await asyncio.sleep(0)
        assert shelf.asked <= WRITES_UNDER_WAY_MAX
        clock.advance(60_000)
        shelf.refusals.clear()
        await eventually(lambda: len(shelf.writes) == len(many))
    messages = [record.message for record in caplog.records]
    assert messages.count(f"statuses rest: the API server answers {status}") == 1
    assert messages.count("statuses are written again") == 1


async def test_a_refused_version_is_said_while_the_good_one_shows_its_figures() -> None:
    scene, shelf = Scene(ORG), shelf_of(ORG)
    async with writing(shelf, Reign(scene)):
        await eventually(lambda: shelf.names() == ["org"])
        shelf.refuse(id_of(ORG), "spec.parent.name", "there is no pool acme/all in force")
        await eventually(lambda: ready(shelf)["status"] == "False")
        assert ready(shelf)["message"].startswith("spec.parent.name: there is no pool acme/all")
        assert shelf.status("org")["limit"] == "0.0000001"


def ready(shelf: Shelf) -> dict[str, str]:
    return dict(conditions_of(shelf.status("org"))["Ready"])


async def test_what_stands_is_remembered_while_the_mirror_is_late() -> None:
    shelf = shelf_of(ORG)
    shelf.mirrors = False
    async with writing(shelf, Reign(Scene(ORG))) as statuses:
        await eventually(lambda: shelf.names() == ["org"])
        for _ in range(5):
            await statuses.look()
            await asyncio.sleep(0)
    assert shelf.names() == ["org"]


async def test_what_somebody_else_writes_over_is_written_again() -> None:
    shelf = shelf_of(ORG)
    async with writing(shelf, Reign(Scene(ORG))):
        await eventually(lambda: shelf.names() == ["org"])
        row = shelf.rows[id_of(ORG)]
        shelf.rows[id_of(ORG)] = replace(row, status={"limit": "999.00"}, version="77")
        await eventually(lambda: shelf.names() == ["org", "org"])


async def test_a_round_that_fails_is_logged_and_followed_by_others(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Failing(Shelf):
        """Fails at the first look."""

        looks = 0

        def seen(self) -> Iterator[Seen]:
            self.looks += 1
            if self.looks == 1:
                raise RuntimeError("no resources now")
            yield from super().seen()

    shelf = Failing()
    shelf.put(in_force(id_of(ORG), ORG))
    async with writing(shelf, Reign(Scene(ORG))):
        await eventually(lambda: shelf.names() == ["org"])
    assert "statuses can't be made now" in caplog.text
    assert ROUND_MS <= 500, "with the rest of a second, figures show within 2 s"
