"""A gate that could not work is a problem where it is written."""

import json
from decimal import Decimal

import pytest

from farebox.core.gates import PATTERN_CHARS_MAX, Gate, GateKind
from farebox.manifests.resources import Problem
from tests.manifests.builders import load_text, named_model, task, tier, together

TIERS = together(tier("small", 1), tier("large", 2, named_model("judge")))
SCHEMA = {
    "type": "object",
    "properties": {"amount": {"type": ["number", "null"], "minimum": 0.5}},
    "required": ["amount"],
    "additionalProperties": False,
}


def gates_of(*written: str) -> tuple[Gate, ...]:
    gates = "".join(f"- {one}\n" for one in written)
    loaded = load_text(together(TIERS, task("one", f"defaultTier: small\ngates:\n{gates}")))
    assert [str(problem) for problem in loaded.problems] == []
    return loaded.resources.tasks["default"][0].gates


def problems_of(*written: str) -> tuple[Problem, ...]:
    gates = "".join(f"- {one}\n" for one in written)
    loaded = load_text(together(TIERS, task("one", f"defaultTier: small\ngates:\n{gates}")))
    assert loaded.resources.tasks == {}
    return loaded.problems


GATES = {
    "labels": (
        "{kind: Labels, labels: [spam, no spam], caseSensitive: true}",
        Gate(name="labels", kind=GateKind.LABELS, labels=("spam", "no spam"), case_sensitive=True),
    ),
    "pattern": (
        r"{name: order-number, kind: Regex, pattern: '^\d{4}-[A-Z]+$'}",
        Gate(name="order-number", kind=GateKind.REGEX, pattern=r"^\d{4}-[A-Z]+$"),
    ),
    "exact": (
        '{kind: Exact, values: ["42"]}',
        Gate(name="exact", kind=GateKind.EXACT, values=("42",)),
    ),
    "numeric": (
        '{kind: Numeric, minimum: 0, maximum: "99.5", tolerance: 0.01}',
        Gate(
            name="numeric",
            kind=GateKind.NUMERIC,
            minimum=Decimal(0),
            maximum=Decimal("99.5"),
            tolerance=Decimal("0.01"),
        ),
    ),
    "citation": (
        "{kind: Citation, citations: 2}",
        Gate(name="citation", kind=GateKind.CITATION, citations_min=2),
    ),
    "grader": (
        "{kind: Grader, model: judge, rubric: It names the order., passMark: 0.8}",
        Gate(
            name="grader",
            kind=GateKind.GRADER,
            model="judge",
            rubric="It names the order.",
            pass_mark=800,
        ),
    ),
    "agreement": (
        "{kind: Agreement, model: gpt-4o-mini}",
        Gate(name="agreement", kind=GateKind.AGREEMENT, model="gpt-4o-mini"),
    ),
    "function": (
        '{kind: Function, function: "checks.orders:is_known"}',
        Gate(name="function", kind=GateKind.FUNCTION, function="checks.orders:is_known"),
    ),
    "call's own schema": (
        "{kind: JSONSchema}",
        Gate(name="jsonschema", kind=GateKind.JSON_SCHEMA),
    ),
}


@pytest.mark.parametrize("case", GATES)
def test_a_gate_of_each_kind(case: str) -> None:
    written, gate = GATES[case]
    assert gates_of(written) == (gate,)


def test_a_schema_is_written_as_fields_or_as_json() -> None:
    as_text = json.dumps(SCHEMA)
    (fields,) = gates_of(f"{{kind: JSONSchema, schema: {as_text}}}")
    (text,) = gates_of(f"{{kind: JSONSchema, schema: '{as_text}'}}")
    assert fields == text
    assert json.loads(fields.schema) == SCHEMA


WRONG = {
    "no-kind": ("{name: one}", "kind", "is missing"),
    "unknown-kind": ("{kind: Vibes}", "kind", "JSONSchema, Labels, Regex"),
    "no-labels": ("{kind: Labels}", "labels", "a gate of kind Labels checks nothing without it"),
    "empty-labels": ("{kind: Labels, labels: []}", "labels", "checks nothing without it"),
    "no-pattern": ("{kind: Regex}", "pattern", "checks nothing without it"),
    "bad-pattern": ("{kind: Regex, pattern: '(a'}", "pattern", "missing ): (a"),
    "look-ahead": ("{kind: Regex, pattern: 'a(?=b)'}", "pattern", "without look-around"),
    "long-pattern": (
        f"{{kind: Regex, pattern: {'a' * (PATTERN_CHARS_MAX + 1)}}}",
        "pattern",
        "is longer than 1000 characters",
    ),
    "huge-pattern": ("{kind: Regex, pattern: '((a{1000}){1000})'}", "pattern", "is no pattern"),
    "no-values": ("{kind: Exact}", "values", "checks nothing without it"),
    "crossed": ("{kind: Numeric, minimum: 2, maximum: 1}", "maximum", "below the minimum"),
    "tolerance": ("{kind: Numeric, tolerance: -1}", "tolerance", "write 0 or more"),
    "not-a-number": ("{kind: Numeric, minimum: .inf}", "minimum", "a plain decimal number"),
    "no-rubric": ("{kind: Grader, model: judge}", "rubric", "checks nothing without it"),
    "no-grader": ("{kind: Grader, rubric: good}", "model", "checks nothing without it"),
    "function": ("{kind: Function, function: os.system}", "function", "module:function"),
    "other-kind": (
        "{kind: Citation, labels: [a]}",
        "labels",
        "means nothing where the kind is Citation",
    ),
    "no-schema": ("{kind: JSONSchema, schema: 'not json'}", "schema", "is no JSON schema"),
    "list-schema": ("{kind: JSONSchema, schema: [a]}", "schema", "the whole is no group"),
    "type": (
        "{kind: JSONSchema, schema: {properties: {a: {type: text}}}}",
        "schema",
        "/properties/a has the type text: write one of array",
    ),
    "reference": (
        "{kind: JSONSchema, schema: {items: {$ref: 'https://example.com/s.json'}}}",
        "schema",
        "/items refers to another document",
    ),
    "keyword": (
        "{kind: JSONSchema, schema: {type: string, minLength: many}}",
        "schema",
        "is no JSON schema",
    ),
    "schema-pattern": (
        "{kind: JSONSchema, schema: {pattern: '(a'}}",
        "schema",
        "is no JSON schema",
    ),
    "odd-number": ("{kind: JSONSchema, schema: {minimum: .nan}}", "schema", "has a number"),
    "field": ("{kind: Citation, minimum_citations: 2}", "minimum_citations", "is not a field"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_gate(case: str) -> None:
    written, field, says = WRONG[case]
    (problem,) = problems_of(written)
    assert problem.field == f"spec.gates[0].{field}"
    assert says in problem.message, problem.message


def test_two_gates_have_two_names() -> None:
    (problem,) = problems_of("{kind: Citation}", "{kind: Citation}")
    assert (problem.field, problem.line) == ("spec.gates[1].name", problem.line)
    assert "write another name" in problem.message


def test_a_task_has_a_few_gates() -> None:
    gates = [f"{{name: g{n}, kind: Citation}}" for n in range(9)]
    assert [problem.message for problem in problems_of(*gates)] == [
        "has 9 entries: write at most 8"
    ]


def test_a_gate_asks_models_that_some_tier_has() -> None:
    (problem,) = problems_of("{kind: Agreement, model: judg}")
    assert problem.field == "spec.gates[0].model"
    assert "did you mean judge?" in problem.message
