"""The policy of one pod: everything that its sidecar needs to decide about calls.

The one rule: a policy is replaced whole and atomically; a bad resource never gets into one. This
module must not know where resources come from.
"""

from dataclasses import dataclass, field

from farebox.core.budgets import Pool, request_cap
from farebox.core.scoring import Weights
from farebox.core.shortcuts import Shortcut
from farebox.core.tasks import RoutingPolicy, TaskMarks, TaskProfile
from farebox.core.tiers import Catalogue


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Pools of the pod (leaves first), tiers, tasks and routing, as of one generation.

    `scorer` is the small model that the routing names and `shortcuts` stand in for it; both are
    filled in by the sidecar and never on the wire. Without a scorer nothing is saved by guessing.
    """

    generation: int = 0
    pools: tuple[Pool, ...] = ()
    catalogue: Catalogue = field(default_factory=Catalogue)
    tasks: tuple[TaskProfile, ...] = ()
    routing: RoutingPolicy = field(default_factory=RoutingPolicy)
    scorer: Weights | None = field(default=None, repr=False, compare=False)
    shortcuts: tuple[Shortcut, ...] = field(default=(), repr=False, compare=False)
    marks: TaskMarks = field(init=False, repr=False, compare=False)
    request_cap: Pool | None = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Work out once what every call asks for."""
        object.__setattr__(self, "marks", TaskMarks(self.tasks))
        object.__setattr__(self, "request_cap", request_cap(self.pools))
