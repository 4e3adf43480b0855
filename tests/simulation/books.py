"""The judge's own ledger: leases as they are durable, and which of them a limit counts together.

The one rule: what kind of window a pool has is known here from the pools themselves, never asked of
the product. This module must not know what is checked.
"""

import itertools
from collections.abc import Iterable
from dataclasses import dataclass

from farebox.core.budgets import Pool
from farebox.core.leases import LeaseId
from farebox.core.windows import CalendarUnit, WindowSpec, WindowType
from tests.simulation.calendars import Calendar
from tests.simulation.limits import inflows_of, sizes_of

SLIDING_STEPS = 60
"""A sliding window moves on in so many steps."""


@dataclass(frozen=True, slots=True)
class Kept:
    """One lease in the durable ledger."""

    granted: int = 0
    returned: int = 0
    spent: int = 0


class CellKept:
    """A (sub-)pool in one window (or for ever) in the durable ledger.

    Its sums are kept up with each row; `summed` adds the rows up again.
    """

    __slots__ = ("_lent", "_outstanding", "_worst", "closed", "open")

    def __init__(self) -> None:
        self.open: dict[tuple[LeaseId, str], Kept] = {}
        self.closed = 0
        self._lent = self._worst = self._outstanding = 0

    @property
    def lent(self) -> int:
        """What all of it can cost without overruns."""
        return self.closed + self._lent

    @property
    def worst(self) -> int:
        """As `lent`, with what was spent beyond it."""
        return self.closed + self._worst

    @property
    def outstanding(self) -> int:
        """What is lent and not known to be spent."""
        return self._outstanding

    def put(self, at: tuple[LeaseId, str], kept: Kept) -> None:
        """Keep a row as it is now."""
        self._add(self.open.get(at), -1)
        self.open[at] = kept
        self._add(kept, 1)

    def drop(self, at: tuple[LeaseId, str]) -> Kept | None:
        """Take a row out."""
        kept = self.open.pop(at, None)
        self._add(kept, -1)
        return kept

    def _add(self, kept: Kept | None, sign: int) -> None:
        if kept is not None:
            lent = kept.granted - kept.returned
            self._lent += sign * lent
            self._worst += sign * max(lent, kept.spent)
            self._outstanding += sign * max(0, lent - kept.spent)

    def summed(self) -> tuple[int, int, int]:
        """`lent`, `worst` and `outstanding`, added up from the rows."""
        rows = [(row.granted - row.returned, row.spent) for row in self.open.values()]
        return (
            self.closed + sum(lent for lent, _ in rows),
            self.closed + sum(max(row) for row in rows),
            sum(max(0, lent - spent) for lent, spent in rows),
        )


class Rules:
    """The pools that ever were, by uid, and what follows from their windows."""

    def __init__(self) -> None:
        self._windows: dict[str, WindowSpec] = {}
        self._starts: tuple[int, ...] = ()
        self.limits: dict[str, int] = {}
        self.inflows: dict[str, float] = {}

    def know(self, pools: Iterable[Pool]) -> None:
        """Pools as they are from now on; a pool's window never changes, its limit does."""
        for pool in pools:
            uid = str(pool.uid)
            self._windows[uid] = pool.window
            self.limits[uid] = max(self.limits.get(uid, 0), sizes_of(pool)[1])
            self.inflows[uid] = max(self.inflows.get(uid, 0.0), inflows_of(pool)[1])

    def go_by(self, calendar: Calendar) -> None:
        """All windows of calendar units are those of a calendar."""
        self._starts = calendar.starts

    def is_window(self, lease: LeaseId, ends: int | None) -> bool:
        """Whether the window of a lease is one of the calendar, where its pool goes by one."""
        window = self._windows.get(lease.charge.pool)
        if window is None or not isinstance(window.period, CalendarUnit):
            return True
        return ends is not None and (lease.window, ends) in itertools.pairwise(self._starts)

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
        if isinstance(window.period, CalendarUnit):
            return next(start for start in self._starts if start > lease.window)
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
    assert isinstance(window.period, int), "this window goes by a calendar"
    return int(window.period)
