"""A window is read by its type, and a field that its type does not use is a problem."""

import pytest

from farebox.core.budgets import PoolUid
from farebox.core.instant import DurationMs
from farebox.core.money import Nanos
from farebox.core.windows import LIFETIME, CalendarUnit, WindowSpec, WindowType
from tests.manifests.builders import Wrong, assert_found, load_text, pool

HOUR = DurationMs(3_600_000)
FIXED, SLIDING, BUCKET = WindowType.FIXED, WindowType.SLIDING, WindowType.TOKEN_BUCKET

WINDOWS = {
    "{}": WindowSpec(type=FIXED, period=CalendarUnit.DAY),
    "{type: Fixed}": WindowSpec(type=FIXED, period=CalendarUnit.DAY),
    "{period: Month, timeZone: America/New_York}": WindowSpec(
        type=FIXED, period=CalendarUnit.MONTH, zone="America/New_York"
    ),
    "{timeZone: Asia/Kolkata}": WindowSpec(
        type=FIXED, period=CalendarUnit.DAY, zone="Asia/Kolkata"
    ),
    "{period: Hour, timeZone: UTC}": WindowSpec(type=FIXED, period=CalendarUnit.HOUR),
    "{period: 1h}": WindowSpec(type=FIXED, period=HOUR),
    "{type: Sliding, period: 1h}": WindowSpec(type=SLIDING, period=HOUR),
    "{type: Sliding, period: 1m}": WindowSpec(type=SLIDING, period=DurationMs(60_000)),
    "{type: TokenBucket, period: 1h}": WindowSpec(type=BUCKET, period=HOUR),
    '{type: TokenBucket, period: 1h, burst: "0.20"}': WindowSpec(
        type=BUCKET, period=HOUR, burst=Nanos(200_000_000)
    ),
    '{type: TokenBucket, refillPerHour: "5"}': WindowSpec(
        type=BUCKET, refill_per_hour=Nanos(5_000_000_000)
    ),
    "{type: Lifetime}": LIFETIME,
}


@pytest.mark.parametrize("text", WINDOWS)
def test_a_window(text: str) -> None:
    loaded = load_text(pool("team", f"window: {text}"))
    assert [str(problem) for problem in loaded.problems] == []
    assert loaded.resources.pools[PoolUid("default/team")].window == WINDOWS[text]


WRONG = {
    "type": ("{type: Hourly}", "type", "write Fixed, Sliding, TokenBucket or Lifetime"),
    "period-without-unit": ("{period: 24}", "period", "is the number 24: write Hour, Day"),
    "period-clock": ("{period: 1:30}", "period", "is the number 1:30: write"),
    "period-unit": ("{period: 1w}", "period", 'is "1w": write Hour, Day, Week, Month, or a'),
    "period-too-short": ("{period: 500ms}", "period", "from 1s to 3660d"),
    "period-too-long": ("{period: 4000d}", "period", "from 1s to 3660d"),
    "period-of-lifetime": (
        "{type: Lifetime, period: Day}",
        "period",
        "means nothing where the type is Lifetime: leave it out",
    ),
    "zone-of-a-duration": (
        "{period: 24h, timeZone: Europe/Berlin}",
        "timeZone",
        "which is counted from 1970-01-01 UTC: leave it out, or write Hour, Day, Week or Month",
    ),
    "zone-of-a-sliding-window": (
        "{type: Sliding, period: 24h, timeZone: Europe/Berlin}",
        "timeZone",
        "means nothing where the type is Sliding",
    ),
    "zone-offset": ('{timeZone: "+01:00"}', "timeZone", "the IANA name of a time zone"),
    "zone-number": ("{timeZone: 1}", "timeZone", "is the number 1: write the IANA name"),
    "zone-city": ("{timeZone: new york}", "timeZone", "did you mean America/New_York?"),
    "zone-misspelt": ("{timeZone: Europe/Berln}", "timeZone", "did you mean Europe/Berlin?"),
    "zone-case": ("{timeZone: europe/berlin}", "timeZone", "did you mean Europe/Berlin?"),
    "zone-of-this-machine": ("{timeZone: localtime}", "timeZone", 'is "localtime"'),
    "burst-of-a-day": ('{burst: "1"}', "burst", "means nothing where the type is Fixed"),
    "refill-of-a-sliding-window": (
        '{type: Sliding, period: 1h, refillPerHour: "1"}',
        "refillPerHour",
        "means nothing where the type is Sliding",
    ),
    "sliding-without-period": (
        "{type: Sliding}",
        "period",
        'is missing: write a duration from 1m to 3660d, for example "24h"',
    ),
    "sliding-too-short": ("{type: Sliding, period: 59s}", "period", "from 1m to 3660d"),
    "sliding-calendar": (
        "{type: Sliding, period: Day}",
        "period",
        "is Day, which only a Fixed window knows: write a duration from 1m to 3660d",
    ),
    "bucket-without-inflow": (
        "{type: TokenBucket}",
        "period",
        "is missing: write the time in which the limit flows in, a duration from 1s to 3660d, for",
    ),
    "bucket-with-two-inflows": (
        '{type: TokenBucket, period: 1h, refillPerHour: "1"}',
        "refillPerHour",
        "says what flows in, as period does: leave one of them out",
    ),
    "bucket-with-two-sizes": (
        '{type: TokenBucket, refillPerHour: "1", burst: "2"}',
        "burst",
        "is the limit of the pool where refillPerHour is written: leave it out",
    ),
    "bucket-calendar": (
        "{type: TokenBucket, period: Month}",
        "period",
        "is Month, which only a Fixed window knows: write a duration",
    ),
    "refill-number": (
        "{type: TokenBucket, refillPerHour: 5}",
        "refillPerHour",
        'put it in quotes, "5"',
    ),
    "misspelt": ("{timezone: UTC}", "timezone", "did you mean timeZone?"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_window(case: str) -> None:
    text, field, says = WRONG[case]
    wrong = Wrong(
        text=pool("one", f"window: {text}"), line=6, field=f"spec.window.{field}", says=says
    )
    assert_found(wrong)
