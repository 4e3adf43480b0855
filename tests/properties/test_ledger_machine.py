"""A holder's ledger under any order of grants, holds, ends, returns, duplicates and restarts.

The model keeps its own sums, so that the ledger is not judged by itself: what was spent in each
lease, by how much calls overran their holds, and what the controller has really lent.
"""

from dataclasses import dataclass

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from farebox.core import ledger
from farebox.core.budgets import Charge, PoolUid
from farebox.core.instant import BootMs
from farebox.core.leases import HoldId, Lease, LeaseId
from farebox.core.ledger import Closed, Granted, Held, Shortfall
from farebox.core.money import Nanos
from farebox.core.reasons import Reason
from tests.core.books import LiveBook, replay

WINDOW_MS = 1_000
LEASES = (
    LeaseId(Charge(PoolUid("acme/org"), ""), 0),
    LeaseId(Charge(PoolUid("acme/people"), "ana"), 0),
    LeaseId(Charge(PoolUid("acme/people"), "ben"), 0),
    LeaseId(Charge(PoolUid("acme/daily"), ""), 1),
    LeaseId(Charge(PoolUid("acme/daily"), ""), 2),
)
amounts = st.integers(0, 100)
leases = st.sampled_from(LEASES)
paths = st.lists(leases, min_size=1, max_size=3, unique=True).map(tuple)


def window_ends(lease: LeaseId) -> BootMs | None:
    return BootMs(lease.window * WINDOW_MS) if lease.window else None


@dataclass
class Truth:
    """What really happened to one lease, kept apart from the ledger."""

    lent: int = 0
    spent: int = 0
    overrun: int = 0


class LedgerMachine(RuleBasedStateMachine):
    """One holder. `sent` are the controller's grants, which may arrive again at any time."""

    @initialize()
    def start(self) -> None:
        self.live = LiveBook(deadline=BootMs(500))
        self.now = BootMs(0)
        self.next_hold = 1
        self.truth = {lease: Truth() for lease in LEASES}
        self.sent: list[Granted] = []
        self.seen: dict[LeaseId, Lease] = {}
        for lease in LEASES[1:]:
            self.the_controller_lends(lease, 100, arrives=True)

    @rule(lease=leases, more=amounts, arrives=st.booleans())
    def the_controller_lends(self, lease: LeaseId, more: int, *, arrives: bool) -> None:
        self.truth[lease].lent += more
        total = Nanos(self.truth[lease].lent)
        self.sent.append(Granted(lease=lease, granted=total, window_ends=window_ends(lease)))
        if arrives:
            self.live.apply(self.sent[-1])

    @precondition(lambda self: self.sent)
    @rule(data=st.data())
    def an_old_grant_arrives_again(self, data: st.DataObject) -> None:
        grant = data.draw(st.sampled_from(self.sent))
        # A holder knows the leases that it has closed, by their windows being over.
        if grant.lease in self.live.leases or not self._is_over(grant.lease):
            self.live.apply(grant)

    @rule(by=st.integers(0, 400))
    def time_passes(self, by: int) -> None:
        self.now = BootMs(self.now + by)

    @rule()
    def the_controller_answers_a_heartbeat(self) -> None:
        self.live.deadline = BootMs(self.now + 500)

    @rule(path=paths, amount=amounts)
    def a_call_holds(self, path: tuple[LeaseId, ...], amount: int) -> None:
        hold_id = HoldId(self.next_hold)
        before = dict(self.live.leases)
        decided = ledger.hold(
            self.live.book, hold_id=hold_id, leases=path, amount=Nanos(amount), now=self.now
        )
        if isinstance(decided, Held):
            assert self.now < self.live.deadline
            assert all(before[lease].headroom >= amount for lease in path)
            assert not any(self._is_over(lease) for lease in path)
            self.live.apply(decided)
            self.next_hold += 1
        else:
            self._is_true(decided, amount)
            assert self.live.leases == before

    def _is_true(self, shortfall: Shortfall, amount: int) -> None:
        lease = self.live.leases.get(shortfall.lease)
        if lease is None:
            assert not shortfall.usable
        elif shortfall.usable:
            assert lease.headroom == shortfall.headroom < amount
        else:
            assert self.now >= self.live.deadline or self._is_over(shortfall.lease)

    def _is_over(self, lease: LeaseId) -> bool:
        ends = window_ends(lease)
        return ends is not None and self.now >= ends

    @precondition(lambda self: self.live.holds)
    @rule(data=st.data(), cost=st.integers(0, 150))
    def a_call_settles(self, data: st.DataObject, cost: int) -> None:
        hold = self.live.holds[data.draw(st.sampled_from(sorted(self.live.holds)))]
        for lease in hold.leases:
            self.truth[lease].spent += cost
            self.truth[lease].overrun += max(0, cost - hold.amount)
        self.live.apply(
            ledger.settle(
                self.live.book, hold_id=hold.id, cost=Nanos(cost), reason=Reason.USAGE_REPORTED
            )
        )

    @precondition(lambda self: self.live.holds)
    @rule(data=st.data())
    def a_call_was_never_sent(self, data: st.DataObject) -> None:
        hold_id = data.draw(st.sampled_from(sorted(self.live.holds)))
        self.live.apply(ledger.void(self.live.book, hold_id=hold_id, reason=Reason.NOTHING_SENT))

    @precondition(lambda self: self.live.holds)
    @rule(data=st.data())
    def a_call_is_lost(self, data: st.DataObject) -> None:
        self._expire(data.draw(st.sampled_from(sorted(self.live.holds))), Reason.OUTCOME_UNKNOWN)

    def _expire(self, hold_id: HoldId, reason: Reason) -> None:
        hold = self.live.holds[hold_id]
        for lease in hold.leases:
            self.truth[lease].spent += hold.amount
        self.live.apply(ledger.expire(self.live.book, hold_id=hold_id, reason=reason))

    @precondition(lambda self: self.live.leases)
    @rule(data=st.data(), keep=amounts, twice=st.booleans())
    def free_money_is_given_back(self, data: st.DataObject, keep: int, *, twice: bool) -> None:
        lease = self.live.leases[data.draw(st.sampled_from(sorted(self.live.leases, key=str)))]
        record = ledger.give_back(lease, keep=Nanos(keep))
        if record is None:
            assert lease.headroom <= keep
            return
        self.live.apply(record)
        if twice:
            self.live.apply(record)
        assert self.live.leases[lease.id].headroom == keep

    @precondition(lambda self: self.live.leases)
    @rule(data=st.data())
    def a_finished_lease_is_closed(self, data: st.DataObject) -> None:
        lease = self.live.leases[data.draw(st.sampled_from(sorted(self.live.leases, key=str)))]
        if ledger.is_finished(lease, now=self.now):
            self.live.apply(Closed(lease=lease.id))
            del self.seen[lease.id]
            self.truth[lease.id].spent = self.truth[lease.id].overrun = 0

    @rule()
    def the_holder_restarts(self) -> None:
        """Nobody knows how the open calls ended: they count in full."""
        told = replay(self.live.records)
        self.live = LiveBook(
            leases=told.leases,
            holds=told.holds,
            records=list(self.live.records),
            deadline=self.live.deadline,
        )
        for hold_id in tuple(self.live.holds):
            self._expire(hold_id, Reason.HOLDER_RESTARTED)

    @invariant()
    def nobody_spends_more_than_was_lent_but_for_overruns(self) -> None:
        for lease in self.live.leases.values():
            bound = lease.granted - lease.returned + self.truth[lease.id].overrun
            assert lease.spent + lease.reserved <= bound
            assert lease.granted <= self.truth[lease.id].lent
            assert lease.overdraft <= self.truth[lease.id].overrun

    @invariant()
    def the_sums_are_right(self) -> None:
        for lease in self.live.leases.values():
            held = [hold.amount for hold in self.live.holds.values() if lease.id in hold.leases]
            assert lease.reserved == sum(held)
            assert lease.spent == self.truth[lease.id].spent

    @invariant()
    def no_counter_ever_falls(self) -> None:
        for lease_id, before in self.seen.items():
            after = self.live.leases[lease_id]
            assert after.granted >= before.granted
            assert after.returned >= before.returned
            assert after.spent >= before.spent
        self.seen = dict(self.live.leases)

    @invariant()
    def the_journal_tells_the_same_story(self) -> None:
        told = replay(self.live.records)
        assert told.leases == self.live.leases
        assert told.holds == self.live.holds


LedgerMachine.TestCase.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)
TestLedger = LedgerMachine.TestCase
