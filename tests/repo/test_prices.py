"""The built-in price table is exact, complete and says what providers publish."""

import json
from decimal import Decimal
from importlib.resources import files
from itertools import pairwise
from typing import Any

import pytest

from farebox.core.usage import UsageKind
from tools.prices import PROVIDERS, TABLE, dearest, nanos

ENTRIES: list[dict[str, Any]] = json.loads(TABLE.read_text())["models"]
MILLION = 10**6


def entries(provider: str, model: str) -> list[dict[str, Any]]:
    return [e for e in ENTRIES if (e["provider"], e["model"]) == (provider, model)]


@pytest.mark.parametrize(
    ("provider", "model", "input_nanos", "cached_nanos", "output_nanos"),
    [
        # Nano-dollars per token as published by the providers.
        ("openai", "gpt-4o-mini", 150, 75, 600),
        ("openai", "gpt-4o", 2_500, 1_250, 10_000),
        ("openai", "gpt-4.1-nano", 100, 25, 400),
        ("anthropic", "claude-haiku-4-5", 1_000, 100, 5_000),
        ("anthropic", "claude-sonnet-4-5", 3_000, 300, 15_000),
        ("google", "gemini-2.5-pro", 1_250, 125, 10_000),
    ],
)
def test_published_prices(
    provider: str, model: str, input_nanos: int, cached_nanos: int, output_nanos: int
) -> None:
    rates = entries(provider, model)[-1]["rates"]
    assert rates["input"] == input_nanos * MILLION
    assert rates["cached_input"] == cached_nanos * MILLION
    assert rates["output"] == output_nanos * MILLION


def test_every_entry_has_exact_rates_for_every_kind_a_chat_call_can_report() -> None:
    for entry in ENTRIES:
        for rates in [entry["rates"], *(above["rates"] for above in entry.get("above", []))]:
            assert {"input", "cached_input", "cache_write", "output"} <= rates.keys()
            assert rates.keys() <= set(UsageKind)
            assert all(type(rate) is int and rate >= 0 for rate in rates.values())
            assert rates["input"] > 0
            assert rates["output"] > 0


def test_a_long_prompt_is_never_cheaper_than_a_short_one() -> None:
    for entry in ENTRIES:
        steps = [entry["rates"], *(above["rates"] for above in entry.get("above", []))]
        for below, above in pairwise(steps):
            assert all(above[kind] >= rate for kind, rate in below.items()), entry["model"]


def test_a_name_means_one_model_whoever_provides_it() -> None:
    meaning: dict[str, tuple[str, str]] = {}
    for entry in ENTRIES:
        model = (entry["provider"], entry["model"])
        for name in (entry["model"], *entry["aliases"]):
            assert meaning.setdefault(name, model) == model


def test_dates_of_a_model_rise_from_the_beginning() -> None:
    for entry in ENTRIES:
        days = [e["from"] or "" for e in entries(entry["provider"], entry["model"])]
        assert days[0] == ""
        assert days == sorted(set(days))


def test_the_table_covers_its_providers_and_ships_with_the_package() -> None:
    assert {entry["provider"] for entry in ENTRIES} == set(PROVIDERS)
    assert files("farebox.data").joinpath("prices.json").read_text() == TABLE.read_text()


def test_a_rate_that_is_not_a_whole_number_is_refused() -> None:
    assert nanos(Decimal("0.15")) == 150 * MILLION
    with pytest.raises(ValueError, match="not a whole, positive number"):
        nanos(Decimal("0.0000000001"))
    with pytest.raises(ValueError, match="not a whole, positive number"):
        nanos(Decimal(-1))


def test_the_dearest_hour_holds_all_day() -> None:
    night, noon = {"input": 1, "output": 9}, {"input": 2, "output": 8, "cache_write": 3}
    assert dearest([night, noon]) == {"input": 2, "output": 9, "cache_write": 3}
