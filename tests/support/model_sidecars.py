"""A sidecar reduced to its money, at the end of a bad line: what the engine is judged by.

It holds, settles, returns and finishes as the protocol says, its journal survives its crashes, and
`Truth` keeps what was really spent apart from everything that the controller is told. Amounts are
plain n$, times milliseconds of the model's own clock.
"""

from collections import defaultdict
from dataclasses import dataclass, field

from farebox.core.budgets import Charge
from farebox.core.instant import BootMs
from farebox.core.leases import LeaseId
from farebox.core.money import Nanos
from farebox.wire.messages import (
    Counters,
    FromController,
    FromSidecar,
    Goodbye,
    Grant,
    Hello,
    JournalState,
    LeaseClosed,
    Report,
    ShrinkTo,
    Want,
    Welcome,
    Workload,
)


@dataclass(slots=True)
class Truth:
    """What was spent of each lease, or is held by calls whose cost may still be all of it."""

    at_most: dict[LeaseId, int] = field(default_factory=lambda: defaultdict(int))


@dataclass(slots=True)
class Wallet:
    """A lease in the journal of a sidecar."""

    granted: int = 0
    returned: int = 0
    spent: int = 0
    reserved: int = 0
    ends: int | None = None

    @property
    def headroom(self) -> int:
        return self.granted - self.returned - self.spent - self.reserved


class ModelSidecar:
    """One holder. `line_out` and `line_in` are what is on its way on its present stream."""

    def __init__(self, uid: str, truth: Truth) -> None:
        self.uid = uid
        self.boot_seq = 1
        self.stream: int | None = None
        self.welcomed = False
        self.refusals: list[str] = []
        self.wallets: dict[LeaseId, Wallet] = {}
        self.line_out: list[FromSidecar] = []
        self.line_in: list[FromController] = []
        self.sent_before: list[FromSidecar] = []
        self._truth = truth
        self._seq = 0

    # Its calls.

    def spend(self, charge: Charge, amount: int, cost: int, now: int) -> None:
        """Hold `amount` of the newest lease if it can, and settle a hold before it at `cost`."""
        lease = max(
            (lease for lease in self.wallets if lease.charge == charge),
            key=lambda lease: lease.window,
            default=None,
        )
        if lease is None:
            return
        wallet = self.wallets[lease]
        settled = min(cost, wallet.reserved)
        self._truth.at_most[lease] -= wallet.reserved - settled
        wallet.spent, wallet.reserved = wallet.spent + settled, 0
        if wallet.ends is None or now < wallet.ends:
            held = min(amount, wallet.headroom)
            wallet.reserved = held
            self._truth.at_most[lease] += held

    def give_back(self, share: int) -> None:
        """Return a part (1/share) of what is free."""
        for wallet in self.wallets.values():
            wallet.returned += wallet.headroom // share

    # Its stream.

    def connect(self, stream: int, now: int) -> None:
        """Open a stream, whatever became of the one before."""
        self.disconnect()
        self.stream = stream
        self.line_out.append(
            Hello(
                holder=self.uid,
                boot_seq=self.boot_seq,
                workload=Workload(namespace="acme", name=self.uid),
                journal=JournalState.OK,
                epoch_seen_max=0,
                boot_ms=BootMs(now),
                leases=self._counters(now),
            )
        )

    def disconnect(self) -> None:
        """Lose the stream and all that is on its way."""
        self.stream, self.welcomed = None, False
        self.line_out.clear()
        self.line_in.clear()
        self.sent_before.clear()

    def crash(self) -> None:
        """Lose everything but the journal; what calls held counts as spent."""
        self.disconnect()
        self.boot_seq += 1
        for wallet in self.wallets.values():
            wallet.spent, wallet.reserved = wallet.spent + wallet.reserved, 0

    def report(self, wants: tuple[Want, ...], now: int) -> None:
        """Put a report on the line."""
        if self.welcomed:
            self._finish_windows(now)
            self._seq += 1
            self.line_out.append(
                Report(seq=self._seq, boot_ms=BootMs(now), leases=self._counters(now), wants=wants)
            )

    def goodbye(self, now: int) -> None:
        """Put the last word on the line."""
        if self.welcomed:
            self.give_back(1)
            self.line_out.append(Goodbye(leases=self._counters(now)))

    def hear(self, message: FromController) -> None:
        """Take in what arrived."""
        match message:
            case Welcome():
                self.welcomed = message.accepted
                self.refusals += [message.refusal] if message.refusal else []
            case Grant():
                wallet = self.wallets.setdefault(message.lease, Wallet())
                wallet.granted = max(wallet.granted, message.granted)
                rest = message.window_ends_in
                wallet.ends = None if rest is None else message.echo_boot_ms + rest
            case ShrinkTo() if message.lease in self.wallets:
                wallet = self.wallets[message.lease]
                excess = wallet.granted - wallet.returned - message.limit
                wallet.returned += max(0, min(excess, wallet.headroom))
            case LeaseClosed():
                self.wallets.pop(message.lease, None)
            case _:
                pass

    def _finish_windows(self, now: int) -> None:
        for wallet in self.wallets.values():
            if wallet.ends is not None and now >= wallet.ends:
                wallet.returned += wallet.headroom

    def _counters(self, now: int) -> tuple[Counters, ...]:
        return tuple(
            Counters(
                lease=lease,
                granted=Nanos(wallet.granted),
                returned=Nanos(wallet.returned),
                spent=Nanos(wallet.spent),
                reserved=Nanos(wallet.reserved),
                finished=_is_over(wallet, now) and wallet.headroom == wallet.reserved == 0,
            )
            for lease, wallet in self.wallets.items()
        )


def _is_over(wallet: Wallet, now: int) -> bool:
    return wallet.ends is not None and now >= wallet.ends
