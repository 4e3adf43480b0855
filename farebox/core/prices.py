"""Dated prices: what a usage costs.

The one rule: a rate is whole nano-dollars per million tokens (per million calls for `CALL`), and a
cost is rounded up once, at the end of the sum. Holds and settlements use the same function here.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from operator import mul
from typing import Final

from farebox.core.instant import UtcMs
from farebox.core.money import TOKENS_PER_RATE, Nanos, divide_up
from farebox.core.usage import Usage, UsageKind

_FALLBACKS: Final[dict[UsageKind, UsageKind]] = {
    UsageKind.CACHED_INPUT: UsageKind.INPUT,
    UsageKind.CACHE_WRITE: UsageKind.INPUT,
    UsageKind.INPUT_AUDIO: UsageKind.INPUT,
    UsageKind.REASONING: UsageKind.OUTPUT,
    UsageKind.OUTPUT_AUDIO: UsageKind.OUTPUT,
}
"""A kind without a rate of its own costs what the plain kind costs, never nothing."""

OUTPUT_TOKENS_MAX: Final = 2**31 - 1
"""More than any model writes; what fits when output is free."""

_INPUT_KINDS: Final = (
    UsageKind.INPUT,
    UsageKind.CACHED_INPUT,
    UsageKind.CACHE_WRITE,
    UsageKind.INPUT_AUDIO,
)
_AT_INPUT, _AT_OUTPUT, _AT_CALL = (
    list(UsageKind).index(kind) for kind in (UsageKind.INPUT, UsageKind.OUTPUT, UsageKind.CALL)
)
_OUTPUT_KINDS: Final = (UsageKind.OUTPUT, UsageKind.REASONING, UsageKind.OUTPUT_AUDIO)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """Rates by kind, in nano-dollars per million; those of plain input and output always."""

    by_kind: Mapping[UsageKind, int]
    vector: tuple[int, ...] = field(init=False, repr=False, compare=False)
    dearest_input: int = field(init=False, repr=False, compare=False)
    dearest_output: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Raise ValueError for a rate that would make a call free or give money back.

        What every call would work out again is worked out here: the rates in the order of the
        fields of `Usage`, and the dearest of either direction.
        """
        if not {UsageKind.INPUT, UsageKind.OUTPUT} <= self.by_kind.keys():
            raise ValueError("rates name at least input and output: what has no rate is not free")
        if min(self.by_kind.values()) < 0:
            raise ValueError(f"rates are never negative: {dict(self.by_kind)}")
        own = object.__setattr__
        own(self, "vector", tuple(self.of(kind) for kind in UsageKind))
        own(self, "dearest_input", max(self.of(kind) for kind in _INPUT_KINDS))
        own(self, "dearest_output", max(self.of(kind) for kind in _OUTPUT_KINDS))

    def of(self, kind: UsageKind) -> int:
        """The rate of a kind, or of the plain kind it falls back to; 0 for an absent `CALL`."""
        own = self.by_kind.get(kind)
        if own is not None:
            return own
        fallback = _FALLBACKS.get(kind)
        return 0 if fallback is None else self.by_kind[fallback]


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """The rates of one model, with others above a number of input tokens, in growing order."""

    rates: Rates
    above: tuple[tuple[int, Rates], ...] = ()
    steps: tuple[tuple[int, Rates], ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Raise ValueError for steps that do not grow: `at` would take the wrong one."""
        thresholds = [threshold for threshold, _ in self.above]
        if thresholds != sorted(set(thresholds)) or min(thresholds, default=0) < 0:
            raise ValueError(f"the steps of a price grow from 0 tokens on, not {thresholds}")
        # All rates, each with the input length above which it applies (-1 for the first).
        object.__setattr__(self, "steps", ((-1, self.rates), *self.above))

    def at(self, input_tokens: int) -> Rates:
        """The rates that apply to a call which reads so many tokens."""
        chosen = self.rates
        for threshold, rates in self.above:
            if input_tokens > threshold:
                chosen = rates
        return chosen


def cost(price: Price, usage: Usage) -> Nanos:
    """The exact cost of a usage, rounded up once to a whole nano-dollar."""
    rates = price.at(usage.input_total)
    total = sum(map(mul, usage.vector, rates.vector))
    return Nanos(divide_up(total, TOKENS_PER_RATE))


def plain_cost(price: Price, *, input_tokens: int, output_tokens: int) -> Nanos:
    """The cost of one call that reads and writes plain text only, for comparing models."""
    vector = price.at(input_tokens).vector
    total = input_tokens * vector[_AT_INPUT] + output_tokens * vector[_AT_OUTPUT] + vector[_AT_CALL]
    return Nanos(divide_up(total, TOKENS_PER_RATE))


def worst_cost(price: Price, *, input_max: int, output_max: int) -> Nanos:
    """The most that a call can cost which reads and writes at most so many tokens.

    True for every split into kinds and for every length up to the bounds: each step of the price
    that the input can reach is tried, with the dearest rate of either direction.
    """
    worst = 0
    for threshold, rates in price.steps:
        if input_max <= threshold:
            continue
        text = input_max * rates.dearest_input + output_max * rates.dearest_output
        worst = max(worst, text + rates.vector[_AT_CALL])
    return Nanos(divide_up(worst, TOKENS_PER_RATE))


def output_that_fits(price: Price, *, input_max: int, money: Nanos) -> int:
    """The most output tokens whose worst case stays within `money`; -1 when none fits at all.

    Never more than OUTPUT_TOKENS_MAX, which is also the answer when output costs nothing.
    """
    if worst_cost(price, input_max=input_max, output_max=0) > money:
        return -1
    fits = [OUTPUT_TOKENS_MAX]
    for threshold, rates in price.steps:
        if input_max <= threshold:
            continue
        fixed = input_max * rates.dearest_input + rates.vector[_AT_CALL]
        if rates.dearest_output:
            fits.append((money * TOKENS_PER_RATE - fixed) // rates.dearest_output)
    return min(fits)


@dataclass(frozen=True, slots=True, kw_only=True)
class DatedPrice:
    """A price from an instant on."""

    since: UtcMs
    price: Price


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceBook:
    """Prices by model name, each with its history, oldest first."""

    entries: Mapping[str, tuple[DatedPrice, ...]] = field(default_factory=dict)

    def at(self, model: str, now: UtcMs) -> Price | None:
        """The price of a model at an instant; None when the book does not know it then."""
        known = [dated.price for dated in self.entries.get(model, ()) if dated.since <= now]
        return known[-1] if known else None


def price_book(entries: Iterable[tuple[str, DatedPrice]]) -> PriceBook:
    """Build a book from (model, dated price) pairs in any order."""
    histories: dict[str, list[DatedPrice]] = {}
    for model, dated in entries:
        histories.setdefault(model, []).append(dated)
    ordered = {
        model: tuple(sorted(history, key=lambda dated: dated.since))
        for model, history in histories.items()
    }
    return PriceBook(entries=ordered)
