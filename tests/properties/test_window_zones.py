"""Calendar windows in every time zone: no instant is in none or two, whatever is done to clocks."""

from datetime import UTC, datetime, timedelta
from functools import cache
from typing import NamedTuple
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farebox.core.instant import UtcMs, format_utc
from farebox.core.windows import (
    CalendarUnit,
    WindowSpec,
    WindowType,
    is_zone,
    next_window,
    window_at,
)

HOUR_S = 3_600
DAY_S = 24 * HOUR_S
ZONES = sorted(zone for zone in available_timezones() if is_zone(zone))


def at(text: str) -> UtcMs:
    return UtcMs(int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 1000)


def calendar(unit: CalendarUnit, zone: str) -> WindowSpec:
    return WindowSpec(type=WindowType.FIXED, period=unit, zone=zone)


class Case(NamedTuple):
    zone: str
    unit: CalendarUnit
    now: str
    starts: str
    ends: str


HOUR, DAY, WEEK, MONTH = CalendarUnit
# All in the past: governments change what clocks will do, and zone files follow at their pace.
CASES = {
    "a day of 23 hours": Case(
        "Europe/Berlin", DAY, "2020-03-29T12:00", "2020-03-28T23:00", "2020-03-29T22:00"
    ),
    "a day of 25 hours": Case(
        "Europe/Berlin", DAY, "2020-10-25T12:00", "2020-10-24T22:00", "2020-10-25T23:00"
    ),
    "a week of an hour less": Case(
        "America/New_York", WEEK, "2020-03-08T12:00", "2020-03-02T05:00", "2020-03-09T04:00"
    ),
    "a month of an hour more": Case(
        "Europe/Berlin", MONTH, "2020-10-01T00:00", "2020-09-30T22:00", "2020-10-31T23:00"
    ),
    "a day that begins at one": Case(
        "America/Sao_Paulo", DAY, "2018-11-04T03:00", "2018-11-04T03:00", "2018-11-05T02:00"
    ),
    "a midnight that comes twice begins the day once": Case(
        "America/Havana", DAY, "2020-11-01T05:30", "2020-11-01T04:00", "2020-11-02T05:00"
    ),
    "the last day before one that is left out": Case(
        "Pacific/Apia", DAY, "2011-12-30T09:59", "2011-12-29T10:00", "2011-12-30T10:00"
    ),
    "the first day after one that is left out": Case(
        "Pacific/Apia", DAY, "2011-12-30T10:00", "2011-12-30T10:00", "2011-12-31T10:00"
    ),
    "a day does not end again when the clock goes back over midnight": Case(
        "America/St_Johns", DAY, "2006-10-29T02:45", "2006-10-29T02:30", "2006-10-30T03:30"
    ),
    "a gap from half past eleven to half past twelve": Case(
        "America/Toronto", DAY, "1919-03-31T12:00", "1919-03-31T04:30", "1919-04-01T04:00"
    ),
    "hours where clocks differ by half an hour": Case(
        "Asia/Kolkata", HOUR, "2020-10-03T15:45", "2020-10-03T15:30", "2020-10-03T16:30"
    ),
    "the hour before clocks are put back": Case(
        "Europe/Berlin", HOUR, "2020-10-25T00:15", "2020-10-25T00:00", "2020-10-25T01:00"
    ),
    "the same hour on the clock once more is another": Case(
        "Europe/Berlin", HOUR, "2020-10-25T01:15", "2020-10-25T01:00", "2020-10-25T02:00"
    ),
    "a half hour is left when clocks are put back by half an hour": Case(
        "Australia/Lord_Howe", HOUR, "2020-04-04T15:15", "2020-04-04T15:00", "2020-04-04T15:30"
    ),
    "a half hour is left when they are put forward": Case(
        "Australia/Lord_Howe", HOUR, "2020-10-03T15:45", "2020-10-03T15:30", "2020-10-03T16:00"
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_calendar_window_follows_the_clocks_of_its_zone(name: str) -> None:
    case = CASES[name]
    window = window_at(calendar(case.unit, case.zone), at(case.now))
    assert window.ends is not None
    assert format_utc(window.starts) == f"{case.starts}:00Z"
    assert format_utc(window.ends) == f"{case.ends}:00Z"


@cache
def changes(zone: str, year: int) -> tuple[int, ...]:
    """The seconds of a year at which clocks of a zone are changed."""
    clock = ZoneInfo(zone)

    def offset(second: int) -> timedelta | None:
        return datetime.fromtimestamp(second, clock).utcoffset()

    found = []
    start = int(datetime(year, 1, 1, tzinfo=UTC).timestamp())
    for day in range(start, start + 366 * DAY_S, DAY_S):
        low, high = day, day + DAY_S
        if offset(low) == offset(high):
            continue
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if offset(middle) == offset(low) else (low, middle)
        found.append(high)
    return tuple(found)


@st.composite
def moments(draw: st.DrawFn) -> tuple[str, UtcMs]:
    """A zone and an instant, most of them near a change of its clocks."""
    zone, year = draw(st.sampled_from(ZONES)), draw(st.integers(1970, 2037))
    moved = changes(zone, year)
    start = int(datetime(year, 1, 1, tzinfo=UTC).timestamp())
    around = draw(st.sampled_from(moved)) if moved else start + draw(st.integers(0, 365 * DAY_S))
    apart = draw(st.sampled_from((HOUR_S, 3 * HOUR_S, 2 * DAY_S, 40 * DAY_S)))
    return zone, UtcMs(around * 1000 + draw(st.integers(-apart * 1000, apart * 1000)))


@given(moments(), st.sampled_from(CalendarUnit), st.data())
def test_windows_follow_on_each_other_without_gap_or_overlap(
    moment: tuple[str, UtcMs], unit: CalendarUnit, data: st.DataObject
) -> None:
    zone, now = moment
    spec = calendar(unit, zone)
    window = window_at(spec, now)
    assert window.starts <= now
    for _ in range(6):
        assert window.ends is not None
        assert window.id == window.starts < window.ends == window.counts_until
        within = UtcMs(data.draw(st.integers(window.starts, window.ends - 1)))
        assert window_at(spec, within) == window_at(spec, window.starts) == window
        following = next_window(spec, window)
        assert following is not None
        assert following.starts == window.ends
        window = following


@given(moments(), st.sampled_from((DAY, WEEK, MONTH)))
def test_a_calendar_window_begins_with_the_first_instant_of_a_local_day(
    moment: tuple[str, UtcMs], unit: CalendarUnit
) -> None:
    zone, now = moment
    clock = ZoneInfo(zone)
    starts = window_at(calendar(unit, zone), now).starts // 1000
    first = datetime.fromtimestamp(starts, clock).date()
    before = datetime.fromtimestamp(starts - 1, clock).date()
    assert before < first
    if unit is WEEK:
        assert before.isocalendar()[:2] < first.isocalendar()[:2]
    if unit is MONTH:
        assert (before.year, before.month) < (first.year, first.month)


@given(moments())
def test_an_hour_is_an_hour_long_or_cut_short_by_a_change_of_clocks(
    moment: tuple[str, UtcMs],
) -> None:
    zone, now = moment
    window = window_at(calendar(HOUR, zone), now)
    assert window.ends is not None
    seconds = (window.ends - window.starts) // 1000
    assert seconds <= HOUR_S
    if seconds < HOUR_S:
        year = datetime.fromtimestamp(now // 1000, UTC).year
        near = {*changes(zone, year), *changes(zone, year - 1)}
        assert near & {window.starts // 1000, window.ends // 1000}


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York", "Australia/Sydney"])
def test_the_days_of_a_year_are_23_to_25_hours_and_as_many_as_the_calendar_has(zone: str) -> None:
    spec = calendar(DAY, zone)
    window = window_at(spec, at("2020-01-01T12:00"))
    hours = []
    for _ in range(366):
        assert window.ends is not None
        hours.append((window.ends - window.starts) // 3_600_000)
        following = next_window(spec, window)
        assert following is not None
        window = following
    assert sorted(hours) == [23, *[24] * 364, 25]
    assert datetime.fromtimestamp(window.starts // 1000, ZoneInfo(zone)).date().year == 2021
