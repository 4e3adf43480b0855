"""Reading what an answer says in the end: a label, a number, the letter of an option, JSON.

The one rule: a reading is strict where the caller's program would have to be: it forgives white
space, quotes, case and a full stop, and nothing that a plain comparison downstream would trip over.
Every text that is searched is bounded. This module must not know gates.
"""

import decimal
import re
from collections import deque
from decimal import Decimal
from typing import Any, Final

import msgspec

TAIL_CHARS: Final = 8_192
"""So much of the end of an answer is searched for its final number or letter."""

_AROUND: Final = " \t\r\n\"'`*_«»“”‘’"  # noqa: RUF001  quotation marks as models write them
_AT_END: Final = _AROUND + ".!;,"
_NUMBER: Final = re.compile(
    r"(?<![\w.,/])(?P<top>[-+\u2212]?\$?(?:\d{1,3}(?:,\d{3})+|\d{1,60})(?:\.\d{1,60})?"
    r"(?:[eE][-+]?\d{1,2})?)(?:\s?/\s?(?P<under>\d{1,60}))?(?![\w/]|,\d)"
)
_FINAL: Final = re.compile(
    r"####|\\boxed\{|\b(?:final|correct)\s+answer\b|\banswer\s*(?:is\b|[:=])", re.IGNORECASE
)
_LETTER_ALONE: Final = re.compile(r"^\W{0,4}([A-Za-z])\W{0,4}$")
_LETTER_NAMED: Final = re.compile(r"\W{0,6}(?:is\W{1,6})?(?:option\s{1,3})?([A-Z])\b")
_LETTER_FIRST: Final = re.compile(r"^\W{0,4}([A-Z])(?:[).:]|\s*$)", re.MULTILINE)

_decode: Final = msgspec.json.Decoder().decode


class NotJsonError(ValueError):
    """The text is no JSON that a careful reader takes; the text of this says why."""


def plain(text: str, *, case_sensitive: bool = False) -> str:
    """An answer without what surrounds it: quotes, markup, a full stop, spare white space."""
    bare = " ".join(text.strip(_AROUND).rstrip(_AT_END).split())
    return bare if case_sensitive else bare.casefold()


def number_of(text: str) -> Decimal | None:
    """The number that an answer ends with: what follows "####" or "answer is", else the last one.

    Thousands may be set off by commas, a ratio of whole numbers counts as its value.
    """
    tail = text[-TAIL_CHARS:]
    marks = list(_FINAL.finditer(tail))
    if marks:
        found = _NUMBER.search(tail, marks[-1].end())
        if found is not None:
            return _value(found)
    found = next(iter(deque(_NUMBER.finditer(tail), maxlen=1)), None)
    return None if found is None else _value(found)


def letter_of(text: str) -> str:
    """The option that an answer names ("B", "(B)", "The answer is B."); "" when it names none."""
    tail = text[-TAIL_CHARS:]
    if alone := _LETTER_ALONE.match(tail):
        return alone[1].upper()
    marks = list(_FINAL.finditer(tail))
    if marks and (named := _LETTER_NAMED.match(tail, marks[-1].end())):
        return named[1]
    first = _LETTER_FIRST.match(tail)
    return first[1] if first is not None else ""


def json_of(text: str) -> Any:
    """An answer as a JSON value. Raises NotJsonError: a fence around it, NaN and depth are none."""
    if text.lstrip().startswith("```"):
        raise NotJsonError("it stands in a code fence")
    try:
        return _decode(text)
    except RecursionError:
        raise NotJsonError("it is nested too deeply") from None
    except UnicodeError:
        raise NotJsonError("it has half a character") from None
    except msgspec.DecodeError:
        raise NotJsonError("it is no JSON") from None


def is_same(one: Any, other: Any) -> bool:
    """Whether two JSON values are the same; true is not 1, the order of fields says nothing."""
    try:
        return _is_same(one, other)
    except RecursionError:
        return False


def _is_same(one: Any, other: Any) -> bool:
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_is_same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_is_same, one, other))
    return bool(one == other)


def _value(found: re.Match[str]) -> Decimal | None:
    digits = found["top"].replace(",", "").replace("$", "").replace("\u2212", "-")
    try:
        return Decimal(digits) / Decimal(found["under"] or 1)
    except decimal.DecimalException:
        return None
