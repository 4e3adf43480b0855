"""Pools survive the wire, and one that could not be enforced is refused."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given

from farebox.core.budgets import (
    Mode,
    OnExhausted,
    Override,
    Pool,
    PoolUid,
    Reserve,
    WhenDisconnected,
    normal_uid,
    with_reserves,
)
from farebox.core.instant import DurationMs, UtcMs
from farebox.core.money import Nanos
from farebox.core.windows import CalendarUnit, WindowSpec, WindowType
from farebox.wire.checks import CodecError
from farebox.wire.pool_codec import pool, pool_out
from farebox.wire.v1 import policy_pb2 as pb
from tests.wire.strategies import pools

PLAIN = Pool(
    uid=PoolUid("default/team"),
    namespace="default",
    name="team",
    generation=2,
    limit=Nanos(50_000_000_000),
    window=WindowSpec(type=WindowType.FIXED, period=CalendarUnit.DAY, zone="Europe/Berlin"),
    parent=PoolUid("default/acme"),
)
FULL = replace(
    PLAIN,
    window=WindowSpec(
        type=WindowType.TOKEN_BUCKET, period=DurationMs(3_600_000), burst=Nanos(1_000)
    ),
    on_exhausted=(OnExhausted.DEFER, OnExhausted.REJECT),
    defer_for=DurationMs(30_000),
    reserve=Reserve(percent=20),
    mode=Mode.SHADOW,
    when_disconnected=WhenDisconnected.ALLOW,
    override=Override(limit=Nanos(60_000_000_000), until=UtcMs(1_795_000_000_000)),
)


def carried(sent: Pool) -> Pool:
    return pool(pb.Pool.FromString(pool_out(sent).SerializeToString()), "pool")


@given(pools)
def test_a_pool_arrives_as_it_was_sent(sent: Pool) -> None:
    assert carried(sent) == sent


def test_a_pool_that_keeps_a_reserve_free_arrives_as_such() -> None:
    normal = with_reserves({FULL.uid: FULL})[normal_uid(FULL.uid)]
    assert carried(normal) == normal
    assert normal.normal_of == FULL.uid


def test_selectors_stay_with_the_controller() -> None:
    assert carried(replace(PLAIN, selector={"app": "assistant"})) == PLAIN


def typed(kind: WindowType) -> Callable[[pb.Pool], object]:
    return lambda m: setattr(m, "window_type", kind)


def bare(kind: WindowType, **fields: int) -> Callable[[pb.Pool], object]:
    """Make a pool's window one of a type with these fields and no other."""

    def spoil(message: pb.Pool) -> None:
        for field in ("calendar", "period_ms", "refill_per_hour", "burst"):
            message.ClearField(field)
        message.window_type = kind
        for field, value in fields.items():
            setattr(message, field, value)

    return spoil


BAD_POOLS: dict[str, tuple[Callable[[pb.Pool], object], str]] = {
    "a pool without uid": (lambda m: setattr(m, "uid", ""), "pool.uid is empty"),
    "a pool with a limit below nothing": (lambda m: setattr(m, "limit", -1), "limit is -1 n$"),
    "a window of an unknown type": (
        lambda m: setattr(m, "window_type", "Rolling"),
        "pool.window_type is 'Rolling': it must be one of Fixed, Sliding, TokenBucket, Lifetime",
    ),
    "a calendar word that nobody knows": (
        lambda m: setattr(m, "calendar", "Fortnight"),
        "pool.calendar is 'Fortnight'",
    ),
    "a calendar without a time zone": (lambda m: m.ClearField("zone"), "pool.zone is empty"),
    "a fixed window that never ends": (
        lambda m: m.ClearField("calendar"),
        "pool.period_ms is 0: it must be 1000",
    ),
    "a window with two lengths": (
        lambda m: setattr(m, "period_ms", 60_000),
        "pool has both calendar and period_ms",
    ),
    "a lifetime that ends": (typed(WindowType.LIFETIME), "pool has a period"),
    "a sliding day of the calendar": (
        typed(WindowType.SLIDING),
        "pool has a calendar: only a fixed window has one",
    ),
    "a sliding window shorter than its buckets": (
        bare(WindowType.SLIDING, period_ms=59_999),
        "pool.period_ms is 59999: it must be 60000",
    ),
    "a bucket into which nothing says what flows": (
        bare(WindowType.TOKEN_BUCKET),
        "pool.period_ms is 0: it must be 1000",
    ),
    "a bucket into which two things flow": (
        bare(WindowType.TOKEN_BUCKET, period_ms=60_000, refill_per_hour=1),
        "pool has a period: a lifetime or a bucket with a refill has none",
    ),
    "a bucket that leaks": (
        bare(WindowType.TOKEN_BUCKET, refill_per_hour=-1),
        "pool.refill_per_hour is -1 n$",
    ),
    "a bucket smaller than nothing": (
        bare(WindowType.TOKEN_BUCKET, period_ms=60_000, burst=-1),
        "pool.burst is -1 n$",
    ),
    "a fixed window with a burst": (
        lambda m: setattr(m, "burst", 1),
        "pool has a refill or a burst: only a token bucket has one",
    ),
    "a pool split by the weather": (lambda m: setattr(m, "per", "Weather"), "per is 'Weather'"),
    "a pool that prays when exhausted": (
        lambda m: m.on_exhausted.__setitem__(0, "Pray"),
        "pool.on_exhausted is 'Pray'",
    ),
    "a pool with more steps than there are": (
        lambda m: m.on_exhausted.extend(["Downgrade"] * 3),
        "pool.on_exhausted has 5 entries: at most 3",
    ),
    "a pool that defers for no time": (
        lambda m: m.on_exhausted.append("Defer"),
        "pool.defer_for_ms and the step Defer come together or not at all",
    ),
    "a time to wait and no step that waits": (
        lambda m: setattr(m, "defer_for_ms", 1_000),
        "pool.defer_for_ms and the step Defer come together or not at all",
    ),
    "more than all of it in reserve": (
        lambda m: m.reserve.CopyFrom(pb.Reserve(percent=101, priority="high")),
        "pool.reserve.percent is 101: it must be 0 to 100",
    ),
    "a reserve for nobody": (
        lambda m: m.reserve.CopyFrom(pb.Reserve(percent=20)),
        "pool.reserve.priority is '': it must be one of normal, high",
    ),
    "a mode that nobody knows": (lambda m: setattr(m, "mode", "Dream"), "mode is 'Dream'"),
    "a way of being away that nobody knows": (
        lambda m: setattr(m, "when_disconnected", "Panic"),
        "pool.when_disconnected is 'Panic'",
    ),
    "an override below nothing": (
        lambda m: m.override.CopyFrom(pb.Override(limit=-1)),
        "pool.override.limit is -1 n$",
    ),
    "an override beyond the end of calendars": (
        lambda m: m.override.CopyFrom(pb.Override(until_ms=253_402_300_800_000)),
        "pool.override.until_ms is 253402300800000",
    ),
}


@pytest.mark.parametrize("case", BAD_POOLS)
def test_a_malformed_pool_is_refused(case: str) -> None:
    spoil, sentence = BAD_POOLS[case]
    message = pool_out(PLAIN)
    assert pool(message, "pool") == PLAIN
    spoil(message)
    with pytest.raises(CodecError) as caught:
        pool(message, "pool")
    assert sentence in str(caught.value)
