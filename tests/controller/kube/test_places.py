"""Places: what is kept of each, what is wrong there, and what is written."""

import asyncio
import base64
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from controller.kube.authorities import Authorities
from controller.kube.client import KubeError, Object, open_client
from controller.kube.namespaces import Namespaces
from controller.kube.places import Hook, Hooks, TrustMap, TrustMaps, hooks_of, trust_map_of
from controller.kube.reflector import Reflector
from tests.support.clocks import ManualClock
from tests.support.kube_fake import KubeFake, serving_kube
from tests.support.tasks import beside

LABELLED = {"farebox.dev/inject": "enabled"}
OURS = {"app.kubernetes.io/name": "farebox", "app.kubernetes.io/managed-by": "farebox-controller"}
HOOKS = "mutatingwebhookconfigurations"


def pem(name: str) -> str:
    return f"-----BEGIN CERTIFICATE-----\n{name}\n-----END CERTIFICATE-----\n"


@pytest.fixture
def authorities() -> Authorities:
    made = Authorities(ManualClock())
    made.want(pem("new"))
    return made


@pytest.fixture
async def fake() -> AsyncIterator[KubeFake]:
    async with serving_kube() as serving:
        yield serving


@contextlib.asynccontextmanager
async def listed(*mirrors: Reflector[Any]) -> AsyncIterator[None]:
    """Inside this block the mirrors have been listed once."""
    running = [beside(mirror.run()) for mirror in mirrors]
    for mirror in mirrors:
        await mirror.synced.wait()
    yield
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)


async def put_maps_right(fake: KubeFake, folder: Path, authorities: Authorities) -> list[str]:
    """Carry out what is to be done; gives the places. Pods of "busy" mount their ConfigMap."""
    async with open_client(fake.options(folder)) as kube:
        namespaces = Namespaces(kube)
        maps = TrustMaps(
            kube,
            namespaces,
            lambda *_: None,
            in_use=lambda namespace: namespace == "busy",
            untouched=["kube-system"],
        )
        assert list(maps.steps(authorities)) == []
        async with listed(maps.mirror, namespaces.reflector):
            (owner,) = maps.steps(authorities)
            await owner.put_right()
            steps = list(maps.steps(authorities))
            for step in steps:
                await step.put_right()
            return [step.place for step in steps]


def namespace(fake: KubeFake, name: str, labels: dict[str, str], **more: Any) -> None:
    fake.put("namespaces", name, {"metadata": {"labels": labels}, **more})


def trust_map(fake: KubeFake, name: str, text: str, labels: dict[str, str] = OURS) -> None:
    body = {"metadata": {"labels": labels}, "data": {"ca.pem": text}}
    fake.put("configmaps", "farebox-ca", body, namespace=name)


def maps_of(fake: KubeFake) -> dict[str, str]:
    return {
        at.namespace: thing["data"]["ca.pem"]
        for at, thing in fake.store.objects.items()
        if at.collection.plural == "configmaps"
    }


async def test_every_labelled_namespace_has_its_map(
    fake: KubeFake, tmp_path: Path, authorities: Authorities
) -> None:
    fake.put("clusterroles", "farebox-controller", {})
    for name in ("absent", "old", "kube-system"):
        namespace(fake, name, LABELLED)
    namespace(fake, "ending", LABELLED, status={"phase": "Terminating"})
    namespace(fake, "other", {})
    trust_map(fake, "old", pem("old"))
    role = fake.get("clusterroles", "farebox-controller")["metadata"]["uid"]

    await put_maps_right(fake, tmp_path, authorities)

    assert maps_of(fake) == {"absent": pem("new"), "old": pem("new") + pem("old")}
    made = fake.get("configmaps", "farebox-ca", namespace="absent")["metadata"]
    assert made["labels"] == OURS
    assert made["ownerReferences"] == [
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRole",
            "name": "farebox-controller",
            "uid": role,
        }
    ]


async def test_what_is_right_is_not_written(
    fake: KubeFake, tmp_path: Path, authorities: Authorities
) -> None:
    namespace(fake, "shop", LABELLED)
    trust_map(fake, "shop", pem("new"))
    assert await put_maps_right(fake, tmp_path, authorities) == []


async def test_a_map_of_another_installation_gets_the_owner_of_this_one(
    fake: KubeFake, tmp_path: Path, authorities: Authorities
) -> None:
    fake.put("clusterroles", "farebox-controller", {})
    namespace(fake, "shop", LABELLED)
    trust_map(fake, "shop", pem("new"))

    assert await put_maps_right(fake, tmp_path, authorities) == ["ConfigMap shop/farebox-ca"]
    found = fake.get("configmaps", "farebox-ca", namespace="shop")
    assert found["data"] == {"ca.pem": pem("new")}
    assert len(found["metadata"]["ownerReferences"]) == 1


async def test_a_map_is_kept_as_long_as_pods_mount_it_and_deleted_if_it_is_ours(
    fake: KubeFake, tmp_path: Path, authorities: Authorities
) -> None:
    for name in ("busy", "idle", "foreign"):
        namespace(fake, name, {})
    trust_map(fake, "busy", pem("old"))
    trust_map(fake, "idle", pem("new"))
    trust_map(fake, "foreign", pem("new"), labels={})

    await put_maps_right(fake, tmp_path, authorities)

    assert maps_of(fake) == {"busy": pem("new") + pem("old"), "foreign": pem("new")}


async def test_an_owner_that_can_not_be_asked_for_is_asked_for_again(
    fake: KubeFake, tmp_path: Path, authorities: Authorities
) -> None:
    fake.fail("/apis/rbac", status=503)
    with pytest.raises(KubeError):
        await put_maps_right(fake, tmp_path, authorities)
    assert await put_maps_right(fake, tmp_path, authorities) == []


async def put_hooks_right(fake: KubeFake, folder: Path, authorities: Authorities) -> list[str]:
    async with open_client(fake.options(folder)) as kube:
        hooks = Hooks(kube, lambda *_: None)
        async with listed(hooks.mirror):
            steps = list(hooks.steps(authorities))
            for step in steps:
                await step.put_right()
            return [step.place for step in steps]


def configuration(fake: KubeFake, name: str, **bundles: str) -> None:
    hooks = [
        {"name": f"{hook}.farebox.dev", "clientConfig": {"caBundle": text} if text else {}}
        for hook, text in bundles.items()
    ]
    fake.put(HOOKS, name, {"webhooks": hooks})


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


async def test_every_webhook_of_the_configuration_gets_the_bundle(
    fake: KubeFake, tmp_path: Path, authorities: Authorities
) -> None:
    configuration(
        fake, "farebox-injector", none="", old=encoded(pem("old")), new=encoded(pem("new"))
    )
    configuration(fake, "another", none="")

    places = await put_hooks_right(fake, tmp_path, authorities)

    assert places == ["farebox-injector/none.farebox.dev", "farebox-injector/old.farebox.dev"]
    hooks = fake.get(HOOKS, "farebox-injector")["webhooks"]
    assert [hook["clientConfig"]["caBundle"] for hook in hooks] == [
        encoded(pem("new")),
        encoded(pem("new") + pem("old")),
        encoded(pem("new")),
    ]
    assert await put_hooks_right(fake, tmp_path, authorities) == []


async def test_a_configuration_that_is_not_there_is_not_made(
    fake: KubeFake, tmp_path: Path, authorities: Authorities
) -> None:
    assert await put_hooks_right(fake, tmp_path, authorities) == []
    assert not fake.store.objects


async def test_webhooks_that_have_changed_places_are_left_for_the_next_time(
    fake: KubeFake, tmp_path: Path, authorities: Authorities
) -> None:
    configuration(fake, "farebox-injector", first="", second="")
    async with open_client(fake.options(tmp_path)) as kube:
        hooks = Hooks(kube, lambda *_: None)
        async with listed(hooks.mirror):
            first, _ = hooks.steps(authorities)
            configuration(fake, "farebox-injector", second="", first="")
            with pytest.raises(KubeError, match="the test at"):
                await first.put_right()


def test_what_is_kept() -> None:
    found: Object = {
        "metadata": {"uid": "1", "labels": OURS, "ownerReferences": [{"uid": "2"}]},
        "data": {"ca.pem": "text"},
    }
    assert trust_map_of(found) == TrustMap("1", "text", True, frozenset({"2"}))
    assert trust_map_of({"metadata": {"uid": "1"}}) == TrustMap("1", "", False, frozenset())
    assert hooks_of({}) == ()
    assert hooks_of({"webhooks": [{"name": "a", "clientConfig": {"caBundle": "?"}}]}) == (
        Hook("a", ""),
    )
