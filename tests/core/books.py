"""A book of leases and holds that keeps every record, as a holder with a journal does.

The one rule: it decides nothing; decisions and effects are those of `farebox.core.ledger`.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from farebox.core import ledger
from farebox.core.instant import BootMs
from farebox.core.leases import Hold, HoldId, HoldState, Lease, LeaseId
from farebox.core.ledger import Book, Record

FOREVER = BootMs(10**15)


@dataclass
class LiveBook:
    """Leases and the holds under way, with the records that led to them."""

    leases: dict[LeaseId, Lease] = field(default_factory=dict)
    holds: dict[HoldId, Hold] = field(default_factory=dict)
    records: list[Record] = field(default_factory=list)
    deadline: BootMs = FOREVER

    @property
    def book(self) -> Book:
        return Book(leases=self.leases, holds=self.holds, deadline=self.deadline)

    def apply(self, record: Record) -> None:
        """Keep a record and change what it says."""
        effect = ledger.effect(self.book, record)
        self.records.append(record)
        for lease in effect.leases:
            self.leases[lease.id] = lease
        if effect.closed is not None:
            self.leases.pop(effect.closed, None)
        if effect.hold is not None and effect.hold.state is HoldState.HELD:
            self.holds[effect.hold.id] = effect.hold
        elif effect.hold is not None:
            del self.holds[effect.hold.id]


def replay(records: Iterable[Record]) -> LiveBook:
    """The book that a restarted holder reads out of its journal."""
    live = LiveBook()
    for record in records:
        live.apply(record)
    return live
