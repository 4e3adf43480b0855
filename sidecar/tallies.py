"""What became of this pod's calls, by task: numbers that only grow, told with reports now and then.

They live as long as the process; a restart counts from 0 under another incarnation. The one rule:
a call costs a look-up and a few additions here, and telling them never makes a message more. This
module must not know streams, or what the numbers are compared with.
"""

import secrets
from typing import Final

from farebox.core.gates import GateKind
from farebox.core.instant import BootMs, DurationMs
from farebox.core.reasons import Reason
from farebox.core.tallies import BINS, OTHER, Checks, ServedBy, Service, Tally, bin_of
from farebox.runtime.clock import Clock
from farebox.wire.messages import Tallies
from sidecar.commands import AttemptRecord, Outcome, Purpose
from sidecar.policy import PolicyHolder

TASKS_MAX: Final = 64
"""So many tasks are told apart; what comes later counts as "other"."""

SERVICES_MAX: Final = 64
"""So many models of a task are told apart."""

ALIKE_MAX: Final = 1_024
"""So many sorts of calls that went alike are counted aside; then they are added to their tasks."""

TOLD_BEATS: Final = 2
TOLD_MS_MAX: Final = DurationMs(15_000)
"""Tallies go with a report so many heartbeats after they last did, or so much later at most."""

INCARNATION_BITS: Final = 63

_UNSURE: Final = f"{Reason.MODEL_UNSURE}="


class _Service:
    __slots__ = ("calls", "cost", "failed", "judged")

    def __init__(self) -> None:
        self.calls = self.judged = self.failed = self.cost = 0


class _Checks:
    __slots__ = ("checked", "failed", "unrun")

    def __init__(self) -> None:
        self.checked = self.failed = self.unrun = 0


class _Task:
    """The numbers of one task; see `farebox.core.tallies.Tally`."""

    __slots__ = (
        "calls",
        "difficulties",
        "escalated",
        "gated",
        "gates",
        "refused",
        "services",
        "unmended",
        "unsure",
    )

    def __init__(self) -> None:
        self.calls = self.refused = self.gated = self.escalated = self.unmended = self.unsure = 0
        self.difficulties = [0] * BINS
        self.services: dict[tuple[str, str], _Service] = {}
        self.gates: dict[GateKind, _Checks] = {}

    def service(self, tier: str, model: str) -> _Service:
        """The numbers of a model."""
        known = self.services.get((tier, model))
        if known is None:
            by = (tier, model) if len(self.services) < SERVICES_MAX else (OTHER, OTHER)
            known = self.services.setdefault(by, _Service())
        return known

    def tally(self) -> Tally:
        """The numbers as a value."""
        return Tally(
            calls=self.calls,
            refused=self.refused,
            gated=self.gated,
            escalated=self.escalated,
            unmended=self.unmended,
            unsure=self.unsure,
            difficulties=tuple(self.difficulties),
            services={
                ServedBy(*by): Service(one.calls, one.judged, one.failed, one.cost)
                for by, one in self.services.items()
            },
            gates={
                kind: Checks(one.checked, one.failed, one.unrun) for kind, one in self.gates.items()
            },
        )


class TallyBook:
    """Counts finished calls, and says when there is something to tell."""

    def __init__(self, clock: Clock, policies: PolicyHolder) -> None:
        """`policies` say of what kind a task's gates are."""
        self._clock = clock
        self._policies = policies
        self._incarnation = secrets.randbits(INCARNATION_BITS)
        self._since = clock.boot()
        self._tasks: dict[str, _Task] = {}
        self._alike: dict[tuple[str, str, str, int, str], list[int]] = {}
        self._changed: set[str] = set()
        self._told_at: BootMs | None = None

    def finished(self, outcome: Outcome) -> None:
        """Count one call; what nearly all calls are with one look-up."""
        attempts = outcome.attempts
        if len(attempts) == 1 and outcome.model and not outcome.gate and outcome.refused is None:
            key = (outcome.task, outcome.tier, outcome.model, outcome.difficulty, outcome.rule)
            alike = self._alike.get(key)
            if alike is None:
                if len(self._alike) >= ALIKE_MAX:
                    self._fold()
                alike = self._alike[key] = [0, 0]
            alike[0] += 1
            alike[1] += attempts[0].cost
            return
        self._count(outcome)

    def _fold(self) -> None:
        """Add the calls that went alike to their tasks."""
        for (name, tier, model, difficulty, rule), (calls, cost) in self._alike.items():
            task = self._task(name)
            task.calls += calls
            task.difficulties[bin_of(difficulty)] += calls
            task.unsure += calls if rule.startswith(_UNSURE) else 0
            service = task.service(tier, model)
            service.calls += calls
            service.cost += cost
        self._alike.clear()

    def _task(self, name: str) -> _Task:
        task = self._tasks.get(name)
        if task is None:
            name = name if len(self._tasks) < TASKS_MAX else OTHER
            task = self._tasks.setdefault(name, _Task())
        self._changed.add(name)
        return task

    def _count(self, outcome: Outcome) -> None:
        task = self._task(outcome.task)
        task.calls += 1
        task.difficulties[bin_of(outcome.difficulty)] += 1
        if outcome.rule.startswith(_UNSURE):
            task.unsure += 1
        if outcome.refused is not None:
            task.refused += 1
        elif outcome.model:
            task.service(outcome.tier, outcome.model).calls += 1
        for attempt in outcome.attempts:
            task.service(attempt.tier, attempt.model).cost += attempt.cost
        if outcome.gate:
            self._count_gates(task, outcome)

    def begin(self) -> None:
        """A stream begins: nothing has been told on it."""
        self._fold()
        self._changed.update(self._tasks)
        self._told_at = None

    def due(self, now: BootMs, heartbeat: DurationMs) -> Tallies | None:
        """What to tell with a report that goes out now, None for nothing."""
        gap = min(TOLD_BEATS * heartbeat, TOLD_MS_MAX)
        if not (self._changed or self._alike) or (
            self._told_at is not None and now - self._told_at < gap
        ):
            return None
        return self.last(now)

    def last(self, now: BootMs) -> Tallies | None:
        """What to tell when nothing will be told after it."""
        self._fold()
        if not self._changed:
            return None
        told = {name: self._tasks[name].tally() for name in sorted(self._changed)}
        self._changed.clear()
        self._told_at = now
        age = DurationMs(now - self._since)
        return Tallies(incarnation=self._incarnation, age=age, tasks=told)

    def _count_gates(self, task: _Task, outcome: Outcome) -> None:
        judged = [one for one in outcome.attempts if _is_judged(one)]
        if not judged:
            return
        task.gated += 1
        task.escalated += outcome.escalations > 0
        task.unmended += not _passed(judged[-1])
        first = task.service(judged[0].tier, judged[0].model)
        first.judged += 1
        first.failed += not _passed(judged[0])
        kinds = self._kinds_of(outcome.task)
        for attempt in judged:
            _count_checks(task, attempt, kinds)

    def _kinds_of(self, task: str) -> dict[str, GateKind]:
        """The kinds of a task's gates by their names."""
        policy = self._policies.current
        profile = None if policy is None else policy.marks.by_name.get(task)
        return {} if profile is None else {gate.name: gate.kind for gate in profile.gates}


def _is_judged(attempt: AttemptRecord) -> bool:
    return bool(attempt.verdicts) and attempt.purpose is Purpose.ANSWER


def _passed(attempt: AttemptRecord) -> bool:
    return all(verdict.passed for verdict in attempt.verdicts)


def _count_checks(task: _Task, attempt: AttemptRecord, kinds: dict[str, GateKind]) -> None:
    for verdict in attempt.verdicts:
        kind = kinds.get(verdict.gate)
        if kind is None:
            # The policy has changed since the call began: what the gate was is not known any more.
            continue
        checks = task.gates.setdefault(kind, _Checks())
        if not verdict.ran:
            checks.unrun += 1
            continue
        checks.checked += 1
        checks.failed += not verdict.passed
