"""The purse: the sidecar's leases and holds, and the only code that changes them.

Each change is a record: decided by `farebox.core.ledger`, written to the journal, then applied. The
one rule: journal first, then memory, then the world. This module must not know calls, messages or
the controller.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final, NamedTuple

from farebox.core import ledger
from farebox.core.budgets import Charge
from farebox.core.instant import BootMs
from farebox.core.leases import Hold, HoldId, HoldState, Lease, LeaseId
from farebox.core.ledger import Book, Closed, Granted, Record, Shortfall
from farebox.core.money import ZERO, Nanos
from farebox.core.reasons import Reason
from sidecar.journal import Journal

UNBOUNDED: Final = Nanos(10**18)
"""The headroom of a call that draws on no pool: more than any call can cost."""


class Room(NamedTuple):
    """What a call could hold now: the least headroom of its leases, and which pool has it.

    `missing` are the charges without a lease that can be used now.
    """

    money: Nanos
    binding: Charge | None
    missing: tuple[Charge, ...]


class Purse:
    """The money of one holder. Not thread-safe: it lives on the event loop."""

    def __init__(self, journal: Journal) -> None:
        """Replay the journal; holds that were open expire, since nobody knows how they ended."""
        self._journal = journal
        self._leases: dict[LeaseId, Lease] = {}
        self._holds: dict[HoldId, Hold] = {}
        self._newest: dict[Charge, LeaseId] = {}
        self.book = Book(leases=self._leases, holds=self._holds)
        self.holder = journal.recovered.holder
        self.boot_seq = journal.recovered.boot_seq
        self.journal_state = journal.recovered.state
        self.epoch = journal.recovered.epoch
        self._next_hold = journal.recovered.next_hold
        self._replay()

    def _replay(self) -> None:
        for lease in self._journal.recovered.balances:
            self._leases[lease.id] = lease
            self._note_newest(lease.id)
        for record in self._journal.recovered.records:
            self._apply(record)
        for hold_id in tuple(self._holds):
            self.expire(hold_id, Reason.HOLDER_RESTARTED)

    def renew(self, deadline: BootMs) -> None:
        """Allow new holds until `deadline`, never a shorter time than before."""
        if deadline > self.book.deadline:
            self.book = replace(self.book, deadline=deadline)

    def note_epoch(self, epoch: int) -> None:
        """Remember a controller's epoch if it is the highest so far."""
        if epoch > self.epoch:
            self._journal.note_epoch(epoch)
            self.epoch = epoch

    def lease_of(self, charge: Charge) -> Lease | None:
        """The newest lease of a (sub-)pool, usable or not."""
        lease_id = self._newest.get(charge)
        return None if lease_id is None else self._leases[lease_id]

    def find(self, lease_id: LeaseId) -> Lease | None:
        """A lease by its id; None when this holder has none of that id."""
        return self._leases.get(lease_id)

    def leases(self) -> Iterable[Lease]:
        """All leases, those of ended windows included."""
        return tuple(self._leases.values())

    def room(self, charges: Sequence[Charge], now: BootMs) -> Room:
        """What a call on these (sub-)pools could hold now."""
        money, binding, missing = UNBOUNDED, None, []
        in_time = now < self.book.deadline
        for charge in charges:
            lease = self.lease_of(charge)
            if lease is None or not in_time or lease.window_over_at(now):
                missing.append(charge)
                money, binding = ZERO, charge
            elif lease.headroom < money:
                money, binding = lease.headroom, charge
        return Room(money=money, binding=binding, missing=tuple(missing))

    def hold(self, charges: Sequence[Charge], amount: Nanos, now: BootMs) -> HoldId | Shortfall:
        """Hold money in every (sub-)pool of a call, or in none."""
        lease_ids = []
        for charge in charges:
            lease_id = self._newest.get(charge)
            if lease_id is None:
                absent = LeaseId(charge=charge, window=0)
                return Shortfall(lease=absent, headroom=ZERO, usable=False)
            lease_ids.append(lease_id)
        hold_id = self._next_hold
        decided = ledger.hold(
            self.book, hold_id=hold_id, leases=tuple(lease_ids), amount=amount, now=now
        )
        if isinstance(decided, Shortfall):
            return decided
        self._commit(decided)
        self._next_hold = HoldId(hold_id + 1)
        return hold_id

    def settle(self, hold_id: HoldId, cost: Nanos, reason: Reason) -> None:
        """End a hold at its real cost. A hold of an earlier holder is not ours to end."""
        if self.is_open(hold_id):
            self._commit(ledger.settle(self.book, hold_id=hold_id, cost=cost, reason=reason))

    def void(self, hold_id: HoldId, reason: Reason) -> None:
        """End a hold of which nothing was billed."""
        if self.is_open(hold_id):
            self._commit(ledger.void(self.book, hold_id=hold_id, reason=reason))

    def expire(self, hold_id: HoldId, reason: Reason) -> None:
        """End a hold whose outcome is unknown: it counts in full."""
        if self.is_open(hold_id):
            self._commit(ledger.expire(self.book, hold_id=hold_id, reason=reason))

    def is_open(self, hold_id: HoldId) -> bool:
        """Whether a hold is still to be ended."""
        return hold_id in self._holds

    def is_current(self, hold_id: HoldId, now: BootMs) -> bool:
        """Whether a hold is open, and neither its windows nor the time to live have ended."""
        found = self._holds.get(hold_id)
        if found is None or (found.leases and now >= self.book.deadline):
            return False
        return not any(self._leases[lease].window_over_at(now) for lease in found.leases)

    def charges_held(self, hold_id: HoldId) -> tuple[Charge, ...]:
        """The (sub-)pools in which a hold still has money."""
        found = self._holds.get(hold_id)
        return () if found is None else tuple(lease.charge for lease in found.leases)

    def take_grant(self, granted: Granted) -> None:
        """Book what the controller has lent. A grant that says nothing new is not written."""
        lease = self._leases.get(granted.lease)
        if lease is None or granted.granted > lease.granted:
            self._commit(granted)

    def give_back(self, lease_id: LeaseId, *, keep: Nanos) -> bool:
        """Return what is free beyond `keep`. Says whether there was anything."""
        lease = self._leases.get(lease_id)
        returned = None if lease is None else ledger.give_back(lease, keep=keep)
        if returned is None:
            return False
        self._commit(returned)
        return True

    def forget(self, lease_id: LeaseId) -> None:
        """Drop a finished lease that the controller has settled."""
        lease = self._leases.get(lease_id)
        if lease is not None and lease.reserved == 0:
            self._commit(Closed(lease=lease_id))

    def start_over(self) -> None:
        """Become a new holder without any money; the old one's stays with the controller."""
        self._journal.start_over()
        self._leases.clear()
        self._holds.clear()
        self._newest.clear()
        self.book = Book(leases=self._leases, holds=self._holds)
        self.holder = self._journal.recovered.holder
        self.boot_seq = self._journal.recovered.boot_seq
        self.journal_state = self._journal.recovered.state

    def close(self) -> None:
        """Close the journal."""
        self._journal.close()

    def _commit(self, record: Record) -> None:
        self._journal.append(record)
        self._apply(record)
        if self._journal.wants_checkpoint:
            self._journal.checkpoint(
                leases=self._leases.values(),
                holds=self._holds.values(),
                epoch=self.epoch,
                next_hold=self._next_hold,
            )

    def _apply(self, record: Record) -> None:
        change = ledger.effect(self.book, record)
        for lease in change.leases:
            self._leases[lease.id] = lease
        if isinstance(record, Granted):
            self._note_newest(record.lease)
        if change.hold is not None:
            if change.hold.state is HoldState.HELD:
                self._holds[change.hold.id] = change.hold
            else:
                del self._holds[change.hold.id]
        if change.closed is not None:
            self._drop(change.closed)

    def _drop(self, lease_id: LeaseId) -> None:
        self._leases.pop(lease_id, None)
        if self._newest.get(lease_id.charge) == lease_id:
            del self._newest[lease_id.charge]

    def _note_newest(self, lease_id: LeaseId) -> None:
        known = self._newest.get(lease_id.charge)
        if known is None or known.window < lease_id.window:
            self._newest[lease_id.charge] = lease_id
