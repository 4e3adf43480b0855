"""Waiting lines: in which order calls that a pool defers get its money.

One line for each (sub-)pool. A lower rank goes first; within a rank, the keys of the callers take
turns so that each gets the same money, however large its calls are (deficit round robin); and who
has waited for `AGED_MS` comes before all who have not, the oldest first, so that nobody starves.
Whoever is at the head stays there until served or gone: smaller calls do not overtake it.

The one rule: both bounds hold at every moment. This module must not know calls, leases or tasks.
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from farebox.core.budgets import Charge
from farebox.core.instant import BootMs, DurationMs
from farebox.core.money import ZERO, Nanos

DEFERRED_MAX: Final = 512
"""So many calls wait in all lines together."""

DEFERRED_PER_KEY_MAX: Final = 64
"""So many calls of one user (or session) wait in one line."""

AGED_MS: Final = DurationMs(10_000)
"""Who has waited so long is next, whatever its rank and key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """A call that waits: whose it is, how urgent (0 is the most), what it needs, since when."""

    number: int
    key: str
    rank: int
    amount: Nanos
    since: BootMs


class WaitingLine:
    """Calls that wait for the money of one (sub-)pool."""

    def __init__(self) -> None:
        self._queues: dict[tuple[int, str], deque[Ticket]] = {}
        self._deficits: dict[tuple[int, str], Nanos] = {}
        self._head: Ticket | None = None
        # By rank: a more urgent call interrupts a turn and does not end it.
        self._turns: dict[int, tuple[int, str]] = {}

    def __len__(self) -> int:
        return sum(len(queue) for queue in self._queues.values())

    def of_key(self, key: str) -> int:
        """How many calls of a key wait."""
        return sum(len(queue) for (_, one), queue in self._queues.items() if one == key)

    def join(self, ticket: Ticket) -> None:
        """Wait behind those of the same rank and key."""
        self._queues.setdefault((ticket.rank, ticket.key), deque()).append(ticket)

    def leave(self, number: int, *, served: bool) -> None:
        """Wait no more. What was served is what the key has had of its turn."""
        for place, queue in self._queues.items():
            ticket = next((one for one in queue if one.number == number), None)
            if ticket is not None:
                queue.remove(ticket)
                self._end_turn(place, ticket, served=served)
                return

    def _end_turn(self, place: tuple[int, str], ticket: Ticket, *, served: bool) -> None:
        if self._head is ticket:
            self._head = None
        if served:
            had = self._deficits.get(place, ZERO) - ticket.amount
            self._deficits[place] = Nanos(max(0, had))
        if not self._queues[place]:
            # Who has nothing more to ask for saves nothing up.
            del self._queues[place]
            self._deficits.pop(place, None)
            if self._turns.get(place[0]) == place:
                del self._turns[place[0]]

    def head(self, now: BootMs) -> Ticket | None:
        """Who is served next; None when nobody waits."""
        if self._head is None and self._queues:
            self._head = self._aged(now) or self._next_turn()
        return self._head

    def _aged(self, now: BootMs) -> Ticket | None:
        firsts = (queue[0] for queue in self._queues.values())
        aged = [ticket for ticket in firsts if now - ticket.since >= AGED_MS]
        return min(aged, key=lambda ticket: (ticket.since, ticket.number), default=None)

    def _next_turn(self) -> Ticket:
        """The first of the key whose turn it is, while what the turn adds covers it."""
        rank = min(rank for rank, _ in self._queues)
        round_ = [place for place in self._queues if place[0] == rank]
        # What a turn adds covers any of the calls that are first, so that nobody's turn is in vain.
        quantum = max(self._queues[place][0].amount for place in round_)
        for place in (*round_, round_[0]):
            ticket = self._queues[place][0]
            if self._turns.get(rank) != place:
                self._turns[rank] = place
                self._deficits[place] = Nanos(self._deficits.get(place, ZERO) + quantum)
            if self._deficits[place] >= ticket.amount:
                return ticket
            self._queues[place] = self._queues.pop(place)
            del self._turns[rank]
        raise AssertionError("a turn covers the first call of its key")


class WaitingLines:
    """All the lines of a sidecar, within the bound for all of them."""

    def __init__(self) -> None:
        self._lines: dict[Charge, WaitingLine] = {}

    def __len__(self) -> int:
        return sum(len(line) for line in self._lines.values())

    def any_of(self, charges: Iterable[Charge]) -> bool:
        """Whether somebody waits for money of one of these (sub-)pools."""
        return any(charge in self._lines for charge in charges)

    def join(self, charge: Charge, ticket: Ticket) -> bool:
        """Join the line of a (sub-)pool. Says False, and changes nothing, when it is full."""
        line = self._lines.get(charge)
        of_key = 0 if line is None else line.of_key(ticket.key)
        if len(self) >= DEFERRED_MAX or of_key >= DEFERRED_PER_KEY_MAX:
            return False
        self._lines.setdefault(charge, WaitingLine()).join(ticket)
        return True

    def leave(self, charge: Charge, number: int, *, served: bool) -> None:
        """Leave the line of a (sub-)pool."""
        line = self._lines.get(charge)
        if line is not None:
            line.leave(number, served=served)
            if not len(line):
                del self._lines[charge]

    def head(self, charge: Charge, now: BootMs) -> Ticket | None:
        """Who is next in the line of a (sub-)pool."""
        line = self._lines.get(charge)
        return None if line is None else line.head(now)
