"""The pods of the cluster as the API server tells them: whom a sidecar works for.

The one rule: a pod is its uid; a name says nothing about which pod it is now. This module must not
know tokens, streams or pools.
"""

import enum
import sys
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from controller.kube.client import KubeClient, Object, path
from controller.kube.reflector import Key, Reflector

OPT_OUT: Final = "farebox.dev/inject"
CONTAINER: Final = "farebox"
TRUST: Final = "farebox-ca"
"""The ConfigMap with the certificates that sidecars trust."""

_ENDED: Final = frozenset({"Succeeded", "Failed"})


class Sidecar(enum.StrEnum):
    """Whether a pod has a sidecar."""

    INJECTED = "injected"
    OPTED_OUT = "opted out"
    ABSENT = "absent"


@dataclass(frozen=True, slots=True)
class Pod:
    """What is kept of a pod.

    `ended`: it has run and is only kept for its logs; `mounts_trust`: it can't start without the
    ConfigMap TRUST; `running`: its own containers have been started.
    """

    uid: str
    namespace: str
    name: str
    labels: Mapping[str, str]
    service_account: str
    addresses: tuple[str, ...]
    sidecar: Sidecar
    mounts_trust: bool
    deleting: bool
    ended: bool
    running: bool = False


PodChanged = Callable[[Pod | None, Pod | None], None]
"""What a pod (one uid) was and what it is; None: not there yet, or gone."""


class Pods:
    """All pods by uid, and a mirror that keeps them so."""

    def __init__(self, kube: KubeClient) -> None:
        self.reflector: Reflector[Pod] = Reflector(
            kube, path("v1", "pods"), keep=pod_of, changed=self._on_change
        )
        self._by_uid: dict[str, Pod] = {}
        self._trusting: Counter[str] = Counter()
        self._followers: list[PodChanged] = []

    @property
    def by_uid(self) -> Mapping[str, Pod]:
        """Every pod there is."""
        return self._by_uid

    def get(self, uid: str) -> Pod | None:
        """The pod with this uid, None when there is none (any more)."""
        return self._by_uid.get(uid)

    def find(self, namespace: str, name: str) -> Pod | None:
        """The pod that has this name now."""
        return self.reflector.items.get(Key(namespace, name))

    def injected_in(self, namespace: str) -> bool:
        """Whether any pod of a namespace mounts the certificates that sidecars trust."""
        return self._trusting[namespace] > 0

    def follow(self, changed: PodChanged) -> None:
        """Have `changed` called with each change from now on; it must neither fail nor wait."""
        self._followers.append(changed)

    def _on_change(self, _: Key, before: Pod | None, after: Pod | None) -> None:
        if before is not None and (after is None or after.uid != before.uid):
            del self._by_uid[before.uid]
            self._tell(before, None)
            before = None
        if after is not None:
            self._by_uid[after.uid] = after
            self._tell(before, after)

    def _tell(self, before: Pod | None, after: Pod | None) -> None:
        if before is not None and before.mounts_trust:
            self._trusting[before.namespace] -= 1
        if after is not None and after.mounts_trust:
            self._trusting[after.namespace] += 1
        for follower in self._followers:
            follower(before, after)


def pod_of(thing: Object) -> Pod:
    """What is kept of a pod; texts that many pods share are kept once."""
    metadata, spec = thing["metadata"], thing.get("spec") or {}
    status = thing.get("status") or {}
    addresses = status.get("podIPs") or []
    return Pod(
        uid=str(metadata["uid"]),
        namespace=sys.intern(str(metadata.get("namespace") or "")),
        name=str(metadata["name"]),
        labels=_interned(metadata.get("labels") or {}),
        service_account=sys.intern(str(spec.get("serviceAccountName") or "default")),
        addresses=tuple(str(one["ip"]) for one in addresses if one.get("ip")),
        sidecar=_sidecar_of(metadata, spec),
        mounts_trust=any(
            (volume.get("configMap") or {}).get("name") == TRUST
            for volume in spec.get("volumes") or ()
        ),
        deleting="deletionTimestamp" in metadata,
        ended=status.get("phase") in _ENDED,
        running=status.get("phase") == "Running",
    )


def _interned(labels: Mapping[str, object]) -> Mapping[str, str]:
    return {sys.intern(str(name)): sys.intern(str(value)) for name, value in labels.items()}


def _sidecar_of(metadata: Object, spec: Object) -> Sidecar:
    """What the pod has, and not what its annotations say: those may be copied from another."""
    if any(_is_sidecar(one) for one in spec.get("initContainers") or ()):
        return Sidecar.INJECTED
    labels, notes = metadata.get("labels") or {}, metadata.get("annotations") or {}
    refused = "false" in {labels.get(OPT_OUT), notes.get(OPT_OUT)}
    return Sidecar.OPTED_OUT if refused else Sidecar.ABSENT


def _is_sidecar(container: Object) -> bool:
    """Whether it is there before the pod's containers and as long as they are."""
    return container.get("name") == CONTAINER and container.get("restartPolicy") == "Always"
