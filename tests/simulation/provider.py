"""The simulated provider whose bills are the only judge of what was really spent.

It bills what reaches it, whatever becomes of the caller. The one rule: it shares no figure with the
product; even the (sub-)pools of a call are worked out by the simulation itself. This module must
not know limits.
"""

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from farebox.core.budgets import Charge
from farebox.core.leases import LeaseId
from tests.simulation.kernel import Process, SimLoop


@dataclass(slots=True, kw_only=True)
class Attempt:
    """One call on its way to the provider. `worst` is what the caller holds for it, in n$.

    `leases` is where it is booked. `passed` are (sub-)pools that let it pass without the money: it
    is booked there if there is a lease. `late`: its process was stopped between the last check and
    the sending.
    """

    number: int
    sidecar: str
    leases: tuple[LeaseId, ...]
    passed: frozenset[Charge] = frozenset()
    worst: int
    cost: int
    sent_at: float
    arrived_at: float | None = None
    billed: bool = False
    late: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Manners:
    """How the provider behaves; probabilities for each call, times in seconds."""

    answer_max: float = 0.8
    slow: float = 0.0
    slow_max: float = 8.0
    overrun: float = 0.0
    refuses: float = 0.0
    unreachable: float = 0.0
    loses_answer: float = 0.0


class Answer(NamedTuple):
    """What comes back: the cost in n$; None when nothing was billed."""

    cost: int | None


class Provider:
    """Receives attempts, bills them, answers.

    `arrived` is called when a call has come, `judge` after each bill.
    """

    def __init__(
        self,
        loop: SimLoop,
        rng: random.Random,
        manners: Manners,
        *,
        arrived: Callable[[Attempt], None],
        judge: Callable[[Attempt], None],
    ) -> None:
        self.counts: Counter[str] = Counter()
        self.manners = manners
        self._loop = loop
        self._rng = rng
        self._arrived = arrived
        self._judge = judge

    def cost_of(self, worst: int) -> int:
        """What a call that may cost `worst` will cost."""
        if self._rng.random() < self.manners.overrun:
            return worst + self._rng.randint(1, worst)
        return worst if self._rng.random() < 0.2 else self._rng.randint(0, worst)

    def receive(
        self, attempt: Attempt, caller: Process, answer: Callable[[Answer], None], *, late: float
    ) -> None:
        """Take a call that leaves now (or `late` seconds from now) and answer its caller."""
        rng, manners = self._rng, self.manners
        if rng.random() < manners.unreachable:
            self.counts["provider unreachable"] += 1
            self._loop.after(rng.uniform(0.001, 0.5), lambda: answer(Answer(None)), caller)
            return
        delay = rng.uniform(0.0005, 0.02)
        self._loop.after(late, lambda: self._leave(attempt, caller, answer, delay), None)

    def _leave(
        self, attempt: Attempt, caller: Process, answer: Callable[[Answer], None], delay: float
    ) -> None:
        if not caller.alive:
            self.counts["killed between check and send"] += 1
            return
        attempt.sent_at = self._loop.now
        self._loop.after(delay, lambda: self._arrive(attempt, caller, answer), None)

    def _arrive(self, attempt: Attempt, caller: Process, answer: Callable[[Answer], None]) -> None:
        rng, manners = self._rng, self.manners
        attempt.arrived_at = self._loop.now
        self._arrived(attempt)
        takes = rng.uniform(0.01, manners.answer_max)
        if rng.random() < manners.slow:
            self.counts["answer late"] += 1
            takes = rng.uniform(manners.answer_max, manners.slow_max)
        if rng.random() < manners.refuses:
            self.counts["provider refused"] += 1
            self._loop.after(takes, lambda: answer(Answer(None)), caller)
            return
        self._loop.after(takes, lambda: self._bill(attempt, caller, answer), None)

    def _bill(self, attempt: Attempt, caller: Process, answer: Callable[[Answer], None]) -> None:
        attempt.billed = True
        if attempt.cost > attempt.worst:
            self.counts["cost overrun"] += 1
        self._judge(attempt)
        if self._rng.random() < self.manners.loses_answer:
            self.counts["answer lost after billing"] += 1
            return
        if not caller.alive:
            self.counts["billed for a dead caller"] += 1
        self._loop.after(
            self._rng.uniform(0.0005, 0.02), lambda: answer(Answer(attempt.cost)), caller
        )
