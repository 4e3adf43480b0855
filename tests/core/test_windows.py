"""Windows follow on each other without gap or overlap, and their ids only grow."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farebox.core.instant import DurationMs, UtcMs, format_utc
from farebox.core.money import Nanos
from farebox.core.windows import (
    BUCKETS,
    LIFETIME,
    PERIOD_MS_MIN,
    SLIDING_PERIOD_MS_MIN,
    CalendarUnit,
    WindowSpec,
    WindowType,
    is_zone,
    next_window,
    window_at,
)

YEAR_2100_MS = 4_102_444_800_000
instants = st.integers(0, YEAR_2100_MS).map(UtcMs)
periods = st.one_of(
    st.sampled_from(CalendarUnit),
    st.integers(PERIOD_MS_MIN, 10**11).map(DurationMs),
)
fixed = st.builds(WindowSpec, type=st.just(WindowType.FIXED), period=periods)
sliding = st.builds(
    WindowSpec,
    type=st.just(WindowType.SLIDING),
    period=st.integers(SLIDING_PERIOD_MS_MIN, 10**11).map(DurationMs),
)
ending = fixed | sliding


def calendar(unit: CalendarUnit, zone: str = "UTC") -> WindowSpec:
    return WindowSpec(type=WindowType.FIXED, period=unit, zone=zone)


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


@given(ending, instants)
def test_every_instant_is_in_its_window(spec: WindowSpec, now: UtcMs) -> None:
    window = window_at(spec, now)
    assert window.ends is not None
    assert window.starts <= now < window.ends


@given(ending, instants)
def test_a_window_is_the_same_from_its_first_to_its_last_millisecond(
    spec: WindowSpec, now: UtcMs
) -> None:
    window = window_at(spec, now)
    assert window.ends is not None
    assert window_at(spec, window.starts) == window
    assert window_at(spec, UtcMs(window.ends - 1)) == window


@given(ending, instants)
def test_the_next_window_starts_where_this_one_ends_and_has_a_greater_id(
    spec: WindowSpec, now: UtcMs
) -> None:
    window = window_at(spec, now)
    following = next_window(spec, window)
    assert following is not None
    assert following.starts == window.ends
    assert following.id > window.id


@given(ending, instants, instants)
def test_ids_never_go_back(spec: WindowSpec, one: UtcMs, other: UtcMs) -> None:
    earlier, later = sorted((one, other))
    assert window_at(spec, UtcMs(earlier)).id <= window_at(spec, UtcMs(later)).id


@given(fixed, instants)
def test_the_money_of_a_fixed_window_counts_until_its_end(spec: WindowSpec, now: UtcMs) -> None:
    window = window_at(spec, now)
    assert window.counts_until == window.ends


@given(sliding, instants)
def test_a_sliding_window_is_cut_into_buckets_that_count_for_a_period_after_their_end(
    spec: WindowSpec, now: UtcMs
) -> None:
    window = window_at(spec, now)
    assert isinstance(spec.period, int)
    assert window.ends is not None
    assert window.counts_until == window.ends + spec.period
    assert window.ends - window.starts == spec.period // BUCKETS


@pytest.mark.parametrize(
    "spec",
    [
        LIFETIME,
        WindowSpec(type=WindowType.TOKEN_BUCKET, period=DurationMs(3_600_000)),
        WindowSpec(type=WindowType.TOKEN_BUCKET, refill_per_hour=Nanos(1), burst=Nanos(2)),
        # Nothing that is read makes this one: it is bound as strictly as can be.
        WindowSpec(type=WindowType.SLIDING, period=CalendarUnit.DAY),
    ],
)
def test_a_lifetime_and_a_bucket_are_one_window_without_end(spec: WindowSpec) -> None:
    for now in (UtcMs(0), UtcMs(YEAR_2100_MS)):
        window = window_at(spec, now)
        assert (window.id, window.starts, window.ends, window.counts_until) == (0, 0, None, None)
        assert next_window(spec, window) is None


@pytest.mark.parametrize(
    "name",
    ["UTC", "Europe/Berlin", "America/Argentina/Buenos_Aires", "Etc/GMT+12", "EST5EDT"],
)
def test_an_iana_name_is_a_zone(name: str) -> None:
    assert is_zone(name)


@pytest.mark.parametrize(
    "name",
    [
        *("", "Mars/Base", "Europe", "europe/berlin", "CEST", "+01:00", "localtime", "right/UTC"),
        *("posixrules", "zone.tab", "leapseconds", "/etc/passwd", "../UTC", "Europe/../UTC"),
    ],
)
def test_what_is_no_zone_or_means_another_one_on_each_machine(name: str) -> None:
    assert not is_zone(name)


def test_an_unknown_zone_is_no_silent_utc() -> None:
    with pytest.raises(KeyError, match="Mars/Base"):
        window_at(calendar(CalendarUnit.DAY, "Mars/Base"), UtcMs(0))
