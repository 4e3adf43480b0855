"""What calls lack that find no money: the smallest of each (sub-)pool, remembered while it matters.

The one rule: a call that is too large for the limit lacks nothing that anybody could give. This
module must not know what is said of it, and changes nothing.
"""

from itertools import islice
from typing import Final, NamedTuple

from controller.limits import limit_of
from controller.world import Cell, World
from farebox.core.budgets import Charge
from farebox.core.instant import UtcMs
from farebox.core.leases import LeaseId
from farebox.core.money import ZERO, Nanos
from farebox.core.windows import Window, WindowSpec, window_at

NEEDS_MAX: Final = 10_000
"""Of so many (sub-)pools it is remembered what the last call lacked that was turned away."""

WAITING_LOOKED_AT_MAX: Final = 64
"""So many of a line are looked at for the smallest want; the engine serves as many at a time."""

WINDOWS_MAX: Final = 1_000


class Windows:
    """The current window of each kind of window: looking up a calendar is slow."""

    def __init__(self) -> None:
        self._known: dict[WindowSpec, Window] = {}

    def at(self, spec: WindowSpec, now: UtcMs) -> Window:
        """The window that an instant is in."""
        known = self._known.get(spec)
        if known is None or now < known.starts or (known.ends is not None and now >= known.ends):
            if len(self._known) >= WINDOWS_MAX:
                self._known.clear()
            known = self._known[spec] = window_at(spec, now)
        return known


class _Need(NamedTuple):
    """What a call needed of a (sub-)pool, and the least that was `used` of it since."""

    amount: Nanos
    used: int


class Needs:
    """What calls need that had to wait, also when they have gone.

    A sidecar that was told that a pool is exhausted asks no more. It is forgotten when a later call
    was held, so that some do fit.
    """

    def __init__(self, windows: Windows, *, needs_max: int = NEEDS_MAX) -> None:
        """Remember of so many (sub-)pools; the oldest is forgotten first."""
        self._windows = windows
        self._needs_max = needs_max
        self._kept: dict[Charge, _Need] = {}

    def __len__(self) -> int:
        return len(self._kept)

    def look(self, world: World) -> None:
        """Notice who waits now."""
        for charge, kept in tuple(self._kept.items()):
            used = _used(self._cell(world, charge))
            if used > kept.used:
                del self._kept[charge]
            elif used < kept.used:
                self._kept[charge] = kept._replace(used=used)
        for charge in world.waiting:
            smallest = self._smallest(world, charge)
            if smallest > 0:
                self._kept.pop(charge, None)
                self._kept[charge] = _Need(smallest, _used(self._cell(world, charge)))
        while len(self._kept) > self._needs_max:
            del self._kept[next(iter(self._kept))]

    def of(self, charge: Charge) -> Nanos:
        """What the smallest call needs that waits or was turned away; 0 when not known."""
        kept = self._kept.get(charge)
        return ZERO if kept is None else kept.amount

    def _cell(self, world: World, charge: Charge) -> Cell | None:
        """A (sub-)pool in its current window; None where nothing is lent in it."""
        pool = world.pool_of(charge)
        if pool is None:
            return None
        return world.cells.get(LeaseId(charge, self._windows.at(pool.window, world.now).id))

    def _smallest(self, world: World, charge: Charge) -> Nanos:
        """The least that one who waits needs, what it has itself included; 0 where nobody does.

        What is more than the limit is never to be had: that call is too large, whatever is left.
        """
        pool, cell = world.pool_of(charge), self._cell(world, charge)
        if pool is None:
            return ZERO
        window = self._windows.at(pool.window, world.now)
        limit = limit_of(world, pool, cell or new_cell(charge, window))
        accounts = cell.accounts if cell is not None else {}
        needed = (
            waiter.want.least + (accounts[uid].idle if uid in accounts else 0)
            for uid, waiter in islice(world.waiting[charge].items(), WAITING_LOOKED_AT_MAX)
            if waiter.want.least > 0
        )
        return Nanos(min((amount for amount in needed if amount <= limit), default=0))


def new_cell(charge: Charge, window: Window) -> Cell:
    """A (sub-)pool in a window in which nothing is lent."""
    return Cell(
        lease=LeaseId(charge, window.id),
        window_ends=window.ends,
        counts_until=window.counts_until,
    )


def _used(cell: Cell | None) -> int:
    """What is spent or held."""
    return 0 if cell is None else cell.closed_spent + cell.sums.used
