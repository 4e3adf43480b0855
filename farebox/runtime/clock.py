"""The machine's two clocks.

The one rule: this is the only module that reads a clock; everything else is handed a `Clock` or an
instant. It must not know what the time is used for.
"""

import time
from typing import Protocol

from farebox.core.instant import BootMs, UtcMs

_NANOS_PER_MS = 1_000_000


class Clock(Protocol):
    """What the two processes ask the time of."""

    def utc(self) -> UtcMs:
        """Milliseconds since 1970: which window it is. It may jump."""

    def boot(self) -> BootMs:
        """Milliseconds since the machine started, suspension included: how long something took."""


class SystemClock:
    """The clocks of this machine."""

    def utc(self) -> UtcMs:
        return UtcMs(time.time_ns() // _NANOS_PER_MS)

    def boot(self) -> BootMs:
        # CLOCK_MONOTONIC stands still while a machine sleeps, CLOCK_BOOTTIME does not: a lease must
        # not live on through a suspension.
        return BootMs(time.clock_gettime_ns(time.CLOCK_BOOTTIME) // _NANOS_PER_MS)
