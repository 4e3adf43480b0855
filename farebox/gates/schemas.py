"""JSON schemas: is a value as a schema says.

The one rule: a schema is somebody else's text, so it fetches nothing, its patterns are read in
linear time, and what is kept of it is bounded. Loaded when the first schema is checked, because it
takes 7 MiB. This module must not know gates.
"""

import functools
from typing import TYPE_CHECKING, Any, Final

import msgspec

if TYPE_CHECKING:
    from jsonschema_rs import Validator

SCHEMAS_KEPT_MAX: Final = 64
SCHEMA_CHARS_MAX: Final = 65_536
PATTERN_BYTES_MAX: Final = 1 << 18
"""What one pattern of a schema may take when it is compiled."""

WHERE_CHARS_MAX: Final = 100


class BadSchemaError(ValueError):
    """The text is no JSON schema that can be used."""


def breach(schema: str, value: Any) -> str:
    """Which keyword of the schema a value breaks, "" when none. Raises BadSchemaError."""
    import jsonschema_rs

    validator = _validator(schema)
    try:
        validator.validate(value)
    except jsonschema_rs.ValidationError as error:
        # The path within the schema: that within the value is the model's words.
        where = "/".join(map(str, error.schema_path))
        return where[-WHERE_CHARS_MAX:] or "false"
    except ValueError:
        # The library's own bound on depth.
        return "depth"
    return ""


@functools.lru_cache(maxsize=SCHEMAS_KEPT_MAX)
def _validator(schema: str) -> "Validator":
    import jsonschema_rs

    if len(schema) > SCHEMA_CHARS_MAX:
        raise BadSchemaError(f"the schema is longer than {SCHEMA_CHARS_MAX} characters")
    options = jsonschema_rs.RegexOptions(
        size_limit=PATTERN_BYTES_MAX, dfa_size_limit=PATTERN_BYTES_MAX
    )
    try:
        read = msgspec.json.decode(schema)
        return jsonschema_rs.validator_for(read, pattern_options=options, offline=True)
    except (ValueError, RecursionError, TypeError) as error:
        raise BadSchemaError("the schema is no JSON schema") from error
