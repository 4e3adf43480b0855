"""Waiting lines as the judge sees them: who waits where since when, and who is served.

The one rule: of the calls of one caller in one line the first to come is the first to be served.
This module must not know why money is short.
"""

from collections import Counter, defaultdict
from collections.abc import Callable

from farebox.core.budgets import Charge
from farebox.runtime.clock import Clock
from sidecar.deferral import Deferral, Tried
from sidecar.waiting_line import Ticket
from tests.simulation.options import Fault
from tests.simulation.oracle import Violation


class WatchedDeferral(Deferral):
    """The lines of one sidecar. `waiting` is how many calls wait in them."""

    def __init__(self, clock: Clock, counts: Counter[str]) -> None:
        """`counts` is told how many calls there were."""
        super().__init__(clock)
        self._counts = counts
        self._there: defaultdict[tuple[Charge, str], list[int]] = defaultdict(list)

    @property
    def waiting(self) -> int:
        """How many calls wait."""
        return sum(map(len, self._there.values()))

    async def wait(
        self, charge: Charge, ticket: Ticket, attempt: Callable[[], Tried | None]
    ) -> Tried:
        self._counts[Fault.DEFER] += 1
        there = self._there[charge, ticket.key]
        there.append(ticket.number)
        try:
            tried = await super().wait(charge, ticket, attempt)
            if tried.held is not None and there[0] != ticket.number:
                raise Violation(
                    f"D2: call {ticket.number} of {ticket.key} is served of {charge} before {there}"
                )
            return tried
        finally:
            there.remove(ticket.number)
