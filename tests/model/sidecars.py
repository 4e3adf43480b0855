"""One sidecar of the small world: the real purse and leasing over a journal in memory.

Calls, crashes and the stream are moves; what the purse, the journal and the protocol make of them
is the product's own code. The one rule: `billed` counts, for each lease, the most that a provider
may have billed, from what was sent and not from what anybody says. This module must not know the
controller.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

from farebox.core.budgets import Charge
from farebox.core.instant import BootMs, DurationMs
from farebox.core.leases import HoldId, LeaseId
from farebox.core.ledger import Held
from farebox.core.money import Nanos
from farebox.core.reasons import Reason
from farebox.wire.messages import FromController, FromSidecar, ReportAck, Workload
from sidecar.leasing import Leasing
from sidecar.purse import Purse
from sidecar.wants import Waiting
from tests.model.bounds import Bounds, Call, Fault
from tests.model.journals import ModelJournal

WAITER: Final = 1
"""The number of the only call that waits for money at a time."""


class StreamEnd(NamedTuple):
    """In place of a message: the stream is over."""


class Move(NamedTuple):
    """Something that a sidecar may do or suffer; `fault` when it has to be paid for as one."""

    verb: str
    amount: int = 0
    fault: Fault | None = None

    def __str__(self) -> str:
        return f"{self.verb} {self.amount}" if self.amount else self.verb


Said = FromSidecar | StreamEnd
Heard = FromController | StreamEnd


@dataclass(slots=True)
class OpenCall:
    """A call that was sent, and what it may turn out to cost."""

    hold: HoldId
    call: Call


class SmallSidecar:
    """`side` is 0 or 1; its streams have numbers of that parity."""

    def __init__(self, side: int, charges: tuple[Charge, ...], bounds: Bounds) -> None:
        """A new machine: nothing in the journal, no stream."""
        self.side = side
        self.charges = charges
        self.calls = bounds.calls[side]
        self._absent = not self.calls
        self.now, *self.moments_left = bounds.moments[1]
        self._still = len(bounds.moments[0]) == len(bounds.moments[1]) == 1
        self.serial = 0
        self.stream: int | None = None
        self.waiting: Call | None = None
        self.open: list[OpenCall] = []
        self.billed: dict[LeaseId, int] = {}
        self.journal = ModelJournal("ab"[side])
        self._start()

    @property
    def boot(self) -> BootMs:
        return BootMs(1_000_000 + self.now)

    def moves(self, *, deaf: bool) -> Iterator[Move]:
        """All that can happen here now. `deaf`: whoever served this stream is gone."""
        if self._absent:
            return
        if self.calls and self.waiting is None:
            yield Move("call", self.calls[0].hold)
        if self.waiting is not None:
            yield Move("give up")
        if self.open:
            yield from (Move("settle", cost) for cost in self.open[0].call.costs)
        if self.stream is None:
            yield Move("connect")
        elif deaf:
            yield Move("cut")
        else:
            yield Move("cut", fault=Fault.CUT)
            if self.leasing.connected:
                yield Move("report")
        if self.moments_left:
            yield Move("clock")
        yield Move("crash", fault=Fault.CRASH)
        yield Move("lose journal", fault=Fault.LOSS)

    def make(self, move: Move) -> list[Said]:
        """Do it; returns what goes to the controller on the present stream."""
        match move.verb:
            case "call":
                self._call()
            case "give up":
                self._stop_waiting()
            case "settle":
                self._settle(move.amount)
            case "connect":
                return [self._connect()]
            case "report":
                return self._report()
            case "cut":
                return self._cut()
            case "clock":
                self.now = self.moments_left.pop(0)
            case "crash":
                return self._crash(lose=False)
            case "lose journal":
                return self._crash(lose=True)
        return []

    def hear(self, messages: tuple[Heard, ...]) -> list[Said]:
        """Take in what arrived on the present stream, as the lease client does."""
        said: list[Said] = []
        for message in messages:
            if self.stream is None:
                break
            if isinstance(message, StreamEnd):
                said += self._cut()
                continue
            heard = self.leasing.hear(self._numbered(message), self.boot)
            # A heartbeat may come at any time: no clock says when.
            self.leasing.heartbeat = DurationMs(0)
            if heard.refused:
                self._forget_calls()
                self.leasing.start_over()
            if heard.refused or heard.outdated:
                said += self._cut()
            elif self.waiting is not None and not self._hold(self.waiting):
                self._ask_again()
        return said

    def _numbered(self, message: FromController) -> FromController:
        """Under way, reports are numbered from the last one backwards."""
        if isinstance(message, ReportAck):
            return replace(message, seq=self.leasing._seq + message.seq)
        return message

    def _start(self) -> None:
        self.purse = Purse(self.journal)
        self.leasing = Leasing(self.purse, Workload(namespace="acme", name="pod"))

    # The stream.

    def _connect(self) -> Said:
        self.serial += 1
        self.stream = 2 * self.serial + self.side
        return self.leasing.hello(self.boot)

    def _report(self) -> list[Said]:
        """A heartbeat. Where time stands still, one that says nothing need not travel."""
        report = self.leasing.report(self.boot)
        if report.leases or report.wants or not self._still:
            return [report]
        ack = ReportAck(
            epoch=self.purse.epoch, seq=report.seq, echo_boot_ms=self.boot, ttl=self.leasing.ttl
        )
        self.leasing.hear(ack, self.boot)
        return []

    def _cut(self) -> list[Said]:
        if self.stream is None:
            return []
        self.stream = None
        self.leasing.disconnected()
        return [StreamEnd()]

    def _crash(self, *, lose: bool) -> list[Said]:
        said = self._cut()
        self._forget_calls()
        if lose:
            self.journal.lose()
        else:
            self.journal.reopen()
        self._start()
        return said

    def _forget_calls(self) -> None:
        """Nobody will ever settle what is on its way to a provider: it stays billed in full."""
        self.open.clear()
        self.waiting = None

    # The calls.

    def _call(self) -> None:
        call, *others = self.calls
        self.calls = tuple(others)
        if not self._hold(call):
            self.waiting = call
            need = Nanos(call.hold)
            for charge in self._short_of(call.hold):
                self.leasing.ask(charge, WAITER, Waiting(need=need, least=need))

    def _hold(self, call: Call) -> bool:
        held = self.purse.hold(self.charges, Nanos(call.hold), self.boot)
        if not isinstance(held, Held):
            return False
        hold = held.hold
        self._stop_waiting()
        self.open.append(OpenCall(hold, call))
        for lease in self.purse._holds[hold].leases:
            self.billed[lease] = self.billed.get(lease, 0) + call.hold
        return True

    def _settle(self, cost: int) -> None:
        ending = self.open.pop(0)
        for lease in self.purse._holds[ending.hold].leases:
            self.billed[lease] += cost - ending.call.hold
        if cost:
            self.purse.settle(ending.hold, Nanos(cost), Reason.USAGE_REPORTED)
        else:
            self.purse.void(ending.hold, Reason.NOTHING_SENT)

    def _short_of(self, amount: int) -> list[Charge]:
        rooms = ((charge, self.purse.room((charge,), self.boot)) for charge in self.charges)
        return [charge for charge, room in rooms if room.money < amount]

    def _ask_again(self) -> None:
        assert self.waiting is not None
        for charge in self._short_of(self.waiting.hold):
            if charge not in self.leasing.denials:
                self.leasing.ask_again(charge)

    def _stop_waiting(self) -> None:
        self.waiting = None
        for charge in self.charges:
            self.leasing.stop_waiting(charge, WAITER)
