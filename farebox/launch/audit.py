"""The audit: which tasks a workload has, how each is recognised, and what each still lacks.

The one rule: a task counts as told only when a rule names it (a tag, an alias, a path, a system
prompt); what heuristics found is a guess, and proposed as a profile to be confirmed. This module
must not know files.
"""

import enum
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from farebox.core.money import Nanos
from farebox.core.reasons import Reason
from farebox.core.tasks import TaskProfile
from farebox.core.tiers import Tier

SYSTEMS_SHOWN_MAX: Final = 5


class Recognised(enum.StrEnum):
    """How a call's task was found."""

    TAG = "tag or alias"
    RULE = "path or system prompt"
    HEURISTIC = "heuristics"
    UNKNOWN = "not recognised"


_BY_REASON: Final[Mapping[str, Recognised]] = {
    Reason.TASK_TAGGED.value: Recognised.TAG,
    Reason.TASK_MATCHED.value: Recognised.RULE,
    Reason.HEURISTIC_MATCHED.value: Recognised.HEURISTIC,
}

_ADVISED: Final[Mapping[str, int]] = {
    "classification": 0,
    "extraction": 0,
    "summarization": 1,
    "rag": 1,
    "reasoning": 2,
    "code": 2,
}
"""Where a task type begins, as places among the tiers from the lowest, until it is profiled."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One call as it was seen. `reason` is a member of `Reason`; `system` a fingerprint or ""."""

    task: str
    reason: str
    cost: Nanos = Nanos(0)
    system: str = ""


@dataclass(slots=True, kw_only=True)
class TaskFound:
    """All calls of one task ("" for those not recognised)."""

    task: str
    profile: TaskProfile | None
    calls: int = 0
    cost: Nanos = Nanos(0)
    recognised: dict[Recognised, int] = field(default_factory=dict)
    systems: dict[str, int] = field(default_factory=dict)

    @property
    def lacks(self) -> list[str]:
        """What stands between this task and routing it with confidence."""
        if not self.task:
            return ["a tag: send the task's name in the task header"]
        if self.profile is None:
            return ["TaskProfile", "gates", "baseline"]
        lacking = [] if self.profile.gates else ["gates"]
        return [*lacking, *([] if self.profile.baseline else ["baseline"])]


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """The tasks, those with most calls first, and how many calls there were in all."""

    tasks: Sequence[TaskFound]
    calls: int

    @property
    def untagged(self) -> int:
        """Calls whose task no rule names."""
        told = (Recognised.TAG, Recognised.RULE)
        return self.calls - sum(task.recognised.get(how, 0) for task in self.tasks for how in told)


def audit(calls: Iterable[Seen], profiles: Sequence[TaskProfile]) -> Audit:
    """Count calls by task; tasks with a profile are there even when nobody called."""
    found = {one.name: TaskFound(task=one.name, profile=one) for one in profiles}
    total = 0
    for seen in calls:
        total += 1
        task = found.setdefault(seen.task, TaskFound(task=seen.task, profile=None))
        how = _BY_REASON.get(seen.reason, Recognised.UNKNOWN)
        task.calls += 1
        task.cost = Nanos(task.cost + seen.cost)
        task.recognised[how] = task.recognised.get(how, 0) + 1
        if seen.system:
            task.systems[seen.system] = task.systems.get(seen.system, 0) + 1
    ordered = sorted(found.values(), key=lambda task: (-task.calls, task.task))
    return Audit(tasks=ordered, calls=total)


def proposed_profiles(found: Audit, tiers: Sequence[Tier], namespace: str) -> list[dict[str, Any]]:
    """TaskProfiles, as documents, for tasks that have calls and no profile.

    They name the system prompts that were seen, so that such calls are recognised by rule. Gates
    and baseline are left to the team and to `farebox profile`.
    """
    by_rank = sorted(tiers, key=lambda tier: tier.rank)
    return [
        _document(task, by_rank, namespace)
        for task in found.tasks
        if task.task and task.profile is None and task.calls and by_rank
    ]


def _document(task: TaskFound, by_rank: Sequence[Tier], namespace: str) -> dict[str, Any]:
    place = min(_ADVISED.get(task.task, len(by_rank) - 1), len(by_rank) - 1)
    often = sorted(task.systems, key=lambda system: -task.systems[system])[:SYSTEMS_SHOWN_MAX]
    match = {"modelAliases": [f"farebox/{task.task}"], "systemFingerprints": often}
    return {
        "apiVersion": "farebox.dev/v1alpha1",
        "kind": "TaskProfile",
        "metadata": {"name": task.task, "namespace": namespace},
        "spec": {
            "match": {name: values for name, values in match.items() if values},
            "defaultTier": by_rank[place].name,
        },
    }
