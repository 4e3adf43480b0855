"""The other policies: a pool in the middle that lends by one simple rule, and sidecars that ask.

They are given every advantage that the product does not have: answers take no time, nobody needs a
heartbeat (it is not counted) and yet what is idle is known as of the last ten seconds. The one
rule: a policy is four figures, and nothing else differs. This module must not know the product.
"""

import heapq
from dataclasses import dataclass
from typing import Final

from bench.leases_load import Work
from bench.leases_tally import Tally
from bench.leases_timeline import Timeline
from farebox.core.money import NANOS_PER_DOLLAR, Nanos

BEAT_MS: Final = 10_000
RECALLED_MAX: Final = 8
REST_MS: Final = 1_000
RECALL_PERCENT: Final = 125
KEPT_FACTOR: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """How much is lent: `fixed`, or what lasts for `horizon_s`, by shares of 1/`beta` if given."""

    name: str
    fixed: Nanos | None = None
    horizon_s: int = 0
    beta: int | None = None
    reclaim: bool = False


POLICIES: Final = (
    Policy(name="fixed $5", fixed=Nanos(5 * NANOS_PER_DOLLAR)),
    Policy(name="demand T=120", horizon_s=120),
    Policy(name="demand T=30", horizon_s=30),
    Policy(name="guided T=120 b=4", horizon_s=120, beta=4),
    Policy(name="fixed $5 + reclaim", fixed=Nanos(5 * NANOS_PER_DOLLAR), reclaim=True),
    Policy(name="demand T=120 + reclaim", horizon_s=120, reclaim=True),
    Policy(name="guided T=120 b=4 + reclaim", horizon_s=120, beta=4, reclaim=True),
    Policy(name="guided T=30 b=2 + reclaim", horizon_s=30, beta=2, reclaim=True),
)


@dataclass(slots=True)
class _Purse:
    """One sidecar's money; `reported` is what it had free at its last beat."""

    free: int = 0
    reported: int = 0
    rate: int = 0
    held_in_beat: int = 0
    largest: int = 0
    rests_until: int = 0
    life: int = 0


class Rival:
    """A fleet that works by a policy."""

    def __init__(self, policy: Policy, sidecars: int, timeline: Timeline, tally: Tally) -> None:
        self._policy = policy
        self._timeline = timeline
        self._tally = tally
        self._left = tally.limit
        self._purses = [_Purse() for _ in range(sidecars)]
        timeline.after(BEAT_MS, self._beat)

    def call(self, sidecar: int, work: Work) -> None:
        """A call comes in."""
        purse = self._purses[sidecar]
        purse.held_in_beat += work.worst
        purse.largest = max(purse.largest, work.worst)
        if purse.free < work.worst and not self._ask(purse, work.worst - purse.free):
            self._tally.refuse(work.worst)
            return
        purse.free -= work.worst
        self._tally.hold(work.worst)
        life = purse.life

        def end() -> None:
            self._tally.settle(work.worst, work.cost)
            # What a crashed sidecar had held comes back to nobody.
            if purse.life == life:
                purse.free += work.worst - work.cost
            else:
                self._tally.strand(Nanos(work.worst - work.cost))

        self._timeline.after(work.takes_ms, end)

    def crash(self, sidecar: int) -> None:
        """A sidecar is gone, another begins with nothing."""
        purse = self._purses[sidecar]
        self._tally.lose(Nanos(purse.free))
        purse.free = purse.reported = purse.rate = purse.held_in_beat = 0
        purse.life += 1

    def _ask(self, purse: _Purse, need: int) -> bool:
        self._tally.asks += 1
        self._tally.messages["ask"] += 1
        self._tally.messages["answer"] += 1
        if self._left < need and self._policy.reclaim:
            self._recall(purse, need)
        if self._left < need:
            return False
        grant = min(self._left, max(need, self._size(purse)))
        self._left = Nanos(self._left - grant)
        purse.free += grant
        purse.reported = purse.free
        return True

    def _size(self, purse: _Purse) -> int:
        """What is lent beyond the need."""
        if self._policy.fixed is not None:
            return self._policy.fixed
        want = max(purse.rate * self._policy.horizon_s, purse.largest)
        if self._policy.beta is None:
            return want
        return min(want, self._left // (self._policy.beta * len(self._purses)))

    def _recall(self, asking: _Purse, need: int) -> None:
        """One round of asking back from those who had most at their last beat."""
        now = self._timeline.now
        able = [p for p in self._purses if p is not asking and p.reported and p.rests_until <= now]
        missing = (need - self._left) * RECALL_PERCENT // 100
        for purse in heapq.nlargest(RECALLED_MAX, able, key=lambda p: p.reported):
            if missing <= 0:
                return
            self._tally.messages["recall"] += 1
            self._tally.messages["return"] += 1
            given = min(purse.free, missing)
            self._give_back(purse, given)
            missing -= given
            if not given:
                purse.rests_until = now + REST_MS

    def _give_back(self, purse: _Purse, amount: int) -> None:
        purse.free -= amount
        purse.reported = purse.free
        self._left = Nanos(self._left + amount)

    def _beat(self) -> None:
        for purse in self._purses:
            purse.rate = (purse.rate + purse.held_in_beat * 1_000 // BEAT_MS) // 2
            purse.held_in_beat = 0
            kept = KEPT_FACTOR * (self._policy.fixed or purse.rate * self._policy.horizon_s)
            if self._policy.reclaim and purse.free > kept:
                self._tally.messages["return"] += 1
                self._give_back(purse, purse.free - kept)
            purse.reported = purse.free
        self._timeline.after(BEAT_MS, self._beat)
