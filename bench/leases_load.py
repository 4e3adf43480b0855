"""The load of the lease benchmark: who calls how often, what calls hold, cost and take.

Few sidecars make most of the calls (a Pareto distribution), few calls cost much (a lognormal one),
and what a call must hold is 1.5 to 6 times what it costs in the end. The one rule: a seed gives
every policy the same calls at the same times. This module must not know any policy.
"""

import math
import random
from dataclasses import dataclass
from typing import Final, NamedTuple

from farebox.core.money import NANOS_PER_DOLLAR, Nanos

PARETO_SHAPE: Final = 1.3
COST_SPREAD: Final = 1.0
"""Sigma of the logarithm of a call's cost."""

WORST_LEAST, WORST_MOST = 1.5, 6.0
CALL_MS_MIN: Final = 1_000
CALL_MS_MAX: Final = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What one run is made of. `calls_per_minute` is the mean of a sidecar.

    A run ends when `END_PERCENT` of the limit are spent or held, or after `horizon_ms`. A crash
    takes a sidecar with all its memory of money every `crash_every_ms`; another takes its place.
    """

    sidecars: int
    limit: Nanos
    horizon_ms: int
    cost_mean: Nanos = Nanos(NANOS_PER_DOLLAR // 200)
    calls_per_minute: int = 120
    crash_every_ms: int | None = None


class Work(NamedTuple):
    """One call: what it must hold, what it costs, how long it takes, when the next one comes."""

    worst: Nanos
    cost: Nanos
    takes_ms: int
    next_ms: int


class Source:
    """The calls of one sidecar, without end."""

    def __init__(self, load: Load, *, seed: int, sidecar: int, per_ms: float) -> None:
        """`per_ms` is this sidecar's rate of calls."""
        self._random = random.Random(f"{seed}/{sidecar}")
        self._per_ms = per_ms
        self._mu = math.log(load.cost_mean) - COST_SPREAD**2 / 2

    def pause_ms(self) -> int:
        """How long until the next call."""
        return round(self._random.expovariate(self._per_ms))

    def next(self) -> Work:
        """The next call."""
        draw = self._random
        cost = max(1, round(draw.lognormvariate(self._mu, COST_SPREAD)))
        return Work(
            worst=Nanos(round(cost * draw.uniform(WORST_LEAST, WORST_MOST))),
            cost=Nanos(cost),
            takes_ms=round(draw.uniform(CALL_MS_MIN, CALL_MS_MAX)),
            next_ms=self.pause_ms(),
        )


def sources(load: Load, seed: int) -> tuple[Source, ...]:
    """One source for each sidecar; all together they make the load's mean."""
    draw = random.Random(seed)
    weights = [draw.paretovariate(PARETO_SHAPE) for _ in range(load.sidecars)]
    per_ms = load.sidecars * load.calls_per_minute / 60_000 / sum(weights)
    return tuple(
        Source(load, seed=seed, sidecar=number, per_ms=weight * per_ms)
        for number, weight in enumerate(weights)
    )
