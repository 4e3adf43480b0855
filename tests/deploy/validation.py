"""What an API server does with a resource before it stores it, as far as that goes without one.

Structure, formats, unknown fields, lists that are sets or maps, and defaults are the same here. CEL
rules are not evaluated: what only they refuse is accepted here, and is refused by a real API server
(`make e2e-kube`). The one rule: every function takes the schema from the CRD's own file.
"""

import json
from collections.abc import Iterator, Mapping
from copy import deepcopy
from functools import cache
from typing import Any, Final

import jsonschema_rs

from farebox.manifests.resources import Kind
from tests.deploy.crds import CRDS, Schema

_ABOUT_RESOURCE: Final = ("apiVersion", "kind", "metadata")


def with_defaults(kind: Kind, resource: Mapping[str, Any]) -> dict[str, Any]:
    """The resource with every default that its schema has for it."""
    filled = deepcopy(dict(resource))
    _fill(CRDS[kind].schema, filled)
    return filled


def _fill(schema: Schema, value: object) -> None:
    if isinstance(value, dict):
        for name, inner in schema.get("properties", {}).items():
            if name not in value and "default" in inner:
                value[name] = deepcopy(inner["default"])
            if name in value:
                _fill(inner, value[name])
    if isinstance(value, list) and "items" in schema:
        for item in value:
            _fill(schema["items"], item)


def faults(kind: Kind, resource: Mapping[str, Any]) -> list[str]:
    """Why an API server would refuse a resource, CEL rules left aside; each begins with a path."""
    filled = with_defaults(kind, resource)
    schema = CRDS[kind].schema
    return [*_structure(kind, filled), *_unknown(schema, filled, ""), *_twice(schema, filled, "")]


@cache
def _checker(kind: Kind) -> jsonschema_rs.Validator:
    return validator(CRDS[kind].schema)


def _structure(kind: Kind, value: object) -> Iterator[str]:
    for error in _checker(kind).iter_errors(value):
        path = ""
        for step in error.instance_path:
            path += f"[{step}]" if isinstance(step, int) else f".{step}"
        yield f"{path.removeprefix('.')}: {error.message}"


def validator(schema: Schema) -> jsonschema_rs.Validator:
    """Checks values against a structural schema."""
    return jsonschema_rs.validator_for(json.dumps(plain(schema)), validate_formats=True)


def plain(schema: Schema) -> dict[str, Any]:
    """A structural schema as JSON schema."""
    kept = {name: deepcopy(value) for name, value in schema.items() if not name.startswith("x-")}
    if schema.get("x-kubernetes-int-or-string"):
        kept["type"] = ["integer", "string"]
    if "properties" in schema:
        kept["properties"] = {name: plain(one) for name, one in schema["properties"].items()}
    for name in ("items", "additionalProperties"):
        if name in schema:
            kept[name] = plain(schema[name])
    return kept


def _unknown(schema: Schema, value: object, path: str) -> Iterator[str]:
    """Fields that no schema knows: kubectl refuses them, other clients get a warning."""
    if schema.get("x-kubernetes-preserve-unknown-fields"):
        return
    if isinstance(value, Mapping):
        known, others = schema.get("properties", {}), schema.get("additionalProperties")
        for name, inner in value.items():
            at = f"{path}.{name}" if path else name
            below = known.get(name, others)
            if below is not None:
                yield from () if at in _ABOUT_RESOURCE else _unknown(below, inner, at)
            elif isinstance(schema.get("type"), str) and schema["type"] == "object":
                yield f"{at}: unknown field"
    if isinstance(value, list) and "items" in schema:
        for place, item in enumerate(value):
            yield from _unknown(schema["items"], item, f"{path}[{place}]")


def _twice(schema: Schema, value: object, path: str) -> Iterator[str]:
    """Entries of a set, or keys of a list that is a map, that stand twice."""
    if isinstance(value, Mapping):
        for name, inner in schema.get("properties", {}).items():
            if name in value:
                yield from _twice(inner, value[name], f"{path}.{name}" if path else name)
    if not isinstance(value, list) or "items" not in schema:
        return
    keys = schema.get("x-kubernetes-list-map-keys", ())
    listed = schema.get("x-kubernetes-list-type") in {"set", "map"}
    seen: list[object] = []
    for place, item in enumerate(value):
        keyed = isinstance(item, Mapping) and keys
        mark = {key: item.get(key) for key in keys} if keyed else item
        if listed and mark in seen:
            yield f"{path}[{place}]: stands twice"
        seen.append(mark)
        yield from _twice(schema["items"], item, f"{path}[{place}]")
