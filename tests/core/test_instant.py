"""Durations and instants are read as written, and instants are shown in UTC."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farebox.core.instant import (
    UTC_MS_MAX,
    DurationError,
    DurationMs,
    InstantError,
    UtcMs,
    format_duration,
    format_utc,
    parse_duration,
    parse_utc,
)

HOUR = 3_600_000


@pytest.mark.parametrize(
    ("text", "milliseconds"),
    [
        ("1ms", 1),
        ("500ms", 500),
        ("15s", 15_000),
        ("90m", 90 * 60_000),
        ("24h", 24 * HOUR),
        ("1h30m", HOUR + 30 * 60_000),
        ("30d", 30 * 24 * HOUR),
        ("1d1h1m1s1ms", 25 * HOUR + 61_001),
    ],
)
def test_a_duration_is_the_sum_of_its_parts(text: str, milliseconds: int) -> None:
    assert parse_duration(text) == milliseconds


@pytest.mark.parametrize(
    "text",
    ["", "0s", "24", "h", "1.5h", "-1h", "1 h", " 1h", "1h ", "1w", "1H", "1h30", "٣h", "1h,2m"],
)
def test_what_is_no_duration_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(DurationError, match='for example "24h"'):
        parse_duration(text)


@given(st.integers(1, 10**12).map(DurationMs))
def test_a_written_duration_is_read_back_up_to_its_two_largest_units(duration: DurationMs) -> None:
    read = parse_duration(format_duration(duration))
    assert read <= duration
    assert format_duration(read) == format_duration(duration)


@pytest.mark.parametrize(
    ("milliseconds", "text"),
    [
        (0, "0s"),
        (-5, "0s"),
        (1, "1ms"),
        (90_000, "1m30s"),
        (24 * HOUR, "1d"),
        (25 * HOUR + 61_001, "1d1h"),
    ],
)
def test_a_duration_is_written_in_two_units(milliseconds: int, text: str) -> None:
    assert format_duration(DurationMs(milliseconds)) == text


@pytest.mark.parametrize(
    ("milliseconds", "text"),
    [
        (0, "1970-01-01T00:00:00Z"),
        (999, "1970-01-01T00:00:00Z"),
        (1_709_164_800_000, "2024-02-29T00:00:00Z"),
        (253_402_300_799_999, "9999-12-31T23:59:59Z"),
    ],
)
def test_an_instant_is_written_in_utc(milliseconds: int, text: str) -> None:
    assert format_utc(UtcMs(milliseconds)) == text


@pytest.mark.parametrize(
    ("text", "milliseconds"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("2024-02-29T00:00:00Z", 1_709_164_800_000),
        ("2024-02-29t01:00:00.25+01:00", 1_709_164_800_250),
        ("2024-02-28T18:30:00-05:30", 1_709_164_800_000),
        ("9999-12-31T23:59:59.999Z", UTC_MS_MAX),
    ],
)
def test_an_instant_is_read_exactly(text: str, milliseconds: int) -> None:
    assert parse_utc(text) == milliseconds


@pytest.mark.parametrize(
    "text",
    [
        *("", "tomorrow", "1795000000", "2026-11-01", "2026-11-01T00:00:00", "2026-11-01T00:00Z"),
        *("2026-11-01 00:00:00Z", "2026-02-30T00:00:00Z", "2026-11-01T24:00:00Z"),
        *("1969-12-31T23:59:59Z", "9999-12-31T23:59:59-01:00"),
    ],
)
def test_what_is_no_instant_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(InstantError, match='for example "2026-11-01T00:00:00Z"'):
        parse_utc(text)


@given(st.integers(0, 253_402_300_799).map(lambda second: UtcMs(second * 1000)))
def test_a_written_instant_is_read_back(instant: UtcMs) -> None:
    assert parse_utc(format_utc(instant)) == instant
