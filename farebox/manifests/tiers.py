"""Reads a `ModelTier`, and puts all tiers together into the catalogue.

The one rule: a model has a price when it is read, its own or the price book's, or the tier is
refused. A value that may be a secret written in the wrong place is never repeated in a problem.
This module must not know tasks or pools.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Final
from urllib.parse import urlsplit

from farebox.core.instant import UtcMs
from farebox.core.prices import Price, Rates
from farebox.core.tasks import AUTO_MODEL
from farebox.core.tiers import CONTEXT_GUARD, Api, Capability, Catalogue, Model, Tier
from farebox.core.usage import UsageKind
from farebox.manifests.documents import Scalar, Written
from farebox.manifests.fields import Fields
from farebox.manifests.pricebook import BuiltInPrices
from farebox.manifests.resources import ResourceId
from farebox.manifests.scalars import (
    AMOUNT,
    LABEL,
    TEXT,
    TOKENS_MAX,
    Reader,
    Unfit,
    choice,
    described,
    share,
    text,
    whole,
)

RANK_MAX: Final = 1_000
UNLISTED_CONTEXT_TOKENS: Final = 2_000_000
"""Bound on the input of a model that no tier describes: the longest window offered today."""

UNLISTED_OUTPUT_TOKENS: Final = 1_000_000
"""Above what any model writes, so that the caller's own max_tokens bounds the output."""

_PRICE_KINDS: Final[dict[str, UsageKind]] = {
    "input": UsageKind.INPUT,
    "cachedInput": UsageKind.CACHED_INPUT,
    "cacheWrite": UsageKind.CACHE_WRITE,
    "output": UsageKind.OUTPUT,
    "reasoning": UsageKind.REASONING,
    "inputAudio": UsageKind.INPUT_AUDIO,
    "outputAudio": UsageKind.OUTPUT_AUDIO,
    "call": UsageKind.CALL,
}
_PRICES_REQUIRED: Final = ("input", "output")

_PROVIDER: Final = text(
    r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?",
    'the name of a provider in lower-case letters, for example "openai"',
)
_SECRET_ENV: Final = text(
    r"[A-Z_][A-Z0-9_]{0,127}",
    "the name of an environment variable in capitals, for example OPENAI_API_KEY",
    secret=True,
)
_API: Final = choice(Api, later=("OpenAIResponses", "AnthropicMessages", "GeminiGenerateContent"))
_CAPABILITY: Final = choice(Capability)
_VARIABLE: Final = re.compile(r"\$\{([A-Za-z_]\w*)(?::-([^{}]*))?\}")

_TIER_LATER: Final = {"weight": "leave it out, the cheaper model of a tier is tried first"}
_MODEL_LATER: Final = {
    "weight": "leave it out, the cheaper model of a tier is tried first",
    "secretRef": 'write "secretEnv" with the name of an environment variable of the sidecar',
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What a tier is read with: the price book, the instant it is asked for, and variables.

    `variables` are what `${NAME}` in a baseURL stands for.
    """

    prices: BuiltInPrices
    now: UtcMs
    variables: Mapping[str, str] = field(default_factory=dict)


def read_tier(spec: Fields, resource: ResourceId, around: Surroundings) -> Tier:
    """Read the spec of a tier."""
    rank = spec.one("rank", whole(0, RANK_MAX))
    max_difficulty = spec.one("maxDifficulty", share(3))
    percent = spec.one("contextGuard", share(2), int(CONTEXT_GUARD * 100))
    if percent == 0 and spec.is_sound("contextGuard"):
        spec.problem("contextGuard", "lets no call through: write more than 0")
    models = tuple(_read_model(one, around) for one in spec.sections("models"))
    spec.close(_TIER_LATER)
    return Tier(
        name=resource.name,
        rank=rank,
        max_difficulty=max_difficulty,
        models=models,
        context_guard=Fraction(percent, 100),
    )


def _read_model(spec: Fields, around: Surroundings) -> Model:
    name = spec.one("name", TEXT)
    upstream_name = spec.one("model", TEXT, name)
    if name == AUTO_MODEL:
        spec.problem("name", f"is {AUTO_MODEL}, which leaves the choice open: write another name")
    provider = spec.one("provider", _PROVIDER)
    model = Model(
        name=name,
        provider=provider,
        api=spec.one("api", _API, Api.OPENAI_CHAT),
        base_url=spec.one("baseURL", _base_url(around.variables)),
        upstream_name=upstream_name,
        price=_read_price(spec, provider, upstream_name, around),
        context_window=spec.one("contextWindow", whole(1, TOKENS_MAX)),
        max_output_tokens=spec.one("maxOutputTokens", whole(1, TOKENS_MAX)),
        capabilities=frozenset(spec.many("capabilities", _CAPABILITY)),
        overrun_percent=spec.one("overrunPercent", whole(0, 100), 0),
        secret_env=spec.one("secretEnv", _SECRET_ENV, ""),
        residency=frozenset(spec.many("residency", LABEL)),
    )
    spec.close(_MODEL_LATER)
    return model


def _read_price(spec: Fields, provider: str, model: str, around: Surroundings) -> Price:
    price = spec.section("price")
    written = spec.is_group("price")
    rates: dict[UsageKind, int] = {}
    for name, kind in _PRICE_KINDS.items():
        if written and name in _PRICES_REQUIRED:
            rates[kind] = price.one(name, AMOUNT)
        else:
            rate = price.optional(name, AMOUNT)
            rates |= {} if rate is None else {kind: rate}
    price.close()
    if written:
        return Price(rates=Rates(by_kind=rates))
    if spec.has("price"):
        return _NO_PRICE
    known = around.prices.at(provider, model, around.now)
    if known is None and provider and model:
        spec.problem(
            "price",
            f"is missing, and the price book has none for {provider}/{model}: "
            'write price with "input" and "output" in dollars per million tokens',
        )
    return known or _NO_PRICE


_NO_PRICE: Final = Price(rates=Rates(by_kind={UsageKind.INPUT: 0, UsageKind.OUTPUT: 0}))
"""Stands in where there is a problem, and is never used."""


def _base_url(variables: Mapping[str, str]) -> Reader[str]:
    wanted = 'an address like "https://api.openai.com/v1", without user, query or fragment'

    def read(scalar: Scalar) -> str:
        if scalar.written is not Written.TEXT:
            raise Unfit(f"is {described(scalar)}: write {wanted}")
        url = _VARIABLE.sub(lambda match: _variable(match, variables), scalar.text).rstrip("/")
        if "$" in url or not _is_base_url(url):
            # The text is not repeated: what is wrong with it may be a password before the host.
            raise Unfit(f"is not a base address: write {wanted}")
        return url

    return Reader(wanted=wanted, read=read, stand_in="")


def _variable(match: re.Match[str], variables: Mapping[str, str]) -> str:
    name, default = match.groups()
    value = variables.get(name, default)
    if value is None:
        raise Unfit(
            f"names the variable {name}, which has no value here: set it, "
            f"or write ${{{name}:-http://...}} with a default"
        )
    return value


def _is_base_url(url: str) -> bool:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return False
    plain = re.fullmatch(r"[A-Za-z0-9._~:/%\[\]-]+", url) is not None
    known_port = port is None or port > 0
    return parts.scheme in {"http", "https"} and bool(parts.hostname) and plain and known_port


def catalogue_of(tiers: Iterable[Tier], around: Surroundings) -> Catalogue:
    """All tiers by rank, and what the price book knows of their providers beyond them."""
    ranked = tuple(sorted(tiers, key=lambda tier: tier.rank))
    return Catalogue(tiers=ranked, unlisted=tuple(_unlisted(ranked, around)))


def _unlisted(tiers: tuple[Tier, ...], around: Surroundings) -> Iterable[Model]:
    models = [model for tier in tiers for model in tier.models]
    listed = {name for model in models for name in (model.name, model.upstream_name)}
    first_of: dict[str, Model] = {}
    for model in models:
        first_of.setdefault(model.provider, model)
    for provider, first in first_of.items():
        for name in around.prices.names.get(provider, ()):
            price = around.prices.at(provider, name, around.now)
            if price is not None and name not in listed:
                listed.add(name)
                yield _unlisted_model(name, first, price)


def _unlisted_model(name: str, first: Model, price: Price) -> Model:
    """A model known by its price only, reached as the provider's first model is.

    It is taken to be able to do everything, reasoning that nobody sees included, since that only
    ever raises what is held.
    """
    return Model(
        name=name,
        provider=first.provider,
        api=first.api,
        base_url=first.base_url,
        upstream_name=name,
        price=price,
        context_window=UNLISTED_CONTEXT_TOKENS,
        max_output_tokens=UNLISTED_OUTPUT_TOKENS,
        capabilities=frozenset(Capability),
        overrun_percent=first.overrun_percent,
        secret_env=first.secret_env,
    )
