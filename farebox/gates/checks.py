"""Checks that need nothing but the answer: schema, labels, pattern, exact, numeric, citation.

The one rule: every answer gets a verdict in bounded time, whatever is in it; one that is too long
to be read has failed, and a gate that cannot work says so (`ran` is false) instead of passing. No
verdict repeats an answer. This module must not know models, money or other gates.
"""

import functools
from collections.abc import Callable, Mapping
from typing import Any, Final

from farebox.core.gates import Case, Gate, GateKind, Verdict
from farebox.gates import citations
from farebox.gates.readings import NotJsonError, is_same, json_of, number_of, plain
from farebox.gates.schemas import BadSchemaError, breach

ANSWER_CHARS_MAX: Final = 1 << 20
"""A longer answer fails every gate."""

PATTERN_ANSWER_CHARS_MAX: Final = 16_384
"""A longer answer fails a pattern: RE2's time grows with its length alone, and this bounds it."""

PATTERN_MEMORY_BYTES_MAX: Final = 1 << 20
PATTERNS_KEPT_MAX: Final = 64

LOCAL: Final = frozenset(
    {
        GateKind.JSON_SCHEMA,
        GateKind.LABELS,
        GateKind.REGEX,
        GateKind.EXACT,
        GateKind.NUMERIC,
        GateKind.CITATION,
    }
)
"""The kinds that `check` knows."""


class _CannotRunError(Exception):
    """The gate itself can't work; the text says why."""


def check(gate: Gate, answer: str, case: Case) -> Verdict:
    """Check an answer against one gate of the kinds in LOCAL."""
    if len(answer) > ANSWER_CHARS_MAX:
        return Verdict(gate.name, passed=False, why="the answer is too long to be checked")
    try:
        why = _CHECKS[gate.kind](gate, answer, case)
    except (_CannotRunError, BadSchemaError) as error:
        return Verdict(gate.name, passed=False, why=str(error), ran=False)
    return Verdict(gate.name, passed=not why, why=why)


def _json_schema(gate: Gate, answer: str, case: Case) -> str:
    """By the gate's schema, else by that of the call; without any, JSON is enough."""
    try:
        value = json_of(answer)
    except NotJsonError as error:
        return f"the answer is not the JSON that was asked for: {error}"
    schema = gate.schema or case.schema
    if schema and (where := breach(schema, value)):
        return f"the answer breaks the schema at {where}"
    if case.expected is None:
        return ""
    try:
        return "" if is_same(value, json_of(case.expected)) else _NOT_EXPECTED
    except NotJsonError:
        raise _CannotRunError("the right answer is no JSON") from None


def _labels(gate: Gate, answer: str, case: Case) -> str:
    said = plain(answer, case_sensitive=gate.case_sensitive)
    if not gate.labels:
        raise _CannotRunError("the gate has no labels")
    if said not in {plain(label, case_sensitive=gate.case_sensitive) for label in gate.labels}:
        return "the answer is none of the labels"
    return _unless_expected(gate, said, case)


def _exact(gate: Gate, answer: str, case: Case) -> str:
    said = plain(answer, case_sensitive=gate.case_sensitive)
    if not gate.values and case.expected is None:
        raise _CannotRunError("the gate has no values, and no right answer is known")
    values = {plain(value, case_sensitive=gate.case_sensitive) for value in gate.values}
    if values and said not in values:
        return "the answer is none of the values"
    return _unless_expected(gate, said, case)


def _regex(gate: Gate, answer: str, _: Case) -> str:
    if len(answer) > PATTERN_ANSWER_CHARS_MAX:
        return "the answer is too long for a pattern"
    try:
        found = _compiled(gate.pattern, gate.case_sensitive).search(answer)
    except UnicodeError:
        return "the answer has half a character"
    return "" if found else "the pattern is not in the answer"


def _numeric(gate: Gate, answer: str, case: Case) -> str:
    number = number_of(answer)
    if number is None:
        return "the answer has no number"
    if gate.minimum is not None and number < gate.minimum:
        return "the number is below the minimum"
    if gate.maximum is not None and number > gate.maximum:
        return "the number is above the maximum"
    if case.expected is not None:
        right = number_of(case.expected)
        if right is None:
            raise _CannotRunError("the right answer has no number")
        if abs(number - right) > gate.tolerance:
            return _NOT_EXPECTED
    return ""


def _citation(gate: Gate, answer: str, case: Case) -> str:
    sources = citations.cited(answer)
    if len(sources) > citations.CITATIONS_MAX:
        return "the answer cites more sources than anybody could follow up"
    asked = f"{case.system}\n{case.prompt}"
    given = [source for source in sources if citations.is_given(source, asked)]
    if any(citations.is_plainly_a_source(one) for one in sources if one not in given):
        return "the answer cites a source that it was not given"
    if len(given) < gate.citations_min:
        return f"the answer cites {len(given)} sources; {gate.citations_min} are wanted"
    return ""


def _unless_expected(gate: Gate, said: str, case: Case) -> str:
    if case.expected is None:
        return ""
    right = plain(case.expected, case_sensitive=gate.case_sensitive)
    return "" if said == right else _NOT_EXPECTED


@functools.lru_cache(maxsize=PATTERNS_KEPT_MAX)
def _compiled(pattern: str, case_sensitive: bool) -> Any:  # noqa: FBT001  a key of the cache
    # Loaded here, because few tasks have a pattern and it takes 3 MiB.
    import re2

    options = re2.Options()
    options.log_errors = False
    options.case_sensitive = case_sensitive
    options.max_mem = PATTERN_MEMORY_BYTES_MAX
    try:
        return re2.compile(pattern, options)
    except (re2.error, UnicodeError):
        raise _CannotRunError("the pattern is none that RE2 knows") from None


_NOT_EXPECTED: Final = "the answer is not the right one"

_CHECKS: Final[Mapping[GateKind, Callable[[Gate, str, Case], str]]] = {
    GateKind.JSON_SCHEMA: _json_schema,
    GateKind.LABELS: _labels,
    GateKind.REGEX: _regex,
    GateKind.EXACT: _exact,
    GateKind.NUMERIC: _numeric,
    GateKind.CITATION: _citation,
}
