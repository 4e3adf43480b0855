"""Windows: the interval over which a limit counts.

The one rule: a window is named by an id that never repeats and never goes back, so that nothing is
ever reset. Only the controller asks which window an instant is in; a holder is told how long its
window still lasts. Time zones are data here: they are looked up, nothing else is read. This module
must not know what is counted in a window.
"""

import enum
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Final
from zoneinfo import ZoneInfo

from farebox.core.instant import DurationMs, UtcMs
from farebox.core.money import Nanos


class WindowType(enum.StrEnum):
    """How a limit renews itself."""

    FIXED = "Fixed"
    SLIDING = "Sliding"
    TOKEN_BUCKET = "TokenBucket"  # noqa: S105 -- a bucket of money, no secret
    LIFETIME = "Lifetime"


class CalendarUnit(enum.StrEnum):
    """Calendar periods, from midnight to midnight of a time zone; weeks start on Monday."""

    HOUR = "Hour"
    DAY = "Day"
    WEEK = "Week"
    MONTH = "Month"


Period = DurationMs | CalendarUnit

PERIOD_MS_MIN: Final = 1_000
"""Shorter windows would end before a lease for them arrives."""

BUCKETS: Final = 60
"""A sliding window moves on in so many steps: money comes back at most one step late."""

SLIDING_PERIOD_MS_MIN: Final = BUCKETS * PERIOD_MS_MIN
"""Each bucket of a sliding window is lent like a fixed window."""

UTC_ZONE: Final = "UTC"

_HOUR_S: Final = 3_600
# Without the copies that count leap seconds, and names that mean what a machine is set to.
_ZONE_NAME: Final = re.compile(
    r"(?!posix|right/|localtime|Factory)[A-Za-z][\w+-]*(?:/[A-Za-z][\w+-]*){0,3}"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowSpec:
    """The window of a pool.

    `period`: a calendar unit or a duration of a FIXED window, a duration of a SLIDING one (at least
    SLIDING_PERIOD_MS_MIN) and of a TOKEN_BUCKET (the limit is what flows in during it). `zone`: the
    IANA name of the time zone of calendar units. `refill_per_hour` in place of `period`, and
    `burst` (the size, else the limit is the size), are for a TOKEN_BUCKET only.
    """

    type: WindowType
    period: Period | None = None
    zone: str = UTC_ZONE
    refill_per_hour: Nanos | None = None
    burst: Nanos | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """One concrete window. `ends` is None when it never ends.

    `counts_until`: until when the money of this window counts against the limit, the instant itself
    not included; None for ever. Of a fixed window that is its end. A sliding window is cut into
    buckets, each a window of its own that counts for a whole period after it has ended.
    """

    id: int
    starts: UtcMs
    ends: UtcMs | None
    counts_until: UtcMs | None


LIFETIME: Final = WindowSpec(type=WindowType.LIFETIME)
_ENDLESS: Final = Window(id=0, starts=UtcMs(0), ends=None, counts_until=None)


def window_at(spec: WindowSpec, now: UtcMs) -> Window:
    """The window that an instant is in. Its id is its start, so ids grow with time.

    Raises ZoneInfoNotFoundError (a KeyError) for a zone that `is_zone` does not know.
    """
    period = spec.period
    if spec.type is WindowType.FIXED and period is not None:
        if isinstance(period, CalendarUnit):
            starts, ends = _calendar_bounds(period, _zone(spec.zone), now)
        else:
            starts, ends = _multiple(period, now)
        return Window(id=starts, starts=starts, ends=ends, counts_until=ends)
    if spec.type is WindowType.SLIDING and isinstance(period, int):
        starts, ends = _multiple(DurationMs(period // BUCKETS), now)
        return Window(id=starts, starts=starts, ends=ends, counts_until=UtcMs(ends + period))
    return _ENDLESS


def next_window(spec: WindowSpec, window: Window) -> Window | None:
    """The window that follows on another; None after one that never ends."""
    return None if window.ends is None else window_at(spec, window.ends)


def is_zone(name: str) -> bool:
    """Whether this is the IANA name of a time zone, such as "Europe/Berlin"."""
    if _ZONE_NAME.fullmatch(name) is None:
        return False
    try:
        _zone(name)
    except (KeyError, ValueError, OSError):
        # Not found, not a zone file, or a folder of zones.
        return False
    return True


def _zone(name: str) -> tzinfo:
    return UTC if name == UTC_ZONE else ZoneInfo(name)


def _multiple(length: DurationMs, now: UtcMs) -> tuple[UtcMs, UtcMs]:
    starts = UtcMs(now - now % length)
    return starts, UtcMs(starts + length)


def _calendar_bounds(unit: CalendarUnit, zone: tzinfo, now: UtcMs) -> tuple[UtcMs, UtcMs]:
    second = now // 1000
    starts, ends = _hour(zone, second) if unit is CalendarUnit.HOUR else _days(unit, zone, second)
    return UtcMs(starts * 1000), UtcMs(ends * 1000)


# Everything below is in whole seconds since 1970: no zone has changed in between two of them.


def _days(unit: CalendarUnit, zone: tzinfo, now: int) -> tuple[int, int]:
    first = _first_day(unit, datetime.fromtimestamp(now, zone).date())
    starts, ends = _midnight(zone, first), _midnight(zone, _following(unit, first))
    # A clock that is put back over midnight shows the day before for a second time, and a date
    # that a zone has skipped is empty: the instant is in the window after that.
    while ends <= now:
        first = _following(unit, first)
        starts, ends = ends, _midnight(zone, _following(unit, first))
    return starts, ends


def _first_day(unit: CalendarUnit, day: date) -> date:
    match unit:
        case CalendarUnit.WEEK:
            return day - timedelta(days=day.weekday())
        case CalendarUnit.MONTH:
            return day.replace(day=1)
        case _:
            return day


def _following(unit: CalendarUnit, first: date) -> date:
    match unit:
        case CalendarUnit.WEEK:
            return first + timedelta(days=7)
        case CalendarUnit.MONTH:
            return (first + timedelta(days=32)).replace(day=1)
        case _:
            return first + timedelta(days=1)


def _midnight(zone: tzinfo, day: date) -> int:
    """The first instant of a day: where its midnight is left out, the end of the gap."""
    early = datetime.combine(day, time(fold=0), zone)
    late = datetime.combine(day, time(fold=1), zone)
    first, last = int(early.timestamp()), int(late.timestamp())
    if first <= last:
        return first
    return _change(lambda second: _offset(zone, second), last, first)


def _hour(zone: tzinfo, now: int) -> tuple[int, int]:
    """The hour on the clock; cut where the clock is moved by less than whole hours."""

    def minutes(second: int) -> int:
        return _offset(zone, second) % _HOUR_S

    starts = now - (now + minutes(now)) % _HOUR_S
    ends = starts + _HOUR_S
    if minutes(starts) != minutes(now):
        starts = _change(minutes, starts, now)
    if minutes(ends) != minutes(now):
        ends = _change(minutes, now, ends)
    return starts, ends


def _offset(zone: tzinfo, second: int) -> int:
    offset = datetime.fromtimestamp(second, zone).utcoffset()
    assert offset is not None, "a zone always has an offset"
    return int(offset.total_seconds())


def _change(of: Callable[[int], int], before: int, after: int) -> int:
    """The first second with the value of `after`, which `before` does not have."""
    while after - before > 1:
        middle = (before + after) // 2
        if of(middle) == of(after):
            after = middle
        else:
            before = middle
    return after
