"""A journal that keeps nothing: a simulated sidecar that crashes has lost its pod.

The one rule: to the purse it looks like the real one at its first start.
"""

from collections.abc import Iterable

from farebox.core.leases import Hold, HoldId, Lease, LeaseId
from farebox.core.ledger import Record
from farebox.wire.messages import JournalState
from sidecar.journal import Journal, Recovered


class MemoryJournal(Journal):
    """The journal of a new holder."""

    def __init__(self, holder: str) -> None:
        self.recovered = Recovered(
            state=JournalState.NEW, holder=holder, boot_seq=1, next_hold=HoldId(1)
        )

    def append(self, record: Record) -> None:
        """Keep nothing."""

    def note_epoch(self, epoch: int) -> None:
        """Keep nothing."""

    @property
    def wants_checkpoint(self) -> bool:
        """Never: there is no file."""
        return False

    def checkpoint(
        self,
        *,
        leases: Iterable[Lease],
        holds: Iterable[Hold],
        epoch: int,
        next_hold: HoldId,
        closed: Iterable[LeaseId] = (),
    ) -> None:
        """Keep nothing."""

    def close(self) -> None:
        """There is nothing to close."""
