"""The judge's own ledger: leases as they are durable, and which of them a limit counts together.

The one rule: what kind of window a pool has is known here from the pools themselves, never asked of
the product. This module must not know what is checked.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from farebox.core.budgets import Pool
from farebox.core.leases import LeaseId
from farebox.core.windows import WindowSpec, WindowType

HOUR_S = 3_600.0
SLIDING_STEPS = 60
"""A sliding window moves on in so many steps."""


@dataclass(slots=True)
class Kept:
    """One lease in the durable ledger."""

    granted: int = 0
    returned: int = 0
    spent: int = 0


@dataclass(slots=True)
class CellKept:
    """A (sub-)pool in one window (or for ever) in the durable ledger."""

    open: dict[tuple[LeaseId, str], Kept] = field(default_factory=dict)
    closed: int = 0

    @property
    def lent(self) -> int:
        """What all of it can cost without overruns."""
        return self.closed + sum(one.granted - one.returned for one in self.open.values())

    @property
    def worst(self) -> int:
        """As `lent`, with what was spent beyond it."""
        return self.closed + sum(
            max(one.granted - one.returned, one.spent) for one in self.open.values()
        )

    @property
    def outstanding(self) -> int:
        """What is lent and not known to be spent."""
        return sum(max(0, one.granted - one.returned - one.spent) for one in self.open.values())


class Rules:
    """The pools that ever were, by uid, and what follows from their windows."""

    def __init__(self) -> None:
        self._windows: dict[str, WindowSpec] = {}
        self.limits: dict[str, int] = {}
        self.inflows: dict[str, float] = {}

    def know(self, pools: Iterable[Pool]) -> None:
        """Pools as they are from now on; a pool's window never changes, its limit does."""
        for pool in pools:
            uid = str(pool.uid)
            self._windows[uid] = pool.window
            self.limits[uid] = max(self.limits.get(uid, 0), size_of(pool))
            self.inflows[uid] = max(self.inflows.get(uid, 0.0), inflow_of(pool))

    def window(self, uid: str) -> WindowSpec | None:
        """The window of a pool."""
        return self._windows.get(uid)

    def home(self, lease: LeaseId) -> LeaseId:
        """The cell in which a lease counts: its window, or the only one of an endless window."""
        window = self._windows.get(lease.charge.pool)
        endless = window is not None and window.type in {
            WindowType.LIFETIME,
            WindowType.TOKEN_BUCKET,
        }
        return LeaseId(lease.charge, 0) if endless else lease

    def ends(self, lease: LeaseId) -> int | None:
        """When the window of a lease ends; None, never."""
        window = self._windows.get(lease.charge.pool)
        if window is None or window.type in {WindowType.LIFETIME, WindowType.TOKEN_BUCKET}:
            return None
        sliding = window.type is WindowType.SLIDING
        return lease.window + period_ms(window) // (SLIDING_STEPS if sliding else 1)

    def together(self, home: LeaseId, homes: Iterable[LeaseId], utc_ms: int) -> Iterable[LeaseId]:
        """Of the cells of one (sub-)pool, those that count against the same limit at an instant."""
        window = self._windows.get(home.charge.pool)
        if window is None or window.type is not WindowType.SLIDING:
            return (home,)
        period = period_ms(window)
        oldest = utc_ms - period - period // SLIDING_STEPS
        return [cell for cell in homes if cell.window > oldest]

    def counted(self, home: LeaseId, cell: CellKept) -> int:
        """What of a cell counts against the limit."""
        window = self._windows.get(home.charge.pool)
        bucket = window is not None and window.type is WindowType.TOKEN_BUCKET
        return cell.outstanding if bucket else cell.lent


def period_ms(window: WindowSpec) -> int:
    """The period of a window that has one in milliseconds."""
    assert isinstance(window.period, int), "the simulation has no calendar"
    return int(window.period)


def size_of(pool: Pool) -> int:
    """The most that can be lent of a pool at once: its limit, or the size of its bucket."""
    burst = pool.window.burst
    return int(pool.limit if burst is None else burst)


def inflow_of(pool: Pool) -> float:
    """How many n$ a second flow into a pool's bucket; nothing when it is none."""
    window = pool.window
    if window.type is not WindowType.TOKEN_BUCKET:
        return 0.0
    if window.refill_per_hour is not None:
        return window.refill_per_hour / HOUR_S
    return pool.limit * 1000 / period_ms(window)
