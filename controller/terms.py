"""The terms on which money is lent: how long things last.

The one rule: every duration of the engine has its name here. This module must not know where the
values come from.
"""

from dataclasses import dataclass
from typing import NamedTuple

from farebox.core.instant import DurationMs


class Beat(NamedTuple):
    """How often a holder reports at present, and how long it may spend after a report."""

    heartbeat: DurationMs
    ttl: DurationMs


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """Durations in milliseconds.

    `heartbeat`: how often a holder reports where there are few. `ttl`: how long it may spend after
    a report. Where there are many it reports less often, so that all together make no more than
    `beats_per_second`, down to once in `heartbeat_max`; each second that this takes longer adds two
    to the time to live. `recall_wait`: how long others wait for what a holder was asked to give
    back. `recall_rest`: how long a holder that gave nothing is then left alone. `retry`: when to
    ask again for money that calls hold. `window_margin`: so long before a window ends, at most a
    tenth of it, nothing of it is lent or held any more, so that what a holder sends arrives within
    the window that pays for it. `forget_after`: how long a window is kept after its end, and an
    idle lease without an end. `write_off_after`: how long past its deadline a holder is silent
    before what it was lent of token buckets counts as spent. `line_wait`: how long what comes free
    is kept for the first in a line. `drift_ppm`: how far a holder's clock may run off, in parts per
    million.
    """

    heartbeat: DurationMs = DurationMs(5_000)
    ttl: DurationMs = DurationMs(15_000)
    recall_wait: DurationMs = DurationMs(500)
    recall_rest: DurationMs = DurationMs(1_000)
    retry: DurationMs = DurationMs(1_000)
    window_margin: DurationMs = DurationMs(250)
    forget_after: DurationMs = DurationMs(24 * 3_600_000)
    write_off_after: DurationMs = DurationMs(60_000)
    line_wait: DurationMs = DurationMs(1_000)
    drift_ppm: int = 500
    heartbeat_max: DurationMs = DurationMs(60_000)
    beats_per_second: int = 2

    @property
    def ttl_max(self) -> DurationMs:
        """The longest that any holder may spend after a report."""
        return self._stretched(self.heartbeat_max).ttl

    def beat(self, holders: int) -> Beat:
        """How often each of so many holders reports, and what that is worth."""
        spread = DurationMs(holders * 1_000 // self.beats_per_second)
        return self._stretched(min(spread, self.heartbeat_max))

    def _stretched(self, heartbeat: DurationMs) -> Beat:
        longer = max(heartbeat, self.heartbeat)
        return Beat(longer, DurationMs(self.ttl + 2 * (longer - self.heartbeat)))
