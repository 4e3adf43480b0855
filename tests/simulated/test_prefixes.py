"""Only an identical prefix of at least 1024 tokens counts as cached."""

import pytest

from farebox.simulated.prefixes import PrefixCache
from farebox.simulated.prompt import Prompt
from farebox.simulated.tokens import TokenizerKind, make_tokenizer

BYTES = make_tokenizer(TokenizerKind.BYTES)


def prompt(text: str) -> Prompt:
    return Prompt(tokens=len(text), digest=0, texts=(text,))


@pytest.mark.parametrize(
    ("first", "second", "want_cached"),
    [
        pytest.param("a" * 1_023, "a" * 1_023, 0, id="too short"),
        pytest.param("a" * 1_024, "a" * 1_024, 1_024, id="just long enough"),
        pytest.param("a" * 1_200, "a" * 1_200, 1_152, id="in steps of 128"),
        pytest.param("a" * 1_152, "a" * 5_000, 1_152, id="a longer prompt"),
        pytest.param("a" * 5_000, "a" * 1_152, 1_152, id="a shorter prompt"),
        pytest.param("a" * 2_000, "a" * 1_100 + "b" * 900, 1_024, id="a shared prefix"),
        pytest.param("a" * 2_000, "b" + "a" * 1_999, 0, id="another start"),
    ],
)
def test_a_repeated_prefix_is_cached(first: str, second: str, want_cached: int) -> None:
    cache = PrefixCache(BYTES)
    assert cache.cached_tokens("small", prompt(first)) == 0
    assert cache.cached_tokens("small", prompt(second)) == want_cached


def test_each_model_has_its_own_cache() -> None:
    cache = PrefixCache(BYTES)
    cache.cached_tokens("small", prompt("a" * 2_000))
    assert cache.cached_tokens("large", prompt("a" * 2_000)) == 0


def test_what_was_not_used_for_long_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("farebox.simulated.prefixes.prefixes_max", 2)
    cache = PrefixCache(BYTES)
    for letter in "abc":
        cache.cached_tokens("small", prompt(letter * 1_024))
    assert cache.cached_tokens("small", prompt("c" * 1_024)) == 1_024
    assert cache.cached_tokens("small", prompt("a" * 1_024)) == 0
