"""Reads the gates of a `TaskProfile`.

The one rule: a gate that could not work is a problem here, so that none fails in front of a caller
for how it was written. Whether the models it names exist is a matter of `links`. This module must
not know how a gate is carried out.
"""

import json
import re
from collections.abc import Iterable, Mapping
from math import nan
from typing import Any, Final

from farebox.core.gates import (
    GATES_MAX,
    PATTERN_CHARS_MAX,
    RUBRIC_CHARS_MAX,
    SCHEMA_CHARS_MAX,
    Gate,
    GateKind,
)
from farebox.manifests.documents import Node, Scalar, Written
from farebox.manifests.fields import Fields
from farebox.manifests.scalars import (
    DECIMAL,
    NAME,
    TEXT,
    TRUTH,
    Reader,
    Unfit,
    choice,
    long_text,
    share,
    shorten,
    text,
    whole,
)

CITATIONS_MAX: Final = 100
PATTERN_MEMORY_BYTES_MAX: Final = 1 << 20
SCHEMA_PATTERN_BYTES_MAX: Final = 1 << 18
"""What a compiled pattern may take, of a gate or in a schema; the same holds when it is used."""

_KIND: Final = choice(GateKind)
_CITATIONS: Final = whole(1, CITATIONS_MAX)
_PASS_MARK: Final = share(3)
_RUBRIC: Final = long_text(RUBRIC_CHARS_MAX, "what a good answer is, in words")
_FUNCTION: Final = text(
    r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*:[A-Za-z_]\w*",
    'a Python function as module:function, for example "checks.orders:is_known"',
)
_USED: Final[Mapping[GateKind, tuple[str, ...]]] = {
    GateKind.JSON_SCHEMA: ("schema",),
    GateKind.LABELS: ("labels", "caseSensitive"),
    GateKind.REGEX: ("pattern", "caseSensitive"),
    GateKind.EXACT: ("values", "caseSensitive"),
    GateKind.NUMERIC: ("minimum", "maximum", "tolerance"),
    GateKind.CITATION: ("citations",),
    GateKind.GRADER: ("model", "rubric", "passMark"),
    GateKind.AGREEMENT: ("model",),
    GateKind.FUNCTION: ("function",),
}
_REQUIRED: Final[Mapping[GateKind, tuple[str, ...]]] = {
    GateKind.LABELS: ("labels",),
    GateKind.REGEX: ("pattern",),
    GateKind.EXACT: ("values",),
    GateKind.GRADER: ("model", "rubric"),
    GateKind.AGREEMENT: ("model",),
    GateKind.FUNCTION: ("function",),
}
_OF_SOME_KINDS: Final = tuple(dict.fromkeys(name for names in _USED.values() for name in names))


def read_gates(spec: Fields) -> tuple[Gate, ...]:
    """Read the gates of a task, () when it has none."""
    written = spec.sections("gates", required=False)
    if len(written) > GATES_MAX:
        spec.problem("gates", f"has {len(written)} entries: write at most {GATES_MAX}")
    gates = tuple(map(_read_gate, written))
    seen: set[str] = set()
    for fields, gate in zip(written, gates, strict=True):
        if gate.name in seen:
            fields.problem("name", f"is {gate.name}, as another gate's: write another name")
        seen.add(gate.name)
    return gates


def _read_gate(spec: Fields) -> Gate:
    kind = spec.one("kind", _KIND)
    unset = Gate(name=kind.lower(), kind=kind)
    gate = Gate(
        name=spec.one("name", NAME, unset.name),
        kind=kind,
        schema=_read_schema(spec),
        labels=spec.many("labels", TEXT),
        pattern=spec.one("pattern", _PATTERN, ""),
        values=spec.many("values", TEXT),
        minimum=spec.optional("minimum", DECIMAL),
        maximum=spec.optional("maximum", DECIMAL),
        tolerance=spec.one("tolerance", DECIMAL, unset.tolerance),
        citations_min=spec.one("citations", _CITATIONS, unset.citations_min),
        model=spec.one("model", TEXT, ""),
        rubric=spec.one("rubric", _RUBRIC, ""),
        pass_mark=spec.one("passMark", _PASS_MARK, unset.pass_mark),
        function=spec.one("function", _FUNCTION, ""),
        case_sensitive=spec.one("caseSensitive", TRUTH, unset.case_sensitive),
    )
    spec.close()
    if spec.is_sound("kind"):
        _check_fields(spec, kind)
    _check_numbers(spec, gate)
    return gate


def _check_fields(spec: Fields, kind: GateKind) -> None:
    for name in _OF_SOME_KINDS:
        if spec.has(name) and name not in _USED[kind]:
            spec.problem(name, f"means nothing where the kind is {kind}: leave it out")
    for name in _REQUIRED.get(kind, ()):
        if not spec.has(name) or spec.is_empty(name):
            spec.problem(name, f"is missing: a gate of kind {kind} checks nothing without it")


def _check_numbers(spec: Fields, gate: Gate) -> None:
    if not spec.is_sound("minimum", "maximum", "tolerance"):
        return
    if gate.minimum is not None and gate.maximum is not None and gate.minimum > gate.maximum:
        spec.problem("maximum", f"is {gate.maximum}, below the minimum, which is {gate.minimum}")
    if gate.tolerance < 0:
        spec.problem("tolerance", f"is {gate.tolerance}: write 0 or more")


# Patterns.


def _pattern(scalar: Scalar) -> str:
    found = _PATTERN_TEXT.read(scalar)
    why = _why_no_pattern(found)
    if why:
        raise Unfit(f"is no pattern that RE2 takes ({why}): write {_PATTERN_TEXT.wanted}")
    return found


def _why_no_pattern(pattern: str) -> str:
    # RE2 reads an answer in time that grows with its length alone, whatever the pattern; loaded
    # only here, because few tasks have a pattern.
    import re2

    options = re2.Options()
    options.log_errors = False
    # Without regard to case a pattern takes more.
    options.case_sensitive = False
    options.max_mem = PATTERN_MEMORY_BYTES_MAX
    try:
        re2.compile(pattern, options)
    except re2.error as error:
        said = error.args[0]
        return said.decode(errors="replace") if isinstance(said, bytes) else str(said)
    return ""


_PATTERN_TEXT: Final = long_text(
    PATTERN_CHARS_MAX, "a regular expression without look-around and back-references"
)
_PATTERN: Final = Reader(wanted=_PATTERN_TEXT.wanted, read=_pattern, stand_in="")


# Schemas.

_PLAIN: Final = re.compile(r"[-+]?\d*\.?\d+(?:[eE][-+]?\d+)?|[-+]?\d+\.")
"""What YAML has beyond plain numbers, such as .inf, JSON has not."""

_TYPES: Final = ("array", "boolean", "integer", "null", "number", "object", "string")
_GROUPS_OF_SCHEMAS: Final = ("properties", "patternProperties", "$defs", "definitions")
_SCHEMAS: Final = ("items", "additionalProperties", "contains", "not", "if", "then", "else")
_LISTS_OF_SCHEMAS: Final = ("allOf", "anyOf", "oneOf", "prefixItems")


def _read_schema(spec: Fields) -> str:
    """A JSON schema as JSON text, from JSON text or from YAML fields; "" when it is absent."""
    node = spec.node("schema")
    if node is None:
        return ""
    if isinstance(node, Scalar) and node.written is Written.TEXT:
        try:
            schema = json.loads(node.text[: SCHEMA_CHARS_MAX + 1])
        except (ValueError, RecursionError):
            schema = None
    else:
        schema = as_json(node)
    try:
        written = json.dumps(schema, ensure_ascii=False, allow_nan=False)
    except ValueError:
        spec.problem("schema", "has a number that JSON does not know: write another one")
        return ""
    if len(written) > SCHEMA_CHARS_MAX:
        spec.problem("schema", f"is longer than {SCHEMA_CHARS_MAX} characters of JSON: shorten it")
        return ""
    why = next(iter(_faults(schema, "")), "") or _why_no_schema(schema)
    if why:
        spec.problem("schema", f"is no JSON schema: {why}")
        return ""
    return written


def _why_no_schema(schema: Any) -> str:
    """What the library that will check answers has against a schema; "" when it takes it."""
    # Loaded only where a schema is written: it takes some megabytes.
    import jsonschema_rs

    patterns = jsonschema_rs.RegexOptions(
        size_limit=SCHEMA_PATTERN_BYTES_MAX, dfa_size_limit=SCHEMA_PATTERN_BYTES_MAX
    )
    try:
        jsonschema_rs.validator_for(schema, pattern_options=patterns, offline=True)
    except (ValueError, RecursionError, TypeError) as error:
        return shorten(str(error))
    return ""


def as_json(node: Node) -> object:
    """What a piece of YAML is in JSON."""
    match node:
        case Scalar(written=Written.WHOLE, text=said):
            return int(said) if said.lstrip("+-").isdigit() else said
        case Scalar(written=Written.FRACTION, text=said):
            return float(said) if _PLAIN.fullmatch(said) else nan
        case Scalar(written=Written.TRUTH, text=said):
            return said.lower() in {"true", "yes", "on"}
        case Scalar(written=Written.NOTHING):
            return None
        case Scalar(text=said):
            return said
        case list():
            return [as_json(item) for item in node]
        case _:
            return {name: as_json(item) for name, item in node.items()}


def _faults(schema: object, at: str) -> Iterable[str]:
    """What keeps a value from being a schema, at any depth."""
    where = at or "the whole"
    if isinstance(schema, bool) and at:
        return
    if not isinstance(schema, dict):
        yield f"{where} is no group of fields"
        return
    types = schema.get("type", [])
    for one in types if isinstance(types, list) else [types]:
        if one not in _TYPES:
            yield f"{where} has the type {one}: write one of {', '.join(_TYPES)}"
    reference = schema.get("$ref", "#")
    if not (isinstance(reference, str) and reference.startswith("#")):
        yield f"{where} refers to another document, which is not fetched: write it out"
    for name, inner in _inner_schemas(schema):
        yield from _faults(inner, f"{at}/{name}")


def _inner_schemas(schema: Mapping[str, object]) -> Iterable[tuple[str, object]]:
    for name in _SCHEMAS:
        if name in schema:
            yield name, schema[name]
    for name in _GROUPS_OF_SCHEMAS:
        group = schema.get(name)
        if isinstance(group, dict):
            yield from ((f"{name}/{key}", inner) for key, inner in group.items())
        elif name in schema:
            yield name, group
    for name in _LISTS_OF_SCHEMAS:
        entries = schema.get(name)
        if isinstance(entries, list):
            yield from ((f"{name}/{place}", inner) for place, inner in enumerate(entries))
        elif name in schema:
            yield name, entries
