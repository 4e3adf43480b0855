"""What is to be looked at when its time has come.

The one rule: an entry is a reminder and not an order; whoever gets it looks whether it still holds,
so nothing is ever taken off the agenda early. This module must not know what is done then.
"""

import heapq
import itertools
from collections.abc import Iterator
from dataclasses import dataclass

from farebox.core.budgets import Charge, PoolUid
from farebox.core.instant import UtcMs
from farebox.core.leases import LeaseId


@dataclass(frozen=True, slots=True)
class HolderSilent:
    """A holder may have passed its deadline."""

    holder: str


@dataclass(frozen=True, slots=True)
class HolderLost:
    """A holder may have been silent for so long that its token buckets' money is written off."""

    holder: str


@dataclass(frozen=True, slots=True)
class HolderForgotten:
    """A poisoned holder may be remembered no longer."""

    holder: str


@dataclass(frozen=True, slots=True)
class RecallEnds:
    """A holder that was asked to give back may not have answered, or may have rested enough."""

    lease: LeaseId
    holder: str


@dataclass(frozen=True, slots=True)
class LeaseIdle:
    """A lease without an end may have been of no use for so long that it is closed."""

    lease: LeaseId
    holder: str


@dataclass(frozen=True, slots=True)
class LineMoves:
    """The first who waits for a (sub-)pool may have been waited for long enough."""

    charge: Charge


@dataclass(frozen=True, slots=True)
class MoneyFlows:
    """Enough may have flowed into the token bucket of a (sub-)pool for who waits."""

    charge: Charge


@dataclass(frozen=True, slots=True)
class LimitChanges:
    """The override of a pool may be over."""

    pool: PoolUid


@dataclass(frozen=True, slots=True)
class WindowNears:
    """A window may be about to end."""

    lease: LeaseId


@dataclass(frozen=True, slots=True)
class WindowEnds:
    """A window may be over."""

    lease: LeaseId


@dataclass(frozen=True, slots=True)
class WindowForgotten:
    """A window may be over for so long that it is forgotten."""

    lease: LeaseId


OfHolder = HolderSilent | HolderLost | HolderForgotten
OfLease = RecallEnds | LeaseIdle
OfPool = LineMoves | MoneyFlows | LimitChanges
OfWindow = WindowNears | WindowEnds | WindowForgotten
Reminder = OfHolder | OfLease | OfPool | OfWindow


class Agenda:
    """Reminders in the order of their times."""

    def __init__(self) -> None:
        self._heap: list[tuple[UtcMs, int, Reminder]] = []
        self._order = itertools.count()

    def __len__(self) -> int:
        return len(self._heap)

    def add(self, at: UtcMs, reminder: Reminder) -> None:
        """Remind at `at`."""
        heapq.heappush(self._heap, (at, next(self._order), reminder))

    def due(self, now: UtcMs) -> Iterator[Reminder]:
        """Take off, one by one, what is due at `now`; what is added meanwhile waits."""
        most = len(self._heap)
        while most > 0 and self._heap and self._heap[0][0] <= now:
            most -= 1
            yield heapq.heappop(self._heap)[2]
