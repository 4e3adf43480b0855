"""How much money a (sub-)pool's calls will want: the sidecar's half of adaptive lease sizes.

What counts is how fast free money goes down: calls take their worst case and give most of it back,
so a lease for the worst cases of a minute would last for several. A rate of that, and how much it
scatters, say what to ask for beyond the calls that wait, when to ask before the lease is empty, and
what to give back. The one rule: whole nano-dollars only. This module must not know messages or
leases.
"""

from math import isqrt
from typing import Final, NamedTuple

from farebox.core.instant import BootMs, DurationMs
from farebox.core.money import ZERO, Nanos

FIRST_CALLS: Final = 32
"""Before a rate is known, ask for this many calls like the last one."""

IDLE_BEATS: Final = 2
"""After so many heartbeats without a hold, everything is given back."""

KEEP_FACTOR: Final = 2
"""Money beyond this many times the target is given back."""

LOW_WATER: Final = 4
"""Ask for more when less than the target divided by this is free."""

SCARCE_PART: Final = 2
"""Money is scarce when the last grant was less than the target divided by this."""

DEVIATIONS: Final = 1
"""So many standard deviations of what a horizon's calls take are asked for beyond the mean."""

HEAVINESS: Final = 3
"""Mean square of a hold over the square of its mean: few calls are large."""

LOOK_MS_MIN: Final = 2_000
"""A rate is not taken from a shorter time."""

RISE_MS: Final = 5_000
FALL_MS: Final = 30_000
"""Over so long a higher and a lower rate become the one that counts."""


class Demand(NamedTuple):
    """The demand of one (sub-)pool.

    `rate`: n$ per second by which free money goes down. `spread`: its standard deviation over a
    second. Since the last look at `looked_at`, when `spent` and `reserved` were the lease's,
    `calls` have held `held`, the last one `last`. `filled` is what was free after the last grant:
    who was lent less than it wanted must not ask again at once. `scarce`: that was so little that
    it is no use to ask before a call lacks money.
    """

    rate: Nanos = ZERO
    spread: Nanos = ZERO
    held: Nanos = ZERO
    calls: int = 0
    last: Nanos = ZERO
    idle_beats: int = 0
    looked_at: BootMs = BootMs(0)
    spent: Nanos = ZERO
    reserved: Nanos = ZERO
    filled: Nanos | None = None
    scarce: bool = False

    def target(self, horizon: DurationMs) -> Nanos:
        """The free money that lasts for `horizon`; while no rate is known, for the first calls."""
        if not self.rate and not self.spread:
            first = max(FIRST_CALLS * self.last, 2 * self.held)
            return Nanos(first if self.idle_beats == 0 else 0)
        scatter = self.spread * isqrt(horizon * 1_000) // 1_000
        return Nanos(self.rate * horizon // 1_000 + DEVIATIONS * scatter)

    def is_low(self, headroom: Nanos, horizon: DurationMs) -> bool:
        """Whether it is time to ask for more; never early while there is little to be had."""
        level = self.target(horizon)
        if self.filled is not None:
            level = min(level, self.filled)
        return not self.scarce and headroom * LOW_WATER < level

    def is_below(self, headroom: Nanos, horizon: DurationMs) -> bool:
        """Whether to ask for more since a message goes out anyway."""
        wanted = self.target(horizon) if self.idle_beats < IDLE_BEATS else ZERO
        return headroom * LOW_WATER < wanted * (LOW_WATER - 1)

    def to_keep(self, horizon: DurationMs) -> Nanos | None:
        """What not to give back now; None, all of it, while nothing is known of this pool."""
        if self.idle_beats >= IDLE_BEATS:
            return ZERO
        if not self.last:
            return None
        return Nanos(KEEP_FACTOR * max(self.target(horizon), self.last))


NOTHING_KNOWN: Final = Demand()


def after_grant(demand: Demand, headroom: Nanos, horizon: DurationMs) -> Demand:
    """The demand when a grant has come, and so much is free now."""
    scarce = headroom * SCARCE_PART < demand.target(horizon)
    return demand._replace(filled=headroom, scarce=scarce)


def after_look(demand: Demand, spent: Nanos, reserved: Nanos, now: BootMs) -> Demand:
    """The demand when so much of the lease is spent and held; a new lease counts from zero.

    Of the calls that ended since the last look it is known what part of their holds they have cost,
    and that part of what was held since is what free money goes down by: while the first calls are
    still under way, the holds alone would tell several times as much.
    """
    elapsed = now - demand.looked_at
    if not demand.looked_at:
        return demand._replace(looked_at=now, spent=spent, reserved=reserved, held=ZERO, calls=0)
    if elapsed < LOOK_MS_MIN:
        return demand
    cost = spent - demand.spent if spent >= demand.spent else spent
    ended = demand.reserved + demand.held - reserved
    use = demand.held if ended <= 0 else min(demand.held * cost // ended, max(demand.held, cost))
    # Independent calls: the variance of their sum is their number times the mean square of one.
    square = HEAVINESS * demand.held**2 // max(1, demand.calls)
    return demand._replace(
        rate=_towards(demand.rate, use * 1_000 // elapsed, elapsed),
        spread=_towards(demand.spread, isqrt(square * 1_000 // elapsed), elapsed),
        held=ZERO,
        calls=0,
        looked_at=now,
        spent=spent,
        reserved=reserved,
    )


def after_beat(demand: Demand, spent: Nanos, reserved: Nanos, now: BootMs) -> Demand:
    """The demand after a heartbeat."""
    idle = 0 if demand.calls else demand.idle_beats + 1
    return after_look(demand, spent, reserved, now)._replace(idle_beats=idle)


def _towards(old: Nanos, new: int, elapsed: int) -> Nanos:
    """Between old and new, nearer to the new the longer it was measured; the first counts whole."""
    if not old:
        return Nanos(new)
    inertia = RISE_MS if new > old else FALL_MS
    return Nanos((old * inertia + new * elapsed) // (inertia + elapsed))
