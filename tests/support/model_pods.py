"""A sidecar that makes whole calls: each holds the same money in all its pools, or in none.

It keeps its deadline, starts no window early, and when the controller refuses it for good it starts
over as a new holder. `Bills` keeps when every call was sent and what it may cost at most, apart
from everything that the controller is told. Amounts are plain n$, times milliseconds.
"""

from dataclasses import dataclass, field

from farebox.core.budgets import Charge
from farebox.core.instant import BootMs
from farebox.core.leases import LeaseId
from farebox.core.money import Nanos
from farebox.wire.messages import (
    Counters,
    FromController,
    FromSidecar,
    Grant,
    Hello,
    JournalState,
    LeaseClosed,
    Report,
    ReportAck,
    ShrinkTo,
    Want,
    Welcome,
    Workload,
)

SLACK_MS = 60
"""So much earlier than for the controller a deadline is over for its holder."""


@dataclass(slots=True)
class Call:
    """A call that was sent, and the most that it can cost as far as is known by now."""

    at: int
    leases: tuple[LeaseId, ...]
    most: int

    def draws_on(self, charge: Charge) -> bool:
        """Whether a (sub-)pool pays for this call."""
        return any(lease.charge == charge for lease in self.leases)


@dataclass(slots=True)
class Bills:
    """All calls ever sent, in the order of their times."""

    calls: list[Call] = field(default_factory=list)

    def of(self, charge: Charge) -> list[Call]:
        """The calls that a (sub-)pool pays for."""
        return [call for call in self.calls if call.draws_on(charge)]


@dataclass(slots=True)
class Purse:
    """A lease in the journal of a pod. `held` is the money of its calls under way."""

    granted: int = 0
    returned: int = 0
    spent: int = 0
    held: int = 0
    starts: int = 0
    ends: int | None = None

    @property
    def free(self) -> int:
        return self.granted - self.returned - self.spent - self.held

    def is_open(self, now: int) -> bool:
        return self.starts <= now and (self.ends is None or now < self.ends)

    def is_over(self, now: int) -> bool:
        return self.ends is not None and now >= self.ends


class Pod:
    """One sidecar, through all its holders.

    `line_out` and `line_in` are on their way; a None in the latter is the end of the stream.
    """

    def __init__(self, name: str, bills: Bills) -> None:
        self.name = name
        self.lives = 0
        self.refusals: list[str] = []
        self._bills = bills
        self._seq = 0
        self.stream: int | None = None
        self.line_out: list[FromSidecar] = []
        self.line_in: list[FromController | None] = []
        self.start_over()

    def start_over(self) -> None:
        """Be another holder, without any lease; calls under way are never settled."""
        self.lives += 1
        self.uid = f"{self.name}{self.lives}"
        self.boot_seq = 1
        self.purses: dict[LeaseId, Purse] = {}
        self.calls: list[Call] = []
        self.lose_stream()
        self.deadline = 0

    def lose_stream(self) -> None:
        """Lose the stream and all that is on its way."""
        self.stream, self.welcomed = None, False
        self.line_out.clear()
        self.line_in.clear()

    def crash(self) -> None:
        """Lose everything but the journal; what calls held counts as spent."""
        self.lose_stream()
        self.boot_seq += 1
        self.deadline = 0
        for call in self.calls:
            self._end(call, call.most)
        self.calls.clear()

    def connect(self, stream: int, now: int) -> None:
        """Open a stream, whatever became of the one before."""
        self.lose_stream()
        self.stream = stream
        self._hello_at = now
        self.line_out.append(
            Hello(
                holder=self.uid,
                boot_seq=self.boot_seq,
                workload=Workload(namespace="acme", name=self.name),
                journal=JournalState.OK,
                epoch_seen_max=0,
                boot_ms=BootMs(now),
                leases=self._counters(now),
            )
        )

    # Its calls.

    def purse_of(self, charge: Charge, now: int) -> tuple[LeaseId, Purse] | None:
        """The newest lease of a (sub-)pool that has started."""
        usable = [
            (lease, purse)
            for lease, purse in self.purses.items()
            if lease.charge == charge and purse.starts <= now
        ]
        return max(usable, key=lambda one: one[0].window, default=None)

    def call(self, charges: tuple[Charge, ...], most: int, now: int) -> bool:
        """Send a call if every pool has the money for it."""
        found = [self.purse_of(charge, now) for charge in charges]
        chosen = [one for one in found if one is not None]
        fits = all(purse.is_open(now) and purse.free >= most for _, purse in chosen)
        if len(chosen) < len(charges) or not fits or now >= self.deadline:
            return False
        for _, purse in chosen:
            purse.held += most
        call = Call(at=now, leases=tuple(lease for lease, _ in chosen), most=most)
        self.calls.append(call)
        self._bills.calls.append(call)
        return True

    def settle(self, which: int, percent: int) -> None:
        """Let one of the calls under way end at a part of what it held."""
        if self.calls:
            call = self.calls.pop(which % len(self.calls))
            self._end(call, call.most * percent // 100)

    def _end(self, call: Call, cost: int) -> None:
        for lease in call.leases:
            purse = self.purses[lease]
            purse.held, purse.spent = purse.held - call.most, purse.spent + cost
        call.most = cost

    def give_back(self, share: int) -> None:
        """Return a part (1/share) of what is free."""
        for purse in self.purses.values():
            purse.returned += max(0, purse.free) // share

    # What it says and hears.

    def report(self, wants: tuple[Want, ...], now: int) -> None:
        """Put a report on the line."""
        if not self.welcomed:
            return
        for purse in self.purses.values():
            if purse.is_over(now):
                purse.returned += max(0, purse.free)
        self._seq += 1
        self.line_out.append(
            Report(seq=self._seq, boot_ms=BootMs(now), leases=self._counters(now), wants=wants)
        )

    def hear(self, message: FromController, now: int) -> None:
        """Take in what arrived."""
        match message:
            case Welcome(accepted=False):
                self.refusals.append(message.refusal)
                self.start_over()
            case Welcome():
                self.welcomed = True
                self._renew(self._hello_at, message.ttl)
            case ReportAck():
                self._renew(message.echo_boot_ms, message.ttl)
            case Grant():
                self._take(message, now)
            case ShrinkTo() if message.lease in self.purses:
                purse = self.purses[message.lease]
                excess = purse.granted - purse.returned - message.limit
                purse.returned += max(0, min(excess, purse.free))
            case LeaseClosed() if message.lease in self.purses:
                assert self.purses[message.lease].held == 0, "a lease with calls under way"
                del self.purses[message.lease]
            case _:
                pass

    def _take(self, message: Grant, now: int) -> None:
        new = Purse(starts=now + (message.starts_in or 0))
        purse = self.purses.setdefault(message.lease, new)
        purse.granted = max(purse.granted, message.granted)
        rest = message.window_ends_in
        purse.ends = None if rest is None else message.echo_boot_ms + rest
        self._renew(message.echo_boot_ms, message.ttl)

    def _renew(self, echo: int, ttl: int) -> None:
        self.deadline = max(self.deadline, echo + ttl - SLACK_MS)

    def _counters(self, now: int) -> tuple[Counters, ...]:
        return tuple(
            Counters(
                lease=lease,
                granted=Nanos(purse.granted),
                returned=Nanos(purse.returned),
                spent=Nanos(purse.spent),
                reserved=Nanos(purse.held),
                finished=purse.is_over(now) and purse.held == 0 and purse.free <= 0,
            )
            for lease, purse in self.purses.items()
        )
