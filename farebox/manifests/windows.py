"""Reads the `window` of a `BudgetPool`.

The one rule: a field that the window's type does not use is a problem, so that nobody relies on it.
This module must not know the rest of a pool.
"""

from difflib import get_close_matches
from typing import Final
from zoneinfo import available_timezones

from farebox.core.instant import DurationMs
from farebox.core.windows import (
    PERIOD_MS_MIN,
    SLIDING_PERIOD_MS_MIN,
    UTC_ZONE,
    CalendarUnit,
    Period,
    WindowSpec,
    WindowType,
    is_zone,
)
from farebox.manifests.documents import Scalar, Written
from farebox.manifests.fields import Fields
from farebox.manifests.scalars import AMOUNT, Reader, Unfit, choice, described, duration

PERIOD_MS_MAX: Final = DurationMs(3_660 * 86_400_000)
"""Ten years; what should last longer is a lifetime."""

_TYPE: Final = choice(WindowType)
_USED: Final = {
    WindowType.FIXED: ("period", "timeZone"),
    WindowType.SLIDING: ("period",),
    WindowType.TOKEN_BUCKET: ("period", "burst", "refillPerHour"),
    WindowType.LIFETIME: (),
}


def read_window(window: Fields) -> WindowSpec:
    """Read the fields of a window; without any, it is a fixed day in UTC."""
    type_ = window.one("type", _TYPE, WindowType.FIXED)
    spec = WindowSpec(
        type=type_,
        period=window.optional("period", _PERIODS[type_]),
        zone=window.one("timeZone", _ZONE, UTC_ZONE),
        refill_per_hour=window.optional("refillPerHour", AMOUNT),
        burst=window.optional("burst", AMOUNT),
    )
    window.close()
    for name in ("period", "timeZone", "burst", "refillPerHour"):
        if window.has(name) and window.is_sound(name) and name not in _USED[type_]:
            window.problem(name, f"means nothing where the type is {type_}: leave it out")
    match type_:
        case WindowType.FIXED:
            return _fixed(window, spec)
        case WindowType.SLIDING if spec.period is None:
            window.problem("period", f"is missing: write {_PERIODS[type_].wanted}")
        case WindowType.TOKEN_BUCKET:
            _check_bucket(window)
    return spec


def _fixed(window: Fields, spec: WindowSpec) -> WindowSpec:
    period = CalendarUnit.DAY if spec.period is None else spec.period
    if window.has("timeZone") and not isinstance(period, CalendarUnit):
        window.problem(
            "timeZone",
            "means nothing where the period is a duration, which is counted from 1970-01-01 UTC: "
            "leave it out, or write Hour, Day, Week or Month",
        )
    return WindowSpec(type=spec.type, period=period, zone=spec.zone)


def _check_bucket(window: Fields) -> None:
    refill = window.has("refillPerHour")
    if refill and window.has("period"):
        window.problem("refillPerHour", "says what flows in, as period does: leave one of them out")
    elif refill and window.has("burst"):
        window.problem(
            "burst", "is the limit of the pool where refillPerHour is written: leave it out"
        )
    elif not refill and not window.has("period"):
        window.problem(
            "period",
            "is missing: write the time in which the limit flows in, "
            f"{_PERIODS[WindowType.TOKEN_BUCKET].wanted}, or refillPerHour",
        )


# Periods.

_LENGTH: Final = duration(DurationMs(PERIOD_MS_MIN), PERIOD_MS_MAX, "24h")
_SLIDING_LENGTH: Final = duration(DurationMs(SLIDING_PERIOD_MS_MIN), PERIOD_MS_MAX, "24h")


def _calendar_or_length(scalar: Scalar) -> Period:
    if scalar.text in set(CalendarUnit):
        return CalendarUnit(scalar.text)
    try:
        return _LENGTH.read(scalar)
    except Unfit:
        raise Unfit(f"is {described(scalar)}: write {_FIXED_PERIOD.wanted}") from None


_FIXED_PERIOD: Final[Reader[Period]] = Reader(
    wanted=f"Hour, Day, Week, Month, or {_LENGTH.wanted}",
    read=_calendar_or_length,
    stand_in=CalendarUnit.DAY,
)


def _without_calendar(length: Reader[DurationMs]) -> Reader[Period]:
    def read(scalar: Scalar) -> Period:
        if scalar.text in set(CalendarUnit):
            raise Unfit(f"is {scalar.text}, which only a Fixed window knows: write {length.wanted}")
        return length.read(scalar)

    return Reader(wanted=length.wanted, read=read, stand_in=length.stand_in)


_PERIODS: Final[dict[WindowType, Reader[Period]]] = {
    WindowType.FIXED: _FIXED_PERIOD,
    WindowType.SLIDING: _without_calendar(_SLIDING_LENGTH),
    WindowType.TOKEN_BUCKET: _without_calendar(_LENGTH),
    WindowType.LIFETIME: _FIXED_PERIOD,
}


# Time zones.


def _zone(scalar: Scalar) -> str:
    if scalar.written is Written.TEXT and is_zone(scalar.text):
        return scalar.text
    raise Unfit(f"is {described(scalar)}: {_zone_meant(scalar.text) or f'write {_ZONE.wanted}'}")


def _zone_meant(written: str) -> str:
    """Advice for a zone that is not known: a city without its continent, or a misspelling."""
    known = {zone.lower(): zone for zone in available_timezones()}
    lowered = written.lower().replace(" ", "_")
    cities = [zone for zone in sorted(known) if zone.endswith(f"/{lowered}")]
    close = cities or get_close_matches(lowered, sorted(known), n=1)
    return f"did you mean {known[close[0]]}?" if close else ""


_ZONE: Final[Reader[str]] = Reader(
    wanted='the IANA name of a time zone, for example "Europe/Berlin"',
    read=_zone,
    stand_in=UTC_ZONE,
)
