"""JSON schemas that somebody else wrote: used where they can be, refused where they can't."""

from typing import Any

import pytest

from farebox.gates.schemas import SCHEMA_CHARS_MAX, BadSchemaError, breach

PERSON = '{"type": "object", "properties": {"age": {"type": "integer"}}, "required": ["age"]}'


@pytest.mark.parametrize(
    ("schema", "value", "where"),
    [
        (PERSON, {"age": 7}, ""),
        (PERSON, {}, "required"),
        (PERSON, {"age": "seven"}, "properties/age/type"),
        (PERSON, [], "type"),
        ("true", 1, ""),
        ("false", 1, "false"),
        ('{"type": "array", "uniqueItems": true}', list(range(20_000)), ""),
        ('{"pattern": "^(a+)+$"}', "a" * 100_000 + "b", "pattern"),
        ('{"$ref": "#"}', {}, ""),
    ],
)
def test_the_keyword_that_a_value_breaks(schema: str, value: Any, where: str) -> None:
    assert breach(schema, value) == where


@pytest.mark.parametrize(
    "schema",
    [
        "no json",
        "[" * 10_000,
        "7",
        '{"type": "banana"}',
        '{"pattern": "(?=a)"}',
        '{"pattern": "(a{1,1000}){1,1000}"}',
        '{"$ref": "http://127.0.0.1:9/x"}',
        '{"$ref": "file:///etc/hostname"}',
        '{"$schema": "http://example.org/mine"}',
        '{"description": "' + "x" * SCHEMA_CHARS_MAX + '"}',
    ],
)
def test_what_is_no_schema(schema: str) -> None:
    with pytest.raises(BadSchemaError):
        breach(schema, {})


def test_a_value_beyond_all_depth_breaks_the_schema() -> None:
    deep: list[Any] = []
    for _ in range(900):
        deep = [deep]
    assert breach('{"type": "array"}', deep) in {"", "depth"}
    assert breach('{"items": {"$ref": "#"}}', deep) in {"", "depth"}
