"""The holder's side of the lease protocol, without any I/O.

Messages of the controller go in, reports come out, the purse is changed in between. The one rule:
money is given back in the journal before a message says so, and only a grant makes more of it. This
module must not know gRPC, tasks or calls: who waits for money is in `cashier`.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from farebox.core.budgets import Charge
from farebox.core.instant import BootMs, DurationMs
from farebox.core.leases import Lease, LeaseId
from farebox.core.ledger import Granted, is_finished
from farebox.core.money import ZERO, Nanos
from farebox.core.policy import Policy
from farebox.wire.messages import (
    Counters,
    Denial,
    FromController,
    Goodbye,
    Grant,
    Hello,
    LeaseClosed,
    PolicyPush,
    Report,
    ReportAck,
    ShrinkTo,
    Want,
    Welcome,
    Workload,
)
from sidecar.flows import Flows
from sidecar.outlooks import Outlooks
from sidecar.purse import Purse
from sidecar.wants import Waiting, want_of

MARGIN_MS: Final = 50
"""A lease ends this much earlier for its holder than for the controller."""

PREFETCH_GAP_MS: Final = 200
"""Money for calls to come is asked for at most this often in each (sub-)pool."""

DENIAL_MS_MAX: Final = 30_000
"""A denial older than this is forgotten."""

SCARCE_GAP_MS: Final = 500
"""Where little is to be had, so long after a report calls that lack money are asked for again.

Until then calls that end may give others what they need.
"""

EARLY_BEAT: Final = 4
"""A report after a heartbeat divided by this is the heartbeat: one message does for two."""

HORIZON_PERCENT: Final = 60
"""A lease is to last for so much of the time to live, in per cent of it."""

WANTS_MAX: Final = 256
"""A report asks for at most so many (sub-)pools; the others follow in the next."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What a message changed: (sub-)pools whose waiting calls should look again, a new policy.

    `refused`: the controller does not accept this holder, with its sentence. `outdated`: this
    controller is older than one heard before, and must not be obeyed.
    """

    changed: tuple[Charge, ...] = ()
    policy: Policy | None = None
    refused: str = ""
    outdated: bool = False


class Leasing:
    """The state of one holder's conversation with the controller."""

    def __init__(self, purse: Purse, workload: Workload) -> None:
        """Start unconnected; the heartbeat and the time to live come with the Welcome."""
        self._purse = purse
        self._workload = workload
        self._seq = 0
        self._acked = 0
        self._hello_at = BootMs(0)
        self._beat_at = BootMs(0)
        self._said_at = BootMs(0)
        self._drift_ppm = 0
        self._reported: dict[LeaseId, Counters] = {}
        self._urgent: set[LeaseId] = set()
        self._flows = Flows(purse)
        self._prefetches: dict[Charge, BootMs] = {}
        self._asked: set[Charge] = set()
        self._later: set[Charge] = set()
        self.waiting: dict[Charge, dict[int, Waiting]] = {}
        self.denials: dict[Charge, tuple[Denial, BootMs]] = {}
        self.outlooks = Outlooks()
        self.connected = False
        self._welcomed = DurationMs(1_000), DurationMs(5_000)
        self.heartbeat, self.ttl = self._welcomed

    @property
    def _horizon(self) -> DurationMs:
        """How long what is asked for beyond the calls that wait is to last."""
        return DurationMs(self.ttl * HORIZON_PERCENT // 100)

    # What goes to the controller.

    def hello(self, now: BootMs) -> Hello:
        """The first message of a stream: everything this holder has."""
        self._purse.write_again()
        self._finish_windows(now)
        self._reported.clear()
        self._acked = self._seq
        self._hello_at = self._beat_at = now
        return Hello(
            holder=self._purse.holder,
            boot_seq=self._purse.boot_seq,
            workload=self._workload,
            journal=self._purse.journal_state,
            epoch_seen_max=self._purse.epoch,
            boot_ms=now,
            leases=self._changed(self._purse.leases(), now),
        )

    @property
    def report_is_due(self) -> bool:
        """Whether something should be said before the next heartbeat.

        Only one report is on its way at a time: what is asked meanwhile goes into the next, so that
        many calls that wait make no more messages than one.
        """
        return self.connected and not self.awaits_answer and bool(self._asked or self._urgent)

    @property
    def awaits_answer(self) -> bool:
        """Whether the controller owes an answer to the last report."""
        return self._acked < self._seq

    def report(self, now: BootMs, *, last: bool = False) -> Report:
        """What changed, and what is wanted. A heartbeat looks at every lease, others at a few.

        The `last` before the end wants nothing, and an answer to it is waited for.
        """
        self._purse.write_again()
        self._purse.begin_windows(now)
        self._asked |= self._later
        self._later.clear()
        beats = (now - self._beat_at) * EARLY_BEAT >= self.heartbeat
        if beats:
            self._beat(now)
            leases: Iterable[Lease] = self._purse.leases()
        else:
            known = (self._purse.lease_of(charge) for charge in self._asked)
            urgent = (self._purse.find(lease_id) for lease_id in self._urgent)
            leases = {lease.id: lease for lease in (*known, *urgent) if lease}.values()
        wants = () if last else self._wants(now)
        asks = bool(self._asked or wants)
        self._asked.clear()
        self._urgent.clear()
        if beats or asks or last:
            # Of a report with the number of the last one nobody expects an answer.
            self._seq += 1
            self._said_at = now
        return Report(seq=self._seq, boot_ms=now, leases=self._changed(leases, now), wants=wants)

    def goodbye(self, now: BootMs) -> Goodbye:
        """The last message: all that is not held goes back."""
        for lease in self._purse.leases():
            self._purse.give_back(lease.id, keep=ZERO)
        self._reported.clear()
        return Goodbye(leases=self._changed(self._purse.leases(), now))

    # What the controller says.

    def disconnected(self) -> None:
        """The stream is gone: money that was lent may be spent until the deadline."""
        self.connected = False

    def hear(self, message: FromController, now: BootMs) -> Heard:
        """Take in one message. Orders of an older epoch are dropped; grants are facts."""
        match message:
            case Welcome():
                return self._welcome(message)
            case Grant():
                return self._grant(message, now)
            case ReportAck():
                self._acked = max(self._acked, message.seq)
                self._renew(message.echo_boot_ms, message.ttl)
                self._keep_pace(message.ttl)
                self.outlooks.hear(message.outlooks, message.echo_boot_ms)
                return Heard()
            case Denial():
                charge = message.lease.charge
                self.denials[charge] = (message, now)
                return Heard(changed=(charge,))
            case LeaseClosed():
                self._purse.forget(message.lease)
                self.outlooks.forget(message.lease)
                self._reported.pop(message.lease, None)
                return Heard()
            case ShrinkTo():
                return self._shrink(message)
            case PolicyPush():
                if message.epoch < self._purse.epoch:
                    return Heard()
                self.denials.clear()
                return Heard(changed=tuple(self.waiting), policy=message.policy)

    def _welcome(self, message: Welcome) -> Heard:
        if message.epoch < self._purse.epoch:
            return Heard(outdated=True)
        if not message.accepted:
            return Heard(refused=message.refusal or "the controller gave no reason")
        self._purse.note_epoch(message.epoch)
        self.connected = True
        self.heartbeat, self.ttl = self._welcomed = message.heartbeat, message.ttl
        self._drift_ppm = message.drift_ppm
        self.denials.clear()
        self._renew(self._hello_at, message.ttl)
        self._asked.update(self.waiting)
        return Heard(changed=tuple(self.waiting))

    def _grant(self, message: Grant, now: BootMs) -> Heard:
        ends, starts = message.window_ends_in, message.starts_in
        self._purse.take_grant(
            Granted(
                lease=message.lease,
                granted=message.granted,
                window_ends=None if ends is None else BootMs(message.echo_boot_ms + ends),
                starts=None if starts is None else BootMs(now + starts),
            )
        )
        if message.echo_boot_ms >= self._said_at:
            # It was decided after the last report, and so acknowledges it.
            self._acked = self._seq
        self._renew(message.echo_boot_ms, message.ttl)
        self._keep_pace(message.ttl)
        self.outlooks.hear((message.outlook,), message.echo_boot_ms)
        charge = message.lease.charge
        self._flows.granted(charge, self._horizon, now)
        self.denials.pop(charge, None)
        return Heard(changed=(charge,))

    def _renew(self, echo: BootMs, ttl: DurationMs) -> None:
        """Count the time to live from when the echoed message was sent: delay only shortens it."""
        slack = ttl * self._drift_ppm // 1_000_000 + MARGIN_MS
        self._purse.renew(BootMs(echo + ttl - slack))

    def _keep_pace(self, ttl: DurationMs) -> None:
        """Report later by half of what a report is worth more than it was at the Welcome."""
        if self.connected and ttl != self.ttl:
            self.ttl = ttl
            heartbeat, welcomed = self._welcomed
            self.heartbeat = DurationMs(heartbeat + (ttl - welcomed) // 2)

    def _shrink(self, message: ShrinkTo) -> Heard:
        lease = self._purse.find(message.lease)
        if message.epoch < self._purse.epoch or lease is None:
            return Heard()
        excess = lease.granted - lease.returned - message.limit
        keep = Nanos(max(0, lease.headroom - max(0, excess)))
        self._purse.give_back(message.lease, keep=keep)
        # Answer also when there was nothing to give: the controller waits for it.
        self._reported.pop(message.lease, None)
        self._urgent.add(message.lease)
        return Heard()

    # What calls want.

    def ask(self, charge: Charge, call: int, waiting: Waiting) -> None:
        """Let a call wait for money of a (sub-)pool; the next report asks for it."""
        self.waiting.setdefault(charge, {})[call] = waiting
        self._ask(charge)

    def ask_again(self, charge: Charge) -> bool:
        """A grant was not enough: let the next report ask once more. Says whether that is news."""
        if charge in self._asked or charge in self._later:
            return False
        self._ask(charge)
        return True

    def _ask(self, charge: Charge) -> None:
        (self._later if self._flows.is_scarce(charge) else self._asked).add(charge)

    def stop_waiting(self, charge: Charge, call: int) -> None:
        """A call has its money, or has given up."""
        calls = self.waiting.get(charge)
        if calls is not None:
            calls.pop(call, None)
            if not calls:
                del self.waiting[charge]
                self._later.discard(charge)

    def note_hold(
        self, charges: tuple[Charge, ...], amount: Nanos, headroom: Nanos, now: BootMs
    ) -> bool:
        """Learn from a hold. Says whether more money should be asked for before it runs out.

        `headroom`: the least that the leases of the call had left before the hold.
        """
        low = False
        for charge in self._flows.note(charges, amount, headroom, self._horizon):
            low = self._prefetch(charge, now) or low
        return low

    def _prefetch(self, charge: Charge, now: BootMs) -> bool:
        if now - self._prefetches.get(charge, BootMs(-PREFETCH_GAP_MS)) < PREFETCH_GAP_MS:
            return False
        self._prefetches[charge] = now
        self._asked.add(charge)
        return True

    def _wants(self, now: BootMs) -> tuple[Want, ...]:
        self._flows.learn()
        for charge in self._asked:
            self._flows.look(charge, now)
        wants = (self._want(charge, now) for charge in (*self.waiting, *self._asked))
        return tuple({want.charge: want for want in wants if want}.values())[:WANTS_MAX]

    def _want(self, charge: Charge, now: BootMs) -> Want | None:
        lease = self._purse.lease_of(charge)
        usable = lease is not None and not lease.window_over_at(now)
        headroom = lease.headroom if lease is not None and usable else None
        calls = tuple(self.waiting.get(charge, {}).values())
        return want_of(charge, calls, headroom, self._flows.demand_of(charge), self._horizon)

    # What a heartbeat does.

    def until_beat(self, now: BootMs) -> DurationMs:
        """How long until the next report is due that nothing else brings about."""
        due = self._beat_at + self.heartbeat
        if self._later:
            due = min(due, self._said_at + SCARCE_GAP_MS)
        return DurationMs(max(0, due - now))

    def _beat(self, now: BootMs) -> None:
        self._beat_at = now
        self._finish_windows(now)
        demands = self._flows.beat(now)
        for charge, demand in demands:
            lease = self._purse.lease_of(charge)
            keep = demand.to_keep(self._horizon)
            if lease is not None and keep is not None and charge not in self.waiting:
                self._purse.give_back(lease.id, keep=keep)
                if demand.is_below(lease.headroom, self._horizon):
                    self._asked.add(charge)
        known = {charge for charge, _ in demands}
        self._prefetches = {c: at for c, at in self._prefetches.items() if c in known}
        self.denials = {
            charge: (denial, at)
            for charge, (denial, at) in self.denials.items()
            if now - at < DENIAL_MS_MAX
        }

    def _finish_windows(self, now: BootMs) -> None:
        for lease in self._purse.leases():
            if lease.window_over_at(now):
                self._purse.give_back(lease.id, keep=ZERO)

    def _changed(self, leases: Iterable[Lease], now: BootMs) -> tuple[Counters, ...]:
        """The counters of leases that differ from what was last said on this stream."""
        changed = []
        for lease in leases:
            counters = Counters(
                lease=lease.id,
                granted=lease.granted,
                returned=lease.returned,
                spent=lease.spent,
                reserved=lease.reserved,
                finished=is_finished(lease, now=now) and lease.headroom == 0,
            )
            if self._reported.get(lease.id) != counters:
                self._reported[lease.id] = counters
                changed.append(counters)
        return tuple(changed)

    def start_over(self) -> None:
        """Forget the conversation of a holder that the controller has not accepted."""
        self._purse.start_over()
        self._reported.clear()
        self._urgent.clear()
        self.denials.clear()
