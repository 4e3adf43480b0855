"""One pool, one controller, three holders and a network that loses, doubles and delays.

A small model of both ends: the controller decides with `core.allocation` and keeps accounts, the
holders keep their books with `core.ledger`, and every message goes through the codec. The cap must
hold after every single step, with no help from clocks, order or luck.
"""

from dataclasses import dataclass, field, replace

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from farebox.core import ledger
from farebox.core.allocation import Account, Demand, PoolState, allocate
from farebox.core.budgets import Charge, PoolUid
from farebox.core.instant import BootMs, DurationMs
from farebox.core.leases import HoldId, Lease, LeaseId
from farebox.core.ledger import Granted, Held
from farebox.core.money import ZERO, Nanos
from farebox.core.reasons import Reason
from farebox.wire.codec import decode_request, decode_response, encode_request, encode_response
from farebox.wire.messages import (
    Counters,
    FromController,
    FromSidecar,
    Grant,
    Report,
    ShrinkTo,
    Want,
)
from tests.core.books import LiveBook, replay

LEASE = LeaseId(Charge(PoolUid("acme/org"), ""), 0)
HOLDERS = ("one", "two", "three")
NOW = BootMs(0)
ROUNDS_MAX = 20
"""So many rounds of reports without a fault lead to a grant for whoever can have one."""


def _still_wanted(holder: str, want: Want, under_way: int) -> Demand:
    """What is wanted beyond a grant that the holder has not heard of."""
    return Demand(
        holder=holder,
        want=Nanos(max(0, want.want - under_way)),
        need=Nanos(max(0, want.need - under_way)),
        least=Nanos(max(0, want.least - under_way)),
    )


@dataclass
class Controller:
    """The pool as the controller has committed it. `seen` is the newest report of each holder."""

    limit: Nanos
    accounts: dict[str, Account] = field(default_factory=dict)
    seen: dict[str, int] = field(default_factory=dict)

    @property
    def pool(self) -> PoolState:
        return PoolState(limit=self.limit, accounts=self.accounts)

    def receive(self, holder: str, report: Report) -> list[tuple[str, FromController]]:
        """Merge a report, however late or often it comes, and decide about what it wants."""
        for counters in report.leases:
            self._merge(holder, counters, newest=report.seq > self.seen.get(holder, 0))
        self.seen[holder] = max(report.seq, self.seen.get(holder, 0))
        answers: list[tuple[str, FromController]] = []
        granted = self.accounts[holder].granted
        under_way = max(0, granted - report.leases[0].granted)
        if under_way:
            # The grant may be lost: it is a total, so it does no harm to say it again.
            answers.append((holder, self.grant_of(holder)))
        for want in report.wants:
            decision = allocate(self.pool, _still_wanted(holder, want, under_way))
            if decision.grant:
                answers.append((holder, self._lend(holder, decision.grant)))
            answers.extend(
                (one.holder, self._recall(one.holder, one.amount)) for one in decision.shrinks
            )
        return answers

    def _merge(self, holder: str, counters: Counters, *, newest: bool) -> None:
        known = self.accounts.get(holder, Account())
        self.accounts[holder] = replace(
            known,
            returned=Nanos(max(known.returned, counters.returned)),
            spent=Nanos(max(known.spent, counters.spent)),
            reserved=counters.reserved if newest else known.reserved,
            frozen=False,
            recalled=known.recalled and not newest,
        )

    def _lend(self, holder: str, amount: Nanos) -> Grant:
        known = self.accounts.get(holder, Account())
        self.accounts[holder] = replace(known, granted=Nanos(known.granted + amount))
        return self.grant_of(holder)

    def grant_of(self, holder: str) -> Grant:
        """What the controller would say again of a lease at any time."""
        granted = self.accounts[holder].granted
        return Grant(
            epoch=1, lease=LEASE, granted=granted, ttl=DurationMs(1), echo_boot_ms=BootMs(0)
        )

    def _recall(self, holder: str, amount: Nanos) -> ShrinkTo:
        known = self.accounts[holder]
        self.accounts[holder] = replace(known, recalled=True)
        left = known.granted - known.returned - amount
        return ShrinkTo(epoch=1, lease=LEASE, limit=Nanos(left))


@dataclass
class Holder:
    """A sidecar's end: its book, the number of its next hold and of its next report."""

    live: LiveBook = field(default_factory=LiveBook)
    next_hold: int = 1
    seq: int = 0
    wanted: int = 0

    @property
    def lease(self) -> Lease:
        return self.live.leases.get(LEASE, Lease(id=LEASE))

    def hold(self, amount: int) -> bool:
        decided = ledger.hold(
            self.live.book,
            hold_id=HoldId(self.next_hold),
            leases=(LEASE,),
            amount=Nanos(amount),
            now=NOW,
        )
        if not isinstance(decided, Held):
            self.wanted = amount
            return False
        self.live.apply(decided)
        self.next_hold += 1
        return True

    def report(self) -> Report:
        """What it says of itself, with a wish for the last call that did not fit."""
        self.seq += 1
        lease = self.lease
        lacking = Nanos(max(0, self.wanted - lease.headroom))
        wants = (Want(charge=LEASE.charge, want=Nanos(2 * lacking), need=lacking, least=lacking),)
        return Report(
            seq=self.seq,
            boot_ms=BootMs(self.seq),
            leases=(
                Counters(
                    lease=LEASE,
                    granted=lease.granted,
                    returned=lease.returned,
                    spent=lease.spent,
                    reserved=lease.reserved,
                ),
            ),
            wants=wants if lacking else (),
        )

    def receive(self, message: FromController) -> None:
        match message:
            case Grant():
                self.live.apply(Granted(lease=LEASE, granted=message.granted, window_ends=None))
            case ShrinkTo():
                keep = Nanos(max(0, message.limit - self.lease.spent - self.lease.reserved))
                record = ledger.give_back(self.lease, keep=keep)
                if record is not None:
                    self.live.apply(record)
            case _:
                raise AssertionError(message)

    def restart(self) -> None:
        self.live = replay(self.live.records)
        for hold_id in tuple(self.live.holds):
            self.live.apply(
                ledger.expire(self.live.book, hold_id=hold_id, reason=Reason.HOLDER_RESTARTED)
            )


class ProtocolMachine(RuleBasedStateMachine):
    """`up` and `down` are messages under way; each may arrive never, once or many times."""

    @initialize(limit=st.integers(100, 400))
    def start(self, limit: int) -> None:
        self.controller = Controller(limit=Nanos(limit))
        self.limit_max = limit
        self.holders = {name: Holder() for name in HOLDERS}
        self.dead: set[str] = set()
        self.up: list[tuple[str, FromSidecar]] = []
        self.down: list[tuple[str, FromController]] = []
        self.overrun = 0

    @rule(name=st.sampled_from(HOLDERS), amount=st.integers(0, 200), network=st.booleans())
    def a_call_comes(self, name: str, amount: int, *, network: bool) -> None:
        """It holds at once, or asks and holds when the answer is there."""
        if name in self.dead or self.holders[name].hold(amount):
            return
        self.up.append((name, self.holders[name].report()))
        if network:
            self.the_network_works()
            self.holders[name].hold(amount)

    @rule(name=st.sampled_from(HOLDERS), percent=st.integers(0, 100))
    def a_call_ends(self, name: str, percent: int) -> None:
        self._settle(name, percent)

    def _settle(self, name: str, percent: int) -> None:
        live = self.holders[name].live
        if name in self.dead or not live.holds:
            return
        hold = live.holds[min(live.holds)]
        cost = Nanos(hold.amount * percent // 100)
        self.overrun += max(0, cost - hold.amount)
        live.apply(
            ledger.settle(live.book, hold_id=hold.id, cost=cost, reason=Reason.USAGE_REPORTED)
        )

    @rule(name=st.sampled_from(HOLDERS))
    def a_holder_reports(self, name: str) -> None:
        if name not in self.dead:
            self.up.append((name, self.holders[name].report()))

    @rule(name=st.sampled_from(HOLDERS))
    def a_holder_restarts(self, name: str) -> None:
        if name not in self.dead:
            self.holders[name].restart()

    @rule(name=st.sampled_from(HOLDERS[1:]))
    def a_node_is_lost(self, name: str) -> None:
        """It may have sent its last calls, and nobody will ever say what they cost."""
        self.dead.add(name)

    @rule(name=st.sampled_from(HOLDERS))
    def a_holder_seems_silent(self, name: str) -> None:
        known = self.controller.accounts.get(name)
        if known is not None:
            self.controller.accounts[name] = replace(known, frozen=True)

    @rule(limit=st.integers(0, 400))
    def the_limit_changes(self, limit: int) -> None:
        self.limit_max = max(limit, self.controller.pool.committed)
        self.controller.limit = Nanos(limit)

    @precondition(lambda self: self.up)
    @rule(data=st.data(), again=st.booleans())
    def a_report_arrives(self, data: st.DataObject, *, again: bool) -> None:
        at = data.draw(st.integers(0, len(self.up) - 1))
        self._to_controller(*(self.up[at] if again else self.up.pop(at)))

    @precondition(lambda self: self.down)
    @rule(data=st.data(), again=st.booleans())
    def an_answer_arrives(self, data: st.DataObject, *, again: bool) -> None:
        at = data.draw(st.integers(0, len(self.down) - 1))
        self._to_holder(*(self.down[at] if again else self.down.pop(at)))

    @rule()
    def the_network_works(self) -> None:
        for name, message in self.up:
            self._to_controller(name, message)
        self.up.clear()
        while self.down:
            self._to_holder(*self.down.pop(0))

    @rule()
    def the_network_fails(self) -> None:
        self.up.clear()
        self.down.clear()

    @rule()
    def the_controller_restarts(self) -> None:
        """Accounts are committed before anything is said; what is only remembered is gone."""
        kept = self.controller.accounts.items()
        self.controller = Controller(
            limit=self.controller.limit,
            accounts={name: replace(one, recalled=False, frozen=False) for name, one in kept},
            seen=self.controller.seen,
        )
        self.down += [(name, self.controller.grant_of(name)) for name, _ in kept]

    def _to_controller(self, name: str, message: FromSidecar) -> None:
        report = decode_request(encode_request(message))
        assert isinstance(report, Report)
        self.down += self.controller.receive(name, report)

    def _to_holder(self, name: str, message: FromController) -> None:
        if name not in self.dead:
            self.holders[name].receive(decode_response(encode_response(message)))

    @invariant()
    def the_cap_is_hard(self) -> None:
        spent = sum(holder.lease.spent for holder in self.holders.values())
        assert spent <= self.limit_max + self.overrun

    @invariant()
    def what_can_still_be_spent_is_within_the_cap_too(self) -> None:
        worst = sum(
            max(one.lease.granted - one.lease.returned, one.lease.spent + one.lease.reserved)
            for one in self.holders.values()
        )
        assert worst <= self.limit_max + self.overrun

    @invariant()
    def the_controller_never_believes_that_a_holder_has_less_than_it_has(self) -> None:
        for name, holder in self.holders.items():
            known = self.controller.accounts.get(name, Account())
            assert known.granted >= holder.lease.granted
            assert known.returned <= holder.lease.returned
            assert known.spent <= holder.lease.spent

    @invariant()
    def more_than_the_limit_is_lent_only_after_it_was_lowered_or_overrun(self) -> None:
        assert self.controller.pool.committed <= self.limit_max + self.overrun

    def teardown(self) -> None:
        """When the faults stop, whoever can be served is served."""
        if not hasattr(self, "holders"):
            return
        self.the_network_fails()
        for name in self.dead:
            # Its deadline passes, so that nobody waits for what it was asked to give back.
            self.a_holder_seems_silent(name)
        living = [name for name in HOLDERS if name not in self.dead]
        for name in living:
            self.holders[name].restart()
            self.holders[name].wanted = 0
            self._to_controller(name, self.holders[name].report())
        gone = sum(self.controller.accounts.get(n, Account()).committed for n in self.dead)
        spent = sum(self.holders[name].lease.spent for name in living)
        left = self.controller.limit - gone - spent
        first = self.holders[HOLDERS[0]]
        for _ in range(ROUNDS_MAX):
            first.wanted = left
            for name in living:
                self._to_controller(name, self.holders[name].report())
            self.the_network_works()
        assert left <= ZERO or first.hold(left)


class OverrunMachine(ProtocolMachine):
    """The same with calls that cost more than was held: the cap gives way by that and no more."""

    @rule(name=st.sampled_from(HOLDERS), percent=st.integers(101, 200))
    def a_call_costs_more_than_its_hold(self, name: str, percent: int) -> None:
        self._settle(name, percent)


ProtocolMachine.TestCase.settings = settings(
    max_examples=100, stateful_step_count=50, deadline=None
)
OverrunMachine.TestCase.settings = ProtocolMachine.TestCase.settings
TestProtocol = ProtocolMachine.TestCase
TestProtocolWithOverruns = OverrunMachine.TestCase
