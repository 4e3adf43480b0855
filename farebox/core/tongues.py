"""Which sentences at the ends of an English prompt are in another language.

Whoever asks in English and adds "das ist ganz leicht" says nothing of the question. The one rule: a
language is known by its small words and its letters, never by what a sentence says. This module
must not know claims, weights or tiers.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Final

ASIDE_WORDS_MIN: Final = 3
"""A name, or an answer's option, is shorter."""

ASIDE_WORDS_MAX: Final = 14
"""A longer sentence is part of the question, whatever its language."""

SIGNS_MIN: Final = 2
"""So many small words of other languages, or words with other letters, are no accident."""

OTHER_SCRIPT_LETTERS_MIN: Final = 4
"""So many letters of another script are more than a formula."""

ENGLISH_WORDS_MIN: Final = 3
"""So many of its small words make a text English."""

MAIN_SHARE_MIN: Final = 1
"""What is left has at least so many times the tokens of what is taken away."""

LATIN_MAX: Final = "\u024f"
"""The last letter of the Latin alphabets."""


def _set(words: str) -> frozenset[bytes]:
    return frozenset(words.encode().split())


_ENGLISH: Final = _set(
    "the a an of in on at by to for from with and or not is are was were be been has have had does "
    "do did if what which who when where why how many much all each this that these those it its "
    "he she they we you i his her their there then than as will would can could should must find"
)
_OTHERS: Final = _set(
    "das der den dem ist sind ein eine einen und nicht mit für es bitte sehr "
    "le la les un une est sont et pas avec pour très ce cette qui que "
    "el los las una unos y con para por muy más este esta esto cualquier "
    "il gli uno è sono molto questo questa qualsiasi "
    "um uma é são não com muito isto qualquer "
    "het een zijn niet voor zeer deze "
    "bu bir ve çok için jest są nie bardzo się"
)
"""Small words of German, French, Spanish, Italian, Portuguese, Dutch, Turkish and Polish."""

_ENDS: Final = frozenset((b".", b"!", b"?", b":", b"\n"))
_MARKS: Final = _ENDS | {b",", b";", b"'", b'"'}


def without_asides(tokens: list[bytes]) -> list[bytes]:
    """The tokens of an English prompt without short sentences in other languages at its ends."""
    if _OTHERS.isdisjoint(tokens) and b"".join(tokens).isascii():
        return tokens
    cuts = [0, *(place + 1 for place, token in enumerate(tokens) if token in _ENDS), len(tokens)]
    spans = list(pairwise(cuts))
    first = max((end for _, end in _asides(tokens, spans)), default=0)
    last = min((start for start, _ in _asides(tokens, spans[::-1])), default=len(tokens))
    kept = tokens[first:last]
    is_main = len(kept) >= MAIN_SHARE_MIN * (len(tokens) - len(kept))
    is_english = sum(token in _ENGLISH for token in kept) >= ENGLISH_WORDS_MIN
    return kept if is_main and is_english else tokens


def _asides(tokens: list[bytes], spans: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """The asides that come before anything else; where nothing is said is passed over."""
    for start, end in spans:
        said = [token for token in tokens[start:end] if token not in _MARKS]
        if said and not _is_foreign(said):
            return
        if said:
            yield start, end


def _is_foreign(said: list[bytes]) -> bool:
    """Whether what is said is another language's; numbers and formulas belong to the question."""
    if len(said) > ASIDE_WORDS_MAX or not _ENGLISH.isdisjoint(said):
        return False
    words = [token.decode(errors="replace") for token in said]
    if not all(map(str.isalpha, words)):
        return False
    if all(min(word) > LATIN_MAX for word in words):
        return sum(map(len, words)) >= OTHER_SCRIPT_LETTERS_MIN
    signs = sum(token in _OTHERS or not token.isascii() for token in said)
    return len(said) >= ASIDE_WORDS_MIN and signs >= SIGNS_MIN
