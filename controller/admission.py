"""The line at the door: how many sidecars a second are let in after all of them lost their stream.

The one rule: who comes first is let in first, and a line that would be longer than a sidecar waits
is refused at once, so that it comes back later. This module must not know streams or messages.
"""

import asyncio
from typing import Final

HELLOS_PER_S_MAX: Final = 500
"""So many Hellos are handed to the engine each second; each brings all leases of a holder."""

HELLOS_WAITING_MAX: Final = 2_500
"""The longest line: five seconds, half of what a sidecar waits for its Welcome."""


class LineFull(Exception):
    """Too many wait already, with a sentence."""


class Admission:
    """Lets callers through one after the other, at most `per_s` a second."""

    def __init__(
        self, *, per_s: int = HELLOS_PER_S_MAX, waiting_max: int = HELLOS_WAITING_MAX
    ) -> None:
        """Nobody waits yet."""
        self._gap_s = 1 / per_s
        self._waiting_max = waiting_max
        self._next_at = 0.0

    async def wait(self) -> None:
        """Return when it is the caller's turn. Raises LineFull."""
        now = asyncio.get_running_loop().time()
        at = max(now, self._next_at)
        if at - now > self._waiting_max * self._gap_s:
            raise LineFull(f"{self._waiting_max} sidecars wait to be let in; come again later")
        self._next_at = at + self._gap_s
        if at > now:
            await asyncio.sleep(at - now)
