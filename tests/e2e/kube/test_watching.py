"""Resources are followed on a real API server: through its restarts and etcd's compactions."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import aiohttp
import pytest
import pytest_asyncio

from controller.kube.client import KubeClient, KubeError, error_of, open_client, path
from controller.kube.options import KubeOptions
from controller.kube.pods import Pods
from controller.kube.resources import KubeWatch
from farebox.manifests.reading import API_VERSION
from farebox.manifests.resources import Kind, ResourceId, Resources
from farebox.runtime.clock import SystemClock
from tests.deploy.crds import FOLDER
from tests.support.kube_api import KubeApi, kube_api
from tests.support.peers import eventually
from tests.support.tasks import beside

POOLS: Final = path(API_VERSION, "budgetpools", "default")
CONFIGMAPS: Final = path("v1", "configmaps", "default")
POLLS_MAX: Final = 6_000
SERVED_S_MAX: Final = 60.0
DOLLAR: Final = 1_000_000_000


pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(300)]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def own_api(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[KubeApi]:
    """A control plane of these tests alone: they end parts of it."""
    async with kube_api(tmp_path_factory.mktemp("watched")) as made:
        await made.kubectl("apply", "-f", str(FOLDER))
        await made.until_served(API_VERSION, len(Kind))
        yield made


class Following:
    """What a controller knows of the cluster."""

    def __init__(self, watch: KubeWatch, pods: Pods) -> None:
        self.watch = watch
        self.pods = pods
        self.told: list[Resources] = []

    async def changed(self, resources: Resources) -> None:
        self.told.append(resources)

    def limits(self) -> dict[str, int]:
        pools = self.watch.loaded.resources.pools
        return {pool.name: pool.limit // DOLLAR for pool in pools.values()}

    def lists(self) -> int:
        return self.watch.reflectors[Kind.BUDGET_POOL].lists

    async def until(self, limits: dict[str, int]) -> None:
        await eventually(lambda: self.limits() == limits, polls_max=POLLS_MAX)


@contextlib.asynccontextmanager
async def following(api: KubeApi) -> AsyncIterator[Following]:
    options = KubeOptions(own_namespace="default", kubeconfig=Path(api.kubeconfig))
    async with open_client(options) as kube:
        watch, pods = KubeWatch(kube=kube, clock=SystemClock()), Pods(kube)
        found = Following(watch, pods)
        works = [one.run() for one in watch.reflectors.values()]
        works += [pods.reflector.run(), watch.follow(found.changed)]
        running = [beside(one) for one in works]
        try:
            await watch.ready.wait()
            await pods.reflector.synced.wait()
            yield found
        finally:
            for one in running:
                one.cancel()
            await asyncio.gather(*running, return_exceptions=True)


def pool(name: str, limit: str) -> dict[str, Any]:
    return {
        "apiVersion": API_VERSION,
        "kind": "BudgetPool",
        "metadata": {"name": name},
        "spec": {
            "limit": limit,
            "window": {"type": "Lifetime"},
            "selector": {"matchLabels": {"team": name}},
        },
    }


async def test_pools_come_change_and_go(own_api: KubeApi) -> None:
    async with following(own_api) as found:
        await own_api.post(POOLS, pool("a", "10.00"))
        await own_api.post(POOLS, pool("b", "5.00"))
        await found.until({"a": 10, "b": 5})
        await own_api.patch(f"{POOLS}/a", {"spec": {"limit": "20.00"}})
        await found.until({"a": 20, "b": 5})
        id_ = ResourceId(Kind.BUDGET_POOL, "default", "a")
        assert found.watch.in_force[id_] == 2, "as the API server counts generations"
        assert "managedFields" not in found.watch.objects[id_]["metadata"]
        assert found.watch.loaded.problems == ()
        await own_api.delete(f"{POOLS}/a")
        await own_api.delete(f"{POOLS}/b")
        await found.until({})
        assert found.lists() == 1, "all of this was told by the watch"


async def test_a_status_alone_is_seen_and_changes_nothing(own_api: KubeApi) -> None:
    async with following(own_api) as found:
        await own_api.post(POOLS, pool("a", "10.00"))
        await found.until({"a": 10})
        told = len(found.told)
        status = {"status": {"observedGeneration": 1}}
        await own_api.patch(f"{POOLS}/a/status", status)
        id_ = ResourceId(Kind.BUDGET_POOL, "default", "a")

        def seen() -> object:
            thing = found.watch.object_of(id_)
            return thing["status"].get("observedGeneration") if thing else None

        await eventually(lambda: seen() == 1, polls_max=POLLS_MAX)
        assert len(found.told) == told
        await own_api.delete(f"{POOLS}/a")
        await found.until({})


async def test_a_killed_api_server_takes_nothing_away(own_api: KubeApi) -> None:
    await own_api.post(POOLS, pool("a", "10.00"))
    async with following(own_api) as found:
        assert found.limits() == {"a": 10}
        own_api.apiserver.kill()
        await eventually(lambda: found.watch.trouble() != "", polls_max=POLLS_MAX)
        assert found.limits() == {"a": 10}
        own_api.apiserver.start()
        await own_api.until_ready()
        await own_api.patch(f"{POOLS}/a", {"spec": {"limit": "30.00"}})
        await found.until({"a": 30})
        await eventually(lambda: found.watch.trouble() == "", polls_max=POLLS_MAX)
        await own_api.delete(f"{POOLS}/a")
        await found.until({})


async def test_what_was_compacted_away_is_listed_anew(own_api: KubeApi) -> None:
    await own_api.post(POOLS, pool("stays", "10.00"))
    await own_api.post(POOLS, pool("goes", "10.00"))
    async with following(own_api) as found:
        lists = found.lists()
        # The version that the watches stand at is left behind by changes that they don't see.
        for number in range(20):
            name = {"metadata": {"name": f"filler-{number}"}}
            await own_api.post(CONFIGMAPS, {"apiVersion": "v1", "kind": "ConfigMap", **name})
        own_api.apiserver.kill()
        await compact(own_api)
        own_api.apiserver.start()
        await own_api.until_ready()
        await own_api.patch(f"{POOLS}/stays", {"spec": {"limit": "40.00"}})
        await own_api.delete(f"{POOLS}/goes")
        await found.until({"stays": 40})
        assert found.lists() > lists
        await own_api.delete(f"{POOLS}/stays")
        await found.until({})


async def test_an_old_version_is_refused_as_expired(own_api: KubeApi) -> None:
    """What the reflector takes for expired is what a real API server says."""
    options = KubeOptions(own_namespace="default", kubeconfig=Path(own_api.kubeconfig))
    own_api.apiserver.kill()
    await compact(own_api)
    own_api.apiserver.start()
    await own_api.until_ready()
    async with open_client(options) as kube, asyncio.timeout(SERVED_S_MAX):
        # Right after its start it answers that its cache of a resource is not there yet.
        while not await _is_expired(kube):  # noqa: ASYNC110  (the API server is polled)
            await asyncio.sleep(0.2)


async def _is_expired(kube: KubeClient) -> bool:
    """Whether a version is refused as expired, be it in the answer or in the stream."""
    try:
        async with kube.watch(POOLS, {"resourceVersion": "1"}, watch_s=5) as events:
            event = await anext(events)
    except KubeError as error:
        return error.is_expired
    return event["type"] == "ERROR" and error_of(event["object"], "WATCH").is_expired


async def test_pods_are_known_by_uid(own_api: KubeApi) -> None:
    body = {
        "metadata": {"name": "one", "labels": {"team": "a"}},
        "spec": {"containers": [{"name": "app", "image": "app"}]},
    }
    async with following(own_api) as found:
        made = await own_api.post(path("v1", "pods", "default"), body)
        uid = made["metadata"]["uid"]
        await eventually(lambda: found.pods.get(uid) is not None, polls_max=POLLS_MAX)
        kept = found.pods.get(uid)
        assert kept is not None
        assert (kept.name, kept.labels, kept.service_account) == ("one", {"team": "a"}, "default")
        now = {"gracePeriodSeconds": 0}
        await own_api.delete(f"{path('v1', 'pods', 'default')}/one", now)
        await eventually(lambda: found.pods.get(uid) is None, polls_max=POLLS_MAX)


async def compact(api: KubeApi) -> None:
    """Let etcd forget every version but the last."""
    etcd = f"http://127.0.0.1:{api.etcd_port}/v3"
    async with aiohttp.ClientSession() as session:
        async with session.post(f"{etcd}/kv/range", json={"key": "YQ=="}) as answer:
            revision = (await answer.json())["header"]["revision"]
        wanted = {"revision": revision, "physical": True}
        async with session.post(f"{etcd}/kv/compaction", json=wanted) as answer:
            assert answer.status in {200, 400}, await answer.text()
