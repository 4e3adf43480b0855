"""Where Farebox is in a cluster: the controller that leads, and the pods that have a sidecar.

The one rule: what is not found is a sentence that says what was looked for. This module must not
know what is asked of them.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

from farebox.cli.admin import AdminError, get_json
from farebox.cli.kube.kubectl import Kubectl, KubectlError

CONTROLLERS: Final = "app.kubernetes.io/name=farebox,app.kubernetes.io/component=controller"
CONTROLLERS_MAX: Final = 16
CONTROLLER_ADMIN: Final = 7_448
SIDECAR: Final = "farebox"
"""The name of the container that is injected."""

SIDECAR_ADMIN: Final = 15_003
RUNNING: Final = "Running"
_LEADER: Final = "leader"


@dataclass(frozen=True, slots=True, kw_only=True)
class PodView:
    """A pod as the API server shows it. `container` is the state of its sidecar, "" without one."""

    namespace: str
    name: str
    phase: str
    container: str

    @property
    def title(self) -> str:
        return f"{self.namespace}/{self.name}"

    @property
    def covered(self) -> bool:
        """Whether it has a sidecar."""
        return bool(self.container)

    @property
    def runs(self) -> bool:
        return self.container == "running"


def read_pod(document: Mapping[str, Any]) -> PodView:
    """A pod of the API server."""
    metadata, spec, status = document["metadata"], document["spec"], document.get("status", {})
    kinds = ("initContainers", "containers")
    named = {one["name"] for kind in kinds for one in spec.get(kind) or ()}
    return PodView(
        namespace=metadata["namespace"],
        name=metadata["name"],
        phase=status.get("phase", "Unknown"),
        container=_state(status) if SIDECAR in named else "",
    )


def _state(status: Mapping[str, Any]) -> str:
    """What the sidecar's container does: running, waiting or terminated."""
    kinds = ("initContainerStatuses", "containerStatuses")
    for one in (one for kind in kinds for one in status.get(kind) or ()):
        if one["name"] == SIDECAR:
            return next(iter(one.get("state") or {}), "waiting")
    return "waiting"


async def pod_named(kubectl: Kubectl, name: str) -> PodView | None:
    """A pod of the namespace that kubectl is set to. Raises KubectlError."""
    found = await kubectl.json("get", "pod", name, "--ignore-not-found")
    return None if not found else read_pod(found)


async def covered_pods(kubectl: Kubectl, *scope: str) -> list[PodView]:
    """The pods that have a sidecar. Raises KubectlError."""
    found = await kubectl.json("get", "pods", *scope)
    pods = [read_pod(one) for one in found["items"]]
    return [pod for pod in pods if pod.covered]


@asynccontextmanager
async def leader(kubectl: Kubectl, namespace: str) -> AsyncIterator[str]:
    """The admin address of the controller that leads; `namespace` "" looks everywhere.

    Raises KubectlError when there is none, none that leads, or none that can be reached.
    """
    scope = f"--namespace={namespace}" if namespace else "--all-namespaces"
    found = await kubectl.json("get", "pods", scope, f"--selector={CONTROLLERS}")
    pods = [pod for pod in map(read_pod, found["items"]) if pod.phase == RUNNING]
    if not pods:
        where = f"namespace {namespace}" if namespace else "any namespace"
        raise KubectlError(
            f"No controller of Farebox runs in {where} (pods labelled {CONTROLLERS}): install the "
            "chart, name its namespace with --system-namespace, or a controller with --admin-url."
        )
    async with AsyncExitStack() as stack:
        yield await _leading(kubectl, stack, pods[:CONTROLLERS_MAX])


async def _leading(kubectl: Kubectl, stack: AsyncExitStack, pods: list[PodView]) -> str:
    """Ask one after the other; who leads stays reachable until the stack is unwound."""
    told: list[str] = []
    for pod in pods:
        async with AsyncExitStack() as attempt:
            try:
                url = await attempt.enter_async_context(
                    kubectl.forward(pod.namespace, pod.name, CONTROLLER_ADMIN)
                )
                role = (await get_json(f"{url}/v1/leader"))["role"]
            except AdminError as error:
                told.append(str(error))
                continue
            if role == _LEADER:
                await stack.enter_async_context(attempt.pop_all())
                return url
            told.append(f"{pod.title} stands by.")
    raise KubectlError(" ".join(["No controller leads:", *told]))
