"""What a container of a stored pod asks for, as something that can be run.

The one rule: what the spec says is taken as it is; what it asks for and these tests can't give is
an error. This module must not know how containers run.
"""

import base64
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Protocol

from tests.support.kube_api import KUBERNETES_SERVICE, ApiError, KubeApi
from tests.support.kube_containers import ContainerSpec, Mount, capabilities_of
from tests.support.kube_network import Spot
from tests.support.kube_quantities import bytes_of
from tests.support.kube_volumes import field_of

IMAGES: Final[Mapping[str, tuple[str, int]]] = {
    "farebox-controller": ("farebox-controller", 15_001),
    "farebox-sidecar": ("farebox-sidecar", 15_002),
    "etcd": ("etcd", 1_000),
    "python": ("python", 0),
}
"""Of each image its command, and the user that it names."""


class Places(Protocol):
    """Where a pod's volumes are."""

    def path(self, name: str) -> Path:
        """Where a volume is on this machine."""


async def container_spec(
    pod: Mapping[str, Any],
    spec: Mapping[str, Any],
    spot: Spot,
    volumes: Places,
    api: KubeApi,
    hosts: Path,
) -> ContainerSpec:
    """A container of a pod at a spot. Raises ApiError, AssertionError."""
    image = spec["image"].rpartition("/")[2].partition("@")[0].partition(":")[0]
    usual, user = IMAGES[image]
    context = {**pod["spec"].get("securityContext", {}), **spec.get("securityContext", {})}
    user = context.get("runAsUser", user)
    assert user or not context.get("runAsNonRoot"), f"{spec['name']}: root, though runAsNonRoot"
    environment = await _environment(pod, spec, spot, api)
    words = [*spec.get("command", (usual,)), *spec.get("args", ())]
    group = context.get("fsGroup")
    memory = spec.get("resources", {}).get("limits", {}).get("memory")
    return ContainerSpec(
        name=spec["name"],
        command=[_expanded(word, environment) for word in words],
        environment=environment,
        mounts=[Mount(source=hosts, target="/etc/hosts"), *_mounts(spec, volumes)],
        namespace=spot.namespace,
        hostname=pod["spec"].get("hostname", pod["metadata"]["name"]),
        user=user,
        group=context.get("runAsGroup", user),
        groups=() if group is None else (group,),
        folder=spec.get("workingDir", "/"),
        read_only=context.get("readOnlyRootFilesystem", False),
        privileges_may_grow=context.get("allowPrivilegeEscalation", True),
        capabilities=capabilities_of(context),
        memory_bytes=None if memory is None else bytes_of(memory),
    )


def _mounts(spec: Mapping[str, Any], volumes: Places) -> list[Mount]:
    found = []
    for mount in spec.get("volumeMounts", ()):
        source = volumes.path(mount["name"])
        if "subPath" in mount:
            source /= mount["subPath"]
        read_only = mount.get("readOnly", False)
        found.append(Mount(source=source, target=mount["mountPath"], read_only=read_only))
    return found


async def _environment(
    pod: Mapping[str, Any], spec: Mapping[str, Any], spot: Spot, api: KubeApi
) -> dict[str, str]:
    found = {"KUBERNETES_SERVICE_HOST": KUBERNETES_SERVICE, "KUBERNETES_SERVICE_PORT": "443"}
    assert "envFrom" not in spec, "envFrom is not known here"
    for one in spec.get("env", ()):
        if "value" in one:
            found[one["name"]] = _expanded(one["value"], found)
        elif "valueFrom" in one:
            text = await _value(pod, spec, spot, api, one["valueFrom"])
            if text is not None:
                found[one["name"]] = text
        else:
            found[one["name"]] = ""
    return found


async def _value(
    pod: Mapping[str, Any],
    spec: Mapping[str, Any],
    spot: Spot,
    api: KubeApi,
    source: Mapping[str, Any],
) -> str | None:
    """The text that a variable is given; None where it is optional and not there."""
    if "fieldRef" in source:
        return field_of(pod, source["fieldRef"]["fieldPath"], spot.address)
    if "resourceFieldRef" in source:
        kind, _, name = source["resourceFieldRef"]["resource"].partition(".")
        asked = spec["resources"][kind][name]
        return str(bytes_of(asked)) if name == "memory" else str(asked)
    secret = "secretKeyRef" in source
    said = source["secretKeyRef" if secret else "configMapKeyRef"]
    plural = "secrets" if secret else "configmaps"
    path = f"/api/v1/namespaces/{pod['metadata']['namespace']}/{plural}/{said['name']}"
    try:
        text = str((await api.get(path))["data"][said["key"]])
    except (ApiError, KeyError):
        if said.get("optional"):
            return None
        raise
    return base64.b64decode(text).decode() if secret else text


def _expanded(text: str, environment: Mapping[str, str]) -> str:
    """$(NAME) replaced where NAME is known, as a kubelet does it."""
    return re.sub(
        r"\$\(([A-Za-z_][A-Za-z0-9_.-]*)\)", lambda found: environment.get(found[1], found[0]), text
    )
