"""Agreement: do two answers to one question say the same in the end.

The final answer is compared, not the way there: JSON as values, an option by its letter, a number
by its value, a short text as it stands, a long one by the words that it shares. The one rule: what
cannot be compared does not agree. This module must not know which models answered.
"""

import re
from typing import Any, Final

from farebox.gates.readings import NotJsonError, is_same, json_of, letter_of, number_of, plain

SHORT_WORDS_MAX: Final = 6
SHARED_MIN: Final = 600
"""Thousandths of the words of two long answers that they must share."""

COMPARED_CHARS_MAX: Final = 65_536

_WORD: Final = re.compile(r"\w{3,40}")


def agree(one: str, other: str) -> bool:
    """Whether two answers agree. An empty one agrees with nothing."""
    one, other = one[:COMPARED_CHARS_MAX], other[:COMPARED_CHARS_MAX]
    if not plain(one) or not plain(other):
        return False
    if plain(one) == plain(other):
        return True
    values = _json(one), _json(other)
    if any(isinstance(value, dict | list) for value in values):
        return is_same(*values)
    letters = letter_of(one), letter_of(other)
    if all(letters):
        return letters[0] == letters[1]
    short = [len(text.split()) <= SHORT_WORDS_MAX for text in (one, other)]
    numbers = number_of(one), number_of(other)
    if any(short):
        return None not in numbers and numbers[0] == numbers[1]
    return numbers[0] == numbers[1] and _shared(one, other) >= SHARED_MIN


def _json(text: str) -> Any:
    try:
        return json_of(text)
    except NotJsonError:
        return None


def _shared(one: str, other: str) -> int:
    """How many of both texts' words are in both, in thousandths."""
    first, second = (set(_WORD.findall(text.casefold())) for text in (one, other))
    return 2000 * len(first & second) // max(1, len(first) + len(second))
