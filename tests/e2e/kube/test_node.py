"""The node that these tests run pods on does what the other tests rely on."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from tests.support.kube_kubelet import Cluster, kube_cluster

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(180)]

POD: dict[str, Any] = {
    "subdomain": "web",
    "hostname": "web-0",
    "restartPolicy": "Never",
    "terminationGracePeriodSeconds": 1,
    "securityContext": {"runAsUser": 1234, "runAsNonRoot": True},
    "initContainers": [
        {
            "name": "beside",
            "image": "test/python:1",
            "restartPolicy": "Always",
            "command": ["python", "-m", "tests.support.kube_neighbour"],
            "volumeMounts": [{"name": "shared", "mountPath": "/shared"}],
            "startupProbe": {"httpGet": {"path": "/", "port": 8080}},
        }
    ],
    "containers": [
        {
            "name": "main",
            "image": "test/python:1",
            "command": ["python", "-m", "tests.support.kube_visitor"],
            "env": [
                {"name": "POD_NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
                {"name": "POD_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
            ],
            "volumeMounts": [
                {"name": "shared", "mountPath": "/shared"},
                {"name": "words", "mountPath": "/words"},
            ],
        }
    ],
    "volumes": [
        {"name": "shared", "emptyDir": {}},
        {"name": "words", "configMap": {"name": "words"}},
    ],
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def cluster(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Cluster]:
    async with kube_cluster(tmp_path_factory.mktemp("cluster")) as made:
        yield made


async def test_a_pod_runs_as_its_spec_says(cluster: Cluster) -> None:
    words = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "words"}}
    await cluster.api.post(
        "/api/v1/namespaces/default/configmaps", {**words, "data": {"word": "a"}}
    )
    job = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "one"},
        "spec": {"template": {"spec": POD}, "backoffLimit": 0},
    }
    await cluster.api.post("/apis/batch/v1/namespaces/default/jobs", job)

    async def has_ended() -> bool:
        status = (await cluster.api.get("/apis/batch/v1/namespaces/default/jobs/one"))["status"]
        return bool(status.get("succeeded") or status.get("failed"))

    await cluster.until("the job ends", has_ended)
    (pod,) = cluster.node.of("default", "one-")
    told = json.loads(pod.log("main"))
    assert told == {
        "user": 1234,
        "answer": 403,
        "name": pod.name,
        "address": told["found"],
        "found": told["found"],
        "word": "a",
        "beside": "yes",
    }
    assert told["address"].startswith("192.0.2.")
    stored = await cluster.api.get(f"/api/v1/namespaces/default/pods/{pod.name}")
    assert stored["status"]["phase"] == "Succeeded"
    await cluster.api.delete("/api/v1/namespaces/default/jobs/one")
