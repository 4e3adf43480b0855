"""A sidecar's money on a disk that fills up and a process that dies, step by step.

What really happened is kept apart from the purse: what the controller lent, what calls cost, what
was told. Checked after every step, with the names of docs/lease-protocol.md: I2 nothing is held
beyond what is there, I3 the holder never has more than was lent, I4 what is told as returned is
in the journal, I10 every call is charged once on each of its pools.
"""

from dataclasses import dataclass, field

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from farebox.core.budgets import Charge
from farebox.core.instant import BootMs
from farebox.core.leases import HoldId, LeaseId
from farebox.core.ledger import Granted, Held
from farebox.core.money import Nanos
from farebox.core.reasons import Reason
from farebox.wire.messages import JournalState
from sidecar.journal import Journal
from sidecar.purse import Purse
from tests.support.disks import MemoryFile
from tests.support.money import ANA, ORG, TEAM

BOOT = "boot-1"
WINDOW_MS = 1_000
TTL_MS = 700
PATHS = ((ORG,), (TEAM, ORG), (ANA, TEAM, ORG))
charges = st.sampled_from((ORG, TEAM, ANA))
amounts = st.integers(0, 60)


@dataclass
class Truth:
    """What really happened to one lease."""

    lent: int = 0
    cost: int = 0
    overrun: int = 0
    unchecked: int = 0
    returned_told: int = 0


@dataclass
class Call:
    """A call under way, with the leases that it must be charged on."""

    amount: int
    leases: tuple[LeaseId, ...]
    unchecked: tuple[LeaseId, ...]
    sent_by: int


@dataclass
class World:
    """One pod. `process` counts its starts."""

    disk: MemoryFile = field(default_factory=MemoryFile)
    now: int = 0
    process: int = 1
    truth: dict[LeaseId, Truth] = field(default_factory=dict)
    calls: dict[HoldId, Call] = field(default_factory=dict)
    closed: set[LeaseId] = field(default_factory=set)
    used_holds: set[HoldId] = field(default_factory=set)


def _goes_on(lease: LeaseId, now: int) -> bool:
    return not lease.window or (lease.window - 1) * WINDOW_MS <= now < lease.window * WINDOW_MS


class PurseMachine(RuleBasedStateMachine):
    """Windows of ORG follow each other, those of the other pools are endless."""

    @initialize()
    def start(self) -> None:
        self.world = World()
        self.purse = Purse(Journal(self.world.disk, boot_id=BOOT))
        self.purse.renew(BootMs(TTL_MS))
        for charge in (ORG, TEAM, ANA):
            self.the_controller_lends(charge, 100, ahead=False, arrives=True)

    def _lease_id(self, charge: Charge, *, ahead: bool) -> LeaseId:
        window = self.world.now // WINDOW_MS + 1 + ahead if charge == ORG else 0
        return LeaseId(charge, window)

    @rule(charge=charges, more=amounts, ahead=st.booleans(), arrives=st.booleans())
    def the_controller_lends(
        self, charge: Charge, more: int, *, ahead: bool, arrives: bool
    ) -> None:
        lease = self._lease_id(charge, ahead=ahead)
        if lease in self.world.closed:
            return
        truth = self.world.truth.setdefault(lease, Truth())
        truth.lent += more
        if arrives:
            self._grant(lease)

    def _grant(self, lease: LeaseId) -> None:
        starts = (lease.window - 1) * WINDOW_MS
        self.purse.take_grant(
            Granted(
                lease=lease,
                granted=Nanos(self.world.truth[lease].lent),
                window_ends=BootMs(lease.window * WINDOW_MS) if lease.window else None,
                starts=BootMs(starts) if starts > self.world.now else None,
            )
        )

    @rule(data=st.data())
    def a_grant_arrives_late_or_again(self, data: st.DataObject) -> None:
        """Also one of a lease that was closed: it must stay closed."""
        self._grant(data.draw(st.sampled_from(sorted(self.world.truth))))

    @rule(by=st.integers(0, 600))
    def time_passes(self, by: int) -> None:
        self.world.now += by

    @rule()
    def the_controller_answers(self) -> None:
        self.purse.renew(BootMs(self.world.now + TTL_MS))

    @rule(path=st.sampled_from(PATHS), amount=amounts, lenient=st.integers(0, 2))
    def a_call_holds(self, path: tuple[Charge, ...], amount: int, lenient: int) -> None:
        """The last `lenient` of its pools never refuse."""
        now, world = BootMs(self.world.now), self.world
        checked = path[: len(path) - lenient]
        unchecked = path[len(path) - lenient :] if lenient < len(path) else ()
        checked = checked or path
        self.purse.write_again()
        rooms = [self.purse.room((charge,), now) for charge in checked]
        try:
            held = self.purse.hold(checked, Nanos(amount), now, unchecked)
        except OSError:
            assert world.disk.room is not None
            return
        if not isinstance(held, Held):
            assert any(room.missing or room.money < amount for room in rooms)
            return
        assert all(not room.missing and room.money >= amount for room in rooms)
        assert held.hold not in world.used_holds, "numbers of holds are never used twice"
        world.used_holds.add(held.hold)
        assert [lease.charge for lease in held.leases] == list(checked)
        assert {lease.charge for lease in held.unchecked} <= set(unchecked)
        assert all(_goes_on(lease, now) for lease in held.leases + held.unchecked)
        for lease in held.unchecked:
            world.truth[lease].unchecked += amount
        world.calls[held.hold] = Call(amount, held.leases, held.unchecked, world.process)

    @precondition(lambda self: self.world.calls)
    @rule(data=st.data(), cost=st.integers(0, 80))
    def a_call_settles(self, data: st.DataObject, cost: int) -> None:
        hold = data.draw(st.sampled_from(sorted(self.world.calls)))
        call = self.world.calls.pop(hold)
        for lease in call.leases + call.unchecked:
            truth = self.world.truth[lease]
            truth.cost += cost
            truth.overrun += max(0, cost - call.amount)
        self.purse.settle(hold, Nanos(cost), Reason.USAGE_REPORTED)
        self.purse.void(hold, Reason.NOTHING_SENT)

    @precondition(lambda self: self.world.calls)
    @rule(data=st.data())
    def a_call_was_never_sent(self, data: st.DataObject) -> None:
        hold = data.draw(st.sampled_from(sorted(self.world.calls)))
        del self.world.calls[hold]
        self.purse.void(hold, Reason.NOTHING_SENT)

    @rule(data=st.data(), keep=amounts)
    def money_is_given_back(self, data: st.DataObject, keep: int) -> None:
        leases = sorted(self.purse.leases())
        if leases:
            self.purse.give_back(data.draw(st.sampled_from(leases)).id, keep=Nanos(keep))

    @rule()
    def the_sidecar_reports(self) -> None:
        """What it says counts at the controller for ever."""
        self.purse.write_again()
        for lease in self.purse.leases():
            self.world.truth[lease.id].returned_told = lease.returned
        if self.world.disk.room is None:
            assert self.purse._holds.keys() == self.world.calls.keys(), "every end is written"

    @rule()
    def a_window_is_over(self) -> None:
        """All that is free of it goes back, and the controller closes it once nothing is held."""
        self.world.now = (self.world.now // WINDOW_MS + 1) * WINDOW_MS
        self.purse.renew(BootMs(self.world.now + TTL_MS))
        self.purse.write_again()
        for lease in tuple(self.purse.leases()):
            if lease.window_over_at(BootMs(self.world.now)):
                self.purse.give_back(lease.id, keep=Nanos(0))
        self.the_controller_closes_what_is_finished()
        for lease_id in sorted(self.world.closed):
            self._grant(lease_id)

    @rule()
    def the_controller_closes_what_is_finished(self) -> None:
        for lease in tuple(self.purse.leases()):
            if lease.window_over_at(BootMs(self.world.now)) and not (
                lease.reserved or lease.headroom
            ):
                self.purse.forget(lease.id)
                if self.purse.find(lease.id) is None:
                    self.world.closed.add(lease.id)

    @rule(room=st.sampled_from([0, 20, 60, 200]))
    def the_disk_fills_up(self, room: int) -> None:
        self.world.disk.room = room

    @rule()
    def the_disk_has_room_again(self) -> None:
        self.world.disk.room = None
        self.the_sidecar_reports()

    @rule(torn=st.integers(0, 30), checkpoint=st.booleans())
    def the_process_dies_and_starts_again(self, torn: int, *, checkpoint: bool) -> None:
        """It dies within a write of which the first bytes are in the file."""
        if checkpoint and self.world.disk.room is None:
            self.purse._checkpoint()
        disk = self.world.disk
        disk.room = None
        disk.content += b"\x2a\x00\xd5\xffe"[: torn % 6] + bytes(range(max(0, torn - 6)))
        if torn >= 6:
            del disk.content[len(disk.content) - (torn - 6) :]
        before, epoch = self.purse.holder, self.purse.epoch
        self.world.process += 1
        self.purse = Purse(Journal(disk, boot_id=BOOT))
        self.purse.renew(BootMs(self.world.now + TTL_MS))
        assert self.purse.journal_state is JournalState.OK
        assert (self.purse.holder, self.purse.epoch) == (before, epoch)
        # Calls of the dead process cost what they cost, and nobody will ever say how much.
        for call in self.world.calls.values():
            for lease in call.leases + call.unchecked:
                self.world.truth[lease].cost += call.amount
        self.world.calls.clear()

    @invariant()
    def nothing_is_spent_or_held_beyond_what_was_lent(self) -> None:
        """I2 and I3; what a pool let pass, and what calls overran, is known apart."""
        for lease in self.purse.leases():
            truth = self.world.truth[lease.id]
            assert lease.granted <= truth.lent
            beyond = truth.overrun + truth.unchecked
            assert lease.spent + lease.reserved <= lease.granted - lease.returned + beyond

    @invariant()
    def nothing_that_calls_cost_is_forgotten(self) -> None:
        """What the purse counts is never less than what calls cost and may still cost."""
        under_way: dict[LeaseId, int] = {}
        for call in self.world.calls.values():
            for lease_id in call.leases + call.unchecked:
                under_way[lease_id] = under_way.get(lease_id, 0) + call.amount
        for lease in self.purse.leases():
            truth = self.world.truth[lease.id]
            at_least = truth.cost - truth.overrun + under_way.get(lease.id, 0)
            assert lease.spent + lease.reserved >= at_least

    @invariant()
    def what_was_told_as_returned_stays_returned(self) -> None:
        """I4."""
        for lease in self.purse.leases():
            assert lease.returned >= self.world.truth[lease.id].returned_told

    @invariant()
    def what_was_closed_stays_closed(self) -> None:
        for lease in self.purse.leases():
            assert lease.id not in self.world.closed

    @invariant()
    def a_call_is_charged_once_on_each_of_its_pools(self) -> None:
        """I10."""
        for hold, call in self.world.calls.items():
            held = self.purse.charges_held(hold)
            assert sorted(held) == sorted(lease.charge for lease in call.leases + call.unchecked)
            assert len(set(held)) == len(held)

    @invariant()
    def the_file_says_what_the_purse_says(self) -> None:
        """A process that died now would come to the same money, with open holds in full."""
        copy = MemoryFile(bytes(self.world.disk.content), self.world.disk.identity_now)
        after = {lease.id: lease for lease in Purse(Journal(copy, boot_id=BOOT)).leases()}
        assert after == {
            lease.id: lease._replace(spent=Nanos(lease.spent + lease.reserved), reserved=Nanos(0))
            for lease in self.purse.leases()
        }


PurseMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=50, deadline=None)
TestPurse = PurseMachine.TestCase
