"""Tasks: what calls are for, and the rules of routing that a team writes down.

The one rule: thresholds and keywords are values of a policy, never constants in code that decides.
This module must not know any single call.
"""

import enum
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Final

from farebox.core.gates import Gate
from farebox.core.instant import DurationMs


class Consequence(enum.StrEnum):
    """What a wrong answer costs downstream, apart from how hard the question is."""

    LOW = "Low"
    MEDIUM = "Medium"
    HIGH = "High"


class Freedom(enum.StrEnum):
    """How a concrete model name in a call is taken."""

    CEILING = "Ceiling"
    PINNED = "Pinned"
    HINT = "Hint"


class ClassifierKind(enum.StrEnum):
    """Which classifiers a policy uses."""

    RULES = "Rules"
    HEURISTIC = "Heuristic"
    MODEL = "Model"
    HYBRID = "Hybrid"
    CASCADE = "Cascade"


class AfterGates(enum.StrEnum):
    """What a caller gets when the last answer that was allowed failed its gates."""

    RETURN_LAST = "ReturnLast"
    REFUSE = "Refuse"


class StreamGate(enum.StrEnum):
    """What becomes of a stream whose task has gates: checked as a whole first, or not checked."""

    BUFFER = "Buffer"
    SKIP = "Skip"


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskMatch:
    """How calls of a task are recognised; any one of the filled fields suffices."""

    header_values: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    system_fingerprints: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Escalation:
    """How far a call may go up after an answer failed its gates.

    `steps_max` are further answers, `added_latency_max` is counted from the first answer.
    """

    steps_max: int = 2
    added_latency_max: DurationMs = DurationMs(30_000)
    after: AfterGates = AfterGates.RETURN_LAST


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """What a profiling run measured of a task. Shares are in thousandths.

    `measured` is a date (ISO), `catalogue` the version of the tiers at the time. `pass_rates` are
    by tier. `difficulties` is how many prompts fell into each of ten equal bins of difficulty; ()
    when that is unknown.
    """

    measured: str
    samples: int
    catalogue: str
    pass_rates: tuple[tuple[str, int], ...]
    escalation_rate: int = 0
    difficulties: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskProfile:
    """One row of the task audit. Tiers are named; "" leaves a bound open.

    `residency` are labels that a model must have to serve the task, all of them.
    """

    name: str
    match: TaskMatch = field(default_factory=TaskMatch)
    default_tier: str
    floor_tier: str = ""
    ceiling_tier: str = ""
    consequence: Consequence = Consequence.LOW
    expected_output_tokens: int = 0
    output_tokens_min: int = 0
    gates: tuple[Gate, ...] = ()
    escalation: Escalation = field(default_factory=Escalation)
    baseline: Baseline | None = None
    residency: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """See to it that no failed answer of high consequence is ever given out."""
        if self.consequence is Consequence.HIGH and self.escalation.after is not AfterGates.REFUSE:
            refusing = replace(self.escalation, after=AfterGates.REFUSE)
            object.__setattr__(self, "escalation", refusing)


class TaskMarks:
    """What names a task, looked up for every call; of several tasks with one mark the first has it.

    By rule: the task's own name or another header value, a model alias, a path, a system prompt.
    """

    __slots__ = ("aliases", "by_name", "paths", "systems", "tags")

    def __init__(self, tasks: Iterable[TaskProfile]) -> None:
        self.by_name: dict[str, TaskProfile] = {}
        self.tags: dict[str, TaskProfile] = {}
        self.aliases: dict[str, TaskProfile] = {}
        self.paths: dict[str, TaskProfile] = {}
        self.systems: dict[str, TaskProfile] = {}
        for task in tasks:
            self.by_name.setdefault(task.name, task)
            for tag in (task.name, *task.match.header_values):
                self.tags.setdefault(tag, task)
            for alias in task.match.aliases:
                self.aliases.setdefault(alias, task)
            for path in task.match.paths:
                self.paths.setdefault(path, task)
            for system in task.match.system_fingerprints:
                self.systems.setdefault(system, task)


AUTO_MODEL: Final = "farebox/auto"
"""The model name that leaves the choice open."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RoutingPolicy:
    """How a namespace routes. Difficulties and pass rates are in thousandths.

    `weights` names the small model's packaged weights or a file NAME.weights beside the sidecar;
    `quality` names its threshold, as the share of the strong model's quality that it keeps.
    `boundary_difficulty` is the difficulty at that threshold: below it the weak model suffices.
    """

    name: str = "default"
    classifier: ClassifierKind = ClassifierKind.HEURISTIC
    freedom: Freedom = Freedom.CEILING
    unsure_difficulty: int = 700
    high_consequence_difficulty: int = 600
    output_tokens_min: int = 16
    output_tokens_default: int = 4096
    session_header: str = "x-farebox-session"
    user_header: str = "x-farebox-user"
    workflow_header: str = "x-farebox-workflow"
    task_header: str = "x-farebox-task"
    priority_header: str = "x-farebox-priority"
    tier_header: str = "x-farebox-min-tier"
    residency_header: str = "x-farebox-residency"
    weights: str = "a"
    quality: str = "0.95"
    boundary_difficulty: int = 500
    pacing: bool = True
    streams: StreamGate = StreamGate.BUFFER
    escalation_alert_percent: int = 15
    schema_failure_alert_percent: int = 5
    drift_alert_percent: int = 20
    pass_rate_trusted: int = 950
    pass_rate_monitored: int = 850
