"""Pods by uid: who is who, while names are taken over."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from controller.kube.client import open_client
from controller.kube.pods import Pod, Pods, Sidecar, pod_of
from tests.support.kube_fake import KubeFake, serving_kube
from tests.support.peers import eventually
from tests.support.tasks import beside

TRUST = {"name": "farebox-trust", "configMap": {"name": "farebox-ca"}}

SIDECAR = {"name": "farebox", "restartPolicy": "Always"}


def body(**labels: str) -> dict[str, Any]:
    return {
        "metadata": {"labels": labels},
        "spec": {"serviceAccountName": "buyer", "volumes": [{"name": "other"}, TRUST]},
        "status": {"phase": "Running", "podIPs": [{"ip": "10.0.0.7"}, {"ip": "fd00::7"}]},
    }


@contextlib.asynccontextmanager
async def following(folder: Path, fake: KubeFake) -> AsyncIterator[Pods]:
    async with open_client(fake.options(folder)) as kube:
        pods = Pods(kube)
        running = beside(pods.reflector.run())
        try:
            await pods.reflector.synced.wait()
            yield pods
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)


async def test_a_pod_is_known_by_its_uid_until_it_is_gone(tmp_path: Path) -> None:
    async with serving_kube() as fake:
        uid = fake.put("pods", "a", body(team="x"), namespace="shop")["metadata"]["uid"]
        async with following(tmp_path, fake) as pods:
            pod = pods.get(uid)
            assert pod is not None
            assert (pod.namespace, pod.name, pod.labels) == ("shop", "a", {"team": "x"})
            assert (pod.service_account, pod.addresses) == ("buyer", ("10.0.0.7", "fd00::7"))
            assert pods.find("shop", "a") == pod
            assert pods.injected_in("shop")
            fake.remove("pods", "a", namespace="shop")
            await eventually(lambda: pods.get(uid) is None)
            assert not pods.injected_in("shop")


async def test_a_pod_of_the_same_name_is_another_pod(tmp_path: Path) -> None:
    told: list[tuple[Pod | None, Pod | None]] = []
    async with serving_kube() as fake:
        first = fake.put("pods", "a", body(team="x"), namespace="shop")["metadata"]["uid"]
        async with following(tmp_path, fake) as pods:
            pods.follow(lambda before, after: told.append((before, after)))
            old = pods.get(first)
            await fake.stop()
            fake.remove("pods", "a", namespace="shop")
            second = fake.put("pods", "a", body(team="y"), namespace="shop")["metadata"]["uid"]
            fake.store.compact()
            await fake.start()
            await eventually(lambda: pods.get(second) is not None)
            new = pods.get(second)
            assert list(pods.by_uid) == [second]
            fake.put("pods", "a", body(team="z"), namespace="shop")
            await eventually(lambda: len(told) == 3)
            changed = pods.get(second)
    assert told == [(old, None), (None, new), (new, changed)]


@pytest.mark.parametrize(
    ("metadata", "spec", "want"),
    [
        ({}, {"initContainers": [{"name": "mesh"}, SIDECAR]}, Sidecar.INJECTED),
        (
            {"labels": {"farebox.dev/inject": "false"}},
            {"initContainers": [SIDECAR]},
            Sidecar.INJECTED,
        ),
        ({"annotations": {"farebox.dev/injected": '{"hash":"5f"}'}}, {}, Sidecar.ABSENT),
        ({}, {"initContainers": [{"name": "farebox"}]}, Sidecar.ABSENT),
        ({}, {"containers": [{"name": "app"}, SIDECAR]}, Sidecar.ABSENT),
        ({"labels": {"farebox.dev/inject": "false"}}, {}, Sidecar.OPTED_OUT),
        ({"annotations": {"farebox.dev/inject": "false"}}, {}, Sidecar.OPTED_OUT),
        ({}, {"containers": [{"name": "app"}]}, Sidecar.ABSENT),
    ],
)
def test_whether_a_pod_has_a_sidecar(
    metadata: dict[str, Any], spec: dict[str, Any], want: Sidecar
) -> None:
    pod = pod_of({"metadata": {"uid": "u", "name": "a"} | metadata, "spec": spec})
    assert pod.sidecar is want
    assert (pod.addresses, pod.service_account, pod.mounts_trust) == ((), "default", False)


@pytest.mark.parametrize(
    ("phase", "running", "ended"),
    [("Pending", False, False), ("Running", True, False), ("Succeeded", False, True)],
)
def test_a_pod_runs_and_has_ended(phase: str, running: bool, ended: bool) -> None:
    pod = pod_of(
        {
            "metadata": {"uid": "u", "name": "a", "deletionTimestamp": "2026-01-01T00:00:00Z"},
            "status": {"phase": phase},
        }
    )
    assert (pod.running, pod.ended, pod.deleting) == (running, ended, True)
