"""Calendar windows around a change of the clocks, as a person reads them off a calendar.

Each table was written by hand from what the zone's clocks do that night. The one rule: nothing here
is worked out by the product, or from its zone data. This module must not know pools.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from farebox.core.windows import CalendarUnit


@dataclass(frozen=True, slots=True, kw_only=True)
class Calendar:
    """Windows of one unit in one zone: when each starts, the last start being the end of the rest.

    `change` is the instant at which the clocks of the zone are set. All in ms since 1970, UTC.
    """

    zone: str
    unit: CalendarUnit
    change: int
    starts: tuple[int, ...]


def _calendar(zone: str, unit: CalendarUnit, change: str, *starts: str) -> Calendar:
    return Calendar(zone=zone, unit=unit, change=_ms(change), starts=tuple(map(_ms, starts)))


def _ms(text: str) -> int:
    return int(datetime.fromisoformat(f"{text}:00+00:00").timestamp() * 1000)


CALENDARS: Final = (
    # At 00:00 it is 01:00: a day of 23 hours that begins without a midnight.
    _calendar(
        "Africa/Cairo",
        CalendarUnit.DAY,
        "2027-04-29T22:00",
        "2027-04-28T22:00",
        "2027-04-29T22:00",
        "2027-04-30T21:00",
        "2027-05-01T21:00",
    ),
    # At 01:00 it is 00:00 again: a day of 25 hours, with two midnights and one beginning.
    _calendar(
        "America/Havana",
        CalendarUnit.DAY,
        "2026-11-01T05:00",
        "2026-11-01T04:00",
        "2026-11-02T05:00",
        "2026-11-03T05:00",
    ),
    # At 03:00 it is 02:00 again: the same hour comes twice, and is two windows.
    _calendar(
        "Europe/Berlin",
        CalendarUnit.HOUR,
        "2026-10-25T01:00",
        "2026-10-25T00:00",
        "2026-10-25T01:00",
        "2026-10-25T02:00",
        "2026-10-25T03:00",
    ),
    # At 02:00 it is 02:30: what is left of that hour is a window of half an hour.
    _calendar(
        "Australia/Lord_Howe",
        CalendarUnit.HOUR,
        "2026-10-03T15:30",
        "2026-10-03T14:30",
        "2026-10-03T15:30",
        "2026-10-03T16:00",
        "2026-10-03T17:00",
    ),
    # At 02:00 it is 01:30 again: the second half of that hour comes twice.
    _calendar(
        "Australia/Lord_Howe",
        CalendarUnit.HOUR,
        "2027-04-03T15:00",
        "2027-04-03T14:00",
        "2027-04-03T15:00",
        "2027-04-03T15:30",
        "2027-04-03T16:30",
    ),
)
