"""What controllers go by: the limits by which each may have decided what it commits next.

The one rule: a limit counts for a controller from when it may first have heard of it until the
first commit after it must have heard of another. This module must not know what is committed.
"""

from collections.abc import Callable, Sequence
from functools import reduce

from controller.store.kv import Op
from farebox.manifests.resources import Resources
from tests.simulation.limits import afterwards, highest, limits_of
from tests.simulation.oracle import Going


class Goings:
    """The limits of all controllers, by their names."""

    def __init__(self) -> None:
        self._since: dict[str, list[Resources]] = {}
        self._last_ms: dict[str, int] = {}
        self._sent: dict[str, tuple[Sequence[Op], Going]] = {}
        self._known: dict[int, tuple[Resources, dict[str, int]]] = {}

    def begin(self, name: str, resources: Resources, utc_ms: int) -> None:
        """A controller starts with these resources."""
        self._since[name], self._last_ms[name] = [resources], utc_ms

    def change(self, name: str, resources: Resources) -> None:
        """From now on a controller may go by these."""
        self._since[name].append(resources)

    def end(self, name: str) -> None:
        """A controller is dead; what it has sent is not sent again."""
        self._sent.pop(name, None)

    def sending(self, name: str, ops: Sequence[Op], going: Callable[[], Going]) -> Going:
        """What is to be judged by when a transaction that leaves now is carried out.

        The same transaction once more was decided by what was in force then, and what has changed
        since is still to come with the next.
        """
        last = self._sent.get(name)
        found = last[1] if last is not None and last[0] == ops else going()
        self._sent[name] = ops, found
        return found

    def take(
        self, name: str, decided: Resources, coming: Resources, *, utc_ms: int, epoch: int
    ) -> Going:
        """What a commit now may have been decided by; the next, by no limit older than these two.

        `coming` are resources that the controller has and has not decided by yet.
        """
        # An override may have ended since the last commit, of what has been in force since.
        times = {min(utc_ms, self._last_ms[name]), utc_ms}
        pools = [self._limits_of(one, at) for one in self._since[name] for at in times]
        limits = reduce(highest, pools)
        passing = limits.keys() - set.intersection(*map(set, pools))
        self._since[name] = [decided] if decided is coming else [decided, coming]
        self._last_ms[name] = utc_ms
        after = afterwards(decided)
        return Going(
            limits=limits, passing=frozenset(passing), utc_ms=utc_ms, epoch=epoch, after=after
        )

    def _limits_of(self, resources: Resources, utc_ms: int) -> dict[str, int]:
        """Worked out once for resources whose limits don't change by themselves."""
        known = self._known.get(id(resources))
        if known is not None and known[0] is resources:
            return known[1]
        found = limits_of(resources, utc_ms)
        if all(pool.override is None for pool in resources.pools.values()):
            self._known[id(resources)] = resources, found
        return found
