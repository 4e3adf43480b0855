"""The policy of one pod: everything that its sidecar needs to decide about calls.

The one rule: a policy is replaced whole and atomically; a bad resource never gets into one. This
module must not know where resources come from.
"""

from dataclasses import dataclass, field

from farebox.core.budgets import Pool, request_cap
from farebox.core.tasks import RoutingPolicy, TaskMarks, TaskProfile
from farebox.core.tiers import Catalogue


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Pools of the pod (leaves first), tiers, tasks and routing, as of one generation."""

    generation: int = 0
    pools: tuple[Pool, ...] = ()
    catalogue: Catalogue = field(default_factory=Catalogue)
    tasks: tuple[TaskProfile, ...] = ()
    routing: RoutingPolicy = field(default_factory=RoutingPolicy)
    marks: TaskMarks = field(init=False, repr=False, compare=False)
    request_cap: Pool | None = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Work out once what every call asks for."""
        object.__setattr__(self, "marks", TaskMarks(self.tasks))
        object.__setattr__(self, "request_cap", request_cap(self.pools))
