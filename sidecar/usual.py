"""What calls are usually like: how often they come, and what they cost on either side.

A side is the weak or the strong models of a pair. Calls are not alike, and those that go strong are
not like those that do not; so what a side costs in the mean is what every call was expected to cost
there, corrected by what the calls that went there did cost. The one rule: money is whole
nano-dollars, only calls are counted in fractions. This module must not know pools or policies.
"""

from math import ceil, exp
from typing import Final

from farebox.core.instant import BootMs, DurationMs
from farebox.core.money import ZERO, Nanos, divide_up

CALLS_KEPT: Final = 2_000
"""When so many calls are in a sum, half of it is dropped: old calls count less and less."""

SURE_CALLS: Final = 4
"""An expected cost counts as if so many calls had cost just that."""

START_PART: Final = 200
START_MS_MAX: Final = 60_000
"""A rate is taken as if nobody had called for so much longer before the first call: the time left
divided by START_PART, this at most. Ten calls at once do not mean a hundred a second until night.
"""

MEMORY_PART: Final = 4
MEMORY_MS_MIN: Final = 10_000
MEMORY_MS_MAX: Final = 24 * 3_600_000
"""Calls count less from the time left divided by MEMORY_PART on, within these bounds.

Of the parts 1, 2, 4 and 8 this one let no pool run dry when most calls came late in the window, and
lost least where they came in bursts or by day only. A day at most, since days are alike.
"""


class CallRate:
    """How often calls come; `fresh` counts those since the last look."""

    __slots__ = ("_at", "_calls", "_over", "fresh")

    def __init__(self, now: BootMs) -> None:
        self.fresh = 0
        self._at = now
        self._calls = self._over = 0.0

    def expected(self, left: DurationMs, now: BootMs) -> int:
        """How many calls are likely to come in the time left, this one among them."""
        elapsed = now - self._at
        memory = min(max(left // MEMORY_PART, MEMORY_MS_MIN), MEMORY_MS_MAX)
        kept = exp(-elapsed / memory)
        self._calls = self._calls * kept + self.fresh
        self._over = self._over * kept + elapsed
        self.fresh, self._at = 0, now
        watched = self._over + min(left // START_PART, START_MS_MAX)
        return max(1, ceil(self._calls * left / watched)) if watched else 1


class Costs:
    """What calls would cost on one side, and what those that went there did cost."""

    __slots__ = ("_asked", "_calls", "_cost", "_expected", "_served")

    def __init__(self) -> None:
        self._calls = self._served = 0
        self._asked = self._expected = self._cost = ZERO

    def offer(self, expected: Nanos) -> None:
        """A call has come that would be expected to cost so much here."""
        if self._calls >= CALLS_KEPT:
            self._calls //= 2
            self._asked = Nanos(self._asked // 2)
        self._calls += 1
        self._asked = Nanos(self._asked + expected)

    def settle(self, expected: Nanos, cost: Nanos) -> None:
        """A call that went here has cost so much."""
        if self._served >= CALLS_KEPT:
            self._served //= 2
            self._expected = Nanos(self._expected // 2)
            self._cost = Nanos(self._cost // 2)
        self._served += 1
        self._expected = Nanos(self._expected + expected)
        self._cost = Nanos(self._cost + cost)

    def mean(self) -> Nanos | None:
        """What a call costs here in the mean; None before the first one."""
        if not self._calls:
            return None
        usual = divide_up(self._asked, self._calls)
        sure = SURE_CALLS * usual
        return Nanos(divide_up(usual * (self._cost + sure), max(1, self._expected + sure)))


class Mix:
    """Of all calls that ended: how many the small model decided about, and what others cost."""

    __slots__ = ("_cost", "_held", "_other_cost", "_others", "_scored")

    def __init__(self) -> None:
        self._scored = self._others = 0
        self._other_cost = self._held = self._cost = ZERO

    def ended(self, *, scored: bool, held: Nanos, cost: Nanos) -> None:
        """A call has ended."""
        if self._scored + self._others >= CALLS_KEPT:
            self._scored //= 2
            self._others //= 2
            self._other_cost = Nanos(self._other_cost // 2)
            self._held, self._cost = Nanos(self._held // 2), Nanos(self._cost // 2)
        self._scored += scored
        self._others += not scored
        self._other_cost = Nanos(self._other_cost + (ZERO if scored else cost))
        self._held, self._cost = Nanos(self._held + held), Nanos(self._cost + cost)

    def others(self, calls: int) -> tuple[int, Nanos]:
        """Of so many calls, those that will not ask the small model, and what they will cost."""
        seen = self._scored + self._others
        if not self._others:
            return 0, ZERO
        return calls * self._others // seen, Nanos(divide_up(calls * self._other_cost, seen))

    def cost_of(self, held: Nanos) -> Nanos:
        """What calls that hold so much are likely to cost; all of it while none has ended."""
        return Nanos(divide_up(held * self._cost, self._held)) if self._held else held
