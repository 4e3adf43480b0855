"""How much money a (sub-)pool's calls will want: the sidecar's half of adaptive lease sizes.

A rate of worst-case money per second, averaged over heartbeats, says how much to ask for beyond the
calls that wait, when to ask before the lease is empty, and what to give back. The one rule: whole
nano-dollars only. This module must not know messages or leases.
"""

from typing import Final, NamedTuple

from farebox.core.instant import DurationMs
from farebox.core.money import ZERO, Nanos, divide_down

FIRST_CALLS: Final = 8
"""Before a rate is known, ask for this many calls like the last one."""

IDLE_BEATS: Final = 2
"""After so many heartbeats without a hold, everything is given back."""

KEEP_FACTOR: Final = 2
"""Money beyond this many times the target is given back."""

LOW_WATER: Final = 4
"""Ask for more when less than the target divided by this is free."""


class Demand(NamedTuple):
    """The demand of one (sub-)pool. `rate`: n$ per second of worst cases; `pending`: this beat."""

    rate: Nanos = ZERO
    pending: Nanos = ZERO
    last: Nanos = ZERO
    idle_beats: int = 0

    def target(self, horizon: DurationMs) -> Nanos:
        """The free money that lasts for `horizon` at the present rate, or for the first calls.

        A flow that grows within a beat doubles what is wanted until the beat has measured it.
        """
        first = FIRST_CALLS * self.last if self.idle_beats == 0 else 0
        return Nanos(max(self.rate * horizon // 1000, first, self.pending))

    def is_low(self, headroom: Nanos, horizon: DurationMs) -> bool:
        """Whether it is time to ask for more."""
        return headroom * LOW_WATER < self.target(horizon)

    def to_keep(self, horizon: DurationMs) -> Nanos | None:
        """What not to give back now; None, all of it, while nothing is known of this pool."""
        if self.idle_beats >= IDLE_BEATS:
            return ZERO
        if not self.last:
            return None
        return Nanos(KEEP_FACTOR * max(self.target(horizon), self.last))


NOTHING_KNOWN: Final = Demand()


def after_hold(demand: Demand, amount: Nanos) -> Demand:
    """The demand after one more hold."""
    return Demand(demand.rate, Nanos(demand.pending + amount), amount, 0)


def after_beat(demand: Demand, interval: DurationMs) -> Demand:
    """The demand after a heartbeat: half the old rate, half that of the beat."""
    beat = divide_down(demand.pending * 1000, max(1, interval))
    return demand._replace(
        rate=Nanos(divide_down(demand.rate + beat, 2)),
        pending=ZERO,
        idle_beats=0 if demand.pending else demand.idle_beats + 1,
    )
