"""A clock that stands still until a test moves it."""

from farebox.core.instant import BootMs, DurationMs, UtcMs


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
