"""Windows follow on each other without gap or overlap, and their ids only grow."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farebox.core.instant import DurationMs, UtcMs, format_utc
from farebox.core.windows import (
    LIFETIME,
    PERIOD_MS_MIN,
    CalendarUnit,
    WindowSpec,
    WindowType,
    window_at,
)

YEAR_2100_MS = 4_102_444_800_000
instants = st.integers(0, YEAR_2100_MS).map(UtcMs)
periods = st.one_of(
    st.sampled_from(CalendarUnit),
    st.integers(PERIOD_MS_MIN, 10**11).map(DurationMs),
)
fixed = st.builds(WindowSpec, type=st.just(WindowType.FIXED), period=periods)


def calendar(unit: CalendarUnit) -> WindowSpec:
    return WindowSpec(type=WindowType.FIXED, period=unit)


def at(text: str) -> UtcMs:
    moment = datetime.fromisoformat(text).replace(tzinfo=UTC)
    return UtcMs(int(moment.timestamp()) * 1000)


@pytest.mark.parametrize(
    ("unit", "now", "starts", "ends"),
    [
        (CalendarUnit.HOUR, "2026-11-22T23:59:59", "2026-11-22T23:00:00", "2026-11-23T00:00:00"),
        (CalendarUnit.DAY, "2026-12-31T12:00:00", "2026-12-31T00:00:00", "2027-01-01T00:00:00"),
        (CalendarUnit.DAY, "2024-02-29T00:00:00", "2024-02-29T00:00:00", "2024-03-01T00:00:00"),
        # The 1st of January 1970 was a Thursday: weeks start on Mondays all the same.
        (CalendarUnit.WEEK, "1970-01-08T00:00:00", "1970-01-05T00:00:00", "1970-01-12T00:00:00"),
        (CalendarUnit.WEEK, "2026-11-23T00:00:00", "2026-11-23T00:00:00", "2026-11-30T00:00:00"),
        (CalendarUnit.WEEK, "2026-11-22T23:59:59", "2026-11-16T00:00:00", "2026-11-23T00:00:00"),
        (CalendarUnit.MONTH, "2024-02-15T00:00:00", "2024-02-01T00:00:00", "2024-03-01T00:00:00"),
        (CalendarUnit.MONTH, "2026-02-28T23:59:59", "2026-02-01T00:00:00", "2026-03-01T00:00:00"),
        (CalendarUnit.MONTH, "2100-02-28T10:00:00", "2100-02-01T00:00:00", "2100-03-01T00:00:00"),
        (CalendarUnit.MONTH, "2026-01-31T00:00:00", "2026-01-01T00:00:00", "2026-02-01T00:00:00"),
        (CalendarUnit.MONTH, "2026-12-31T23:59:59", "2026-12-01T00:00:00", "2027-01-01T00:00:00"),
    ],
)
def test_calendar_windows_run_from_midnight_to_midnight_utc(
    unit: CalendarUnit, now: str, starts: str, ends: str
) -> None:
    window = window_at(calendar(unit), at(now))
    assert window.ends is not None
    assert (format_utc(window.starts), format_utc(window.ends)) == (starts + "Z", ends + "Z")


@given(fixed, instants)
def test_every_instant_is_in_its_window(spec: WindowSpec, now: UtcMs) -> None:
    window = window_at(spec, now)
    assert window.ends is not None
    assert window.starts <= now < window.ends


@given(fixed, instants)
def test_a_window_is_the_same_from_its_first_to_its_last_millisecond(
    spec: WindowSpec, now: UtcMs
) -> None:
    window = window_at(spec, now)
    assert window.ends is not None
    first, last = window.starts, UtcMs(window.ends - 1)
    # A week of which only the end lies after 1970 starts before it.
    assert first < 0 or window_at(spec, first) == window
    assert window_at(spec, last) == window


@given(fixed, instants)
def test_the_next_window_starts_where_this_one_ends_and_has_a_greater_id(
    spec: WindowSpec, now: UtcMs
) -> None:
    window = window_at(spec, now)
    assert window.ends is not None
    following = window_at(spec, window.ends)
    assert following.starts == window.ends
    assert following.id > window.id


@given(fixed, instants, instants)
def test_ids_never_go_back(spec: WindowSpec, one: UtcMs, other: UtcMs) -> None:
    earlier, later = sorted((one, other))
    assert window_at(spec, UtcMs(earlier)).id <= window_at(spec, UtcMs(later)).id


@given(instants)
def test_a_lifetime_is_one_window_without_end(now: UtcMs) -> None:
    window = window_at(LIFETIME, now)
    assert (window.id, window.ends) == (0, None)
