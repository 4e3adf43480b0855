"""What receipts measure of each task: how often first answers pass on each tier, and their cost.

The one rule: a tier is judged by first answers only; what it answers after an escalation are the
hard cases, and would make it look worse than it is. This module must not know thresholds.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from farebox.after.receipts import Past
from farebox.core.money import ZERO, Nanos, divide_up
from farebox.core.reasons import Reason
from farebox.core.tallies import BINS, bin_of
from farebox.core.usage import Usage
from farebox.launch.measures import rate_of, wilson


@dataclass(slots=True)
class Rate:
    """How many passed of how many; thousandths, with Wilson's 95 % interval."""

    of: int = 0
    passed: int = 0

    def count(self, *, passed: bool) -> None:
        """Add one answer."""
        self.of += 1
        self.passed += passed

    @property
    def value(self) -> int:
        return rate_of(self.passed, self.of)

    @property
    def low(self) -> int:
        return wilson(self.passed, self.of)[0]

    @property
    def high(self) -> int:
        return wilson(self.passed, self.of)[1]


@dataclass(slots=True)
class TierSeen:
    """A tier's first answers, judged or not, and what an answer of it costs."""

    first: Rate = field(default_factory=Rate)
    answers: int = 0
    cost: Nanos = ZERO

    @property
    def mean_cost(self) -> Nanos:
        """Of one answer, rounded up."""
        return Nanos(divide_up(self.cost, self.answers) if self.answers else 0)


@dataclass(slots=True)
class TaskSeen:
    """All calls of a task. `usages` is what served answers took."""

    task: str
    calls: int = 0
    gated: int = 0
    escalated: int = 0
    cost: Nanos = ZERO
    difficulties: list[int] = field(default_factory=lambda: [0] * BINS)
    tiers: dict[str, TierSeen] = field(default_factory=dict)
    usages: list[Usage] = field(default_factory=list)

    def tier(self, name: str) -> TierSeen:
        """One tier."""
        return self.tiers.setdefault(name, TierSeen())

    @property
    def escalation_rate(self) -> int:
        """In thousandths of the calls with gates."""
        return rate_of(self.escalated, self.gated)

    @property
    def shares(self) -> tuple[int, ...]:
        """The shares of the ten bins of difficulty, in thousandths."""
        return tuple(rate_of(count, self.calls) for count in self.difficulties)


def tasks_seen(calls: Iterable[Past]) -> dict[str, TaskSeen]:
    """Add up receipts by task."""
    tasks: dict[str, TaskSeen] = {}
    for past in calls:
        seen = tasks.setdefault(past.task, TaskSeen(task=past.task))
        _count(seen, past)
    return tasks


def scored_low(calls: Iterable[Past], tiers: frozenset[str]) -> Rate:
    """First answers of some tiers to calls that the small model sent there."""
    rate = Rate()
    for past in calls:
        if past.reason == Reason.MODEL_SCORED and past.answers and past.answers[0].tier in tiers:
            rate.count(passed=past.answers[0].passed)
    return rate


def _count(seen: TaskSeen, past: Past) -> None:
    seen.calls += 1
    seen.cost = Nanos(seen.cost + past.cost)
    seen.difficulties[bin_of(past.difficulty)] += 1
    usage = past.tokens()
    if usage is not None:
        seen.usages.append(usage)
    for attempt in past.attempts:
        if attempt.usage is not None or attempt.judged or attempt.model == past.model:
            tier = seen.tier(attempt.tier)
            tier.answers += 1
            tier.cost = Nanos(tier.cost + attempt.cost)
    if past.answers:
        first = past.answers[0]
        seen.gated += 1
        seen.escalated += past.escalations > 0
        seen.tier(first.tier).first.count(passed=first.passed)
