"""Token counting of the simulated providers: two tokenizers, both deterministic.

The one rule: `"".join(split(text)) == text`, `len(split(text)) == count(text)`, and a text never
has more tokens than UTF-8 bytes, as with every byte-level tokenizer. It knows nothing of
messages; `prompt` adds what the chat template costs.
"""

import re
from enum import StrEnum
from functools import lru_cache
from itertools import islice
from typing import Protocol

# A line feed, up to seven letters or three digits with the blank before them, one other sign with
# the blank before it, a run of blanks. English prose comes to about 4.3 bytes a token. A line feed
# is a token of its own, so that a padded answer counts the same when it is read again.
_PIECE = re.compile(r"\n| ?[A-Za-z]{1,7}| ?[0-9]{1,3}| ?[^\sA-Za-z0-9]|[^\S\n]+")

_memo_texts_max = 512
_memo_chars_max = 8_192


class TokenizerKind(StrEnum):
    PIECES = "Pieces"
    BYTES = "Bytes"


class Tokenizer(Protocol):
    def count(self, text: str) -> int: ...

    def split(self, text: str) -> list[str]:
        """The tokens of a text that `splits`, in order."""

    def splits(self, text: str) -> bool:
        """Whether every token of a text is made of whole characters; so it is in ASCII."""

    def ends(self, text: str, *, first: int, step: int) -> list[int]:
        """Character offsets after token number `first`, `first + step`, and so on."""


class PiecesTokenizer:
    """Word pieces: about four bytes a token, as common tokenizers make them of English."""

    def count(self, text: str) -> int:
        # Applications repeat their system prompts; only short texts are remembered, so that the
        # memo stays below a few megabytes.
        return _count_pieces(text) if len(text) <= _memo_chars_max else len(_PIECE.findall(text))

    def split(self, text: str) -> list[str]:
        return _PIECE.findall(text)

    def splits(self, text: str) -> bool:  # noqa: ARG002  Any text does.
        return True

    def ends(self, text: str, *, first: int, step: int) -> list[int]:
        return [match.end() for match in islice(_PIECE.finditer(text), first - 1, None, step)]


class BytesTokenizer:
    """Every UTF-8 byte is a token, which makes a bound of one token a byte exact."""

    def count(self, text: str) -> int:
        return len(text) if text.isascii() else len(text.encode())

    def split(self, text: str) -> list[str]:
        assert text.isascii(), "answers are ASCII, so that a token is a character"
        return list(text)

    def splits(self, text: str) -> bool:
        return text.isascii()

    def ends(self, text: str, *, first: int, step: int) -> list[int]:
        if text.isascii():
            return list(range(first, len(text) + 1, step))
        return self._ends_in_wide_text(text, first=first, step=step)

    def _ends_in_wide_text(self, text: str, *, first: int, step: int) -> list[int]:
        ends: list[int] = []
        tokens, wanted = 0, first
        for offset, character in enumerate(text, start=1):
            tokens += len(character.encode())
            while tokens >= wanted:
                ends.append(offset)
                wanted += step
        return ends


def make_tokenizer(kind: TokenizerKind) -> Tokenizer:
    return BytesTokenizer() if kind is TokenizerKind.BYTES else PiecesTokenizer()


@lru_cache(maxsize=_memo_texts_max)
def _count_pieces(text: str) -> int:
    return len(_PIECE.findall(text))
