"""The built-in table becomes a price book that never guesses."""

from typing import Any

import pytest

from farebox.core.instant import UtcMs, format_utc
from farebox.core.prices import cost
from farebox.core.usage import Usage, UsageKind
from farebox.manifests.pricebook import built_in_prices, price_table_date, prices_of

DAY = UtcMs(1_767_225_600_000)
"""2026-01-01T00:00:00Z."""


def entry(provider: str, model: str, dollars: int, **more: Any) -> dict[str, Any]:
    rates = {"input": dollars * 10**9, "output": 2 * dollars * 10**9}
    return {
        "provider": provider,
        "model": model,
        "aliases": [],
        "from": None,
        "rates": rates,
    } | more


def test_the_table_is_read_once() -> None:
    assert built_in_prices() is built_in_prices()


@pytest.mark.parametrize("name", ["gpt-4o", "openai/gpt-4o", "openai/gpt-4o-2024-08-06"])
def test_a_published_price_by_every_name(name: str) -> None:
    price = built_in_prices().book.at(name, DAY)
    assert price is not None
    assert cost(price, Usage(input=1_000_000, output=100_000)) == 3_500_000_000


def test_a_price_belongs_to_its_provider() -> None:
    prices = built_in_prices()
    assert prices.at("openai", "gpt-4o", DAY) is not None
    assert prices.at("elsewhere", "gpt-4o", DAY) is None
    assert prices.at("openai", "unheard-of", DAY) is None


def test_a_name_of_two_providers_has_no_price_of_its_own() -> None:
    table = {"models": [entry("a", "m", 1), entry("b", "m", 2), entry("b", "a/m", 3)]}
    book = prices_of(table).book
    assert book.at("m", DAY) is None
    found = {name: book.at(name, DAY) for name in ("a/m", "b/m", "b/a/m")}
    dollars = {name: price and price.rates.of(UsageKind.INPUT) for name, price in found.items()}
    assert dollars == {"a/m": 10**9, "b/m": 2 * 10**9, "b/a/m": 3 * 10**9}


def test_a_price_changes_on_its_day() -> None:
    later = entry("a", "m", 2, **{"from": "2026-01-01", "aliases": ["m-1"]})
    prices = prices_of({"models": [later, entry("a", "m", 1, aliases=["m-1"])]})
    for name in ("m", "m-1"):
        before, after = prices.at("a", name, UtcMs(DAY - 1)), prices.at("a", name, DAY)
        assert before is not None
        assert after is not None
        assert before.rates.of(UsageKind.INPUT) == 10**9
        assert after.rates.of(UsageKind.INPUT) == 2 * 10**9
    assert prices.next_change(UtcMs(DAY - 1)) == DAY
    assert prices.next_change(DAY) is None


def test_long_prompts_have_their_own_rates() -> None:
    steps = [
        {"input_tokens": 200, "rates": {"input": 30, "output": 30}},
        {"input_tokens": 100, "rates": {"input": 20, "output": 20}},
    ]
    price = prices_of({"models": [entry("a", "m", 1, above=steps)]}).at("a", "m", DAY)
    assert price is not None
    rates = [price.at(tokens).of(UsageKind.INPUT) for tokens in (100, 101, 201)]
    assert rates == [10**9, 20, 30]


def test_every_model_of_a_provider_is_listed_with_its_aliases() -> None:
    table = {"models": [entry("a", "m", 1, aliases=["n"]), entry("b", "o", 1), entry("a", "p", 1)]}
    assert prices_of(table).names == {"a": ("m", "n", "p"), "b": ("o",)}


def test_a_rate_of_an_unknown_kind_is_refused() -> None:
    broken = entry("a", "m", 1)
    broken["rates"]["web_search"] = 1
    with pytest.raises(ValueError, match="web_search"):
        prices_of({"models": [broken]})


def test_the_table_says_of_which_day_it_is() -> None:
    day, since = price_table_date()
    assert format_utc(since) == f"{day}T00:00:00Z"
