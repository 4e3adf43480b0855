"""Gates: what an answer must be like before it is taken, as values.

A gate is a check on an answer, the same in a profiling run and in production. The one rule: a gate
and its verdict never hold the text of a prompt or an answer, since both are shown to people. This
module must not know how a check is carried out, or what happens when one fails.
"""

import enum
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, NamedTuple

GATES_MAX: Final = 8
"""Gates of one task."""

SCHEMA_CHARS_MAX: Final = 65_536
"""Length of a JSON schema, written by a task or sent along by a call."""

PATTERN_CHARS_MAX: Final = 1_000
RUBRIC_CHARS_MAX: Final = 4_000

ZERO: Final = Decimal(0)


class GateKind(enum.StrEnum):
    """What a gate looks at."""

    JSON_SCHEMA = "JSONSchema"
    LABELS = "Labels"
    REGEX = "Regex"
    EXACT = "Exact"
    NUMERIC = "Numeric"
    CITATION = "Citation"
    GRADER = "Grader"
    AGREEMENT = "Agreement"
    FUNCTION = "Function"


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """One check. Only the fields of its kind mean anything.

    `schema` is JSON text; "" means the schema that the call itself sends as its response format.
    `values` are the answers that EXACT takes; `minimum`, `maximum` and `tolerance` belong to
    NUMERIC; `model` names a model of some tier, which grades (GRADER, by `rubric`; `pass_mark` in
    thousandths) or answers too (AGREEMENT); `function` is "module:function".
    """

    name: str
    kind: GateKind
    schema: str = ""
    labels: tuple[str, ...] = ()
    pattern: str = ""
    values: tuple[str, ...] = ()
    minimum: Decimal | None = None
    maximum: Decimal | None = None
    tolerance: Decimal = ZERO
    citations_min: int = 1
    model: str = ""
    rubric: str = ""
    pass_mark: int = 700
    function: str = ""
    case_sensitive: bool = False


class Case(NamedTuple):
    """What was asked. `expected` is the right answer, known only while profiling.

    With it EXACT, LABELS, NUMERIC and JSON_SCHEMA compare the answer with it too.
    """

    prompt: str
    system: str = ""
    schema: str = ""
    expected: str | None = None


class Verdict(NamedTuple):
    """What a gate says of an answer; one that could not be run (`ran` is false) has not passed.

    `why` is for people and never repeats the prompt or the answer.
    """

    gate: str
    passed: bool
    why: str = ""
    ran: bool = True
