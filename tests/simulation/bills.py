"""What was billed, added up as limits count it, and whether that is beyond any of them.

Fixed windows and lifetimes: a sum. Sliding windows: every stretch of one period. Token buckets:
every interval between two calls. The one rule: only bills and pools count here, and the most
generous limit that was ever in force; what a call cost that passed a pool by is beyond its limit.
This module must not know ledgers or leases' counters.
"""

from bisect import insort
from collections import defaultdict

from farebox.core.budgets import Charge
from farebox.core.leases import LeaseId
from farebox.core.windows import WindowType
from tests.simulation.books import SLIDING_STEPS, Rules, period_ms
from tests.simulation.provider import Attempt

CLOCK_MS = 5
"""How far apart two honest clocks that count whole milliseconds can be, with what they round."""


class Bills:
    """Sums of bills. `honest`: all machines have the true time."""

    def __init__(self, rules: Rules, *, honest: bool) -> None:
        self._rules = rules
        self._honest = honest
        self._sums: defaultdict[LeaseId, int] = defaultdict(int)
        self._windows: defaultdict[Charge, set[int]] = defaultdict(set)
        self._overruns: defaultdict[Charge, int] = defaultdict(int)
        self._passed: defaultdict[Charge, int] = defaultdict(int)
        self._sent: defaultdict[Charge, list[tuple[float, int, int]]] = defaultdict(list)
        self.total = 0

    def add(self, attempt: Attempt) -> None:
        """Count a bill."""
        self.total += attempt.cost
        beyond = max(0, attempt.cost - attempt.worst)
        for lease in attempt.leases:
            home = self._rules.home(lease)
            self._sums[home] += attempt.cost
            self._windows[lease.charge].add(home.window)
            if lease.charge in attempt.passed:
                self._passed[lease.charge] += attempt.cost
            else:
                self._overruns[lease.charge] += beyond
            window = self._rules.window(lease.charge.pool)
            if window is not None and window.type is WindowType.TOKEN_BUCKET:
                insort(self._sent[lease.charge], (attempt.sent_at, attempt.number, attempt.cost))

    def of(self, home: LeaseId) -> int:
        """What was billed on a cell."""
        return self._sums[home]

    def overrun_of(self, charge: Charge) -> int:
        """What was billed on a (sub-)pool beyond its holds."""
        return self._overruns[charge]

    def passed_of(self, charge: Charge) -> int:
        """What was billed for calls that passed a (sub-)pool by, which let them."""
        return self._passed[charge]

    def beyond_limit(self, lease: LeaseId, attempt: Attempt) -> str:
        """What is over which limit after a bill; empty when nothing is."""
        charge = lease.charge
        window, limit = self._rules.window(charge.pool), self._rules.limits.get(charge.pool, 0)
        free = self._overruns[charge] + self._passed[charge]
        if window is None:
            return f"nobody knows the pool {charge.pool}"
        if window.type is WindowType.TOKEN_BUCKET:
            return self._beyond_bucket(charge, limit, attempt) if self._honest else ""
        if window.type is WindowType.SLIDING:
            return self._beyond_sliding(lease, limit + free, period_ms(window))
        billed = self._sums[self._rules.home(lease)]
        if billed > limit + free:
            return f"{billed} n$ billed on {self._rules.home(lease)}, the limit is {limit}"
        return ""

    def _beyond_sliding(self, lease: LeaseId, limit: int, period: int) -> str:
        """I9: every stretch of a period and the step that it begins in that has this window."""
        windows = sorted(self._windows[lease.charge])
        for last in windows:
            if lease.window <= last <= lease.window + period:
                billed = sum(
                    self._sums[LeaseId(lease.charge, one)]
                    for one in windows
                    if last - period <= one <= last
                )
                if billed > limit:
                    step = period // SLIDING_STEPS
                    return (
                        f"I9: {billed} n$ billed on {lease.charge} within {period + step} ms "
                        f"until {last + step}, the limit is {limit}"
                    )
        return ""

    def _beyond_bucket(self, charge: Charge, size: int, attempt: Attempt) -> str:
        """I9: every interval from one call to another that has this call in it."""
        per_s = self._rules.inflows[charge.pool]
        free = size + self._overruns[charge] + self._passed[charge] + per_s * CLOCK_MS / 1000
        sent = self._sent[charge]
        for first, (begins, _, _) in enumerate(sent):
            if begins > attempt.sent_at:
                break
            spent = 0
            for ends, _, cost in sent[first:]:
                spent += cost
                if spent > free + per_s * (ends - begins):
                    return (
                        f"I9: {spent} n$ sent on {charge} from {begins:.3f} s to {ends:.3f} s, "
                        f"the bucket has {size} n$ and {per_s:.0f} n$/s"
                    )
        return ""
