"""A cost is exact and rounded up once; the worst case is a true bound; what fits is the most."""

from fractions import Fraction

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from farebox.core.instant import UtcMs
from farebox.core.money import Nanos
from farebox.core.prices import (
    OUTPUT_TOKENS_MAX,
    DatedPrice,
    Price,
    PriceBook,
    Rates,
    cost,
    output_that_fits,
    plain_cost,
    price_book,
    worst_cost,
)
from farebox.core.usage import Usage, UsageKind
from tests.core.strategies import TOKENS_MAX, prices, rates, token_counts, usages

MINI = Rates(by_kind={UsageKind.INPUT: 150_000_000, UsageKind.OUTPUT: 600_000_000})
CACHING = Rates(
    by_kind={
        UsageKind.INPUT: 2_500_000_000,
        UsageKind.CACHED_INPUT: 1_250_000_000,
        UsageKind.OUTPUT: 10_000_000_000,
        UsageKind.CALL: 10_000_000_000,
    }
)
CHEAP = Rates(by_kind={UsageKind.INPUT: 1_000_000, UsageKind.OUTPUT: 2_000_000})
FREE = Rates(by_kind={UsageKind.INPUT: 0, UsageKind.OUTPUT: 0})
LONG = Price(rates=CHEAP, above=((200_000, MINI),))


@pytest.mark.parametrize(
    ("case", "price", "usage", "nanos"),
    [
        ("nothing costs nothing", Price(rates=MINI), Usage(), 0),
        ("a token of gpt-4o-mini", Price(rates=MINI), Usage(input=1), 150),
        ("a call of it", Price(rates=MINI), Usage(input=1_000, output=500, call=1), 450_000),
        ("cached input has its own rate", Price(rates=CACHING), Usage(cached_input=2), 2_500),
        ("reasoning costs what output costs", Price(rates=MINI), Usage(reasoning=1), 600),
        ("audio costs what text costs", Price(rates=MINI), Usage(input_audio=1), 150),
        ("a cache write costs what input costs", Price(rates=MINI), Usage(cache_write=1), 150),
        ("a call may have a fee", Price(rates=CACHING), Usage(call=1), 10_000),
        ("at a step the old rates hold", LONG, Usage(input=200_000), 200_000),
        ("above it the new ones, for all", LONG, Usage(input=200_001), 30_000_150),
        (
            "cached tokens count for the step",
            LONG,
            Usage(input=1, cached_input=200_000),
            30_000_150,
        ),
        (
            "parts of a nano-dollar are added up before they are rounded",
            Price(rates=Rates(by_kind={UsageKind.INPUT: 1, UsageKind.OUTPUT: 1})),
            Usage(input=1, cached_input=1, output=1, reasoning=1),
            1,
        ),
    ],
)
def test_a_cost(case: str, price: Price, usage: Usage, nanos: int) -> None:
    assert cost(price, usage) == nanos, case


@given(prices(), usages())
def test_a_cost_is_the_exact_sum_rounded_up_once(price: Price, usage: Usage) -> None:
    applying = price.at(usage.input_total)
    exact = sum(
        (Fraction(n * applying.of(kind), 1_000_000) for kind, n in usage.counts().items()),
        Fraction(0),
    )
    assert exact <= cost(price, usage) < exact + 1


@given(prices(), token_counts, token_counts)
def test_a_plain_cost_is_that_of_a_call_of_plain_text(
    price: Price, input_tokens: int, output_tokens: int
) -> None:
    usage = Usage(input=input_tokens, output=output_tokens, call=1)
    plain = plain_cost(price, input_tokens=input_tokens, output_tokens=output_tokens)
    assert plain == cost(price, usage)


@st.composite
def bounded_usages(draw: st.DrawFn) -> tuple[int, int, Usage]:
    input_max, output_max = draw(token_counts), draw(token_counts)
    return input_max, output_max, draw(usages(input_max=input_max, output_max=output_max))


@given(prices(), bounded_usages())
@example(LONG, (200_001, 0, Usage(input=200_001)))
@example(Price(rates=MINI, above=((5, CHEAP),)), (6, 9, Usage(input=5, output=9)))
def test_no_usage_within_its_bounds_costs_more_than_the_worst_case(
    price: Price, bounded: tuple[int, int, Usage]
) -> None:
    input_max, output_max, usage = bounded
    assert cost(price, usage) <= worst_cost(price, input_max=input_max, output_max=output_max)


@given(rates(), token_counts, token_counts)
def test_without_steps_some_usage_really_costs_the_worst_case(
    own: Rates, input_max: int, output_max: int
) -> None:
    price = Price(rates=own)
    reads = ("input", "cached_input", "cache_write", "input_audio")
    writes = ("output", "reasoning", "output_audio")
    dearest = max(
        cost(price, Usage(**{read: input_max, write: output_max, "call": 1}))
        for read in reads
        for write in writes
    )
    assert dearest == worst_cost(price, input_max=input_max, output_max=output_max)


@given(prices(), token_counts, st.integers(0, 10**15).map(Nanos))
@example(Price(rates=MINI, above=((10, FREE),)), 20, Nanos(3_000_000))
def test_the_output_that_fits_is_the_most_that_does(
    price: Price, input_max: int, money: Nanos
) -> None:
    fits = output_that_fits(price, input_max=input_max, money=money)
    if fits < 0:
        assert worst_cost(price, input_max=input_max, output_max=0) > money
        return
    assert worst_cost(price, input_max=input_max, output_max=fits) <= money
    assert (
        fits == OUTPUT_TOKENS_MAX
        or worst_cost(price, input_max=input_max, output_max=fits + 1) > money
    )


def test_free_output_fits_into_no_money() -> None:
    assert output_that_fits(Price(rates=FREE), input_max=9, money=Nanos(0)) == OUTPUT_TOKENS_MAX


@given(prices(), token_counts, token_counts, token_counts)
def test_the_worst_case_grows_with_its_bounds(
    price: Price, input_max: int, output_max: int, more: int
) -> None:
    assume(input_max + more <= TOKENS_MAX)
    small = worst_cost(price, input_max=input_max, output_max=output_max)
    assert small <= worst_cost(price, input_max=input_max + more, output_max=output_max)
    assert small <= worst_cost(price, input_max=input_max, output_max=output_max + more)


@pytest.mark.parametrize(
    "by_kind",
    [
        {},
        {UsageKind.INPUT: 1},
        {UsageKind.OUTPUT: 1},
        {UsageKind.INPUT: 1, UsageKind.REASONING: 1},
    ],
)
def test_rates_that_would_make_a_call_free_are_refused(by_kind: dict[UsageKind, int]) -> None:
    with pytest.raises(ValueError, match="rates name at least input and output"):
        Rates(by_kind=by_kind)


def test_a_rate_that_gives_money_back_is_refused() -> None:
    with pytest.raises(ValueError, match="rates are never negative"):
        Rates(by_kind={UsageKind.INPUT: 1, UsageKind.OUTPUT: -1})


@pytest.mark.parametrize("thresholds", [(2, 1), (1, 1), (-1,)])
def test_steps_that_do_not_grow_are_refused(thresholds: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="the steps of a price grow"):
        Price(rates=MINI, above=tuple((threshold, CHEAP) for threshold in thresholds))


OLD, NEW = Price(rates=MINI), Price(rates=CACHING)
BOOK = price_book(
    [
        ("gpt-4o", DatedPrice(since=UtcMs(100), price=NEW)),
        ("gpt-4o", DatedPrice(since=UtcMs(10), price=OLD)),
    ]
)


@pytest.mark.parametrize(
    ("model", "now", "price"),
    [
        ("gpt-4o", 9, None),
        ("gpt-4o", 10, OLD),
        ("gpt-4o", 99, OLD),
        ("gpt-4o", 100, NEW),
        ("gpt-4o", 10**15, NEW),
        ("gpt-5", 100, None),
    ],
)
def test_a_price_holds_from_its_date_on(model: str, now: int, price: Price | None) -> None:
    assert BOOK.at(model, UtcMs(now)) == price


def test_an_empty_book_knows_no_price() -> None:
    assert PriceBook().at("gpt-4o", UtcMs(0)) is None
