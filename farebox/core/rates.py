"""Rates and how sure they are, in whole numbers: millionths of one.

The one rule: a rate is high only when it is over its limit, and so far over what is usual that
chance alone hardly does that. This module must not know what a rate is of.
"""

from collections.abc import Iterator
from math import isqrt
from typing import Final, NamedTuple

DEVIATIONS: Final = 3
"""How many standard deviations a rate must be over what it is compared with (once in 740 looks)."""

BASELINE_RATE_MIN: Final = 10_000
"""A baseline of some hundred samples can't tell a rarer failure from none."""

PPM: Final = 1_000_000


class Limit(NamedTuple):
    """What a rate must not exceed, in millionths: `usual` is expected, `clear` the way back."""

    usual: int
    raised: int
    clear: int


def over(usual: int, percent: int) -> Limit:
    """So many per cent over what is usual; cleared half way back."""
    usual = max(usual, BASELINE_RATE_MIN)
    return Limit(usual, usual * (100 + percent) // 100, usual * (200 + percent) // 200)


def at(percent: int) -> Limit:
    """So many per cent of all; cleared three quarters of the way."""
    limit = percent * PPM // 100
    return Limit(limit, limit, limit * 3 // 4)


def is_high(part: int, of: int, limit: Limit, *, raised: bool) -> bool:
    """Whether a rate is over its limit; what was `raised` stays until it is well below."""
    if raised:
        return rate_ppm(part, of) > limit.clear
    return rate_ppm(part, of) > limit.raised and lowest_likely(part, of) > limit.usual


def lowest_likely(failed: int, of: int) -> int:
    """The lower end of Wilson's interval of `DEVIATIONS` for a rate, in millionths."""
    z2 = DEVIATIONS * DEVIATIONS
    if failed <= 0 or of <= 0:
        return 0
    # Scaled by a million throughout, so that whole numbers are enough.
    root = isqrt(z2 * PPM * (z2 * PPM + 4 * failed * (of - failed) * PPM // of))
    return max(0, (2 * failed + z2) * PPM - root) // (2 * (of + z2))


def rate_ppm(part: int, of: int) -> int:
    """A share in millionths; 0 of nothing."""
    return part * PPM // of if of else 0


def distance_ppm(counts: tuple[int, ...], shares: tuple[int, ...]) -> int:
    """Total variation: what part of the calls is in other bins than the shares have them in.

    `shares` are thousandths; both have the same bins.
    """
    calls, whole = sum(counts), sum(shares)
    if not calls or not whole:
        return 0
    return sum(map(abs, _differences(counts, calls, shares, whole))) // 2


def chance_ppm(counts: tuple[int, ...], shares: tuple[int, ...], samples: int) -> int:
    """The distance that two samples of one and the same distribution have on average."""
    calls, whole = sum(counts), sum(shares)
    if not calls or not whole or samples <= 0:
        return PPM
    total = 0
    for share in shares:
        part = share * PPM // whole
        # The mean of |x| is 0.798 deviations of x; the square of that is 637 thousandths.
        variance = part * (PPM - part) * 637 // 1_000
        total += isqrt(variance // calls + variance // samples)
    return total // 2


def _differences(
    counts: tuple[int, ...], calls: int, shares: tuple[int, ...], whole: int
) -> Iterator[int]:
    for count, share in zip(counts, shares, strict=True):
        yield count * PPM // calls - share * PPM // whole


def percent(ppm: int) -> str:
    """A share for people, cut to a tenth of a per cent."""
    tenths = ppm // 1_000
    return f"{tenths // 10}.{tenths % 10} %"
