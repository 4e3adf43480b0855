"""The chart's files as they are written: values with their comments, their schema, the plain files.

The one rule: nothing is rendered here; what needs helm is tested in tests/e2e/kube. This module
must not know what any value is for.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

ROOT: Final = Path(__file__).parent.parent.parent
CHART: Final = ROOT / "deploy/helm/farebox"
DOCUMENT: Final = ROOT / "docs/kubernetes.md"

VALUES: Final[Mapping[str, Any]] = yaml.safe_load((CHART / "values.yaml").read_text())
SCHEMA: Final[Mapping[str, Any]] = json.loads((CHART / "values.schema.json").read_text())
ABOUT: Final[Mapping[str, Any]] = yaml.safe_load((CHART / "Chart.yaml").read_text())

_COMMENT: Final = re.compile(r" *# ?(.*)")
_KEY: Final = re.compile(r"( *)([A-Za-z]+):")


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """One value: its path ("etcd.members"), its default, and what values.yaml says above it."""

    path: str
    default: Any
    says: str

    @property
    def is_group(self) -> bool:
        """Whether it only holds others; an empty map is filled by whoever installs."""
        return isinstance(self.default, dict) and bool(self.default)


def values() -> Iterator[Value]:
    """Every value of values.yaml that the schema names, groups before what is in them."""
    comments = _comments((CHART / "values.yaml").read_text())
    for path, default in _walk(VALUES, ""):
        if path in comments:
            yield Value(path=path, default=default, says=comments[path])


def _walk(group: Mapping[str, Any], above: str) -> Iterator[tuple[str, Any]]:
    for name, default in group.items():
        path = f"{above}{name}"
        yield path, default
        if isinstance(default, dict):
            yield from _walk(default, f"{path}.")


def _comments(text: str) -> dict[str, str]:
    """What is said above each key, as one line; "" where nothing is."""
    found: dict[str, str] = {}
    names: list[str] = []
    said: list[str] = []
    for line in text.splitlines():
        if comment := _COMMENT.match(line):
            said.append(comment.group(1))
            continue
        if key := _KEY.match(line):
            names[len(key.group(1)) // 2 :] = [key.group(2)]
            found[".".join(names)] = " ".join(said)
        said = []
    return found


def entries(schema: Mapping[str, Any] = SCHEMA, above: str = "") -> Iterator[tuple[str, Any]]:
    """Every path of the schema with its entry."""
    for name, entry in schema.get("properties", {}).items():
        yield f"{above}{name}", entry
        yield from entries(entry, f"{above}{name}.")


def templates() -> Mapping[str, str]:
    """The templates by name."""
    return {path.name: path.read_text() for path in sorted((CHART / "templates").iterdir())}


def plain(name: str) -> Any:
    """A file of the chart that is YAML or JSON as it is."""
    return yaml.safe_load((CHART / name).read_text())
