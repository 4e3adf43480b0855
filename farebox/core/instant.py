"""Time as a value.

Two clocks that must never be mixed: `UtcMs` says which window a dollar belongs to and is read by
the controller only; `BootMs` (it also runs while the machine sleeps) measures how long a holder may
go on spending what it was lent. The one rule: this module never reads either of them.
"""

import re
from datetime import UTC, datetime, timedelta
from typing import Final, NewType

UtcMs = NewType("UtcMs", int)
"""Milliseconds since 1970-01-01 UTC."""

BootMs = NewType("BootMs", int)
"""Milliseconds since this machine started, suspension included (CLOCK_BOOTTIME)."""

DurationMs = NewType("DurationMs", int)

UTC_MS_MAX: Final = UtcMs(253_402_300_799_999)
"""The last millisecond of the year 9999, the end of what RFC 3339 can write."""

_UNITS_MS: Final = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_PART: Final = re.compile(r"([0-9]{1,9})(ms|s|m|h|d)")


_INSTANT: Final = re.compile(
    r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(?:\.\d{1,3})?(?:[Zz]|[+-]\d\d:\d\d)", re.ASCII
)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class DurationError(ValueError):
    """A text is not a duration."""


class InstantError(ValueError):
    """A text is not an instant."""


def parse_duration(text: str) -> DurationMs:
    """Read a Go-style duration such as "24h", "1h30m" or "500ms". Raises DurationError."""
    total, position = 0, 0
    for match in _PART.finditer(text):
        if match.start() != position:
            break
        total += int(match.group(1)) * _UNITS_MS[match.group(2)]
        position = match.end()
    if position != len(text) or total == 0:
        raise DurationError(
            f"{text!r} is not a duration: write a number and a unit (ms, s, m, h, d), "
            'for example "24h"'
        )
    return DurationMs(total)


def format_duration(duration: DurationMs) -> str:
    """Write a duration with its two largest units, as `parse_duration` reads it."""
    parts, rest = [], max(0, int(duration))
    for unit in ("d", "h", "m", "s", "ms"):
        count, rest = divmod(rest, _UNITS_MS[unit])
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts[:2]) or "0s"


def format_utc(instant: UtcMs) -> str:
    """Write an instant as RFC 3339 in UTC, to the second: "2026-11-01T00:00:00Z"."""
    return datetime.fromtimestamp(instant // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def parse_utc(text: str) -> UtcMs:
    """Read an instant of RFC 3339 such as "2026-11-01T00:00:00Z". Raises InstantError."""
    try:
        read = datetime.fromisoformat(text.upper()) if _INSTANT.fullmatch(text) else None
    except ValueError:
        read = None
    instant = -1 if read is None else (read - _EPOCH) // timedelta(milliseconds=1)
    if not 0 <= instant <= UTC_MS_MAX:
        raise InstantError(
            f"{text!r} is not an instant: write a date, a time and its distance from UTC, "
            'for example "2026-11-01T00:00:00Z" or "2026-11-01T00:00:00+01:00"'
        )
    return UtcMs(instant)
