"""YAML text as documents whose every field knows its line.

Values stay as they are written: a scalar keeps its text and what YAML takes it for, so that no
amount ever passes through a float. The one rule: bounded work; nesting, aliases and documents have
named limits, tags and merge keys are refused. This module must not know any resource.
"""

import enum
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

import yaml

from farebox.manifests.resources import Problem, line_of

DOCUMENTS_MAX: Final = 500
"""Documents in one file."""

DEPTH_MAX: Final = 32
"""Nesting; the deepest resource needs five levels."""

VALUES_MAX: Final = 50_000
"""Values of one file with every alias written out, which bounds what aliases can multiply."""


KEY_CHARS_MAX: Final = 320
"""Longer than the longest name of a label, which is 253 + 1 + 63."""


SAID_CHARS_MAX: Final = 200
"""How much of a parser's own words a problem repeats."""


class Written(enum.StrEnum):
    """What YAML takes a scalar for, in the words of a problem."""

    TEXT = "text"
    WHOLE = "the number"
    FRACTION = "the decimal number"
    TRUTH = "the yes-or-no value"
    DATE = "the date"
    NOTHING = "empty"


_WRITTEN_BY_TAG: Final = {
    "tag:yaml.org,2002:str": Written.TEXT,
    "tag:yaml.org,2002:value": Written.TEXT,
    "tag:yaml.org,2002:int": Written.WHOLE,
    "tag:yaml.org,2002:float": Written.FRACTION,
    "tag:yaml.org,2002:bool": Written.TRUTH,
    "tag:yaml.org,2002:timestamp": Written.DATE,
    "tag:yaml.org,2002:null": Written.NOTHING,
}
_MERGE_TAG: Final = "tag:yaml.org,2002:merge"
_MAP_TAG: Final = "tag:yaml.org,2002:map"
_LIST_TAG: Final = "tag:yaml.org,2002:seq"


@dataclass(frozen=True, slots=True)
class Scalar:
    """One value as it is written."""

    text: str
    written: Written


Node = Scalar | list["Node"] | dict[str, "Node"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """One YAML document: its content, and the line of each field path ("" is the document)."""

    file: str
    content: Node
    lines: Mapping[str, int]

    def line_of(self, path: str) -> int:
        """The line of a field, or of the nearest field around it that is written."""
        return line_of(self.lines, path)


@dataclass(frozen=True, slots=True, kw_only=True)
class Documents:
    """What a file holds. Where `problems` is not empty, some or all documents could not be read."""

    documents: tuple[Document, ...] = ()
    problems: tuple[Problem, ...] = ()


class _Refused(Exception):
    """A document holds YAML that is not accepted here."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line = line
        self.message = message


def read_documents(file: str, text: str) -> Documents:
    """Read all documents of a file; empty ones are left out.

    A document that is refused is left out alone; text that is no YAML at all leaves out the file.
    """
    documents: list[Document] = []
    problems: list[Problem] = []
    values = _Values()
    try:
        for root in _roots(text):
            try:
                content = values.read(root, "", 0)
            except _Refused as refused:
                problems.append(Problem(file=file, line=refused.line, message=refused.message))
                continue
            if content != Scalar("", Written.NOTHING):
                documents.append(Document(file=file, content=content, lines=values.lines))
    except _Refused as refused:
        return _unreadable(file, refused.line, refused.message)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        said = " ".join(part for part in (error.context, error.problem) if part)
        cut = said[:SAID_CHARS_MAX]
        return _unreadable(file, mark.line + 1 if mark else 0, f"is not YAML: {cut}")
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        return _unreadable(file, line, "holds a character that YAML does not allow: remove it")
    return Documents(documents=tuple(documents), problems=tuple(problems))


def _unreadable(file: str, line: int, message: str) -> Documents:
    return Documents(problems=(Problem(file=file, line=line, message=message),))


class _BoundedLoader(yaml.SafeLoader):
    """Composes nodes without ever nesting deeper than DEPTH_MAX."""

    depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.depth > DEPTH_MAX:
            raise _Refused(self.line + 1, _TOO_DEEP)
        self.depth += 1
        try:
            return super().compose_node(parent, index)
        finally:
            self.depth -= 1


_TOO_DEEP: Final = f"is nested deeper than {DEPTH_MAX} levels: no resource is"


def _roots(text: str) -> Iterator[yaml.Node]:
    loader = _BoundedLoader(text)
    count = 0
    try:
        while loader.check_node() and (root := loader.get_node()) is not None:
            count += 1
            if count > DOCUMENTS_MAX:
                raise _Refused(_line(root), f"has over {DOCUMENTS_MAX} documents: split the file")
            yield root
    finally:
        loader.dispose()


@dataclass(slots=True)
class _Values:
    """Turns YAML nodes into values, and notes the line of each field of the document at hand."""

    count: int = 0
    lines: dict[str, int] = field(default_factory=dict)

    def read(self, node: yaml.Node, path: str, depth: int) -> Node:
        self.count += 1
        if depth == 0:
            self.lines = {"": _line(node)}
        if self.count > VALUES_MAX:
            raise _Refused(_line(node), f"has over {VALUES_MAX} values: split the file")
        if depth > DEPTH_MAX:
            # Only an alias inside its own anchor gets here: the loader bounds what is written out.
            raise _Refused(_line(node), _TOO_DEEP)
        match node:
            case yaml.ScalarNode(tag=tag, value=text) if tag in _WRITTEN_BY_TAG:
                written = _WRITTEN_BY_TAG[tag]
                return Scalar("" if written is Written.NOTHING else text, written)
            case yaml.SequenceNode(tag=tag) if tag == _LIST_TAG:
                return self._items(node, path, depth)
            case yaml.MappingNode(tag=tag) if tag == _MAP_TAG:
                return self._entries(node, path, depth)
        raise _Refused(
            _line(node),
            f"has the tag {node.tag[:KEY_CHARS_MAX]!r}: leave it out, tags are not read",
        )

    def _items(self, node: yaml.SequenceNode, path: str, depth: int) -> list[Node]:
        items = []
        for index, item in enumerate(node.value):
            at = f"{path}[{index}]"
            self.lines[at] = _line(item)
            items.append(self.read(item, at, depth + 1))
        return items

    def _entries(self, node: yaml.MappingNode, path: str, depth: int) -> dict[str, Node]:
        entries: dict[str, Node] = {}
        for key, value in node.value:
            name = _key(key)
            at = f"{path}.{name}" if path else name
            if name in entries:
                raise _Refused(
                    _line(key),
                    f"{name} is written twice, first in line {self.lines[at]}: keep one",
                )
            self.lines[at] = _line(key)
            entries[name] = self.read(value, at, depth + 1)
        return entries


def _key(node: yaml.Node) -> str:
    if isinstance(node, yaml.ScalarNode) and len(node.value) > KEY_CHARS_MAX:
        raise _Refused(_line(node), f"has a key of over {KEY_CHARS_MAX} characters: shorten it")
    if node.tag == _MERGE_TAG:
        raise _Refused(_line(node), "<< is not read: write the fields out")
    if isinstance(node, yaml.ScalarNode) and not node.value.isprintable():
        raise _Refused(_line(node), "has a key with invisible characters: write it without")
    if isinstance(node, yaml.ScalarNode) and _WRITTEN_BY_TAG.get(node.tag) is Written.TEXT:
        return str(node.value)
    shown = f"{node.value} " if isinstance(node, yaml.ScalarNode) else ""
    raise _Refused(_line(node), f"the key {shown}is not text: put it in quotes")


def _line(node: yaml.Node) -> int:
    return node.start_mark.line + 1
