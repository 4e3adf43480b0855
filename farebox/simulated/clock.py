"""The one place of the simulated providers that reads the time.

The one rule: everything else gets a clock as an argument, so a test can give its own.
"""

import time
from collections.abc import Callable

Clock = Callable[[], int]
"""Gives UTC milliseconds since 1970."""


def utc_ms() -> int:
    return time.time_ns() // 1_000_000
