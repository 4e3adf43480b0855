"""Windows: the interval over which a limit counts.

The one rule: a window is named by an id that never repeats and never goes back, so that nothing is
ever reset. Only the controller asks which window an instant is in; a holder is told how long its
window still lasts. This module must not know what is counted in a window.
"""

import enum
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from farebox.core.instant import DurationMs, UtcMs


class WindowType(enum.StrEnum):
    """How a limit renews itself."""

    FIXED = "Fixed"
    LIFETIME = "Lifetime"


class CalendarUnit(enum.StrEnum):
    """Calendar periods, from midnight to midnight UTC; weeks start on Monday."""

    HOUR = "Hour"
    DAY = "Day"
    WEEK = "Week"
    MONTH = "Month"


Period = DurationMs | CalendarUnit

PERIOD_MS_MIN: Final = 1_000
"""Shorter windows would end before a lease for them arrives."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowSpec:
    """The window of a pool; `period` is None for a lifetime window only."""

    type: WindowType
    period: Period | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """One concrete window. `ends` is None when it never ends."""

    id: int
    starts: UtcMs
    ends: UtcMs | None


LIFETIME: Final = WindowSpec(type=WindowType.LIFETIME)


def window_at(spec: WindowSpec, now: UtcMs) -> Window:
    """The window that an instant is in. Its id is its start, so ids grow with time."""
    if spec.type is WindowType.LIFETIME or spec.period is None:
        return Window(id=0, starts=UtcMs(0), ends=None)
    if isinstance(spec.period, CalendarUnit):
        starts, ends = _calendar_bounds(spec.period, now)
    else:
        starts = UtcMs(now - now % spec.period)
        ends = UtcMs(starts + spec.period)
    return Window(id=starts, starts=starts, ends=ends)


def _calendar_bounds(unit: CalendarUnit, now: UtcMs) -> tuple[UtcMs, UtcMs]:
    moment = datetime.fromtimestamp(now // 1000, UTC)
    hour = moment.replace(minute=0, second=0, microsecond=0)
    midnight = hour.replace(hour=0)
    match unit:
        case CalendarUnit.HOUR:
            start, end = hour, hour + timedelta(hours=1)
        case CalendarUnit.DAY:
            start, end = midnight, midnight + timedelta(days=1)
        case CalendarUnit.WEEK:
            start = midnight - timedelta(days=midnight.weekday())
            end = start + timedelta(days=7)
        case CalendarUnit.MONTH:
            start = midnight.replace(day=1)
            end = (start + timedelta(days=32)).replace(day=1)
    return _utc_ms(start), _utc_ms(end)


def _utc_ms(moment: datetime) -> UtcMs:
    return UtcMs(int(moment.timestamp()) * 1000)
