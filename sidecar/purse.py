"""The purse: the sidecar's leases and holds, and the only code that changes them.

Each change is a record: decided by `farebox.core.ledger`, written to the journal, then applied. The
one rule: journal first, then memory, then the world. While the journal takes nothing, no call holds
money; what must not be lost (how calls ended, grants, closings) is kept and written once it can be.
This module must not know calls, messages or the controller.
"""

import logging
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from operator import attrgetter
from typing import Final, NamedTuple

from farebox.core import ledger
from farebox.core.budgets import Charge
from farebox.core.instant import BootMs, DurationMs
from farebox.core.leases import Hold, HoldId, HoldState, Lease, LeaseId
from farebox.core.ledger import Book, Closed, Ended, Granted, Held, Record, Shortfall
from farebox.core.money import ZERO, Nanos
from farebox.core.reasons import Reason
from sidecar.journal import Journal

_LOG = logging.getLogger(__name__)

UNBOUNDED: Final = Nanos(10**18)
"""The headroom of a call that draws on no pool: more than any call can cost."""

CLOSED_MAX: Final = 4_096
"""Of so many (sub-)pools it is remembered which lease was closed last."""

_NEVER: Final = BootMs(2**63)
_id_of: Final = attrgetter("id")


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
        self._ahead: dict[LeaseId, BootMs] = {}
        self._begins = _NEVER
        self._closed: OrderedDict[Charge, int] = OrderedDict()
        self._unwritten: dict[HoldId | LeaseId, Record] = {}
        self._refused = False
        self.book = Book(leases=self._leases, holds=self._holds)
        self.holder = journal.recovered.holder
        self.boot_seq = journal.recovered.boot_seq
        self.journal_state = journal.recovered.state
        self.epoch = self._epoch_written = journal.recovered.epoch
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

    # What the controller allows.

    def renew(self, deadline: BootMs) -> None:
        """Allow new holds until `deadline`, never a shorter time than before."""
        if deadline > self.book.deadline:
            self.book = replace(self.book, deadline=deadline)

    def note_epoch(self, epoch: int) -> None:
        """Remember a controller's epoch if it is the highest so far."""
        if epoch > self.epoch:
            self.epoch = epoch
            self.write_again()

    def take_grant(self, granted: Granted) -> None:
        """Book what the controller has lent.

        A grant that says nothing new is not written, and one that comes after its lease was closed
        brings nothing back: numbers of leases only go up.
        """
        lease = self._leases.get(granted.lease)
        known = granted.granted if lease is None else lease.granted
        over = lease is None and granted.lease.window <= self._closed.get(granted.lease.charge, -1)
        if not over and (lease is None or granted.granted > known):
            self._commit_or_keep(granted.lease, granted)

    def forget(self, lease_id: LeaseId) -> None:
        """Drop a finished lease that the controller has settled."""
        self._unwritten.pop(lease_id, None)
        self._note_closed(lease_id)
        lease = self._leases.get(lease_id)
        if lease is not None and lease.reserved == 0:
            self._commit_or_keep(lease_id, Closed(lease=lease_id))

    # What there is.

    def lease_of(self, charge: Charge) -> Lease | None:
        """The newest lease of a (sub-)pool whose window has begun, usable or not."""
        lease_id = self._newest.get(charge)
        return None if lease_id is None else self._leases[lease_id]

    def find(self, lease_id: LeaseId) -> Lease | None:
        """A lease by its id; None when this holder has none of that id."""
        return self._leases.get(lease_id)

    def leases(self) -> Iterable[Lease]:
        """All leases, those of ended windows and of coming ones included."""
        return tuple(self._leases.values())

    def room(self, charges: Sequence[Charge], now: BootMs) -> Room:
        """What a call on these (sub-)pools could hold now."""
        self.begin_windows(now)
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

    def begins_in(self, now: BootMs) -> DurationMs | None:
        """How long until the next window begins for which money was lent ahead."""
        return None if self._begins == _NEVER else DurationMs(max(1, self._begins - now))

    def begin_windows(self, now: BootMs) -> None:
        """Let leases that were granted ahead of their window take holds once it has begun."""
        if now < self._begins:
            return
        for lease_id, starts in tuple(self._ahead.items()):
            if now >= starts:
                del self._ahead[lease_id]
                self._make_newest(lease_id)
        self._begins = min(self._ahead.values(), default=_NEVER)

    # Holds.

    def hold(
        self,
        charges: Sequence[Charge],
        amount: Nanos,
        now: BootMs,
        unchecked: Sequence[Charge] = (),
    ) -> Held | Shortfall:
        """Hold money in every (sub-)pool of a call, or in none.

        It is booked on `unchecked` ones as well, if they have a lease. Raises OSError when the
        journal can't be written: then nothing is held.
        """
        if self._unwritten:
            self.write_again()
        if now >= self._begins:
            self.begin_windows(now)
        try:
            leases = tuple(map(self._newest.__getitem__, charges))
        except KeyError as unlent:
            absent = LeaseId(charge=unlent.args[0], window=0)
            return Shortfall(lease=absent, headroom=ZERO, usable=False)
        hold_id = self._next_hold
        decided = ledger.hold(
            self.book,
            hold_id=hold_id,
            leases=leases,
            amount=amount,
            now=now,
            unchecked=self._open_of(unchecked, now) if unchecked else (),
        )
        if isinstance(decided, Held):
            self._commit(decided)
            self._next_hold = HoldId(hold_id + 1)
        return decided

    def _open_of(self, charges: Sequence[Charge], now: BootMs) -> tuple[LeaseId, ...]:
        """The leases whose window goes on: money of another window would be booked on the wrong."""
        leases = (self.lease_of(charge) for charge in charges)
        return tuple(lease.id for lease in leases if lease is not None and lease.open_at(now))

    def settle(self, hold_id: HoldId, cost: Nanos, reason: Reason) -> None:
        """End a hold at its real cost. A hold of an earlier holder is not ours to end."""
        if self.is_open(hold_id):
            ended = ledger.settle(self.book, hold_id=hold_id, cost=cost, reason=reason)
            self._commit_or_keep(hold_id, ended)

    def void(self, hold_id: HoldId, reason: Reason) -> None:
        """End a hold of which nothing was billed."""
        if self.is_open(hold_id):
            ended = ledger.void(self.book, hold_id=hold_id, reason=reason)
            self._commit_or_keep(hold_id, ended)

    def expire(self, hold_id: HoldId, reason: Reason) -> None:
        """End a hold whose outcome is unknown: it counts in full."""
        if self.is_open(hold_id):
            ended = ledger.expire(self.book, hold_id=hold_id, reason=reason)
            self._commit_or_keep(hold_id, ended)

    def is_open(self, hold_id: HoldId) -> bool:
        """Whether a hold is still to be ended."""
        return hold_id in self._holds and hold_id not in self._unwritten

    def is_current(self, hold_id: HoldId, now: BootMs) -> bool:
        """Whether a hold is open, and neither its windows nor the time to live have ended."""
        found = self._holds.get(hold_id)
        if found is None or (found.leases and now >= self.book.deadline):
            return False
        for lease_id in found.leases + found.unchecked:
            ends = self._leases[lease_id].window_ends
            if ends is not None and now >= ends:
                return False
        return True

    def charges_held(self, hold_id: HoldId) -> tuple[Charge, ...]:
        """The (sub-)pools in which a hold still has money."""
        found = self._holds.get(hold_id)
        if found is None:
            return ()
        return tuple(lease.charge for lease in found.leases + found.unchecked)

    def give_back(self, lease_id: LeaseId, *, keep: Nanos) -> bool:
        """Return what is free beyond `keep`. Says whether there was anything, and it is written."""
        lease = self._leases.get(lease_id)
        returned = None if lease is None else ledger.give_back(lease, keep=keep)
        if returned is None:
            return False
        try:
            self._commit(returned)
        except OSError:
            return False
        return True

    # The journal.

    def write_again(self) -> None:
        """Write what the journal has refused before."""
        try:
            if self.epoch > self._epoch_written:
                self._journal.note_epoch(self.epoch)
                self._epoch_written = self.epoch
            for key, record in tuple(self._unwritten.items()):
                self._commit(record)
                del self._unwritten[key]
        except OSError as error:
            self._note_refused(error)

    def start_over(self) -> None:
        """Become a new holder without any money; the old one's stays with the controller."""
        self._journal.start_over()
        for kept in (self._leases, self._holds, self._newest, self._ahead, self._unwritten):
            kept.clear()
        self._closed.clear()
        self._begins = _NEVER
        self.book = Book(leases=self._leases, holds=self._holds)
        self.holder = self._journal.recovered.holder
        self.boot_seq = self._journal.recovered.boot_seq
        self.journal_state = self._journal.recovered.state

    def close(self) -> None:
        """Close the journal."""
        self._journal.close()

    def _commit_or_keep(self, key: HoldId | LeaseId, record: Ended | Granted | Closed) -> None:
        try:
            self._commit(record)
        except OSError:
            self._unwritten[key] = record

    def _commit(self, record: Record) -> None:
        try:
            self._journal.append(record)
        except OSError:
            self._append_anew(record)
        self._apply(record)
        if self._refused:
            self._refused = False
            _LOG.info("the journal can be written again")
        if self._journal.wants_checkpoint:
            self._checkpoint()

    def _append_anew(self, record: Record) -> None:
        """A journal at its bound is shorter once it is written anew, and may take the record."""
        try:
            self._checkpoint()
            self._journal.append(record)
        except OSError as error:
            self._note_refused(error)
            raise

    def _checkpoint(self) -> None:
        self._journal.checkpoint(
            leases=self._leases.values(),
            holds=self._holds.values(),
            epoch=self.epoch,
            next_hold=self._next_hold,
            closed=(LeaseId(charge, window) for charge, window in self._closed.items()),
        )

    def _note_refused(self, error: OSError) -> None:
        if not self._refused:
            self._refused = True
            _LOG.warning("the journal can't be written, so no call holds money: %s", error)

    def _apply(self, record: Record) -> None:
        leases, closed, hold = ledger.effect(self.book, record)
        self._leases.update(zip(map(_id_of, leases), leases, strict=True))
        if hold is not None:
            hold_id, _, _, state, _ = hold
            if state is HoldState.HELD:
                self._holds[hold_id] = hold
            else:
                del self._holds[hold_id]
        elif closed is not None:
            self._drop(closed)
        elif isinstance(record, Granted):
            self._note_newest(record.lease)

    def _drop(self, lease_id: LeaseId) -> None:
        self._leases.pop(lease_id, None)
        self._ahead.pop(lease_id, None)
        self._note_closed(lease_id)
        if self._newest.get(lease_id.charge) == lease_id:
            del self._newest[lease_id.charge]

    def _note_closed(self, lease_id: LeaseId) -> None:
        last = self._closed.pop(lease_id.charge, lease_id.window)
        self._closed[lease_id.charge] = max(last, lease_id.window)
        if len(self._closed) > CLOSED_MAX:
            self._closed.popitem(last=False)

    def _note_newest(self, lease_id: LeaseId) -> None:
        starts = self._leases[lease_id].starts
        if starts is None or self._newest.get(lease_id.charge) == lease_id:
            self._ahead.pop(lease_id, None)
            self._make_newest(lease_id)
        else:
            self._ahead[lease_id] = starts
            self._begins = min(self._begins, starts)

    def _make_newest(self, lease_id: LeaseId) -> None:
        known = self._newest.get(lease_id.charge)
        if known is None or known.window < lease_id.window:
            self._newest[lease_id.charge] = lease_id
