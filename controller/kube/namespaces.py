"""Namespaces: which are labelled for injection, and what their annotations say.

The one rule: whoever asks about a namespace that does not seem to be labelled is told what the API
server says now, since a namespace and its first pod may be made in the same second. This module
must not know what is injected.
"""

import asyncio
from dataclasses import dataclass
from typing import Final

from controller.injection.overrides import PREFIX
from controller.injection.review import Namespace
from controller.kube.client import KubeClient, Object, path
from controller.kube.reflector import Changed, Key, Reflector

AT: Final = path("v1", "namespaces")
LOOKUPS_MAX: Final = 8
"""Of the client's connections so many at most: strangers may ask for namespaces that are not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """One namespace. In one that is `ending` nothing can be made any more."""

    namespace: Namespace
    ending: bool


class Namespaces:
    """A mirror of all namespaces."""

    def __init__(self, kube: KubeClient, changed: Changed[Known] | None = None) -> None:
        self._kube = kube
        self._lookups = asyncio.Semaphore(LOOKUPS_MAX)
        self.reflector = Reflector(kube, AT, keep=known_of, changed=changed)

    @property
    def items(self) -> dict[str, Known]:
        """What is known, by name."""
        return {key.name: known for key, known in self.reflector.items.items()}

    async def find(self, name: str) -> Namespace:
        """What is known of a namespace. Raises KubeError when nothing can be found out."""
        known = self.reflector.items.get(Key("", name))
        if known is not None and known.namespace.is_labelled:
            return known.namespace
        async with self._lookups:
            # A list of one needs no right that the mirror does not need.
            query = {"fieldSelector": f"metadata.name={name}", "limit": "1"}
            listed = await self._kube.get(AT, query)
        for found in listed["items"]:
            return known_of(found).namespace
        return Namespace()


def known_of(found: Object) -> Known:
    """What is kept of a namespace."""
    metadata, status = found.get("metadata") or {}, found.get("status") or {}
    return Known(
        namespace=Namespace(
            labels=_own(metadata.get("labels")), annotations=_own(metadata.get("annotations"))
        ),
        ending="deletionTimestamp" in metadata or status.get("phase") == "Terminating",
    )


def _own(group: Object | None) -> dict[str, str]:
    """What is said to Farebox."""
    return {name: str(value) for name, value in (group or {}).items() if name.startswith(PREFIX)}
