"""Values that a JSON schema accepts."""

from typing import Any

import pytest

from farebox.simulated.schemas import SchemaError, value_for

REFERRING = {
    "type": "object",
    "required": ["lines"],
    "properties": {"lines": {"type": "array", "minItems": 2, "items": {"$ref": "#/$defs/line"}}},
    "$defs": {
        "line": {
            "type": "object",
            "required": ["price"],
            "properties": {"price": {"type": "number"}},
        }
    },
}


@pytest.mark.parametrize(
    ("schema", "want"),
    [
        pytest.param({"type": "object"}, {}, id="nothing is required"),
        pytest.param(
            {
                "type": "object",
                "required": ["a"],
                "properties": {"a": {"type": "string"}, "b": {"type": "string"}},
            },
            {"a": "text"},
            id="only required properties",
        ),
        pytest.param({"enum": ["low", "high"]}, "low", id="enum"),
        pytest.param({"const": 7}, 7, id="const"),
        pytest.param({"anyOf": [{"type": "null"}, {"type": "string"}]}, None, id="anyOf"),
        pytest.param({"type": ["integer", "null"]}, 1, id="several types"),
        pytest.param({"type": "integer", "minimum": 5}, 5, id="minimum"),
        pytest.param({"type": "integer", "exclusiveMinimum": 5}, 6, id="exclusive minimum"),
        pytest.param({"type": "integer", "maximum": -3}, -3, id="maximum"),
        pytest.param({"type": "number", "minimum": 1.5, "maximum": 9}, 2, id="fractional bound"),
        pytest.param({"type": "boolean"}, True, id="boolean"),
        pytest.param({"type": "string", "format": "date"}, "2026-01-31", id="format"),
        pytest.param({"type": "string", "minLength": 6}, "text..", id="shortest"),
        pytest.param({"type": "string", "maxLength": 2}, "te", id="longest"),
        pytest.param({"type": "array", "items": {"type": "string"}}, ["text"], id="array"),
        pytest.param({"type": "array", "maxItems": 0}, [], id="empty array"),
        pytest.param(REFERRING, {"lines": [{"price": 1}, {"price": 1}]}, id="references"),
    ],
)
def test_the_value_fits_the_schema(schema: dict[str, Any], want: Any) -> None:
    assert value_for(schema, lambda: "text") == want


@pytest.mark.parametrize(
    "schema",
    [
        pytest.param({"$ref": "#"}, id="refers to itself"),
        pytest.param({"$ref": "#/nowhere"}, id="refers to nothing"),
        pytest.param({"type": "array", "minItems": 10**9}, id="too many items"),
        pytest.param({"type": "object", "required": 5}, id="malformed"),
        pytest.param({"type": "integer", "minimum": "low"}, id="malformed bound"),
    ],
)
def test_a_schema_that_cannot_be_followed_is_refused(schema: dict[str, Any]) -> None:
    with pytest.raises(SchemaError):
        value_for(schema, lambda: "text")
