"""The four CRDs of the chart as trees of schema nodes.

The one rule: nodes are named by the field paths of problems of manifests ("spec.models[].name").
This module must not know what any field means.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from farebox.manifests.resources import Kind

FOLDER: Final = Path(__file__).parent.parent.parent / "deploy/helm/farebox/crds"
FILES: Final = sorted(FOLDER.glob("*.yaml"))

Schema = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Crd:
    """One CRD and the schema of its only version."""

    file: str
    definition: Mapping[str, Any]

    @property
    def spec(self) -> Mapping[str, Any]:
        """The spec of the CRD, not of its resources."""
        spec: Mapping[str, Any] = self.definition["spec"]
        return spec

    @property
    def version(self) -> Mapping[str, Any]:
        (version,) = self.spec["versions"]
        found: Mapping[str, Any] = version
        return found

    @property
    def schema(self) -> Schema:
        found: Schema = self.version["schema"]["openAPIV3Schema"]
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One place of a schema: a field, or an entry of a list ("a[]") or of a map ("a{}").

    `required`: the group around it says so.
    """

    path: str
    schema: Schema
    required: bool = False

    @property
    def name(self) -> str:
        """The last name of the path, "" for a whole resource."""
        return self.path.removesuffix("[]").removesuffix("{}").rpartition(".")[2]

    @property
    def is_field(self) -> bool:
        """Whether people write this name, and not an entry below one."""
        return bool(self.path) and not self.path.endswith(("[]", "{}"))

    @property
    def rules(self) -> Sequence[Mapping[str, str]]:
        found: Sequence[Mapping[str, str]] = self.schema.get("x-kubernetes-validations", ())
        return found


def _load() -> dict[Kind, Crd]:
    loaded = {}
    for path in FILES:
        definition = yaml.safe_load(path.read_text())
        loaded[Kind(definition["spec"]["names"]["kind"])] = Crd(
            file=path.name, definition=definition
        )
    return loaded


CRDS: Final[Mapping[Kind, Crd]] = _load()


def nodes(schema: Schema, path: str = "", *, required: bool = False) -> Iterator[Node]:
    """A schema and everything below it."""
    yield Node(path=path, schema=schema, required=required)
    for name, inner in schema.get("properties", {}).items():
        below = f"{path}.{name}" if path else name
        yield from nodes(inner, below, required=name in schema.get("required", ()))
    if "items" in schema:
        yield from nodes(schema["items"], f"{path}[]")
    if isinstance(schema.get("additionalProperties"), Mapping):
        yield from nodes(schema["additionalProperties"], f"{path}{{}}")


def nodes_of(kind: Kind, top: str = "") -> list[Node]:
    """The nodes of a kind, or those of one of its top fields ("spec", "status")."""
    found = nodes(CRDS[kind].schema)
    return [
        node for node in found if not top or node.path == top or node.path.startswith(f"{top}.")
    ]


def node_at(kind: Kind, path: str) -> Node:
    """The node of a path; KeyError when there is none."""
    return {node.path: node for node in nodes(CRDS[kind].schema)}[path]
