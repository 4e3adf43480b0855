"""What is counted in a run, apart from whatever the policy believes.

`used` is what has really been spent or is held by calls under way; so the pool really had money for
a refused call when the limit less `used` less what crashes took would have held it. The one rule: a
refusal is judged by this sum alone. This module must not know leases.
"""

from collections import Counter
from dataclasses import dataclass, field
from typing import Final

from farebox.core.money import ZERO, Nanos

END_PERCENT: Final = 99
"""A run ends when so much of the limit is spent or held."""


@dataclass(slots=True, kw_only=True)
class Tally:
    """One run. `messages` by kind and in both directions; `asks` are requests for money."""

    limit: Nanos
    used: Nanos = ZERO
    stranded: Nanos = ZERO
    calls: int = 0
    refused: int = 0
    refused_falsely: int = 0
    used_at_first: Nanos | None = None
    asks: int = 0
    crashes: int = 0
    ended_ms: int = 0
    messages: Counter[str] = field(default_factory=Counter)

    @property
    def spent_out(self) -> bool:
        """Whether the run is at its end: what crashes took can't be spent any more."""
        return self.used * 100 >= (self.limit - self.stranded) * END_PERCENT

    def hold(self, worst: Nanos) -> None:
        """A call holds its worst case."""
        self.used = Nanos(self.used + worst)
        assert self.used <= self.limit, "the policy has lent more than there is"

    def settle(self, worst: Nanos, cost: Nanos) -> None:
        """A call has ended."""
        self.used = Nanos(self.used - worst + cost)

    def refuse(self, worst: Nanos) -> None:
        """A call has been refused: rightly, or although the money lay idle somewhere."""
        self.refused += 1
        if self.limit - self.stranded - self.used < worst:
            return
        self.refused_falsely += 1
        if self.used_at_first is None:
            self.used_at_first = self.used

    def lose(self, idle: Nanos) -> None:
        """A sidecar has crashed with so much that was lent to it and not used."""
        self.crashes += 1
        self.strand(idle)

    def strand(self, amount: Nanos) -> None:
        """Nobody can use this money any more, but the ledger counts it."""
        self.stranded = Nanos(self.stranded + amount)
