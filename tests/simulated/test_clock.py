"""The clock gives UTC milliseconds."""

import time

from farebox.simulated.clock import utc_ms


def test_utc_ms_agrees_with_the_machine() -> None:
    before = time.clock_gettime_ns(time.CLOCK_REALTIME) // 1_000_000
    assert before <= utc_ms() <= time.clock_gettime_ns(time.CLOCK_REALTIME) // 1_000_000
