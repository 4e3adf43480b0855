"""Parts of a pod as the API server shows it, where absent and empty mean the same.

The one rule: reading changes nothing. This module must not know what is injected.
"""

from collections.abc import Iterator
from typing import Any

Object = dict[str, Any]
"""A JSON object."""


def group(parent: Object, name: str) -> Object:
    """A group of fields; an empty one when it is absent."""
    return parent.get(name) or {}


def entries(parent: Object, name: str) -> list[Object]:
    """A list; an empty one when it is absent."""
    return parent.get(name) or []


def annotations_of(pod: Object) -> Object:
    return group(group(pod, "metadata"), "annotations")


def labels_of(pod: Object) -> Object:
    return group(group(pod, "metadata"), "labels")


def containers_of(pod: Object) -> Iterator[Object]:
    """All containers: those that start first, the pod's own, and those for debugging."""
    for kind in ("initContainers", "containers", "ephemeralContainers"):
        yield from entries(pod["spec"], kind)


def name_of(pod: Object) -> str:
    """What people call a pod that may have no name yet."""
    metadata = group(pod, "metadata")
    return str(metadata.get("name") or f"{metadata.get('generateName', '')}...")


def has(items: list[Object], name: str) -> bool:
    """Whether an entry has this name."""
    return any(item.get("name") == name for item in items)
