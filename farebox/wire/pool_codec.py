"""A pool of a pod's policy to and from protobuf.

The one rule: what a sidecar decodes is a pool that can be enforced: every window has a length, or
none by its type, and every step that is listed has what it needs. Selectors and allowed children
stay with the controller, which has applied them, so a decoded pool has none. This module must not
know leases.
"""

from typing import Literal

from farebox.core.budgets import (
    Mode,
    OnExhausted,
    Override,
    Per,
    Pool,
    PoolUid,
    Priority,
    Reserve,
    WhenDisconnected,
)
from farebox.core.instant import UTC_MS_MAX, DurationMs, UtcMs
from farebox.core.money import Nanos
from farebox.core.windows import (
    PERIOD_MS_MIN,
    SLIDING_PERIOD_MS_MIN,
    CalendarUnit,
    Period,
    WindowSpec,
    WindowType,
)
from farebox.wire.checks import CodecError, amount, choice, few, name, number, text
from farebox.wire.v1 import policy_pb2 as pb


def pool_out(pool: Pool) -> pb.Pool:
    """Write what a sidecar needs. Raises ValueError for what the message's fields can't carry."""
    window = pool.window
    period = window.period
    calendar = period if isinstance(period, CalendarUnit) else None
    return pb.Pool(
        uid=pool.uid,
        namespace=pool.namespace,
        name=pool.name,
        generation=pool.generation,
        limit=pool.limit,
        window_type=window.type,
        calendar=calendar or "",
        period_ms=0 if period is None or calendar is not None else int(period),
        zone=window.zone,
        refill_per_hour=window.refill_per_hour,
        burst=window.burst,
        per=pool.per,
        parent=pool.parent or "",
        on_exhausted=list(pool.on_exhausted),
        defer_for_ms=pool.defer_for,
        reserve=_reserve_out(pool.reserve),
        normal_of=pool.normal_of or "",
        mode=pool.mode,
        when_disconnected=pool.when_disconnected,
        override=_override_out(pool.override),
    )


def _reserve_out(reserve: Reserve | None) -> pb.Reserve | None:
    if reserve is None:
        return None
    return pb.Reserve(percent=reserve.percent, priority=reserve.priority)


def _override_out(override: Override | None) -> pb.Override | None:
    if override is None:
        return None
    return pb.Override(limit=override.limit, until_ms=override.until)


def pool(message: pb.Pool, at: str) -> Pool:
    """Read the pool that stands `at` a place of the policy. Raises CodecError."""
    return Pool(
        uid=PoolUid(name(message.uid, f"{at}.uid")),
        namespace=name(message.namespace, f"{at}.namespace"),
        name=name(message.name, f"{at}.name"),
        generation=number(message.generation, f"{at}.generation"),
        limit=amount(message.limit, f"{at}.limit"),
        window=_window(message, at),
        per=choice(Per, message.per, f"{at}.per"),
        parent=_uid(message.parent, f"{at}.parent"),
        on_exhausted=_on_exhausted(message, at),
        defer_for=_defer_for(message, at),
        reserve=_reserve(message.reserve, at) if message.HasField("reserve") else None,
        normal_of=_uid(message.normal_of, f"{at}.normal_of"),
        mode=choice(Mode, message.mode, f"{at}.mode"),
        when_disconnected=choice(
            WhenDisconnected, message.when_disconnected, f"{at}.when_disconnected"
        ),
        override=_override(message.override, at) if message.HasField("override") else None,
    )


def _uid(value: str, field: str) -> PoolUid | None:
    return PoolUid(text(value, field)) if value else None


def _on_exhausted(message: pb.Pool, at: str) -> tuple[OnExhausted, ...]:
    few(message.on_exhausted, f"{at}.on_exhausted", most=len(OnExhausted))
    return tuple(choice(OnExhausted, step, f"{at}.on_exhausted") for step in message.on_exhausted)


def _defer_for(message: pb.Pool, at: str) -> DurationMs | None:
    given = message.HasField("defer_for_ms")
    if given != (OnExhausted.DEFER in message.on_exhausted):
        raise CodecError(f"{at}.defer_for_ms and the step Defer come together or not at all")
    if not given:
        return None
    return DurationMs(number(message.defer_for_ms, f"{at}.defer_for_ms", least=1))


def _reserve(message: pb.Reserve, at: str) -> Reserve:
    return Reserve(
        percent=number(message.percent, f"{at}.reserve.percent", most=100),
        priority=choice(Priority, message.priority, f"{at}.reserve.priority"),
    )


def _override(message: pb.Override, at: str) -> Override:
    return Override(
        limit=amount(message.limit, f"{at}.override.limit"),
        until=UtcMs(number(message.until_ms, f"{at}.override.until_ms", most=UTC_MS_MAX)),
    )


def _window(message: pb.Pool, at: str) -> WindowSpec:
    kind = choice(WindowType, message.window_type, f"{at}.window_type")
    refill = _optional(message, "refill_per_hour", at)
    burst = _optional(message, "burst", at)
    if kind is not WindowType.TOKEN_BUCKET and (refill is not None or burst is not None):
        raise CodecError(f"{at} has a refill or a burst: only a token bucket has one")
    return WindowSpec(
        type=kind,
        period=_period(message, kind, at),
        zone=name(message.zone, f"{at}.zone"),
        refill_per_hour=refill,
        burst=burst,
    )


def _optional(
    message: pb.Pool, field: Literal["refill_per_hour", "burst"], at: str
) -> Nanos | None:
    return amount(getattr(message, field), f"{at}.{field}") if message.HasField(field) else None


def _period(message: pb.Pool, kind: WindowType, at: str) -> Period | None:
    if message.calendar and message.period_ms:
        raise CodecError(f"{at} has both calendar and period_ms: a window has one of them")
    has_none = kind is WindowType.LIFETIME or (
        kind is WindowType.TOKEN_BUCKET and message.HasField("refill_per_hour")
    )
    if has_none:
        if message.calendar or message.period_ms:
            raise CodecError(f"{at} has a period: a lifetime or a bucket with a refill has none")
        return None
    if message.calendar and kind is not WindowType.FIXED:
        raise CodecError(f"{at} has a calendar: only a fixed window has one")
    if message.calendar:
        return choice(CalendarUnit, message.calendar, f"{at}.calendar")
    least = SLIDING_PERIOD_MS_MIN if kind is WindowType.SLIDING else PERIOD_MS_MIN
    return DurationMs(number(message.period_ms, f"{at}.period_ms", least=least))
