"""One file's text as resources: which kind each document is, who it is, and its spec.

The one rule: a document that does not say which resource it is makes its whole file doubtful, since
it may be the damaged form of a resource in force. This module must not know what is in force.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from farebox.manifests.documents import Document, read_documents
from farebox.manifests.fields import Fields, Report
from farebox.manifests.policies import read_policy
from farebox.manifests.pools import read_pool
from farebox.manifests.resources import Kind, Problem, ResourceId, Source, Value
from farebox.manifests.scalars import NAME, NAMESPACE, choice, text
from farebox.manifests.tasks import read_task
from farebox.manifests.tiers import Surroundings, read_tier

API_VERSION: Final = "farebox.dev/v1alpha1"
NAMESPACE_DEFAULT: Final = "default"

_KIND: Final = choice(Kind)
_API_VERSION: Final = text(API_VERSION.replace(".", r"\."), API_VERSION)

_READERS: Final[dict[Kind, Callable[[Fields, ResourceId, Surroundings], Value]]] = {
    Kind.BUDGET_POOL: lambda spec, resource, _: read_pool(spec, resource),
    Kind.MODEL_TIER: read_tier,
    Kind.TASK_PROFILE: lambda spec, resource, _: read_task(spec, resource),
    Kind.ROUTING_POLICY: lambda spec, resource, _: read_policy(spec, resource),
}

_TOP_LATER: Final = {"status": "leave it out, the controller says what is in force"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What one file says. `complete`: every document of it could be told apart as a resource."""

    file: str
    complete: bool
    sources: tuple[Source, ...] = ()
    problems: tuple[Problem, ...] = ()


def read_file(file: str, content: str, around: Surroundings) -> Reading:
    """Read the text of one file."""
    found = read_documents(file, content)
    sources: list[Source] = []
    problems = list(found.problems)
    complete = not found.problems
    for document in found.documents:
        report = Report(document=document)
        source = read_document(document, report, around)
        problems += report.problems
        complete = complete and source is not None
        sources += [] if source is None else [source]
    return Reading(file=file, complete=complete, sources=tuple(sources), problems=tuple(problems))


def read_document(document: Document, report: Report, around: Surroundings) -> Source | None:
    """Read one document; None when it does not say which resource it is.

    The source has no value when the report has problems.
    """
    if not isinstance(document.content, dict):
        report.add("", "is no resource: write apiVersion, kind, metadata and spec")
        return None
    top = Fields(report, "", document.content)
    top.one("apiVersion", _API_VERSION)
    kind = top.one("kind", _KIND)
    metadata = top.section("metadata", required=True)
    resource = _read_id(metadata, kind)
    if report.problems:
        return None
    report.resource = str(resource)
    _close_metadata(metadata, kind)
    value = _READERS[kind](top.section("spec", required=True), resource, around)
    top.close(_TOP_LATER)
    return Source(
        id=resource,
        file=document.file,
        lines=document.lines,
        value=None if report.problems else value,
    )


def _read_id(metadata: Fields, kind: Kind) -> ResourceId:
    name = metadata.one("name", NAME)
    if kind is Kind.MODEL_TIER:
        return ResourceId(kind, "", name)
    return ResourceId(kind, metadata.one("namespace", NAMESPACE, NAMESPACE_DEFAULT), name)


def _close_metadata(metadata: Fields, kind: Kind) -> None:
    """Labels and annotations are for people and other tools; what a cluster adds is refused."""
    metadata.section("labels")
    metadata.section("annotations")
    if kind is Kind.MODEL_TIER and metadata.has("namespace"):
        metadata.refuse(
            "namespace", "means nothing for a ModelTier, which serves all: leave it out"
        )
    metadata.close()
