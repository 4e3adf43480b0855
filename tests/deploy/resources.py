"""Resources as these tests write them, and how the project's own readers take them.

The one rule: a resource here is what an API server would hand out, and is read by the same readers
as a folder of manifests. This module must not know the schemas.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import yaml

from farebox.core.gates import GateKind
from farebox.manifests.documents import Document, Node, Scalar, Written
from farebox.manifests.fields import Report
from farebox.manifests.reading import API_VERSION, read_document
from farebox.manifests.resources import Kind, Problem, Value
from tests.manifests.builders import AROUND

EXAMPLES: Final = Path(__file__).parent.parent.parent / "examples"

MODEL: Final = (
    "{name: gpt-4o-mini, provider: openai, baseURL: 'https://api.openai.com/v1', "
    "contextWindow: 128000, maxOutputTokens: 16384"
)
TIER: Final = f"{{rank: 1, maxDifficulty: '0.5', models: [{MODEL}}}]}}"

GATE_FIELDS: Final[Mapping[GateKind, str]] = {
    GateKind.JSON_SCHEMA: "schema: {type: object}",
    GateKind.LABELS: "labels: [a, b]",
    GateKind.REGEX: "pattern: a+",
    GateKind.EXACT: "values: [a]",
    GateKind.NUMERIC: "minimum: 0, maximum: '1.5', tolerance: 1",
    GateKind.CITATION: "citations: 2",
    GateKind.GRADER: "model: gpt-4o-mini, rubric: Good., passMark: '0.8'",
    GateKind.AGREEMENT: "model: gpt-4o-mini",
    GateKind.FUNCTION: "function: checks:ok",
}
"""What a gate of each kind says beside its kind."""

BARE: Final[Mapping[Kind, str]] = {
    Kind.BUDGET_POOL: "{limit: '1'}",
    Kind.MODEL_TIER: TIER,
    Kind.TASK_PROFILE: "{defaultTier: small}",
    Kind.ROUTING_POLICY: "{}",
}
"""Only what is required."""

GROUPS: Final[Mapping[Kind, str]] = {
    Kind.BUDGET_POOL: (
        "{limit: '1', window: {}, selector: {matchLabels: {}}, parent: {name: up}, "
        "allowedChildren: {namespaces: [a]}, "
        "reserve: {percent: 20}, override: {limit: '2', until: '2026-11-01T00:00:00Z'}}"
    ),
    Kind.MODEL_TIER: (
        "{rank: 1, maxDifficulty: '0.5', "
        f"models: [{MODEL}, price: {{input: '1', output: '2'}}}}]}}"
    ),
    Kind.TASK_PROFILE: (
        "{defaultTier: small, match: {}, gates: [{kind: Citation}], escalation: {}, "
        "baseline: {measured: '2026-11-01', samples: 1, catalogue: 0123456789ab}}"
    ),
    Kind.ROUTING_POLICY: "{thresholds: {}, identity: {}}",
}
"""Every group of fields, each with only what it requires."""


def resource(kind: Kind, spec: str, name: str = "one") -> dict[str, Any]:
    """A resource with a spec that is written as YAML."""
    metadata = {"name": name}
    if kind is not Kind.MODEL_TIER:
        metadata["namespace"] = "default"
    return {
        "apiVersion": API_VERSION,
        "kind": str(kind),
        "metadata": metadata,
        "spec": yaml.safe_load(spec),
    }


def good() -> Iterator[tuple[Kind, dict[str, Any]]]:
    """Resources of every shape: with and without groups, each window, `per` and kind of gate."""
    for specs in (BARE, GROUPS):
        yield from ((kind, resource(kind, spec)) for kind, spec in specs.items())
    for window in (
        "{}",
        "{type: Fixed, period: Week, timeZone: Europe/Berlin}",
        "{period: 1h30m}",
        "{type: Sliding, period: 1m}",
        "{type: Sliding, period: 3660d}",
        "{type: TokenBucket, period: 1s, burst: '2.5'}",
        "{type: TokenBucket, refillPerHour: '5'}",
        "{type: Lifetime}",
        "{period: 3660d}",
        "{period: 3659d23h59m59s999ms}",
        "{period: 7d12h30m5s250ms}",
    ):
        yield Kind.BUDGET_POOL, resource(Kind.BUDGET_POOL, f"{{limit: '1', window: {window}}}")
    for per in ("Shared", "Request", "Session", "User", "Workflow"):
        spec = (
            f"{{limit: '1', per: {per}, parent: {{name: up}}, selector: {{matchLabels: {{a: b}}}}}}"
        )
        yield Kind.BUDGET_POOL, resource(Kind.BUDGET_POOL, spec)
    spec = "{limit: '0', onExhausted: [Defer, Reject], deferFor: 10m, mode: Shadow}"
    yield Kind.BUDGET_POOL, resource(Kind.BUDGET_POOL, spec)
    spec = "{limit: '0', selector: {matchLabels: {example.com/team: x_1, app: ''}}}"
    yield Kind.BUDGET_POOL, resource(Kind.BUDGET_POOL, spec)
    for namespaces in ("['*']", "[a, b-1]"):
        spec = f"{{limit: '1', allowedChildren: {{namespaces: {namespaces}}}}}"
        yield Kind.BUDGET_POOL, resource(Kind.BUDGET_POOL, spec)
    for gate, fields in GATE_FIELDS.items():
        spec = f"{{defaultTier: a, consequence: High, gates: [{{kind: {gate}, {fields}}}]}}"
        yield Kind.TASK_PROFILE, resource(Kind.TASK_PROFILE, spec)
    spec = (
        "{defaultTier: a, consequence: High, gates: [{kind: Citation}], escalation: {maxSteps: 8}}"
    )
    yield Kind.TASK_PROFILE, resource(Kind.TASK_PROFILE, spec)


def examples() -> Iterator[tuple[str, Kind, dict[str, Any]]]:
    """Every resource of every example, with the file that it is from, as kubectl would send it."""
    for path in sorted(EXAMPLES.glob("*/*.y*ml")):
        for document in yaml.load_all(path.read_text(), _AsJson):
            kind = Kind(document["kind"])
            place = f"{path.parent.name}/{path.name} {kind} {document['metadata']['name']}"
            yield place, kind, document


def _as_text(_: yaml.SafeLoader, node: yaml.ScalarNode) -> str:
    return str(node.value)


class _AsJson(yaml.SafeLoader):
    """Dates without quotes are texts, as for kubectl, since JSON has no dates."""


_AsJson.add_constructor("tag:yaml.org,2002:timestamp", _as_text)


def read(found: Mapping[str, Any]) -> tuple[Value | None, list[Problem]]:
    """What the project's readers make of a resource, and what they find wrong with it."""
    report = Report(document=Document(file="a.yaml", content=_node(found), lines={}))
    source = read_document(report.document, report, AROUND)
    return (None if source is None else source.value), report.problems


def _node(value: object) -> Node:
    """A value of JSON as a YAML document has it."""
    match value:
        case Mapping():
            return {str(name): _node(inner) for name, inner in value.items()}
        case list():
            return [_node(inner) for inner in value]
        case bool():
            return Scalar(str(value).lower(), Written.TRUTH)
        case int():
            return Scalar(str(value), Written.WHOLE)
        case float():
            return Scalar(str(value), Written.FRACTION)
        case None:
            return Scalar("", Written.NOTHING)
        case _:
            return Scalar(str(value), Written.TEXT)
