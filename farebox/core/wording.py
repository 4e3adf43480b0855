"""How a prompt is worded: its tokens and the shape of its text, as the small model reads them.

The one rule: case, white space, courtesies and claims about the prompt itself (`claims`) are gone
before anything is counted, so none of them can move a route. Work is bounded: of a long text
only the head and the tail are read. This module must not know weights, tiers or money.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from itertools import compress
from math import log1p
from operator import mul
from typing import Final, NamedTuple

from farebox.core.claims import without_claims

READ_CHARS_MAX: Final = 4_000
"""Of a longer text the first and the last half of this many characters are read."""

_TOKEN: Final = re.compile(rb"[a-z\x80-\xff]+|[0-9]{1,3}|[^\sa-z0-9\x80-\xff]|\n")
_OPTION_MARKS: Final = tuple(
    tuple(b" %c %c " % (letter, mark) for letter in b"abcdefghij") for mark in b".)"
)
_LONG: Final = 8
_VERY_LONG: Final = 12
_NUMBER_NAMES: Final = (b"#1", b"#2", b"#3")
_NUMBERS: Final = {
    b"%0*d" % (length, number): _NUMBER_NAMES[length - 1]
    for length in (1, 2, 3)
    for number in range(10**length)
}
"""Of a number only how long it is is kept; a long one is read three digits at a time."""

_KEYWORDS: Final = tuple(
    b"which what how why who when where if not except best most least following true false "
    b"statement all none calculate find value total each per percent ratio probability function "
    b"equation integral matrix graph energy force court law patient disease cell economic market "
    b"price passage according author moral wrong argument code program algorithm proof theorem "
    b"group".split()
)

STRUCTURE_NAMES: Final = (
    "tokens",
    "words",
    "numbers",
    "number share",
    "question marks",
    "full stops",
    "commas",
    "dollar signs",
    "backslashes",
    "braces",
    "carets",
    "equals signs",
    "operators",
    "brackets",
    "percent signs",
    "quotes",
    "underscores",
    "colons",
    "mark share",
    "word length",
    "long words",
    "very long words",
    "one-letter words",
    "distinct words",
    "options",
    "stem share",
    "option length",
    "large numbers",
    "beyond ascii",
    *(f"says {word.decode()}" for word in _KEYWORDS),
)
"""What each entry of `Wording.structure` counts, in order."""


class Wording(NamedTuple):
    """A prompt as the model reads it: tokens in order, distinct words, and the shape's numbers.

    `size` is the length of all tokens with a space each: what a prompt costs, claims not counted.
    """

    tokens: Sequence[bytes]
    words: frozenset[bytes]
    structure: tuple[float, ...]
    size: int


def wording_of(prompt: str) -> Wording:
    """Read a prompt of any length; never raises."""
    tokens = without_claims(_tokens(_normal(prompt)))
    text = b" ".join(tokens)
    counts = Counter(tokens)
    words = [token for token in counts if token[0] >= 97]
    return Wording(
        tokens=tokens,
        words=frozenset(words),
        structure=_structure(b" %b " % text, tokens, counts, words),
        size=len(text) + bool(tokens),
    )


def part_read(prompt: str) -> str:
    """As much of a prompt as is read: all of it, or its beginning and its end.

    What it gives is read as the whole prompt is.
    """
    if len(prompt) <= READ_CHARS_MAX:
        return prompt
    half = READ_CHARS_MAX // 2
    return f"{prompt[:half]}\n{prompt[-half:]}"


def _normal(prompt: str) -> bytes:
    prompt = part_read(prompt)
    if not prompt.isascii():
        # The full stop of Chinese and Japanese ends a sentence as any other.
        prompt = unicodedata.normalize("NFKC", prompt).replace("\u3002", ". ")
    return prompt.lower().encode(errors="replace")


def _tokens(text: bytes) -> list[bytes]:
    found = _TOKEN.findall(text)
    return list(map(_NUMBERS.get, found, found))


def _structure(
    text: bytes, tokens: Sequence[bytes], counts: Counter[bytes], words: Sequence[bytes]
) -> tuple[float, ...]:
    total = len(tokens) or 1
    several = sum(map(counts.__getitem__, words))
    amount = several or 1
    numbers = sum(map(counts.__getitem__, _NUMBER_NAMES))
    marks = len(tokens) - several - numbers
    count = counts.__getitem__
    lengths = list(map(len, words))
    times = list(map(counts.__getitem__, words))
    return (
        log1p(len(tokens)),
        log1p(several),
        log1p(numbers),
        numbers / total,
        log1p(count(b"?")),
        log1p(count(b".")),
        log1p(count(b",")),
        log1p(count(b"$")),
        log1p(count(b"\\")),
        log1p(count(b"{") + count(b"}")),
        log1p(count(b"^")),
        log1p(count(b"=")),
        log1p(count(b"+") + count(b"-") + count(b"*") + count(b"/")),
        log1p(count(b"(") + count(b")") + count(b"[") + count(b"]")),
        log1p(count(b"%")),
        log1p(count(b'"') + count(b"'")),
        log1p(count(b"_")),
        log1p(count(b":") + count(b";")),
        marks / total,
        sum(map(mul, lengths, times)) / amount,
        sum(compress(times, map(_LONG.__le__, lengths))) / amount,
        sum(compress(times, map(_VERY_LONG.__le__, lengths))) / amount,
        sum(compress(times, map((1).__eq__, lengths))) / amount,
        len(words) / amount,
        *_options(text),
        count(b"#3") / total,
        float(not text.isascii()),
        *map(float, map(counts.__contains__, _KEYWORDS)),
    )


def _options(text: bytes) -> tuple[float, float, float]:
    """How many lettered options there are, the share of text before them, and their length.

    Options are "a. b. c." or "a) b) c)" in this order, whatever stands between them.
    """
    best, first = 0, len(text)
    for marks in _OPTION_MARKS:
        at, count = text.find(marks[0]), 0
        start = at
        while at >= 0:
            count += 1
            at = text.find(marks[count], at) if count < len(marks) else -1
        if count > best:
            best, first = count, start
    if best < 2:
        return 0.0, 1.0, 0.0
    return float(best), first / len(text), log1p((len(text) - first) / best)
