"""Exports the built-in price table, farebox/data/prices.json, from the genai-prices package.

The one rule: a rate is an exact integer of nano-dollars per million tokens or the export fails.
Where the source leaves a choice, the dearer reading wins, because the table guards a cap:

- an hour-of-day discount is ignored (the dearest hour's rate holds all day);
- cached input without a rate of its own costs what input costs;
- where the source knows more kinds than we do (cache writes kept for an hour, cached audio), the
  dearest of them is the rate of the kind;
- a model that bills something a token count cannot bound (searches made on its own, images,
  speech) is left out, and an unknown model is refused rather than guessed at;
- batch, flex and priority prices are left out: they are other ways to call, not other models.

Run `make prices` to renew the table, `python -m tools.prices --check` to compare it with the
installed genai-prices. Nothing at run time imports genai-prices.
"""

import json
import re
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from importlib.metadata import version
from pathlib import Path
from typing import Any

from genai_prices.data import providers
from genai_prices.types import (
    ClauseEquals,
    ClauseOr,
    ClauseStartsWith,
    MatchLogic,
    ModelInfo,
    ModelPrice,
    Provider,
    StartDateConstraint,
    TieredPrices,
    TimeOfDateConstraint,
)

from farebox.core.usage import UsageKind

TABLE = Path(__file__).parent.parent / "farebox" / "data" / "prices.json"
PROVIDERS = ("openai", "anthropic", "google", "mistral", "deepseek", "x-ai", "cohere", "groq")
NANOS_IN_DOLLAR = 10**9

# What is not a text chat model, by the words in its name.
NOT_TEXT_CHAT = re.compile(
    r"embed|moderation|whisper|tts|transcribe|translate|realtime|audio|voice|voxtral|orpheus|live"
    r"|image|banana|omni|robotics|ocr|vision-preview|prompt-guard|computer-use"
    r"|search|deep-research|multi-agent"  # bill searches or agents of their own accord
    r"|^ada$|^babbage|^curie$|^davinci|^text-davinci|-instruct$(?<=turbo-instruct)"
    r"|^ft:|ft-$|:free$|:extended$"  # fine-tunes; names of a reseller
)
# Reached by another provider's address and key under the same name.
NOT_THIS_PROVIDER = {"google": re.compile("claude")}

# Price key of genai-prices -> our kind of usage. Of two keys for one kind the dearer counts.
KINDS = {
    "input_mtok": UsageKind.INPUT,
    "input_image_mtok": UsageKind.INPUT,
    "input_video_mtok": UsageKind.INPUT,
    "cache_read_mtok": UsageKind.CACHED_INPUT,
    "cache_audio_read_mtok": UsageKind.CACHED_INPUT,
    "cache_image_read_mtok": UsageKind.CACHED_INPUT,
    "cache_write_mtok": UsageKind.CACHE_WRITE,
    "cache_write_1h_mtok": UsageKind.CACHE_WRITE,
    "output_mtok": UsageKind.OUTPUT,
    "input_audio_mtok": UsageKind.INPUT_AUDIO,
    "output_audio_mtok": UsageKind.OUTPUT_AUDIO,
}
# Fees of tools that the provider runs when a call asks for them: no rate of the model itself.
TOOL_FEES = {"web_searches_kcount", "storage_searches_kcount"}

Rates = dict[str, int]


def nanos(dollars: Decimal) -> int:
    """Dollars in nano-dollars; ValueError if that is not a whole, positive number."""
    exact = dollars * NANOS_IN_DOLLAR
    if exact < 0 or exact != int(exact):
        raise ValueError(f"{dollars} dollars is not a whole, positive number of nano-dollars")
    return int(exact)


def rates_of(price: ModelPrice, input_tokens: int) -> Rates:
    """The rates of a call with this many input tokens, in nano-dollars per million.

    ValueError for a price key without a kind of usage.
    """
    rates: Rates = {}
    for key, value in vars(price).items():
        if value is None or key in TOOL_FEES:
            continue
        if key not in KINDS:
            raise ValueError(f"price key {key} has no kind of usage")
        kind = KINDS[key].value
        rates[kind] = max(rates.get(kind, 0), nanos(rate_at(value, input_tokens)))
    for kind in ("cached_input", "cache_write"):
        rates.setdefault(kind, rates["input"])
    return {kind: rates[kind] for kind in sorted(rates)}


def rate_at(value: Decimal | TieredPrices, input_tokens: int) -> Decimal:
    if isinstance(value, Decimal):
        return value
    passed = [tier.price for tier in value.tiers if input_tokens > tier.start]
    return passed[-1] if passed else value.base


def dearest(alternatives: list[Rates]) -> Rates:
    kinds = sorted({kind for rates in alternatives for kind in rates})
    return {kind: max(rates.get(kind, 0) for rates in alternatives) for kind in kinds}


def regimes(model: ModelInfo) -> Iterator[tuple[date | None, list[ModelPrice]]]:
    """The days on which the model's prices change, each with the prices of that day's hours.

    The first regime has no day: it holds from the beginning.
    """
    constraints = (
        []
        if isinstance(model.prices, ModelPrice)
        else [conditional.constraint for conditional in model.prices]
    )
    days = sorted({c.start_date for c in constraints if isinstance(c, StartDateConstraint)})
    hours = {time(0, 0, tzinfo=UTC)}
    for constraint in constraints:
        if isinstance(constraint, TimeOfDateConstraint):
            hours |= {constraint.start_time, constraint.end_time}
    first = days[0] - timedelta(days=1) if days else date(2026, 1, 1)
    for start, day in [(None, first), *((day, day) for day in days)]:
        yield start, [model.get_prices(datetime.combine(day, hour)) for hour in sorted(hours)]


def thresholds(prices: list[ModelPrice]) -> list[int]:
    """The input sizes, in tokens, above which other rates hold for the whole call."""
    tiered = [value for price in prices for value in vars(price).values()]
    return sorted({t.start for v in tiered if isinstance(v, TieredPrices) for t in v.tiers})


def names_in(match: MatchLogic) -> Iterator[str]:
    """The complete model names that a match clause spells out, or begins with."""
    if isinstance(match, ClauseEquals):
        yield match.equals
    elif isinstance(match, ClauseStartsWith):
        yield match.starts_with.rstrip("-@.:")
    elif isinstance(match, ClauseOr):
        for clause in match.or_:
            yield from names_in(clause)


def entries_of(provider: Provider, model: ModelInfo) -> Iterator[dict[str, Any]]:
    aliases = sorted(
        name
        for name in set(names_in(model.match)) - {model.id}
        if not NOT_TEXT_CHAT.search(name) and provider.find_model(name) is model
    )
    for start, prices in regimes(model):
        entry = {
            "provider": provider.id,
            "model": model.id,
            "aliases": aliases,
            "from": start.isoformat() if start else None,
            "rates": dearest([rates_of(price, 0) for price in prices]),
        }
        above = [
            {
                "input_tokens": threshold,
                "rates": dearest([rates_of(price, threshold + 1) for price in prices]),
            }
            for threshold in thresholds(prices)
        ]
        yield entry | ({"above": above} if above else {})


def is_text_chat(provider: Provider, model: ModelInfo) -> bool:
    if NOT_TEXT_CHAT.search(model.id):
        return False
    if provider.id in NOT_THIS_PROVIDER and NOT_THIS_PROVIDER[provider.id].search(model.id):
        return False
    prices = [price for _, day in regimes(model) for price in day]
    return all(price.input_mtok and price.output_mtok for price in prices)


def export() -> dict[str, Any]:
    """The whole table; ValueError names the provider and model that cannot be expressed."""
    entries: list[dict[str, Any]] = []
    known = {provider.id: provider for provider in providers}
    for provider in (known[name] for name in PROVIDERS):
        for model in provider.models:
            if not is_text_chat(provider, model):
                continue
            try:
                entries += entries_of(provider, model)
            except ValueError as problem:
                raise ValueError(f"{provider.id} {model.id}: {problem}") from problem
    return {
        "source": f"genai-prices {version('genai-prices')}",
        "exported": datetime.now(tz=UTC).date().isoformat(),
        "models": entries,
    }


def text_of(table: dict[str, Any]) -> str:
    """The table as JSON, one entry a line, so that a change of price is a diff of one line."""
    entries = ",\n".join("    " + json.dumps(entry) for entry in table["models"])
    head = {key: value for key, value in table.items() if key != "models"}
    opening = json.dumps(head, indent=2).removesuffix("\n}")
    return f'{opening},\n  "models": [\n{entries}\n  ]\n}}\n'


def main(arguments: list[str]) -> int:
    table = export()
    if "--check" in arguments:
        kept = json.loads(TABLE.read_text())
        if all(kept[key] == table[key] for key in ("source", "models")):
            print(f"{TABLE.name} is what {table['source']} says")
            return 0
        print(f"{TABLE.name} differs from {table['source']}: run `make prices` and read the diff")
        return 1
    TABLE.write_text(text_of(table))
    print(f"{TABLE.name}: {len(table['models'])} entries from {table['source']}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
