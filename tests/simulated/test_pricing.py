"""Prices are exact integers of pico-dollars, or refused."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farebox.simulated.pricing import Rates, bill_pico, pico_per_token


@pytest.mark.parametrize(
    ("dollars_per_million", "want_pico"),
    [("0.15", 150_000), ("10", 10_000_000), ("0.075", 75_000), ("0.000001", 1), ("0", 0)],
)
def test_a_price_is_a_whole_number_of_pico_dollars_a_token(
    dollars_per_million: str, want_pico: int
) -> None:
    assert pico_per_token(dollars_per_million) == want_pico


@pytest.mark.parametrize("price", ["", "0.0000001", "-1", "1e3", "$1", "1.", ".5", " 1", "1,5"])
def test_any_other_price_is_refused_with_a_sentence(price: str) -> None:
    with pytest.raises(ValueError, match="must be dollars per million tokens"):
        pico_per_token(price)


def test_cached_tokens_are_a_cheaper_part_of_the_input() -> None:
    rates = Rates(input_pico=100, cached_pico=10, output_pico=1_000)
    assert bill_pico(rates, input_tokens=10, cached_tokens=4, output_tokens=2) == 600 + 40 + 2_000


@given(
    price=st.decimals(min_value=0, max_value=10**6, places=6),
    tokens=st.integers(min_value=0, max_value=10**9),
)
def test_a_bill_agrees_with_decimal_arithmetic(price: Decimal, tokens: int) -> None:
    pico = pico_per_token(f"{price:f}")
    rates = Rates(input_pico=pico, cached_pico=0, output_pico=0)
    dollars = price * tokens / 10**6
    assert bill_pico(rates, input_tokens=tokens) == dollars * 10**12
