"""Resources with what became of them, from a watch that reads a (fake) API server."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from controller.kube.client import open_client
from controller.kube.conditions import Seen
from controller.kube.resources import KubeWatch
from controller.kube.standing import Standing
from farebox.manifests.resources import Resources
from tests.support.clocks import ManualClock
from tests.support.kube_fake import KubeFake, serving_kube
from tests.support.peers import eventually
from tests.support.tasks import beside


async def nothing(_: Resources) -> None:
    """Nobody leads."""


@contextlib.asynccontextmanager
async def standing_of(folder: Path, fake: KubeFake) -> AsyncIterator[Standing]:
    """What a watch knows that follows this API server."""
    async with open_client(fake.options(folder)) as kube:
        watch = KubeWatch(kube=kube, clock=ManualClock())
        works = [one.run() for one in watch.reflectors.values()]
        running = [beside(one) for one in (*works, watch.follow(nothing))]
        try:
            yield Standing(watch)
        finally:
            for one in running:
                one.cancel()
            await asyncio.gather(*running, return_exceptions=True)


def spec(limit: str = "50.00", **more: Any) -> dict[str, Any]:
    return {"limit": limit, "window": {"type": "Lifetime"}, "selector": {"matchLabels": {}}, **more}


@pytest.fixture
async def fake() -> AsyncIterator[KubeFake]:
    async with serving_kube() as serving:
        yield serving


def found(standing: Standing, name: str = "team") -> Seen | None:
    return next((one for one in standing.seen() if one.id.name == name), None)


async def test_a_good_resource_is_in_force(tmp_path: Path, fake: KubeFake) -> None:
    thing = fake.put("budgetpools", "team", {"spec": spec()}, namespace="shop")
    async with standing_of(tmp_path, fake) as standing:
        await eventually(lambda: found(standing) is not None)
        seen = found(standing)
        assert seen is not None
        assert (seen.uid, seen.generation, seen.in_force) == (thing["metadata"]["uid"], 1, 1)
        assert (seen.problems, seen.is_judged) == ((), True)
        assert str(seen.id) == "BudgetPool/shop/team"


async def test_a_bad_version_has_its_problem_and_the_good_one_its_generation(
    tmp_path: Path, fake: KubeFake
) -> None:
    fake.put("budgetpools", "team", {"spec": spec()}, namespace="shop")
    async with standing_of(tmp_path, fake) as standing:
        await eventually(lambda: found(standing) is not None)
        fake.put("budgetpools", "team", {"spec": spec(parent={"name": "no"})}, namespace="shop")

        def is_refused() -> bool:
            seen = found(standing)
            return seen is not None and bool(seen.problems)

        await eventually(is_refused)
        seen = found(standing)
        assert seen is not None
        assert (seen.generation, seen.in_force) == (2, 1)
        assert [problem.field for problem in seen.problems] == ["spec.parent.name"]


async def test_a_status_that_somebody_writes_is_seen(tmp_path: Path, fake: KubeFake) -> None:
    fake.put("budgetpools", "team", {"spec": spec()}, namespace="shop")
    async with standing_of(tmp_path, fake) as standing:
        await eventually(lambda: found(standing) is not None)
        before = found(standing)
        status = {"limit": "50.00"}
        fake.put("budgetpools", "team", {"spec": spec(), "status": status}, namespace="shop")

        def has_status() -> bool:
            seen = found(standing)
            return seen is not None and seen.status == status

        await eventually(has_status)
        after = found(standing)
        assert before is not None
        assert after is not None
        assert (after.generation, after.in_force) == (1, 1)
        assert after.version != before.version


async def test_nothing_stands_before_everything_was_read(tmp_path: Path, fake: KubeFake) -> None:
    async with open_client(fake.options(tmp_path)) as kube:
        assert list(Standing(KubeWatch(kube=kube, clock=ManualClock())).seen()) == []
