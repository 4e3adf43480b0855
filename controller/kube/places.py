"""Where the controllers' authorities are published, and what is wrong there now.

Sidecars read the ConfigMap `farebox-ca` of their namespace, the API server reads `caBundle` in the
webhook configuration `farebox-injector`. The one rule: nothing is written here that was not missing
or wrong, and nothing that others have made beside it is touched. This module must not know when it
is asked.
"""

import base64
import binascii
import logging
from collections.abc import Awaitable, Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Any, Final

from controller.injection.container import TRUST_KEY, TRUST_MAP
from controller.kube.authorities import Authorities
from controller.kube.client import FIELD_MANAGER, JSON_PATCH, KubeClient, KubeError, Object, path
from controller.kube.namespaces import Known, Namespaces
from controller.kube.reflector import Key, Reflector

_LOG = logging.getLogger(__name__)

CONFIGURATION: Final = "farebox-injector"
OWNER: Final = "farebox-controller"
"""The ClusterRole of the chart: when it is deleted, the ConfigMaps are too."""

MANAGED_BY: Final = "app.kubernetes.io/managed-by"
LABELS: Final = {"app.kubernetes.io/name": "farebox", MANAGED_BY: FIELD_MANAGER}
HOOKS_PLURAL: Final = "mutatingwebhookconfigurations"
HOOKS_AT: Final = path("admissionregistration.k8s.io/v1", HOOKS_PLURAL)
MAPS_AT: Final = path("v1", "configmaps")
_RBAC: Final = "rbac.authorization.k8s.io/v1"


@dataclass(frozen=True, slots=True)
class Step:
    """A place that is not as it should be, and how it is put right (KubeError when it can't be)."""

    place: str
    put_right: Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class TrustMap:
    """A ConfigMap `farebox-ca` as it is; `owners` are uids."""

    uid: str
    pem: str
    is_ours: bool
    owners: frozenset[str]


class TrustMaps:
    """The ConfigMaps: in every namespace that is labelled, and as long as pods mount one."""

    def __init__(
        self,
        kube: KubeClient,
        namespaces: Namespaces,
        changed: Callable[..., None],
        *,
        in_use: Callable[[str], bool],
        untouched: Collection[str],
    ) -> None:
        self._kube, self._namespaces = kube, namespaces
        self._in_use, self._untouched = in_use, frozenset(untouched)
        self._owner: str | None = None
        self.mirror = Reflector(
            kube,
            MAPS_AT,
            keep=trust_map_of,
            changed=changed,
            query={"fieldSelector": f"metadata.name={TRUST_MAP}"},
        )

    def steps(self, authorities: Authorities) -> Iterator[Step]:
        """What is to be done; nothing before all is known."""
        if not (self.mirror.synced.is_set() and self._namespaces.reflector.synced.is_set()):
            return
        if self._owner is None:
            yield Step("the owner of ConfigMaps", self._learn_owner)
            return
        for name, known in self._namespaces.items.items():
            if not known.ending:
                yield from self._steps_in(name, known, authorities)

    def _steps_in(self, namespace: str, known: Known, authorities: Authorities) -> Iterator[Step]:
        found = self.mirror.items.get(Key(namespace, TRUST_MAP))
        place = f"ConfigMap {namespace}/{TRUST_MAP}"
        labelled = known.namespace.is_labelled and namespace not in self._untouched
        if labelled or self._in_use(namespace):
            pem = authorities.bundle_for(place, "" if found is None else found.pem)
            if pem is not None or found is None or not self._is_owned(found):
                wanted = pem or (found.pem if found is not None else "")
                yield Step(place, lambda: self._write(namespace, wanted))
            return
        authorities.forget(place)
        if found is not None and found.is_ours:
            yield Step(place, lambda: self._delete(namespace, found.uid))

    def _is_owned(self, found: TrustMap) -> bool:
        return found.is_ours and (not self._owner or self._owner in found.owners)

    async def _learn_owner(self) -> None:
        try:
            role = await self._kube.get(path(_RBAC, "clusterroles", name=OWNER))
        except KubeError as error:
            if error.status not in {403, 404}:
                raise
            _LOG.info("the ConfigMaps will have no owner: %s", error)
            self._owner = ""
        else:
            self._owner = str(role["metadata"]["uid"])

    async def _write(self, namespace: str, pem: str) -> None:
        metadata: Object = {"name": TRUST_MAP, "namespace": namespace, "labels": LABELS}
        if self._owner:
            owner = {"apiVersion": _RBAC, "kind": "ClusterRole", "name": OWNER, "uid": self._owner}
            metadata["ownerReferences"] = [owner]
        await self._kube.apply(
            path("v1", "configmaps", namespace, TRUST_MAP),
            {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": metadata,
                "data": {TRUST_KEY: pem},
            },
        )

    async def _delete(self, namespace: str, uid: str) -> None:
        try:
            await self._kube.delete(
                path("v1", "configmaps", namespace, TRUST_MAP), {"preconditions": {"uid": uid}}
            )
        except KubeError as error:
            if error.status not in {404, 409}:  # it is gone, or another one by now
                raise


@dataclass(frozen=True, slots=True)
class Hook:
    """One webhook of the configuration."""

    name: str
    pem: str


class Hooks:
    """`caBundle` in every webhook of the configuration."""

    def __init__(self, kube: KubeClient, changed: Callable[..., None]) -> None:
        self._kube = kube
        self.mirror = Reflector(
            kube,
            HOOKS_AT,
            keep=hooks_of,
            changed=changed,
            query={"fieldSelector": f"metadata.name={CONFIGURATION}"},
        )

    def steps(self, authorities: Authorities) -> Iterator[Step]:
        """What is to be done. A configuration that isn't there is not made: it is the chart's."""
        for key, hooks in self.mirror.items.items():
            for index, hook in enumerate(hooks):
                place = f"{key.name}/{hook.name}"
                pem = authorities.bundle_for(place, hook.pem)
                if pem is not None:
                    yield self._step(place, index, hook.name, pem)

    def _step(self, place: str, index: int, name: str, pem: str) -> Step:
        async def put_right() -> None:
            at = f"/webhooks/{index}"
            await self._kube.request(
                "PATCH",
                path("admissionregistration.k8s.io/v1", HOOKS_PLURAL, name=CONFIGURATION),
                body=[
                    # Refused when somebody has put the webhooks into another order meanwhile.
                    {"op": "test", "path": f"{at}/name", "value": name},
                    {"op": "add", "path": f"{at}/clientConfig/caBundle", "value": _encoded(pem)},
                ],
                content_type=JSON_PATCH,
            )

        return Step(place, put_right)


def trust_map_of(found: Object) -> TrustMap:
    """What is kept of a ConfigMap."""
    metadata = found["metadata"]
    return TrustMap(
        uid=str(metadata.get("uid")),
        pem=str((found.get("data") or {}).get(TRUST_KEY) or ""),
        is_ours=(metadata.get("labels") or {}).get(MANAGED_BY) == FIELD_MANAGER,
        owners=frozenset(str(one.get("uid")) for one in metadata.get("ownerReferences") or ()),
    )


def hooks_of(found: Object) -> tuple[Hook, ...]:
    """What is kept of a webhook configuration."""
    return tuple(
        Hook(str(hook.get("name")), _decoded((hook.get("clientConfig") or {}).get("caBundle")))
        for hook in found.get("webhooks") or ()
    )


def _encoded(pem: str) -> str:
    return base64.b64encode(pem.encode()).decode()


def _decoded(bundle: Any) -> str:
    """What nobody can read is as if there were nothing."""
    try:
        return base64.b64decode(bundle or "", validate=True).decode()
    except (binascii.Error, UnicodeDecodeError, TypeError):
        return ""
