"""Reads resources as the API server has them.

The one rule: the API server has said which resource an object is, so an object is never doubtful:
what is wrong in its spec is its own problem alone. What a cluster adds (the rest of metadata, the
status) is not read. This module must not know how objects are fetched.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from farebox.manifests.documents import (
    DEPTH_MAX,
    KEY_CHARS_MAX,
    VALUES_MAX,
    Document,
    Node,
    Scalar,
    Written,
)
from farebox.manifests.fields import Report
from farebox.manifests.reading import API_VERSION, Reading, read_document
from farebox.manifests.resources import Kind, Problem, ResourceId, Source
from farebox.manifests.tiers import Surroundings

NO_FILE: Final = ""


class _Refused(Exception):
    """An object holds what no resource does."""


def id_of(kind: Kind, namespace: str, name: str) -> ResourceId:
    """The resource that an object is."""
    return ResourceId(kind, "" if kind is Kind.MODEL_TIER else namespace, name)


def read_object(id_: ResourceId, spec: Mapping[str, Any], around: Surroundings) -> Reading:
    """Read the spec of one object; a problem names the resource in place of a file and line."""
    metadata = {"name": id_.name} | ({"namespace": id_.namespace} if id_.namespace else {})
    document: Mapping[str, Any] = {
        "apiVersion": API_VERSION,
        "kind": str(id_.kind),
        "metadata": metadata,
        "spec": spec,
    }
    try:
        content = _Nodes().read(document, 0)
    except _Refused as error:
        return _refused(
            id_, (Problem(file=NO_FILE, line=0, resource=str(id_), message=str(error)),)
        )
    report = Report(document=Document(file=NO_FILE, content=content, lines={}), resource=str(id_))
    source = read_document(report.document, report, around)
    if source is None:
        return _refused(id_, tuple(report.problems))
    return Reading(file=NO_FILE, complete=True, sources=(source,), problems=tuple(report.problems))


def _refused(id_: ResourceId, problems: tuple[Problem, ...]) -> Reading:
    source = Source(id=id_, file=NO_FILE, lines={}, value=None)
    return Reading(file=NO_FILE, complete=True, sources=(source,), problems=problems)


class _Nodes:
    """Turns JSON values into what a document is made of."""

    def __init__(self) -> None:
        self._count = 0

    def read(self, value: object, depth: int) -> Node:
        self._count += 1
        if self._count > VALUES_MAX or depth > DEPTH_MAX:
            raise _Refused(f"has over {VALUES_MAX} values or {DEPTH_MAX} levels: no resource has")
        match value:
            case dict():
                return {_key(key): self.read(item, depth + 1) for key, item in value.items()}
            case list():
                return [self.read(item, depth + 1) for item in value]
            case _:
                return _scalar(value)


def _key(key: str) -> str:
    if len(key) > KEY_CHARS_MAX:
        raise _Refused(f"has a key of over {KEY_CHARS_MAX} characters: shorten it")
    if not key.isprintable():
        raise _Refused("has a key with invisible characters: write it without")
    return key


def _scalar(value: object) -> Scalar:
    match value:
        case None:
            return Scalar("", Written.NOTHING)
        case bool():
            return Scalar("true" if value else "false", Written.TRUTH)
        case int():
            return Scalar(str(value), Written.WHOLE)
        case Decimal():
            return Scalar(format(value, "f"), Written.FRACTION)
        case float():
            # The shortest text that means the same float, as the API server writes it.
            return Scalar(format(Decimal(repr(value)), "f"), Written.FRACTION)
        case _:
            return Scalar(str(value), Written.TEXT)
