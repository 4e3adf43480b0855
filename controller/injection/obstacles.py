"""Which pods are left alone, and which can't be injected.

The one rule: a pod that should be capped and can't be is refused with a sentence that says what to
change; only what was asked for, or what Kubernetes itself lives of, runs without a sidecar. This
module must not know what a sidecar needs beyond its names, ports and user.
"""

from typing import Any, Final

from controller.injection.container import CONTAINER, VOLUMES
from controller.injection.overrides import INJECT, is_opted_out
from controller.injection.pods import (
    Object,
    annotations_of,
    containers_of,
    entries,
    group,
    has,
    labels_of,
)
from controller.injection.settings import Settings

MIRROR: Final = "kubernetes.io/config.mirror"
"""The annotation of a pod that shows what a kubelet runs from a file; nobody can change it."""

_OPT_OUT: Final = f'or let it run without a sidecar with the annotation {INJECT}: "false"'


def exemption(pod: Object, namespace: str, settings: Settings) -> str:
    """Why a pod is left as it is; "" when it is to be injected. Raises OverrideError."""
    if namespace in settings.untouched:
        return f"namespace {namespace} is never touched"
    if MIRROR in annotations_of(pod):
        return "it is a mirror of a static pod"
    if is_opted_out(labels_of(pod), annotations_of(pod)):
        return "it has opted out"
    return ""


def obstacles(pod: Object, settings: Settings, *, injected: bool) -> list[str]:
    """What keeps a pod from being injected, a sentence each.

    With `injected` the container and the volumes of our names are ours.
    """
    found = [*_of_system(pod["spec"]), *_of_names(pod["spec"], injected=injected)]
    for container in containers_of(pod):
        if container.get("name") != CONTAINER:
            found += _of_container(container, pod["spec"], settings)
    return found


def warnings(pod: Object) -> list[str]:
    """What is worth knowing about a pod that is injected, a sentence each."""
    if any(pod["spec"].get(field) for field in ("shareProcessNamespace", "hostPID")):
        return ["containers share processes: one that runs as root can read the sidecar's files"]
    return []


def _of_system(spec: Object) -> list[str]:
    found = []
    if spec.get("hostNetwork"):
        found.append(
            "the pod is on its node's network, where every program of the node could use the "
            f"sidecar: leave hostNetwork out, {_OPT_OUT}"
        )
    system = group(spec, "os").get("name") or group(spec, "nodeSelector").get("kubernetes.io/os")
    if system == "windows":
        found.append(f"there is no sidecar for Windows: run it on Linux, {_OPT_OUT}")
    return found


def _of_names(spec: Object, *, injected: bool) -> list[str]:
    ours = ("initContainers", "volumes") if injected else ()
    found = []
    if any(
        has(entries(spec, kind), CONTAINER)
        for kind in ("initContainers", "containers", "ephemeralContainers")
        if kind not in ours
    ):
        found.append(
            f"a container is called {CONTAINER}, the name of the sidecar: call it otherwise"
        )
    found += [
        f"volume {name} has the name of a volume of the sidecar: call it otherwise"
        for name in VOLUMES
        if "volumes" not in ours and has(entries(spec, "volumes"), name)
    ]
    return found


def _of_container(container: Object, spec: Object, settings: Settings) -> list[str]:
    who = f"container {container.get('name')}"
    found = [
        f"{who} mounts {mount.get('name')}, which is the sidecar's alone: take the mount out"
        for mount in entries(container, "volumeMounts")
        if mount.get("name") in VOLUMES
    ]
    if settings.user is not None and _user_of(container, spec) == settings.user:
        found.append(
            f"{who} runs as user {settings.user}, which is the sidecar's alone: choose another"
        )
    taken = {port.get("containerPort") for port in entries(container, "ports")}
    found += [
        f"{who} listens on port {port}, which is the sidecar's: choose another"
        for port in settings.ports.all
        if port in taken
    ]
    return found


def _user_of(container: Object, spec: Object) -> Any:
    """The user that a container is told to run as; None when its image says it."""
    own = group(container, "securityContext").get("runAsUser")
    return group(spec, "securityContext").get("runAsUser") if own is None else own
