"""What sidecars counted, added up by namespace and task: since the start, and of late.

Each life of a sidecar's process counts from 0; what it adds is the difference to what it said
before. The one rule: a sum never falls, and nothing is counted twice: whatever is doubled, late or
out of order adds nothing. This module must not know what a count means.
"""

from collections import OrderedDict, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from farebox.core.instant import DurationMs, UtcMs
from farebox.core.tallies import EMPTY, OTHER, Tally, added, grown
from farebox.wire.messages import Tallies

HOUR_MS: Final = DurationMs(3_600_000)
BUCKETS: Final = 60
"""The observation window moves on in so many steps."""

TASKS_MAX: Final = 100
"""So many tasks of a namespace are told apart; the rest of them count as one."""

ROWS_MAX: Final = 2_000
"""So many of all namespaces; no namespace can take all of them from the others."""

TOLD_MAX: Final = 256
"""So many tasks of one process: four times what a sidecar tells apart."""

INCARNATIONS_MAX: Final = 8_192
"""Of so many processes it is known what they said last; then the most silent is forgotten."""


class TaskId(NamedTuple):
    """A task in its namespace; "" for calls whose task is not known."""

    namespace: str
    task: str


@dataclass(slots=True)
class Observed:
    """The calls of one task: since this controller leads, and in the observation window."""

    total: Tally = EMPTY
    recent: Tally = EMPTY
    buckets: deque[tuple[int, Tally]] = field(default_factory=deque)

    def count(self, more: Tally, bucket: int, *, lately: bool) -> None:
        """Add to the sums; what did not happen `lately` to the total only."""
        self.total = added(self.total, more)
        if not lately:
            return
        self.recent = added(self.recent, more)
        if self.buckets and self.buckets[-1][0] == bucket:
            more = added(self.buckets.pop()[1], more)
        self.buckets.append((bucket, more))

    def pass_to(self, bucket: int) -> None:
        """Let the window end at a bucket."""
        while self.buckets and self.buckets[0][0] <= bucket - BUCKETS:
            self.recent = grown(self.recent, self.buckets.popleft()[1])


class Observations:
    """All sums. `window` is how far back counts as of late, in milliseconds."""

    def __init__(self, window: DurationMs = HOUR_MS) -> None:
        self.window = window
        self.rows: dict[TaskId, Observed] = {}
        self._tasks: dict[str, int] = {}
        self._step = max(1, window // BUCKETS)
        # By incarnation, the most silent first: what it said of each task so far.
        self._told: OrderedDict[int, dict[TaskId, Tally]] = OrderedDict()
        self._forgot_at = UtcMs(0)

    def hear(self, namespace: str, tallies: Tallies, now: UtcMs) -> None:
        """Take what a sidecar of a namespace says."""
        told = self._told.get(tallies.incarnation)
        # What a process says first it may have counted long ago.
        lately = told is not None or tallies.age <= self.window
        # One that was forgotten and comes back: what it said before is in the sums already.
        returns = told is None and now - tallies.age < self._forgot_at
        if told is None:
            told = self._remember(tallies.incarnation, now)
        self._told.move_to_end(tallies.incarnation)
        for task, tally in tallies.tasks.items():
            asked = TaskId(namespace, task)
            before = told.get(asked, EMPTY)
            # Every call is counted in `calls`: what has no more of them is no later than before.
            if tally.calls <= before.calls or (asked not in told and len(told) >= TOLD_MAX):
                continue
            more = grown(tally, before)
            told[asked] = tally
            if not returns:
                self._row(asked).count(more, now // self._step, lately=lately)

    def pass_to(self, now: UtcMs) -> None:
        """Let what happened too long ago be no longer of late."""
        for observed in self.rows.values():
            observed.pass_to(now // self._step)

    def __iter__(self) -> Iterator[tuple[TaskId, Observed]]:
        """All tasks that had calls, by name."""
        return iter(sorted(self.rows.items()))

    def _remember(self, incarnation: int, now: UtcMs) -> dict[TaskId, Tally]:
        if len(self._told) >= INCARNATIONS_MAX:
            self._told.popitem(last=False)
            self._forgot_at = now
        return self._told.setdefault(incarnation, {})

    def _row(self, asked: TaskId) -> Observed:
        known = self.rows.get(asked)
        if known is not None:
            return known
        if len(self.rows) >= ROWS_MAX:
            asked = TaskId(OTHER, OTHER)
        elif self._tasks.get(asked.namespace, 0) >= TASKS_MAX:
            asked = TaskId(asked.namespace, OTHER)
        if asked not in self.rows:
            self._tasks[asked.namespace] = self._tasks.get(asked.namespace, 0) + 1
        return self.rows.setdefault(asked, Observed())
