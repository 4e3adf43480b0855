"""The policy that is in force: what the controller pushed last.

The one rule: it is swapped whole, and a call keeps the one that it began with. This module must not
know where policies come from.
"""

from collections.abc import Callable

from farebox.core.policy import Policy
from farebox.core.tasks import AUTO_MODEL


class PolicyHolder:
    """Holds the current policy; None until the controller has sent one.

    `fill` adds what a policy names and does not carry.
    """

    def __init__(self, fill: Callable[[Policy], Policy] = lambda policy: policy) -> None:
        self.current: Policy | None = None
        self._fill = fill

    def replace(self, policy: Policy) -> None:
        """Put a newer policy in force for the calls that begin from now on."""
        self.current = self._fill(policy)


def names_served(policy: Policy) -> tuple[str, ...]:
    """The model names that a caller may use: those of the tiers, and those that leave it open."""
    names = [AUTO_MODEL]
    names += [alias for task in policy.tasks for alias in task.match.aliases]
    names += [model.name for _, model in policy.catalogue]
    return tuple(dict.fromkeys(names))
