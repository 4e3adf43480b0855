"""What a call costs at this provider: integer pico-dollars, exact, never rounded.

The one rule: no float and no rounding. A price with at most six decimals of a dollar per million
tokens is a whole number of pico-dollars per token, and any other price is refused. It knows
nothing of the price book, the rounding or the units of what is judged.
"""

import re
from dataclasses import dataclass

_PRICE = re.compile(r"(\d{1,9})(?:\.(\d{1,6}))?")
PICO_PER_NANO = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """Pico-dollars (10^-12 dollars) per token, by the kind of token."""

    input_pico: int
    cached_pico: int
    output_pico: int


def pico_per_token(dollars_per_million: str) -> int:
    """Turn a decimal string such as "0.15" (dollars per million tokens) into pico-dollars.

    One dollar per million tokens is 10^12 / 10^6 = 10^6 pico-dollars a token.

    Raises:
        ValueError: with a sentence, when the string is no decimal number with at most six decimals.
    """
    match = _PRICE.fullmatch(dollars_per_million)
    if match is None:
        raise ValueError(
            f'The price "{dollars_per_million}" must be dollars per million tokens as a decimal '
            'string with at most six decimals, such as "0.15".'
        )
    whole, decimals = match.groups(default="")
    return int(whole) * 10**6 + int(decimals.ljust(6, "0"))


def bill_pico(
    rates: Rates, *, input_tokens: int, cached_tokens: int = 0, output_tokens: int = 0
) -> int:
    """The exact price of one call; `cached_tokens` are a part of `input_tokens`."""
    assert 0 <= cached_tokens <= input_tokens
    assert output_tokens >= 0
    fresh_tokens = input_tokens - cached_tokens
    return (
        fresh_tokens * rates.input_pico
        + cached_tokens * rates.cached_pico
        + output_tokens * rates.output_pico
    )
