"""Both tokenizers: exact, deterministic, and never more tokens than bytes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farebox.simulated.tokens import Tokenizer, TokenizerKind, make_tokenizer

BOTH = [make_tokenizer(kind) for kind in TokenizerKind]
ENGLISH = (
    "The invoice of the third of March lists four positions, two of which were delivered late. "
    "Please compare them with the order and tell the customer what we can refund.\n"
)


@pytest.mark.parametrize("tokenizer", BOTH)
@given(text=st.text())
def test_a_text_never_has_more_tokens_than_bytes(tokenizer: Tokenizer, text: str) -> None:
    assert tokenizer.count(text) <= len(text.encode())
    assert (tokenizer.count(text) > 0) == bool(text)


@pytest.mark.parametrize("tokenizer", BOTH)
@given(text=st.text(alphabet=st.characters(max_codepoint=127)))
def test_the_tokens_of_a_text_are_the_text(tokenizer: Tokenizer, text: str) -> None:
    pieces = tokenizer.split(text)
    assert "".join(pieces) == text
    assert len(pieces) == tokenizer.count(text)


@pytest.mark.parametrize("tokenizer", BOTH)
@given(text=st.text(min_size=20), first=st.integers(1, 8), step=st.integers(1, 5))
def test_ends_are_where_so_many_tokens_are_read(
    tokenizer: Tokenizer, text: str, first: int, step: int
) -> None:
    ends = tokenizer.ends(text, first=first, step=step)
    assert ends == sorted(ends)
    for number, end in enumerate(ends):
        # A wide character is several bytes, and a token boundary may lie inside of it.
        assert tokenizer.count(text[:end]) >= first + number * step
        assert tokenizer.count(text[: end - 1]) <= first + number * step


def test_english_has_about_four_bytes_a_piece() -> None:
    pieces = make_tokenizer(TokenizerKind.PIECES).count(ENGLISH)
    assert 3.5 <= len(ENGLISH) / pieces <= 5


def test_long_and_short_texts_are_counted_alike() -> None:
    tokenizer = make_tokenizer(TokenizerKind.PIECES)
    assert tokenizer.count(ENGLISH * 100) == 100 * tokenizer.count(ENGLISH)


def test_bytes_counts_utf8() -> None:
    assert make_tokenizer(TokenizerKind.BYTES).count("aé€😀") == 1 + 2 + 3 + 4
