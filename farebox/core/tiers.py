"""Tiers: models of one capability rank, cheapest rank first.

The one rule: a tier is sufficient for a call when its `max_difficulty` is at least the call's
difficulty. This module must not know how difficulty is found or what money is left.
"""

import enum
import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Final

from farebox.core.prices import Price

CONTEXT_GUARD: Final = Fraction(4, 5)
"""Default share of a context window that a call may fill before the next tier takes it."""

VERSION_CHARS: Final = 12


class Api(enum.StrEnum):
    """The shape of a provider's API."""

    OPENAI_CHAT = "OpenAIChat"


class Capability(enum.StrEnum):
    """What a model can do beyond plain text."""

    TOOLS = "Tools"
    VISION = "Vision"
    JSON_SCHEMA = "JSONSchema"
    REASONING = "Reasoning"


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """One model that can be reached. `overrun_percent`: how far an answer may exceed max_tokens.

    `residency` are labels of where and how it keeps data; a call can ask for some of them.
    """

    name: str
    provider: str
    api: Api
    base_url: str
    upstream_name: str
    price: Price
    context_window: int
    max_output_tokens: int
    capabilities: frozenset[Capability] = frozenset()
    overrun_percent: int = 0
    secret_env: str = ""
    residency: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Tier:
    """A rank of models. `max_difficulty` is in thousandths (1000 serves everything)."""

    name: str
    rank: int
    max_difficulty: int
    models: tuple[Model, ...]
    context_guard: Fraction = CONTEXT_GUARD


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalogue:
    """All tiers, lowest rank first, and the models that only the price book knows."""

    tiers: tuple[Tier, ...] = ()
    unlisted: tuple[Model, ...] = ()
    _by_name: Mapping[str, tuple[Tier | None, Model]] = field(init=False, repr=False, compare=False)
    _tiers_by_name: Mapping[str, Tier] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Index what every call looks up. The lowest tier that lists a name has it."""
        found: dict[str, tuple[Tier | None, Model]] = {}
        listed: list[tuple[Tier | None, Model]] = [(tier, model) for tier, model in self]
        for tier, model in (*listed, *((None, model) for model in self.unlisted)):
            for name in (model.name, model.upstream_name):
                found.setdefault(name, (tier, model))
        object.__setattr__(self, "_by_name", found)
        object.__setattr__(self, "_tiers_by_name", {tier.name: tier for tier in self.tiers})

    def __iter__(self) -> Iterator[tuple[Tier, Model]]:
        """Every model of every tier, with its tier."""
        return ((tier, model) for tier in self.tiers for model in tier.models)

    def find(self, name: str) -> tuple[Tier | None, Model] | None:
        """A model by the name a caller uses for it; its tier is None when no tier lists it."""
        return self._by_name.get(name)

    @property
    def version(self) -> str:
        """Names the tiers as they are: its first half the tiers and models, its second the prices.

        Reckoned anew each time it is asked for, so ask once for each policy.
        """
        tiers = [
            [tier.name, tier.rank, [[model.name, model.upstream_name] for model in tier.models]]
            for tier in self.tiers
        ]
        prices = [[model.name, _priced(model.price)] for _, model in self]
        return _digest(tiers) + _digest(prices)

    def tier_named(self, name: str) -> Tier | None:
        """A tier by its name."""
        return self._tiers_by_name.get(name)


def _digest(named: object) -> str:
    return hashlib.sha256(json.dumps(named).encode()).hexdigest()[: VERSION_CHARS // 2]


def _priced(price: Price) -> list[list[object]]:
    steps = ((0, price.rates), *price.above)
    return [[at, sorted(rates.by_kind.items())] for at, rates in steps]
