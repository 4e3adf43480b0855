"""A bound on waiting that costs nothing while all goes well.

The one rule: moving the deadline later only writes a number; the timer notices when it fires. This
module must not know what is being waited for.
"""

import asyncio
from collections.abc import Callable
from math import inf


class Watchdog:
    """Calls `expired` once the deadline last set has passed without being moved or lifted."""

    def __init__(self, loop: asyncio.AbstractEventLoop, expired: Callable[[], None]) -> None:
        self._loop = loop
        self._time = loop.time
        self._expired = expired
        self._deadline: float | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._fires_at = inf

    def arm(self, ms_max: int) -> None:
        """Set the deadline `ms_max` milliseconds from now."""
        self._deadline = deadline = self._time() + ms_max / 1000
        if deadline < self._fires_at:
            self._fire_at(deadline)

    def lift(self) -> None:
        """Wait without a bound until `arm` is called again; the timer stays and is used again."""
        self._deadline = None

    def close(self) -> None:
        """Never fire again."""
        self._deadline = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer, self._fires_at = None, inf

    def _fire_at(self, deadline: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._fires_at = deadline
        self._timer = self._loop.call_at(deadline, self._fired)

    def _fired(self) -> None:
        self._timer, self._fires_at = None, inf
        if self._deadline is None:
            return
        if self._time() < self._deadline:
            self._fire_at(self._deadline)
            return
        self._deadline = None
        self._expired()
