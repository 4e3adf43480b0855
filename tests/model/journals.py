"""A journal in memory that outlives its sidecar: what a file would say after a checkpoint.

Each record is folded in by the ledger's own `effect`, as a replay would do it, so that two journals
that say the same are the same. The one rule: only what was appended is there after a crash.
"""

from collections.abc import Iterable
from dataclasses import replace

from farebox.core import ledger
from farebox.core.leases import Hold, HoldId, HoldState, Lease, LeaseId
from farebox.core.ledger import Book, Held, Record
from farebox.core.money import Nanos
from farebox.wire.messages import JournalState
from sidecar.journal import Journal, Recovered


class ModelJournal(Journal):
    """What one sidecar wrote. `owner` names its holders: a1, then a2 after a loss."""

    def __init__(self, owner: str) -> None:
        """A new file."""
        self._owner = owner
        self._holders = 0
        self._renew(JournalState.NEW)

    def _renew(self, state: JournalState) -> None:
        self._holders += 1
        self.leases: dict[LeaseId, Lease] = {}
        self.holds: dict[HoldId, Hold] = {}
        self.epoch = 0
        self.recovered = Recovered(
            state=state,
            holder=f"{self._owner}{self._holders}",
            boot_seq=1,
            next_hold=HoldId(1),
        )

    def append(self, record: Record) -> None:
        change = ledger.effect(Book(leases=self.leases, holds=self.holds), record)
        self.leases.update((lease.id, lease) for lease in change.leases)
        if change.closed is not None:
            self.leases.pop(change.closed, None)
        if isinstance(record, Held):
            self.recovered = replace(self.recovered, next_hold=HoldId(record.hold + 1))
        if change.hold is not None and change.hold.state is HoldState.HELD:
            self.holds[change.hold.id] = change.hold
        elif change.hold is not None:
            del self.holds[change.hold.id]

    def note_epoch(self, epoch: int) -> None:
        self.epoch = max(self.epoch, epoch)

    @property
    def wants_checkpoint(self) -> bool:
        return False

    def start_over(self) -> None:
        self._renew(JournalState.LOST)

    def lose(self) -> None:
        """The disk is gone: the next start finds nothing."""
        self._renew(JournalState.NEW)

    def reopen(self) -> None:
        """The process starts again and reads what is there."""
        held = (Held(hold=h.id, leases=h.leases, amount=h.amount) for h in self.holds.values())
        self.recovered = Recovered(
            state=JournalState.OK,
            holder=self.recovered.holder,
            boot_seq=self.recovered.boot_seq + 1,
            epoch=self.epoch,
            next_hold=self.recovered.next_hold,
            records=tuple(held),
            balances=tuple(_settled(lease, self.holds.values()) for lease in self.leases.values()),
        )

    def close(self) -> None:
        pass


def _settled(lease: Lease, holds: Iterable[Hold]) -> Lease:
    held = sum(hold.amount for hold in holds if lease.id in hold.leases)
    return lease._replace(reserved=Nanos(lease.reserved - held))
