"""The built-in price table as a price book of the core.

The one rule: a price is never guessed; a name that two providers price differently has no price
without its provider. This module must not know resources; the table's own rules are those of
`tools/prices.py`, which exports it.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from typing import Any, Final

from farebox.core.instant import UtcMs
from farebox.core.prices import DatedPrice, Price, PriceBook, Rates, price_book
from farebox.core.usage import UsageKind

ALWAYS: Final = UtcMs(0)
"""From when a price holds that the table does not date."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BuiltInPrices:
    """Prices by "provider/model", and by plain "model" where only one provider has that name.

    `names` lists the models of each provider, aliases included, in the order of the table.
    """

    book: PriceBook
    names: Mapping[str, tuple[str, ...]]

    def at(self, provider: str, model: str, now: UtcMs) -> Price | None:
        """What a provider asks for one of its models at an instant; None when that is not known."""
        return self.book.at(f"{provider}/{model}", now)

    def next_change(self, now: UtcMs) -> UtcMs | None:
        """The first instant after `now` at which some price changes; None when none is planned."""
        histories = self.book.entries.values()
        later = (dated.since for dates in histories for dated in dates if dated.since > now)
        return min(later, default=None)


@cache
def built_in_prices() -> BuiltInPrices:
    """The table that ships with Farebox, read once. Raises ValueError when the table is broken."""
    return prices_of(_table())


def price_table_date() -> tuple[str, UtcMs]:
    """The day (ISO) on which the built-in table was made, and its first instant."""
    day = str(_table()["exported"])
    return day, _since(day)


@cache
def _table() -> Mapping[str, Any]:
    text = files("farebox.data").joinpath("prices.json").read_text(encoding="utf-8")
    table: Mapping[str, Any] = json.loads(text)
    return table


def prices_of(table: Mapping[str, Any]) -> BuiltInPrices:
    """Build the book from a decoded table; rates are nano-dollars per million."""
    providers: dict[str, set[str]] = {}
    names: dict[str, dict[str, None]] = {}
    for entry in table["models"]:
        for name in (entry["model"], *entry["aliases"]):
            providers.setdefault(name, set()).add(entry["provider"])
            names.setdefault(entry["provider"], {})[name] = None
    entries: list[tuple[str, DatedPrice]] = []
    for entry in table["models"]:
        dated = DatedPrice(since=_since(entry["from"]), price=_price(entry))
        for name in (entry["model"], *entry["aliases"]):
            entries.append((f"{entry['provider']}/{name}", dated))
            # A plain name with a slash would read as the model of another provider.
            if len(providers[name]) == 1 and "/" not in name:
                entries.append((name, dated))
    return BuiltInPrices(
        book=price_book(entries),
        names={provider: tuple(known) for provider, known in names.items()},
    )


def _since(day: str | None) -> UtcMs:
    if day is None:
        return ALWAYS
    return UtcMs(int(datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp()) * 1000)


def _price(entry: Mapping[str, Any]) -> Price:
    steps = sorted((step["input_tokens"], _rates(step["rates"])) for step in entry.get("above", ()))
    return Price(rates=_rates(entry["rates"]), above=tuple(steps))


def _rates(rates: Mapping[str, int]) -> Rates:
    return Rates(by_kind={UsageKind(kind): rate for kind, rate in rates.items()})
