"""How many leases each pod has brought of late that the ledger did not know.

The one rule: a count begins anew after a while and never falls before, whatever becomes of the
leases. This module must not know whether one is believed.
"""

from dataclasses import dataclass, field
from typing import Final

from farebox.core.instant import DurationMs, UtcMs

BROUGHT_MAX: Final = 4_096
"""So many leases one pod may bring to each controller in `forget_after`, a day."""

COUNTS_MIN: Final = 1_024
"""From so many pods on, those whose time is over are looked for."""


@dataclass(slots=True)
class Count:
    """So many leases since the first of them."""

    since: UtcMs
    leases: int = 0


@dataclass(slots=True)
class Brought:
    """The counts by the uid of the pod."""

    counts: dict[str, Count] = field(default_factory=dict)
    tidy_at: int = COUNTS_MIN

    def admit(self, pod: str, now: UtcMs, forget_after: DurationMs) -> bool:
        """Count one more lease of a pod; False, and not counted, where that would be too many."""
        known = self.counts.get(pod)
        if known is None or known.since + forget_after <= now:
            self._tidy(now, forget_after)
            known = self.counts[pod] = Count(since=now)
        if known.leases >= BROUGHT_MAX:
            return False
        known.leases += 1
        return True

    def _tidy(self, now: UtcMs, forget_after: DurationMs) -> None:
        """Forget what counts no more, whenever there are twice as many as were left last time."""
        if len(self.counts) >= self.tidy_at:
            self.counts = {
                uid: one for uid, one in self.counts.items() if one.since + forget_after > now
            }
            self.tidy_at = max(COUNTS_MIN, 2 * len(self.counts))
