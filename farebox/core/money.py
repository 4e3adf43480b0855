"""Money as whole nano-dollars.

The one rule: an amount is an integer, and every division names its direction. This module must not
know what is bought with the money.
"""

import re
from typing import Final, NewType

Nanos = NewType("Nanos", int)
"""An amount of money in nano-dollars (10^-9 US dollars)."""

NANOS_PER_DOLLAR: Final = 1_000_000_000
DECIMALS: Final = 9
"""So many digits after the point write every nano-dollar."""

TOKENS_PER_RATE: Final = 1_000_000
"""Rates are nano-dollars for this many tokens, as providers publish dollars per million."""

ZERO: Final = Nanos(0)
# A billion dollars and more would not fit the 64 bits that the wire and the store have.
_AMOUNT: Final = re.compile(r"([0-9]{1,9})(?:\.([0-9]{1,9}))?\Z")


class AmountError(ValueError):
    """A text is not an amount of dollars."""


def parse_dollars(text: str) -> Nanos:
    """Read a decimal dollar amount such as "50.00", exactly.

    Raises AmountError for signs, exponents, more than 9 digits before or after the point.
    """
    match = _AMOUNT.match(text)
    if match is None:
        raise AmountError(
            f"{text!r} is not an amount in dollars: write at most 9 digits and at most 9 decimals, "
            'for example "50.00"'
        )
    whole, fraction = match.groups()
    return Nanos(int(whole) * NANOS_PER_DOLLAR + int((fraction or "").ljust(9, "0")))


def format_dollars(amount: Nanos, decimals: int = DECIMALS) -> str:
    """Write an amount as dollars with `decimals` places (0 to 9), cut towards zero."""
    if decimals == DECIMALS and amount >= 0:
        return f"{amount // NANOS_PER_DOLLAR}.{amount % NANOS_PER_DOLLAR:09d}"
    sign = "-" if amount < 0 else ""
    whole, fraction = divmod(abs(amount), NANOS_PER_DOLLAR)
    digits = f"{fraction:09d}"[:decimals]
    return f"{sign}{whole}.{digits}" if decimals else f"{sign}{whole}"


def divide_up(numerator: int, denominator: int) -> int:
    """Divide two non-negative integers and round up: the direction of every cost and estimate."""
    return -(-numerator // denominator)


def divide_down(numerator: int, denominator: int) -> int:
    """Divide two non-negative integers and round down: the direction of everything lent out."""
    return numerator // denominator
