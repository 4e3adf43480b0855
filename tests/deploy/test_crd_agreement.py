"""A value that one of readers and schemas takes, the other takes too, but where told here.

CEL rules are not evaluated here, so a field that has one may take more than its reader.
"""

from collections.abc import Mapping
from copy import deepcopy
from functools import cache
from typing import Any, Final

import pytest
import yaml

from farebox.core.gates import GateKind
from farebox.manifests.resources import Kind
from tests.deploy.crds import Node, node_at, nodes_of
from tests.deploy.resources import GATE_FIELDS, GROUPS, read, resource
from tests.deploy.validation import faults

VALUES: Final[tuple[object, ...]] = (
    *(
        "",
        " ",
        "a",
        "A",
        "a b",
        " a",
        "a ",
        "a\n",
        "a\tb",
        "a\x7fb",
        "é",
        "a.b",
        "a-b",
        "-a",
        "a_b",
    ),
    *("0", "1", "1.0", "1.1", "-1", "01", ".5", "5.", "1e3", "0.5", "0.50", "0.500000000"),
    *("0.12", "0.123", "0.1234", "0.00", "0.000000001", "0.0000000001"),
    *("999999999.999999999", "1000000000", "9" * 18, "9" * 19),
    *("0s", "99ms", "100ms", "1s", "59s", "1m", "10m", "601s", "24h", "1h30m", "3661d", "h", "1 h"),
    *("Day", "Hour", "Year", "UTC", "Europe/Berlin", "Etc/GMT+1", "../UTC", "2026-11-01"),
    *("2026-02-30", "2026-11-01T00:00:00Z", "2026-11-01T00:00:00.123+01:00", "2026-11-01T00:00:00"),
    *("http://a", "https://a:1/b", "http://", "${NOT_SET}", "${ADDRESS}/v1", "http://${A:-b}:80/x"),
    *("http://a?b", "http://a:b@c", "ftp://a", "http://a$", "x-a", "Authorization", "OPENAI_KEY"),
    *("m:f", "a.m:f", "m:f:g", "/v1/a", "v1", "0123456789abcdef", "0123456789ab", "0123456789AB"),
    *("farebox/auto", "High", "Allow", "Tools", "Labels", "(", "a" * 63, "a" * 64, "a" * 65),
    *("a" * 128, "a" * 129, "a" * 253, "a" * 254, "a" * 512, "a" * 513),
    *("a" * 1_000, "a" * 1_001, "a" * 4_000, "a" * 4_001),
    *(-1, 0, 1, 2, 8, 9, 16, 99, 100, 101, 1_000, 1_001, 1_000_000, 1_000_001),
    *(100_000_000, 100_000_001, True, 1.5, [], {}),
)

# What only the readers refuse, beyond what a CEL rule of the field itself does.
READERS_ALONE: Final[Mapping[str, str]] = {
    "spec.window.period": "a rule of the window bounds it",
    "spec.models[].baseURL": "variables are looked up",
    "spec.gates[].pattern": "RE2 has the last word",
    "spec.minOutputTokens": "a rule compares it",
    "spec.thresholds.monitoredPassRate": "a rule compares it",
    **{
        f"spec.identity.{name}Header": "a rule for all headers keeps secrets out"
        for name in (*("session", "user", "workflow", "task", "priority", "minTier", "residency"),)
    },
}

# A share is text here: a number of YAML reaches an API server as a float. Readers of a folder see
# what is written, and take it without quotes too.
SHARES: Final = frozenset(
    {
        "spec.maxDifficulty",
        "spec.contextGuard",
        "spec.gates[].passMark",
        "spec.baseline.escalationRate",
        "spec.baseline.difficulties[]",
        "spec.quality",
        "spec.boundaryDifficulty",
        "spec.thresholds.trustedPassRate",
        "spec.thresholds.monitoredPassRate",
        "spec.unsureDifficulty",
        "spec.highConsequenceDifficulty",
    }
)

BOUNDS: Final = frozenset(f"spec.gates[].{name}" for name in ("minimum", "maximum", "tolerance"))
"""Whole numbers, or text: never a float."""

NOT_TRIED: Final = frozenset({"spec.window.timeZone"})
"""Whether a zone exists is no matter of its form, and readers look through all for a near one."""

LEAVES: Final = [
    (kind, node.path)
    for kind in Kind
    for node in nodes_of(kind, "spec")
    if node.schema.get("type") not in {"object", "array"}
    and "{}" not in node.path
    and node.path not in NOT_TRIED
]


@pytest.mark.parametrize(("kind", "path"), LEAVES)
def test_schema_and_reader_take_the_same_values(kind: Kind, path: str) -> None:
    node = node_at(kind, path)
    at = path.replace("[]", "[0]")
    for value in VALUES:
        found = with_value(kind, path, value)
        reader = any(problem.field == at for problem in read(found)[1])
        schema = any(fault.startswith(f"{at}:") for fault in faults(kind, found))
        if schema and not reader:
            assert path in SHARES | BOUNDS, value
            assert isinstance(value, float if path in BOUNDS else int), value
        if reader and not schema:
            assert node.rules or node.path in READERS_ALONE, value


def test_shares_are_all_named() -> None:
    written = {node.path for kind in Kind for node in nodes_of(kind, "spec") if _is_share(node)}
    assert written == SHARES


def _is_share(node: Node) -> bool:
    return node.schema.get("maxLength") == len("0.123456789") and "{}" not in node.path


def with_value(kind: Kind, path: str, value: object) -> dict[str, Any]:
    """A resource that is good but for this value."""
    found = deepcopy(before(kind, path))
    at: Any = found
    *steps, last = path.replace("[]", ".[]").split(".")
    for step, following in zip(steps, [*steps[1:], last], strict=True):
        at = at[0] if step == "[]" else at.setdefault(step, [{}] if following == "[]" else {})
    if last == "[]":
        at[:] = [value]
    else:
        at[last] = value
    return found


@cache
def before(kind: Kind, path: str) -> dict[str, Any]:
    """A good resource in which a field can be written."""
    found = resource(kind, GROUPS[kind])
    found["spec"] |= beside(path)
    return found


def beside(path: str) -> dict[str, Any]:
    """What else a spec must say for a field to mean anything."""
    match path.split("."):
        case ["spec", "deferFor"]:
            return {"onExhausted": ["Defer"]}
        case ["spec", "window", "burst"]:
            return {"window": {"type": "TokenBucket", "period": "1h"}}
        case ["spec", "window", "refillPerHour"]:
            return {"window": {"type": "TokenBucket"}}
        case ["spec", "gates[]", name] if name != "kind":
            return {"gates": [gate_with(name.removesuffix("[]"))]}
    return {}


def gate_with(name: str) -> dict[str, Any]:
    """A gate of a kind that uses a field."""
    if name == "caseSensitive":
        return {"kind": "Labels", "labels": ["a"]}
    found = {
        kind: yaml.safe_load(f"{{kind: {kind}, {fields}}}") for kind, fields in GATE_FIELDS.items()
    }
    using = [kind for kind, gate in found.items() if name in gate]
    gate: dict[str, Any] = found[using[0] if using else GateKind.CITATION]
    if name in {"minimum", "maximum"}:
        del gate["minimum"], gate["maximum"]
    return gate
