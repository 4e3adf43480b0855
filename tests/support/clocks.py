"""A clock that stands still until a test moves it, and one that a test moves on."""

import asyncio

from farebox.core.instant import BootMs, DurationMs, UtcMs
from farebox.runtime.clock import SystemClock


class ManualClock:
    """Both clocks, moved together by `advance` and apart by `jump_utc`."""

    def __init__(self, utc: int = 1_790_000_000_000, boot: int = 1_000_000) -> None:
        self._utc = utc
        self._boot = boot

    def utc(self) -> UtcMs:
        return UtcMs(self._utc)

    def boot(self) -> BootMs:
        return BootMs(self._boot)

    def advance(self, duration: DurationMs | int) -> None:
        """Let time pass, in milliseconds."""
        self._utc += duration
        self._boot += duration

    def jump_utc(self, milliseconds: int) -> None:
        """Set the wall clock forwards or backwards, as an operator or NTP may do."""
        self._utc += milliseconds


class LoopClock:
    """The machine's clocks and the running loop's: a test can move all of them further on.

    For bounds that are over only because a test says so, however slow the machine is. To be made
    before whatever keeps time by the loop.
    """

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self._system = SystemClock()
        self._time = loop.time
        self._ahead_ms = 0
        vars(loop)["time"] = lambda: self._time() + self._ahead_ms / 1_000

    def utc(self) -> UtcMs:
        return UtcMs(self._system.utc() + self._ahead_ms)

    def boot(self) -> BootMs:
        return BootMs(self._system.boot() + self._ahead_ms)

    def advance(self, duration: DurationMs | int) -> None:
        """Let time pass, in milliseconds: what was to be done within so long is due now."""
        self._ahead_ms += duration
