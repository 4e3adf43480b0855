"""The CRDs keep the structural rules of apiextensions.k8s.io/v1, as far as a file shows them.

Each CEL rule has a message that begins with the field to change, and asks only for fields that
exist; whether it compiles, and what it costs, a real API server says.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

import pytest

from farebox.manifests.resources import Kind
from tests.deploy.crds import CRDS, FILES, Crd, Node, Schema, nodes, nodes_of
from tests.deploy.validation import plain, validator

KINDS: Final = pytest.mark.parametrize("kind", Kind)
TYPES: Final = {"object", "array", "string", "integer", "boolean"}
FORMATS: Final = {"date", "date-time", "int32", "int64"}
KEYS: Final = {
    *("type", "description", "default", "enum", "format", "pattern", "required", "properties"),
    *("minLength", "maxLength", "minimum", "maximum", "minItems", "maxItems", "maxProperties"),
    *("items", "additionalProperties"),
    *("x-kubernetes-validations", "x-kubernetes-list-type", "x-kubernetes-list-map-keys"),
    *("x-kubernetes-map-type", "x-kubernetes-int-or-string"),
    "x-kubernetes-preserve-unknown-fields",
}
"""All that these schemas are made of; $ref, allOf and their like are not."""


@KINDS
def test_a_crd_is_named_after_its_resource(kind: Kind) -> None:
    spec, names = CRDS[kind].spec, CRDS[kind].spec["names"]
    assert CRDS[kind].definition["apiVersion"] == "apiextensions.k8s.io/v1"
    assert CRDS[kind].definition["kind"] == "CustomResourceDefinition"
    assert CRDS[kind].definition["metadata"]["name"] == f"{names['plural']}.{spec['group']}"
    assert CRDS[kind].file == f"{spec['group']}_{names['plural']}.yaml"
    assert names["kind"] == kind
    assert names["singular"] == kind.lower()
    assert names["listKind"] == f"{kind}List"
    assert names["categories"] == ["farebox"]
    assert spec["scope"] == ("Cluster" if kind is Kind.MODEL_TIER else "Namespaced")


@KINDS
def test_the_one_version_is_served_stored_and_has_a_status(kind: Kind) -> None:
    version = CRDS[kind].version
    assert version["name"] == "v1alpha1"
    assert (version["served"], version["storage"]) == (True, True)
    assert version["subresources"] == {"status": {}}


def test_every_kind_has_one_crd_and_names_of_its_own() -> None:
    assert set(CRDS) == set(Kind)
    assert len(FILES) == len(Kind)
    names = [crd.spec["names"] for crd in CRDS.values()]
    taken = [one for name in names for one in (name["plural"], name["singular"])]
    taken += [one for name in names for one in name["shortNames"]]
    assert len(taken) == len(set(taken))
    assert {short for name in names for short in name["shortNames"]} == {"bp", "mt", "tp", "rp"}


@KINDS
def test_every_node_is_structural(kind: Kind) -> None:
    for node in nodes_of(kind):
        schema = node.schema
        assert schema.keys() <= KEYS, node.path
        typed = schema.get("type") in TYPES
        assert typed != schema.get("x-kubernetes-int-or-string", False), node.path
        assert not ("properties" in schema and "additionalProperties" in schema), node.path
        assert schema.get("additionalProperties") is not False, node.path
        assert schema.get("format", "date") in FORMATS, node.path
        assert set(schema.get("required", ())) <= set(schema.get("properties", ())), node.path
        assert ("items" in schema) == (schema.get("type") == "array"), node.path
        _check_group(node)


def _check_group(node: Node) -> None:
    schema = node.schema
    if schema.get("type") == "object" and node.path != "metadata":
        free = schema.get("x-kubernetes-preserve-unknown-fields", False)
        assert free or schema.get("properties") or schema.get("additionalProperties"), node.path
    assert ("x-kubernetes-map-type" not in schema) or schema["type"] == "object", node.path


@KINDS
def test_only_a_json_schema_may_hold_fields_that_nobody_knows(kind: Kind) -> None:
    free = [node.path for node in nodes_of(kind) if any("preserve" in key for key in node.schema)]
    assert free == (["spec.gates[].schema"] if kind is Kind.TASK_PROFILE else [])


@KINDS
def test_every_list_says_how_it_is_merged(kind: Kind) -> None:
    for node in nodes_of(kind):
        if node.schema.get("type") != "array":
            continue
        items: Schema = node.schema["items"]
        match node.schema["x-kubernetes-list-type"]:
            case "map":
                keys = node.schema["x-kubernetes-list-map-keys"]
                assert set(keys) <= set(items["required"]), node.path
            case "set":
                assert items["type"] == "string", node.path
            case other:
                assert other == "atomic", node.path


@KINDS
def test_everything_people_write_is_bounded(kind: Kind) -> None:
    """CEL rules are only taken where their cost has a bound."""
    for node in nodes_of(kind, "spec"):
        schema = node.schema
        match schema.get("type"):
            case "string":
                assert "enum" in schema or "maxLength" in schema, node.path
            case "array":
                assert "maxItems" in schema, node.path
            case "integer":
                assert {"minimum", "maximum", "format"} <= schema.keys(), node.path
            case "object" if "additionalProperties" in schema:
                assert "maxProperties" in schema, node.path
            case None:
                assert "maxLength" in schema, node.path


@KINDS
def test_a_default_fits_its_own_schema_and_stands_on_nothing_required(kind: Kind) -> None:
    for node in nodes_of(kind):
        if "default" in node.schema:
            assert node.path.startswith("spec."), node.path
            assert not node.required, node.path
            assert validator(node.schema).is_valid(node.schema["default"]), node.path


@KINDS
def test_the_schema_is_a_json_schema(kind: Kind) -> None:
    assert validator(CRDS[kind].schema).is_valid({"spec": {}}) is (kind is Kind.ROUTING_POLICY)
    assert "x-" not in {key[:2] for key in plain(CRDS[kind].schema)}


# What `kubectl get` shows.

STEP: Final = re.compile(r"""\.(\w+)(\[\?\(@\.type=="(\w+)"\)\])?""")


@KINDS
def test_every_column_shows_a_field_that_exists(kind: Kind) -> None:
    columns = CRDS[kind].version["additionalPrinterColumns"]
    assert len({column["name"] for column in columns}) == len(columns)
    for column in columns:
        path = column["jsonPath"]
        assert "".join(match.group(0) for match in STEP.finditer(path)) == path
        if path != ".metadata.creationTimestamp":
            assert column["description"]
            _check_column(CRDS[kind], column)


def _check_column(crd: Crd, column: Mapping[str, Any]) -> None:
    schema = crd.schema
    for name, chosen, condition in STEP.findall(column["jsonPath"]):
        schema = schema["properties"][name]
        if chosen:
            assert condition in schema["description"], column["name"]
            schema = schema["items"]
    assert column["type"] == schema["type"], column["name"]


def test_the_page_one_looks_at_first() -> None:
    columns = CRDS[Kind.BUDGET_POOL].version["additionalPrinterColumns"]
    shown = [column["name"] for column in columns if not column.get("priority")]
    assert shown == ["Limit", "Window", "Spent", "Leased", "Headroom", "Exhausted", "Age"]


# CEL rules.

CHAIN: Final = re.compile(r"\b(?:self|oldSelf)((?:\.[A-Za-z_]\w*)+)(\()?")
BESIDE: Final = {"metadata.name", "metadata.namespace"}
"""What a rule for a whole resource may ask for beside its schema."""


def rules() -> Iterator[tuple[Kind, Node, Mapping[str, str]]]:
    for kind in Kind:
        for node in nodes_of(kind):
            yield from ((kind, node, rule) for rule in node.rules)


RULES: Final = [
    pytest.param(node, rule, id=f"{kind} {rule['message'][:50]}") for kind, node, rule in rules()
]


@pytest.mark.parametrize(("node", "rule"), RULES)
def test_a_rule_says_which_field_to_change(node: Node, rule: Mapping[str, str]) -> None:
    assert rule.keys() <= {"rule", "message", "fieldPath"}
    assert "\n" not in rule["message"]
    first = rule["message"].split()[0]
    below = known(node)
    assert first in below or first == node.name or f"spec.{first}" in below
    if "fieldPath" in rule:
        path = rule["fieldPath"].removeprefix(".")
        assert path in below
        assert path == first or path.endswith(f".{first}") or first.endswith(f".{path}")


@pytest.mark.parametrize(("node", "rule"), RULES)
def test_a_rule_asks_for_fields_that_exist(node: Node, rule: Mapping[str, str]) -> None:
    for chain, called in CHAIN.findall(rule["rule"]):
        names = chain.removeprefix(".").split(".")
        names = names[:-1] if called else names
        path = ".".join(name.removeprefix("__").removesuffix("__") for name in names)
        assert not path or path in known(node) | BESIDE, path


def known(node: Node) -> set[str]:
    """The paths of the fields below a node, from it."""
    return {one.path for one in nodes(node.schema)} - {""}


def test_there_are_rules() -> None:
    assert len(RULES) > 45


@pytest.mark.parametrize(("node", "rule"), RULES)
def test_a_rule_makes_no_list_whose_length_a_server_can_only_guess(
    node: Node, rule: Mapping[str, str]
) -> None:
    """Kubernetes 1.29 takes such a list to be endless, and refuses the whole CRD for its cost."""
    assert not re.search(r"\.(findAll|split|find|replace|substring)\(", rule["rule"]), node.path
