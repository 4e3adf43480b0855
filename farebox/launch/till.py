"""The money of a profiling run: a hard cap, with the worst case of every call held before it.

The one rule: spent plus held never exceeds the cap. This module must not know what is bought.
"""

from farebox.core.money import Nanos, format_dollars


class CapReachedError(Exception):
    """The next call's worst case does not fit what is left of the run's cap."""


class Till:
    """Counts one run's money in nano-dollars."""

    def __init__(self, cap: Nanos, *, spent: Nanos = Nanos(0)) -> None:
        """`spent` is what earlier runs into the same folder cost, lost calls in full."""
        self.cap = cap
        self.spent = spent
        self.held = Nanos(0)

    def hold(self, worst: Nanos) -> None:
        """Put a call's worst case aside. Raises CapReachedError when it does not fit."""
        if self.spent + self.held + worst > self.cap:
            raise CapReachedError(
                f"the cap of ${format_dollars(self.cap, 4)} is reached: "
                f"${format_dollars(self.spent, 4)} spent, ${format_dollars(self.held, 4)} held by "
                f"calls under way, and the next call may cost ${format_dollars(worst, 4)}"
            )
        self.held = Nanos(self.held + worst)

    def settle(self, worst: Nanos, cost: Nanos) -> None:
        """Replace a hold by what the call cost: 0 when it was never billed."""
        self.held = Nanos(self.held - worst)
        self.spent = Nanos(self.spent + cost)
