"""The node of a test's Kubernetes: takes pods that nobody took yet, and runs them.

It stands in for scheduler and kubelet. The one rule: leaving the block ends every container and
takes every namespace away. This module must not know what the pods are.

Not as in a cluster: pods are placed without looking at resources, taints or spread; there are no
image pulls, no seccomp profiles, no logs or port-forwards through the API server.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import aiohttp

from farebox.runtime.clock import SystemClock
from tests.support.kube_api import ApiError, KubeApi, kube_api
from tests.support.kube_network import NODE, KubeNetwork, kube_network
from tests.support.kube_pod_status import stamp
from tests.support.kube_pods import POLL_S, Pod
from tests.support.tasks import beside

NAME: Final = "node-1"
_ENDED: Final = {"Succeeded", "Failed"}
_CAPACITY: Final = {"cpu": "64", "memory": "256Gi", "pods": "200", "ephemeral-storage": "500Gi"}
PATIENCE_S: Final = 90.0


class Kubelet:
    """The pods of the node, by uid. `past`: those that have ended and are gone."""

    def __init__(self, api: KubeApi, network: KubeNetwork, folder: Path) -> None:
        self._api = api
        self._network = network
        self._folder = folder
        self.pods: dict[str, Pod] = {}
        self.past: list[Pod] = []
        self._tasks: dict[str, asyncio.Task[None]] = {}

    async def join(self) -> None:
        """Make the node known to the API server."""
        node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": NAME}}
        await self._api.post("/api/v1/nodes", node)
        now = stamp(SystemClock().utc())
        ready = {"type": "Ready", "status": "True", "reason": "Test", "lastTransitionTime": now}
        status = {
            "capacity": _CAPACITY,
            "allocatable": _CAPACITY,
            "addresses": [{"type": "InternalIP", "address": NODE}],
            "conditions": [{**ready, "lastHeartbeatTime": now}],
        }
        await self._api.patch(f"/api/v1/nodes/{NAME}/status", {"status": status})
        # The part of the controller manager that takes it off again does not run here.
        await self._api.patch(f"/api/v1/nodes/{NAME}", {"spec": {"taints": None}})

    async def run(self) -> None:
        """Follow what the API server says, for ever."""
        while True:
            with suppress(ApiError, aiohttp.ClientError, TimeoutError, json.JSONDecodeError):
                await self._sync()
            for uid, task in list(self._tasks.items()):
                if task.done():
                    del self._tasks[uid]
                    # A fault of these tests must be seen.
                    task.result()
            await asyncio.sleep(POLL_S)

    async def _sync(self) -> None:
        listed = await self._api.get("/api/v1/pods")
        found = {one["metadata"]["uid"]: one for one in listed["items"]}
        for uid, wanted in found.items():
            if uid in self.pods:
                self.pods[uid].wanted = wanted
            elif "nodeName" not in wanted["spec"]:
                await self._take(wanted)
            elif wanted.get("status", {}).get("phase") not in _ENDED:
                self._start(wanted)
        for uid in self.pods.keys() - found.keys():
            self._forget(uid)

    def _start(self, wanted: Mapping[str, Any]) -> None:
        pod = Pod(self._api, self._network, wanted, self._folder)
        self.pods[pod.uid] = pod
        self._tasks[pod.uid] = beside(pod.run())

    def _forget(self, uid: str) -> None:
        pod = self.pods.pop(uid)
        self.past.append(pod)
        # Where it still runs it was deleted without being asked to end.
        metadata = {**pod.wanted["metadata"], "deletionTimestamp": stamp(SystemClock().utc())}
        pod.wanted = {**pod.wanted, "metadata": metadata}

    async def _take(self, wanted: Mapping[str, Any]) -> None:
        metadata = wanted["metadata"]
        path = f"/api/v1/namespaces/{metadata['namespace']}/pods/{metadata['name']}/binding"
        binding = {
            "apiVersion": "v1",
            "kind": "Binding",
            "metadata": {"name": metadata["name"]},
            "target": {"apiVersion": "v1", "kind": "Node", "name": NAME},
        }
        # Somebody may have deleted it a moment ago.
        with suppress(ApiError):
            await self._api.post(path, binding)

    async def close(self) -> None:
        """End everything at once."""
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    def told(self) -> str:
        """How the pods are, and the end of what each of their containers wrote."""
        return "\n".join(pod.told() for pod in self.pods.values())

    def of(self, namespace: str, prefix: str) -> list[Pod]:
        """The pods of a namespace whose names begin so, oldest first."""
        return [
            pod
            for pod in self.pods.values()
            if pod.namespace == namespace and pod.name.startswith(prefix)
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """A control plane with one node that runs pods."""

    api: KubeApi
    network: KubeNetwork
    node: Kubelet
    following: asyncio.Task[None]

    async def until(
        self, what: str, holds: Callable[[], Awaitable[bool]], patience_s: float = PATIENCE_S
    ) -> None:
        """Wait, bounded, until something holds; a failure says what, and how the pods are."""
        try:
            async with asyncio.timeout(patience_s):
                while not await holds():
                    if self.following.done():
                        self.following.result()
                    await asyncio.sleep(POLL_S)
        except TimeoutError:
            raise AssertionError(f"not within {patience_s} s: {what}\n{self.node.told()}") from None


@asynccontextmanager
async def kube_cluster(folder: Path) -> AsyncIterator[Cluster]:
    """Run a whole cluster for as long as the block lasts."""
    async with kube_network(folder) as network, kube_api(folder / "kube", network.home) as api:
        node = Kubelet(api, network, folder / "node")
        await node.join()
        following = beside(node.run())
        try:
            yield Cluster(api=api, network=network, node=node, following=following)
        finally:
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)
            await node.close()
