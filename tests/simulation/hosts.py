"""The clocks of simulated machines: off, drifting, set by hand, asleep.

True time is that of the event loop, in seconds; each machine makes three clocks of it. The one
rule: only `set_utc` moves the wall clock by a jump, and nothing moves the others back. This module
must not know who reads them.
"""

from typing import Final, Protocol

from farebox.core.instant import BootMs, UtcMs

START_UTC_MS: Final = 1_790_000_000_000
BOOT_MS: Final = 1_000_000

ASLEEP_LOOK_S: Final = 0.05
"""How often the timers of a sleeping machine are looked at."""


class Host:
    """One machine. `drift` is how much faster its clocks run than the true time (0.01: 1 %)."""

    def __init__(self, name: str, *, drift: float = 0.0, utc_off_ms: int = 0) -> None:
        self.name = name
        self.boots = 1
        self._rate = 1.0 + drift
        self._utc_off_ms = utc_off_ms
        self._booted_at = 0.0
        self._slept = 0.0
        self._asleep_since: float | None = None

    @property
    def boot_id(self) -> str:
        """What the kernel calls this run of the machine."""
        return f"{self.name}-{self.boots}"

    def monotonic(self, now: float) -> float:
        """Seconds on the clock of timers, which stands still while the machine sleeps."""
        awake_until = now if self._asleep_since is None else self._asleep_since
        return (awake_until - self._slept) * self._rate

    def boot_ms(self, now: float) -> BootMs:
        """Milliseconds since the machine started, sleep included."""
        return BootMs(BOOT_MS + int((now - self._booted_at) * self._rate * 1000 + 0.5))

    def utc_ms(self, now: float) -> UtcMs:
        """What the wall clock says."""
        return UtcMs(START_UTC_MS + self._utc_off_ms + int(now * self._rate * 1000 + 0.5))

    def reboot(self, now: float) -> None:
        """Start anew: another boot id, and a boot clock that begins again."""
        self.boots += 1
        self._booted_at = now

    def set_utc(self, by_ms: int) -> None:
        """Set the wall clock forwards or backwards."""
        self._utc_off_ms += by_ms

    @property
    def sleeps(self) -> bool:
        """Whether the machine is suspended now."""
        return self._asleep_since is not None

    def fall_asleep(self, now: float) -> None:
        """Suspend the machine."""
        self._asleep_since = now

    def wake(self, now: float) -> None:
        """Let the machine go on."""
        assert self._asleep_since is not None
        self._slept += now - self._asleep_since
        self._asleep_since = None

    def is_due(self, due: float, now: float) -> bool:
        """Whether a timer for `due` on this machine's clock has gone off."""
        return self.monotonic(now) >= due - 1e-9

    def true_time(self, due: float, now: float) -> float:
        """When to look at a timer: when it goes off, if the machine does not sleep until then."""
        rest = max(0.0, due - self.monotonic(now)) / self._rate
        return now + (rest if self._asleep_since is None else max(rest, ASLEEP_LOOK_S))


class TrueTime(Protocol):
    """Where the true time is read: the event loop."""

    now: float


class HostClock:
    """A machine's clocks as the product reads them."""

    def __init__(self, host: Host, time: TrueTime) -> None:
        self._host = host
        self._time = time

    def utc(self) -> UtcMs:
        return self._host.utc_ms(self._time.now)

    def boot(self) -> BootMs:
        return self._host.boot_ms(self._time.now)
