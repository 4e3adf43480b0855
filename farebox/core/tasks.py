"""Tasks: what calls are for, and the rules of routing that a team writes down.

The one rule: thresholds and keywords are values of a policy, never constants in code that decides.
This module must not know any single call.
"""

import enum
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final


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


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskMatch:
    """How calls of a task are recognised; any one of the filled fields suffices."""

    header_values: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    system_fingerprints: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskProfile:
    """One row of the task audit. Tiers are named; "" leaves a bound open."""

    name: str
    match: TaskMatch = field(default_factory=TaskMatch)
    default_tier: str
    floor_tier: str = ""
    ceiling_tier: str = ""
    consequence: Consequence = Consequence.LOW
    expected_output_tokens: int = 0
    output_tokens_min: int = 0


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
    """How a namespace routes. Difficulties are in thousandths, waits in milliseconds."""

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
