"""The most that may be lent of each pool, as it follows from pools alone.

The one rule: no figure of the product's is asked for; what a limit is at an instant is worked out
here. This module must not know who lends.
"""

from collections.abc import Mapping
from typing import Final

from farebox.core.budgets import Mode, Pool, with_reserves
from farebox.core.windows import WindowType
from farebox.manifests.resources import Resources

UNLIMITED: Final = 10**18
"""The limit of a pool in shadow mode, which only records."""

HOUR_S: Final = 3_600.0


def size_of(pool: Pool, utc_ms: int) -> int:
    """The most that can be lent of a pool at once: its limit, or the size of its bucket."""
    if pool.mode is Mode.SHADOW:
        return UNLIMITED
    if pool.window.burst is not None:
        return int(pool.window.burst)
    override = pool.override
    return int(pool.limit if override is None or utc_ms >= override.until else override.limit)


def sizes_of(pool: Pool) -> tuple[int, int]:
    """The least and the most that `size_of` may be, before and after an override has ended."""
    until = 0 if pool.override is None else pool.override.until
    sizes = size_of(pool, until - 1), size_of(pool, until)
    return min(sizes), max(sizes)


def inflows_of(pool: Pool) -> tuple[float, float]:
    """How many n$ a second flow into a pool's bucket, at least and at most; 0 when it is none."""
    window = pool.window
    if window.type is not WindowType.TOKEN_BUCKET:
        return 0.0, 0.0
    if window.refill_per_hour is not None:
        return window.refill_per_hour / HOUR_S, window.refill_per_hour / HOUR_S
    assert isinstance(window.period, int), "no bucket has a calendar"
    other = pool.limit if pool.override is None else pool.override.limit
    least, most = sorted((pool.limit, other))
    return least * 1000 / window.period, most * 1000 / window.period


def limits_of(resources: Resources, utc_ms: int) -> dict[str, int]:
    """The limits of all pools at an instant, and of those that keep reserves free."""
    pools = with_reserves(resources.pools)
    return {str(uid): size_of(pool, utc_ms) for uid, pool in pools.items()}


def afterwards(resources: Resources) -> dict[str, tuple[int, int]]:
    """When the overrides of pools end, and their limits then."""
    return {
        str(uid): (pool.override.until, size_of(pool, pool.override.until))
        for uid, pool in with_reserves(resources.pools).items()
        if pool.override is not None
    }


def highest(some: Mapping[str, int], others: Mapping[str, int]) -> dict[str, int]:
    """Of two limits of a pool the higher."""
    return {uid: max(some.get(uid, 0), others.get(uid, 0)) for uid in some.keys() | others.keys()}
