"""The product in virtual time: the real engine, and for each sidecar the real purse and leasing.

Only what carries messages and waits is written anew here, without sockets and tasks: a message
takes `WAY_MS`, a commit `COMMIT_MS`, and a call waits for money as long as in a sidecar. Every
message of a stream is counted, in both directions and from the first on. The one rule: nothing here
decides about money. This module must not know the other policies.
"""

import itertools
from dataclasses import replace
from typing import Final

from bench.leases_journal import MemoryJournal
from bench.leases_load import Work
from bench.leases_tally import Tally
from bench.leases_timeline import Timeline
from controller.committer import TICK_MS
from controller.engine import Engine
from controller.events import Event, Received, Send, StreamClosed, Tick
from controller.store.protocol import Snapshot
from controller.terms import Terms
from farebox.core.budgets import Charge, Pool, PoolUid
from farebox.core.instant import BootMs, UtcMs
from farebox.core.leases import HoldId
from farebox.core.ledger import Shortfall
from farebox.core.money import Nanos
from farebox.core.reasons import Reason
from farebox.core.windows import LIFETIME
from farebox.manifests.resources import Resources
from farebox.wire.messages import FromController, FromSidecar, Report, Workload
from sidecar.cashier import DENIAL_FRESH_MS
from sidecar.leasing import Leasing
from sidecar.purse import Purse
from sidecar.wants import Waiting

WAY_MS: Final = 3
COMMIT_MS: Final = 4
MONEY_MS_MAX: Final = 2_000
"""How long a call waits for money, as a sidecar has it by default."""

BACK_MS: Final = 5_000
"""How long after a crash another sidecar stands in its place."""

_BEGAN_MS: Final = 1_800_000_000_000
_LABELS: Final = {"app": "bench"}
_POOL: Final = Pool(
    uid=PoolUid("bench/pool"),
    namespace="bench",
    name="pool",
    generation=1,
    limit=Nanos(0),
    window=LIFETIME,
    selector=_LABELS,
)
CHARGE: Final = Charge(_POOL.uid, "")
_CHARGES: Final = (CHARGE,)
_TERMINAL: Final = frozenset({Reason.POOL_EXHAUSTED, Reason.REQUEST_TOO_LARGE})


class Product:
    """A fleet of sidecars and their controller."""

    def __init__(self, sidecars: int, terms: Terms, timeline: Timeline, tally: Tally) -> None:
        self.timeline = timeline
        self.tally = tally
        pool = replace(_POOL, limit=tally.limit)
        self._engine = Engine(
            Snapshot(epoch=1),
            terms=terms,
            resources=Resources(pools={pool.uid: pool}),
            now=self._utc,
        )
        self._streams: dict[int, Sidecar] = {}
        self._numbers = itertools.count(1)
        self._sidecars = [self._start() for _ in range(sidecars)]
        timeline.after(TICK_MS, self._tick)

    def call(self, sidecar: int, work: Work) -> None:
        """A call comes in."""
        self._sidecars[sidecar].call(work)

    def crash(self, sidecar: int) -> None:
        """A pod is gone with its journal; another begins with nothing."""
        gone = self._sidecars[sidecar]
        self.tally.lose(gone.crash())
        del self._streams[gone.stream]
        self._step(StreamClosed(gone.stream))
        self._sidecars[sidecar] = self._start()

    def hear(self, stream: int, message: FromSidecar) -> None:
        """A message of a sidecar is on its way."""
        self.tally.messages[type(message).__name__] += 1
        if isinstance(message, Report) and message.wants:
            self.tally.asks += 1
        self.timeline.after(WAY_MS, lambda: self._step(Received(stream, message)))

    @property
    def _utc(self) -> UtcMs:
        return UtcMs(_BEGAN_MS + self.timeline.now)

    def _start(self) -> "Sidecar":
        sidecar = Sidecar(next(self._numbers), self)
        self._streams[sidecar.stream] = sidecar
        sidecar.connect()
        return sidecar

    def _tick(self) -> None:
        self._step(Tick())
        self.timeline.after(TICK_MS, self._tick)

    def _step(self, event: Event) -> None:
        if isinstance(event, Received) and event.stream not in self._streams:
            return
        sends = self._engine.step(event, self._utc).sends
        if sends:
            self.timeline.after(COMMIT_MS + WAY_MS, lambda: self._deliver(sends))

    def _deliver(self, sends: tuple[Send, ...]) -> None:
        for send in sends:
            sidecar = self._streams.get(send.stream)
            if sidecar is not None:
                self.tally.messages[type(send.message).__name__] += 1
                sidecar.hear(send.message)


class Sidecar:
    """One holder: what the cashier and the lease client do, in virtual time."""

    def __init__(self, number: int, fleet: Product) -> None:
        self.stream = number
        self._fleet = fleet
        self._timeline = fleet.timeline
        self._purse = Purse(MemoryJournal(f"holder-{number}"))
        self._leasing = Leasing(
            self._purse, Workload(namespace="bench", name=f"pod-{number}", labels=_LABELS)
        )
        self._waiting: dict[int, tuple[Work, BootMs]] = {}
        self._numbers = itertools.count(1)
        self._timer_at: int | None = None
        self._gone = False

    @property
    def _now(self) -> BootMs:
        return BootMs(self._timeline.now)

    def connect(self) -> None:
        """Begin the one stream that this holder ever has."""
        self._fleet.hear(self.stream, self._leasing.hello(self._now))

    def crash(self) -> Nanos:
        """Be gone; returns what was lent and free."""
        self._gone = True
        return Nanos(sum(lease.headroom for lease in self._purse.leases()))

    def call(self, work: Work) -> None:
        """A call comes in: hold for it, refuse it, or let it wait for money."""
        if self._hold(work):
            return
        if self._is_hopeless(work, BootMs(self._now - DENIAL_FRESH_MS)):
            self._fleet.tally.refuse(work.worst)
            return
        number = next(self._numbers)
        self._waiting[number] = (work, self._now)
        self._leasing.ask(CHARGE, number, Waiting(need=work.worst, least=work.worst))
        self._timeline.after(MONEY_MS_MAX, lambda: self._give_up(number))
        self._speak()

    def hear(self, message: FromController) -> None:
        """A message of the controller has arrived."""
        heard = self._leasing.hear(message, self._now)
        assert not heard.refused, heard.refused
        if heard.changed:
            self._look_again()
        self._speak()

    def _hold(self, work: Work) -> bool:
        held = self._purse.hold(_CHARGES, work.worst, self._now)
        if isinstance(held, Shortfall) or held.headroom is None:
            return False
        self._fleet.tally.hold(work.worst)
        if self._leasing.note_hold(_CHARGES, work.worst, held.headroom, self._now):
            self._speak()
        self._timeline.after(work.takes_ms, lambda: self._settle(held.hold, work))
        return True

    def _settle(self, hold: HoldId, work: Work) -> None:
        self._fleet.tally.settle(work.worst, work.cost)
        if self._gone:
            self._fleet.tally.strand(Nanos(work.worst - work.cost))
            return
        self._purse.settle(hold, work.cost, Reason.USAGE_REPORTED)
        if self._waiting:
            self._look_again()

    def _look_again(self) -> None:
        """Let waiting calls look again, in the order they came."""
        for number, (work, since) in tuple(self._waiting.items()):
            if self._hold(work):
                self._leave(number)
            elif self._is_hopeless(work, since):
                self._leave(number)
                self._fleet.tally.refuse(work.worst)
            elif CHARGE not in self._leasing.denials:
                self._leasing.ask_again(CHARGE)
        self._speak()

    def _give_up(self, number: int) -> None:
        if self._gone or number not in self._waiting:
            return
        work, _ = self._waiting[number]
        self._leave(number)
        self._fleet.tally.refuse(work.worst)

    def _leave(self, number: int) -> None:
        del self._waiting[number]
        self._leasing.stop_waiting(CHARGE, number)

    def _is_hopeless(self, work: Work, since: BootMs) -> bool:
        denial, at = self._leasing.denials.get(CHARGE, (None, BootMs(0)))
        if denial is None or at < since or denial.reason not in _TERMINAL:
            return False
        return self._purse.room(_CHARGES, self._now).money < work.worst

    def _speak(self) -> None:
        if self._gone or not self._leasing.connected:
            return
        if self._leasing.report_is_due or self._leasing.until_beat(self._now) == 0:
            self._fleet.hear(self.stream, self._leasing.report(self._now))
        due = self._timeline.now + self._leasing.until_beat(self._now)
        if self._timer_at is None or due < self._timer_at:
            self._timer_at = due
            self._timeline.after(due - self._timeline.now, self._wake)

    def _wake(self) -> None:
        if self._timer_at is not None and self._timeline.now >= self._timer_at:
            self._timer_at = None
        self._speak()
