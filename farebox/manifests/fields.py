"""A reader of fields that collects problems instead of stopping at the first.

A method that can't read its field adds a problem and returns a stand-in of the right type; whoever
builds a resource throws it away when there were problems. The one rule: every field that a document
has is either asked for or reported by `close`. This module must not know any resource.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, TypeVar

from farebox.manifests.documents import Document, Node, Scalar, Written
from farebox.manifests.resources import Problem
from farebox.manifests.scalars import Reader, Unfit, described, did_you_mean

ITEMS_MAX: Final = 200
"""Entries of any list or map in a resource."""

_INDEX: Final = re.compile(r"\[\d+\]")

Read = TypeVar("Read")


@dataclass(slots=True, kw_only=True)
class Report:
    """All that reading one document found.

    `resource` is "" until the document has said which it is; `asked` are the paths of all fields
    asked for, with "[]" for any index.
    """

    document: Document
    resource: str = ""
    problems: list[Problem] = field(default_factory=list)
    asked: set[str] = field(default_factory=set)

    def add(self, path: str, message: str) -> None:
        """Add a problem at a field path."""
        problem = Problem(
            file=self.document.file,
            line=self.document.line_of(path),
            resource=self.resource,
            field=path,
            message=message,
        )
        self.problems.append(problem)


class Fields:
    """The fields of one group of a document."""

    def __init__(self, report: Report, path: str, content: Mapping[str, Node]) -> None:
        self._report = report
        self._path = path
        self._content = content
        self._known: set[str] = set()

    def path(self, name: str) -> str:
        """The path of a field of this group, from the top of the document."""
        return f"{self._path}.{name}" if self._path else name

    def has(self, name: str) -> bool:
        """Whether the document writes this field."""
        return name in self._content

    def is_group(self, name: str) -> bool:
        """Whether the document writes fields below this one."""
        return isinstance(self._content.get(name), dict)

    def is_list(self, name: str) -> bool:
        """Whether the document writes a list for this field."""
        return isinstance(self._content.get(name), list)

    def is_empty(self, name: str) -> bool:
        """Whether the document writes an empty list or group for this field."""
        return self._content.get(name) in ([], {})

    def node(self, name: str) -> Node | None:
        """A field as it is written, whatever it is; None when it is absent."""
        return self._take(name)

    def is_sound(self, *names: str) -> bool:
        """Whether no problem has been found in these fields so far."""
        paths = {self.path(name) for name in names}
        return not any(problem.field in paths for problem in self._report.problems)

    def refuse(self, name: str, message: str) -> None:
        """Report a field of this group that is known and not read."""
        self._take(name)
        self.problem(name, message)

    def problem(self, name: str, message: str) -> None:
        """Report a field of this group."""
        self._report.add(self.path(name), message)

    def close(self, later: Mapping[str, str] | None = None) -> None:
        """Report every field that nobody asked for.

        `later` maps fields that are planned and not in this version to what to write instead.
        """
        for name in self._content:
            if name in self._known:
                continue
            if later is not None and name in later:
                self.problem(name, f"is not in this version: {later[name]}")
            else:
                self.problem(name, f"is not a field here: {did_you_mean(name, self._known)}")

    def one(self, name: str, reader: Reader[Read], default: Read | None = None) -> Read:
        """One value; required when there is no default."""
        node = self._take(name)
        if node is not None:
            return self._read(self.path(name), node, reader, optional=default is not None)
        if default is not None:
            return default
        self.problem(name, f"is missing: write {reader.wanted}")
        return reader.stand_in

    def optional(self, name: str, reader: Reader[Read]) -> Read | None:
        """One value, or None when it is absent."""
        node = self._take(name)
        return None if node is None else self._read(self.path(name), node, reader, optional=True)

    def all(self, name: str, reader: Reader[Read]) -> tuple[Read, ...]:
        """A list of values in their order; () when it is absent."""
        items = self._items(name, f"a list of {reader.wanted}")
        return tuple(self._read(at, item, reader, optional=False) for at, item in items)

    def many(self, name: str, reader: Reader[Read]) -> tuple[Read, ...]:
        """A list of values, each at most once; () when it is absent."""
        found: list[Read] = []
        seen: list[Node] = []
        for at, item in self._items(name, f"a list of {reader.wanted}"):
            if item in seen:
                self._report.add(at, f"is {described(item)} for the second time: keep one")
            seen.append(item)
            found.append(self._read(at, item, reader, optional=False))
        return tuple(found)

    def text_map(self, name: str, keys: Reader[str], values: Reader[Read]) -> Mapping[str, Read]:
        """A map from texts to values; empty when it is absent."""
        found = {}
        for key, item in self._group(name, required=False).items():
            at = f"{self.path(name)}.{key}"
            self._read(at, Scalar(key, Written.TEXT), keys, optional=False)
            found[key] = self._read(at, item, values, optional=False)
        return found

    def section(self, name: str, *, required: bool = False) -> "Fields":
        """A group inside this one; without fields when it is absent."""
        return Fields(self._report, self.path(name), self._group(name, required=required))

    def sections(self, name: str, *, required: bool = True) -> tuple["Fields", ...]:
        """A list of groups, at least one; () when it is absent and not required."""
        wanted = "a list with at least one entry"
        if self._content.get(name, []) == [] and (required or self.has(name)):
            self._take(name)
            self.problem(name, f"is missing: write {wanted}")
        found = []
        for at, item in self._items(name, wanted):
            if isinstance(item, dict):
                found.append(Fields(self._report, at, item))
            else:
                self._report.add(at, f"is {described(item)}: write fields and their values")
        return tuple(found)

    def _take(self, name: str) -> Node | None:
        self._known.add(name)
        self._report.asked.add(_INDEX.sub("[]", self.path(name)))
        return self._content.get(name)

    def _read(self, at: str, node: Node, reader: Reader[Read], *, optional: bool) -> Read:
        if not isinstance(node, Scalar) or node.written is Written.NOTHING:
            instead = ", or leave the line out" if optional else ""
            self._report.add(at, f"is {described(node)}: write {reader.wanted}{instead}")
            return reader.stand_in
        try:
            return reader.read(node)
        except Unfit as unfit:
            self._report.add(at, str(unfit))
            return reader.stand_in

    def _group(self, name: str, *, required: bool) -> dict[str, Node]:
        node = self._take(name)
        if isinstance(node, dict):
            self._bound(name, len(node))
            return node
        if node is not None:
            self.problem(name, f"is {described(node)}: write fields and their values below it")
        elif required:
            self.problem(name, "is missing: write it with its fields below")
        return {}

    def _items(self, name: str, wanted: str) -> list[tuple[str, Node]]:
        node = self._take(name)
        if isinstance(node, list):
            self._bound(name, len(node))
            return [(f"{self.path(name)}[{index}]", item) for index, item in enumerate(node)]
        if node is not None:
            self.problem(name, f"is {described(node)}: write {wanted}")
        return []

    def _bound(self, name: str, entries: int) -> None:
        if entries > ITEMS_MAX:
            self.problem(name, f"has {entries} entries: write at most {ITEMS_MAX}")
