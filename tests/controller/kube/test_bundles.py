"""Bundles on a fake API server: published at once, kept so, through failures and rotations."""

import asyncio
import base64
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from controller.kube import bundles as module
from controller.kube.authorities import Authorities
from controller.kube.bundles import BundleMetrics, Bundles
from controller.kube.client import open_client
from controller.kube.pods import Pod, pod_of
from farebox.runtime.clock import SystemClock
from tests.support.kube_fake import KubeFake, serving_kube
from tests.support.peers import eventually
from tests.support.tasks import beside

LABELLED = {"metadata": {"labels": {"farebox.dev/inject": "enabled"}}}
UNLABELLED: dict[str, object] = {"metadata": {"labels": {}}}
HOOKS = "mutatingwebhookconfigurations"


def pem(name: str) -> str:
    return f"-----BEGIN CERTIFICATE-----\n{name}\n-----END CERTIFICATE-----\n"


@dataclass
class Cluster:
    """A fake API server with one controller's Bundles."""

    fake: KubeFake
    bundles: Bundles
    busy: set[str] = field(default_factory=set)

    def map_in(self, namespace: str) -> str | None:
        for at, thing in self.fake.store.objects.items():
            if at.collection.plural == "configmaps" and at.namespace == namespace:
                return str(thing["data"]["ca.pem"])
        return None

    def hook(self) -> str:
        (hook,) = self.fake.get(HOOKS, "farebox-injector")["webhooks"]
        return base64.b64decode(hook["clientConfig"].get("caBundle", "")).decode()

    def writes(self) -> int:
        return sum(one.method in {"PATCH", "DELETE", "POST"} for one in self.fake.asked)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WRITTEN_AGAIN_MS", 50)
    monkeypatch.setattr(module, "RETRY_S_MIN", 0.01)


@contextlib.asynccontextmanager
async def controller(
    fake: KubeFake, folder: Path, *, drop_after_ms: int = 60_000
) -> AsyncIterator[Cluster]:
    async with open_client(fake.options(folder)) as kube:
        clock, busy = SystemClock(), set[str]()
        bundles = Bundles(
            kube,
            clock,
            in_use=busy.__contains__,
            authorities=Authorities(clock, drop_after_ms=drop_after_ms),
        )
        running = beside(bundles.run())
        yield Cluster(fake, bundles, busy)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


@pytest.fixture
async def fake() -> AsyncIterator[KubeFake]:
    async with serving_kube() as serving:
        serving.put(HOOKS, "farebox-injector", {"webhooks": [{"name": "a", "clientConfig": {}}]})
        serving.put("namespaces", "shop", LABELLED)
        yield serving


async def test_both_places_get_the_bundle_and_keep_it(fake: KubeFake, tmp_path: Path) -> None:
    async with controller(fake, tmp_path) as cluster:
        assert not cluster.bundles.is_published()
        cluster.bundles.want(pem("one"))
        await eventually(cluster.bundles.is_published)
        assert cluster.map_in("shop") == cluster.hook() == pem("one")

        fake.put(HOOKS, "farebox-injector", {"webhooks": [{"name": "b", "clientConfig": {}}]})
        fake.remove("configmaps", "farebox-ca", namespace="shop")

        await eventually(lambda: cluster.map_in("shop") == pem("one") == cluster.hook())


async def test_a_namespace_is_followed(fake: KubeFake, tmp_path: Path) -> None:
    async with controller(fake, tmp_path) as cluster:
        cluster.bundles.want(pem("one"))
        fake.put("namespaces", "late", UNLABELLED)
        await eventually(lambda: cluster.map_in("shop") is not None)
        assert cluster.map_in("late") is None

        fake.put("namespaces", "late", LABELLED)
        await eventually(lambda: cluster.map_in("late") == pem("one"))

        cluster.busy.add("late")
        fake.put("namespaces", "late", UNLABELLED)
        fake.put("namespaces", "shop", UNLABELLED)
        await eventually(lambda: cluster.map_in("shop") is None)
        assert cluster.map_in("late") == pem("one")

        cluster.busy.clear()
        cluster.bundles.look_again()
        await eventually(lambda: cluster.map_in("late") is None)


async def test_of_thousands_of_pods_only_the_first_and_the_last_are_looked_at(
    fake: KubeFake, tmp_path: Path
) -> None:
    def pod(name: str) -> Pod:
        spec = {"volumes": [{"configMap": {"name": "farebox-ca"}}]}
        return pod_of({"metadata": {"uid": name, "name": name, "namespace": "late"}, "spec": spec})

    def poked() -> bool:
        told = cluster.bundles._poked.is_set()
        cluster.bundles._poked.clear()
        return told

    async with controller(fake, tmp_path) as cluster:
        cluster.bundles.want(pem("one"))
        await eventually(cluster.bundles.is_published)
        poked()
        cluster.busy.add("late")
        cluster.bundles.pod_changed(None, pod("one"))
        assert poked()
        for number in range(100):
            cluster.bundles.pod_changed(None, pod(f"pod-{number}"))
            cluster.bundles.pod_changed(pod(f"pod-{number}"), None)
        assert not poked()
        cluster.busy.clear()
        cluster.bundles.pod_changed(pod("one"), None)
        assert poked()


async def test_a_rotation_adds_at_once_and_drops_later(fake: KubeFake, tmp_path: Path) -> None:
    async with controller(fake, tmp_path, drop_after_ms=300) as cluster:
        cluster.bundles.want(pem("one"))
        await eventually(lambda: cluster.hook() == pem("one"))

        cluster.bundles.want(pem("two") + pem("one"))
        await eventually(lambda: cluster.hook() == pem("two") + pem("one"))

        cluster.bundles.want(pem("two"))
        await eventually(lambda: cluster.hook() == cluster.map_in("shop") == pem("two"))


async def test_two_controllers_that_know_different_things_do_not_fight(
    fake: KubeFake, tmp_path: Path
) -> None:
    async with controller(fake, tmp_path) as ahead, controller(fake, tmp_path) as behind:
        ahead.bundles.want(pem("one"))
        behind.bundles.want(pem("one"))
        await eventually(ahead.bundles.is_published)
        ahead.bundles.want(pem("two") + pem("one"))
        await eventually(lambda: ahead.hook() == pem("two") + pem("one") == ahead.map_in("shop"))
        await eventually(behind.bundles.is_published)
        writes = ahead.writes()

        behind.bundles.want(pem("one"))
        fake.put("namespaces", "more", LABELLED)
        await eventually(lambda: "two" in (ahead.map_in("more") or ""))

        assert ahead.hook() == pem("two") + pem("one")
        assert ahead.writes() <= writes + 3


async def test_a_place_that_can_not_be_written_stops_no_other(
    fake: KubeFake, tmp_path: Path
) -> None:
    fake.fail("/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/", status=500)
    fake.put("namespaces", "immutable", LABELLED)
    fake.fail("/api/v1/namespaces/immutable", status=422, times=1_000)
    async with controller(fake, tmp_path) as cluster:
        cluster.bundles.want(pem("one"))

        await eventually(lambda: cluster.map_in("shop") == pem("one") == cluster.hook())
        assert cluster.bundles.trouble() == ("ConfigMap immutable/farebox-ca",)
        registry = CollectorRegistry()
        registry.register(BundleMetrics(cluster.bundles))
        assert "farebox_cluster_unpublished 1.0" in generate_latest(registry).decode()
        assert not cluster.bundles.is_published()


async def test_an_api_server_that_is_away_is_left_alone_and_found_again(
    fake: KubeFake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "RETRY_S_MAX", 0.2)
    async with controller(fake, tmp_path) as cluster:
        cluster.bundles.want(pem("one"))
        await eventually(cluster.bundles.is_published)
        await fake.stop()
        cluster.bundles.want(pem("two"))
        await eventually(lambda: cluster.bundles.trouble() != ())
        await fake.start()
        await eventually(lambda: "two" in cluster.hook() and "two" in str(cluster.map_in("shop")))
        await eventually(lambda: cluster.bundles.trouble() == ())


async def test_without_a_webhook_its_configuration_is_not_even_looked_at(
    fake: KubeFake, tmp_path: Path
) -> None:
    async with open_client(fake.options(tmp_path)) as kube:
        bundles = Bundles(kube, SystemClock(), in_use=lambda _: False, webhook=False)
        bundles.want(pem("one"))
        running = beside(bundles.run())
        await eventually(bundles.is_published)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    assert not any(HOOKS in one.path for one in fake.asked)


@pytest.mark.parametrize("gone", [True, False], ids=["is gone", "can't be written"])
async def test_nobody_looks_all_the_time_at_a_place_that(
    gone: bool, fake: KubeFake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever administers a namespace may put a certificate there and delete it, or forbid it."""
    looks: list[int] = []
    monkeypatch.setattr(module, "PAUSE_S_MIN", 0.001)
    async with controller(fake, tmp_path, drop_after_ms=300) as cluster:
        cluster.bundles.want(pem("one"))
        await eventually(cluster.bundles.is_published)
        fake.put("configmaps", "farebox-ca", {"data": {"ca.pem": pem("x")}}, namespace="shop")
        await eventually(lambda: cluster.map_in("shop") == pem("one") + pem("x"))
        if gone:
            fake.remove("namespaces", "shop")
        else:
            monkeypatch.setattr(module, "RETRY_S_MIN", 60.0)
            fake.fail("/api/v1/namespaces/shop", status=422, times=1_000)
        await asyncio.sleep(0.5)

        settle = cluster.bundles._settle

        async def counted() -> None:
            looks.append(1)
            await settle()

        monkeypatch.setattr(cluster.bundles, "_settle", counted)
        await asyncio.sleep(0.3)
        assert len(looks) < 5
