"""A value that a JSON schema accepts: the required properties and no more.

The one rule: the same schema and texts give the same value, and no schema, however deep or wide,
makes more than `nodes_max` values. It covers what structured outputs allow (objects, arrays,
enums, anyOf, $ref, the plain types and bounds); patterns are not followed.
"""

import math
from collections.abc import Callable
from typing import Any

depth_max = 24
nodes_max = 5_000
text_chars_max = 4_096

_FORMATS = {
    "date": "2026-01-31",
    "date-time": "2026-01-31T09:30:00Z",
    "time": "09:30:00Z",
    "duration": "PT1H",
    "email": "desk@example.com",
    "hostname": "example.com",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "uuid": "00000000-0000-4000-8000-000000000001",
    "uri": "https://example.com/1",
}


class SchemaError(ValueError):
    """The schema is malformed or asks for too large a value."""


def value_for(schema: dict[str, Any], text: Callable[[], str]) -> Any:
    """Build a value; `text` gives the next free string.

    Raises:
        SchemaError: when the schema is malformed or needs more than `nodes_max` values.
    """
    try:
        return _Builder(schema, text).value(schema, depth_max)
    except (TypeError, ValueError, AttributeError, LookupError, OverflowError) as error:
        raise SchemaError("The JSON schema is malformed or asks for too large a value.") from error


class _Builder:
    def __init__(self, root: dict[str, Any], text: Callable[[], str]) -> None:
        self._root = root
        self._text = text
        self._nodes_left = nodes_max

    def value(self, node: Any, depth: int) -> Any:
        self._nodes_left -= 1
        if depth == 0 or self._nodes_left < 0:
            raise SchemaError
        if not isinstance(node, dict):
            return None
        if "const" in node:
            return node["const"]
        if node.get("enum"):
            return node["enum"][0]
        if "$ref" in node:
            return self.value(self._referred(node["$ref"]), depth - 1)
        for choice in ("anyOf", "oneOf", "allOf"):
            if node.get(choice):
                return self.value(node[choice][0], depth - 1)
        return self._typed(node, depth)

    def _typed(self, node: dict[str, Any], depth: int) -> Any:
        kind = node.get("type", "object" if "properties" in node else "string")
        match kind[0] if isinstance(kind, list) and kind else kind:
            case "object":
                properties = node.get("properties", {})
                required = node.get("required", [])
                return {name: self.value(properties.get(name, {}), depth - 1) for name in required}
            case "array":
                count = max(1, node.get("minItems", 1))
                count = min(count, node.get("maxItems", count))
                return [self.value(node.get("items", {}), depth - 1) for _ in range(count)]
            case "integer" | "number":
                return _number(node)
            case "boolean":
                return True
            case "null":
                return None
            case _:
                return self._string(node)

    def _string(self, node: dict[str, Any]) -> str:
        value = _FORMATS.get(node.get("format", "")) or self._text()
        shortest = min(node.get("minLength", 0), text_chars_max)
        return str(value.ljust(shortest, ".")[: node.get("maxLength", text_chars_max)])

    def _referred(self, reference: str) -> Any:
        node: Any = self._root
        for name in reference.removeprefix("#").strip("/").split("/"):
            node = node[name.replace("~1", "/").replace("~0", "~")] if name else node
        return node


def _number(node: dict[str, Any]) -> int:
    """A whole number within the schema's bounds: 1, or the bound that is nearest to it."""
    lowest: float = node.get("minimum", -math.inf)
    if "exclusiveMinimum" in node:
        lowest = max(lowest, node["exclusiveMinimum"] + 1)
    highest: float = node.get("maximum", math.inf)
    if "exclusiveMaximum" in node:
        highest = min(highest, node["exclusiveMaximum"] - 1)
    if lowest > 1:
        return math.ceil(lowest)
    return math.floor(min(highest, 1))
