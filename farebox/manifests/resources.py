"""The resources that are in force, how they are named, and what was wrong with those that are not.

The one rule: everything here is a value; a resource is named by its kind, namespace and name, and a
problem by file, line and field. This module must not know YAML or any kind's fields.
"""

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from farebox.core.budgets import Pool, PoolUid
from farebox.core.tasks import RoutingPolicy, TaskProfile
from farebox.core.tiers import Catalogue, Tier

Value = Pool | Tier | TaskProfile | RoutingPolicy
"""What a resource is in the core."""


EVERYWHERE: Final = "*"
"""In place of a namespace: all of them. No namespace can have this name."""


class Kind(enum.StrEnum):
    """The kinds of resource."""

    BUDGET_POOL = "BudgetPool"
    MODEL_TIER = "ModelTier"
    TASK_PROFILE = "TaskProfile"
    ROUTING_POLICY = "RoutingPolicy"


@dataclass(frozen=True, slots=True)
class ResourceId:
    """Names one resource; `namespace` is "" for a `ModelTier`, which belongs to none."""

    kind: Kind
    namespace: str
    name: str

    def __str__(self) -> str:
        return "/".join(part for part in (self.kind, self.namespace, self.name) if part)


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """What is wrong in one place, and what to write instead.

    `line` counts from 1 (0: the file as a whole); `resource` and `field` are "" where not known,
    and `file` where the resource comes from an API server.
    """

    file: str
    line: int
    resource: str = ""
    field: str = ""
    message: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        return ": ".join(part for part in (place, self.resource, self.field, self.message) if part)


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One resource as a file has it. `value` is None when the resource could not be read.

    `lines` maps each field path of the document ("spec.limit") to its line. A resource of an API
    server has no file ("") and no lines.
    """

    id: ResourceId
    file: str
    lines: Mapping[str, int]
    value: Value | None

    @property
    def place(self) -> str:
        """Where the resource begins, for people."""
        return f"{self.file}:{self.line_of('')}" if self.file else str(self.id)

    def line_of(self, path: str) -> int:
        """The line of a field, or of the nearest field around it that is written."""
        return line_of(self.lines, path)


def line_of(lines: Mapping[str, int], path: str) -> int:
    """The line of a field path, or of the nearest path around it; 0 when nothing is known."""
    while path and path not in lines:
        path = path[: max(path.rfind("."), path.rfind("["), 0)]
    return lines.get(path, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """All resources in force. `tasks` and `routing` are by namespace.

    `closed` are the namespaces for which a limit is written that was never good (EVERYWHERE for
    all): what it would cap must not begin to spend without it.
    """

    pools: Mapping[PoolUid, Pool] = field(default_factory=dict)
    catalogue: Catalogue = field(default_factory=Catalogue)
    tasks: Mapping[str, tuple[TaskProfile, ...]] = field(default_factory=dict)
    routing: Mapping[str, RoutingPolicy] = field(default_factory=dict)
    closed: frozenset[str] = frozenset()

    def is_closed(self, namespace: str) -> bool:
        """Whether sidecars of a namespace get no policy until its limits can be enforced."""
        return not self.closed.isdisjoint({namespace, EVERYWHERE})
