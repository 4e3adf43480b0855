"""An engine and its sidecars, driven by hand: each step is committed before its messages arrive.

A scene reads as a script: sidecars connect and report, time passes, and what each of them got is
asked for. Amounts are plain n$.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, TypeVar

from controller.engine import Engine
from controller.events import Event, Received, ResourcesChanged, Step, StreamClosed, Tick
from controller.limits import state_of
from controller.store.memory import Tables, apply, take_over
from controller.store.protocol import Write
from controller.terms import Terms
from controller.world import Cell, Entry
from farebox.core.allocation import PoolState
from farebox.core.budgets import Charge, Per, Pool, PoolUid
from farebox.core.instant import BootMs, DurationMs, UtcMs
from farebox.core.leases import LeaseId
from farebox.core.money import Nanos
from farebox.core.windows import LIFETIME, WindowSpec, WindowType
from farebox.manifests.resources import Resources
from farebox.wire.messages import (
    Counters,
    FromController,
    FromSidecar,
    Goodbye,
    Hello,
    JournalState,
    Report,
    Want,
    Workload,
)

_Message = TypeVar("_Message")

ORG = Charge(PoolUid("acme/org"), "")
FOREVER = LeaseId(ORG, 0)
MINUTE = WindowSpec(type=WindowType.FIXED, period=DurationMs(60_000))
TEN_MINUTES = WindowSpec(type=WindowType.SLIDING, period=DurationMs(600_000))
"""Sliding, in buckets of 10 seconds."""

HOURLY = WindowSpec(type=WindowType.TOKEN_BUCKET, period=DurationMs(3_600_000))
"""The limit is the size of the bucket, and flows in once an hour."""

START = UtcMs(1_790_000_040_000)
"""A whole minute, so that windows of a minute start here."""


def pool(name: str = "org", limit: int = 100, **changes: Any) -> Pool:
    """A lifetime pool that every pod of the namespace acme draws on."""
    made = Pool(
        uid=PoolUid(f"acme/{name}"),
        namespace="acme",
        name=name,
        generation=1,
        limit=Nanos(limit),
        window=LIFETIME,
        selector={},
    )
    return replace(made, **changes)


def resources(*pools: Pool) -> Resources:
    """Resources with nothing but pools."""
    return Resources(pools={one.uid: one for one in pools})


def has(
    lease: LeaseId = FOREVER,
    *,
    granted: int = 0,
    returned: int = 0,
    spent: int = 0,
    reserved: int = 0,
    finished: bool = False,
) -> Counters:
    """What a sidecar says of a lease."""
    return Counters(
        lease=lease,
        granted=Nanos(granted),
        returned=Nanos(returned),
        spent=Nanos(spent),
        reserved=Nanos(reserved),
        finished=finished,
    )


def wants(
    need: int, *, want: int | None = None, least: int | None = None, of: Charge = ORG
) -> Want:
    """What a sidecar asks for: just what it needs, unless said otherwise."""
    return Want(
        charge=of,
        want=Nanos(need if want is None else want),
        need=Nanos(need),
        least=Nanos(need if least is None else least),
    )


class Sidecar:
    """One stream of one holder."""

    def __init__(self, scene: "Scene", name: str, stream: int) -> None:
        self._scene = scene
        self.name = name
        self.stream = stream
        self.received: list[FromController] = []
        self.ended = False
        self._seq = 0

    def say(self, message: FromSidecar) -> Step:
        """Send any message."""
        return self._scene.step(Received(self.stream, message))

    def report(self, *leases: Counters, want: tuple[Want, ...] | Want = ()) -> Step:
        """Send a report."""
        self._seq += 1
        wanted = want if isinstance(want, tuple) else (want,)
        return self.say(
            Report(seq=self._seq, boot_ms=self._scene.boot, leases=leases, wants=wanted)
        )

    def goodbye(self, *leases: Counters) -> Step:
        """Say that this is the end."""
        return self.say(Goodbye(leases=leases))

    def leave(self) -> Step:
        """Lose the stream."""
        return self._scene.step(StreamClosed(self.stream))

    def got(self, kind: type[_Message]) -> list[_Message]:
        """The messages of a kind that came since they were last asked for."""
        found: list[_Message] = [one for one in self.received if isinstance(one, kind)]
        self.received = [message for message in self.received if not isinstance(message, kind)]
        return found

    def got_one(self, kind: type[_Message]) -> _Message:
        """The one message of a kind that came."""
        (message,) = self.got(kind)
        return message


class Scene:
    """An engine over a ledger in memory."""

    def __init__(self, *pools: Pool, terms: Terms | None = None) -> None:
        self.tables = Tables()
        self.now = START
        self.boot = BootMs(1_000_000)
        self.resources = resources(*(pools or (pool(),)))
        self.terms = terms or Terms()
        self.sidecars: dict[int, Sidecar] = {}
        self.writes: list[Write] = []
        self.warnings: list[str] = []
        self.engine = self._new_engine()

    def _new_engine(self) -> Engine:
        snapshot = take_over(self.tables)
        return Engine(snapshot, terms=self.terms, resources=self.resources, now=self.now)

    def restart(self) -> None:
        """End the controller at once and start another on the same ledger; streams are lost."""
        self.sidecars.clear()
        self.engine = self._new_engine()

    def step(self, event: Event) -> Step:
        """Let an event be decided, commit it, and deliver what it sends."""
        step = self.engine.step(event, self.now)
        for write in step.writes:
            apply(self.tables, write)
        self.writes.extend(step.writes)
        for send in step.sends:
            self.sidecars[send.stream].received.append(send.message)
        for stream in step.ended:
            self.sidecars[stream].ended = True
        self.warnings.extend(step.warnings)
        return step

    def connect(
        self,
        name: str = "a",
        *leases: Counters,
        boot_seq: int = 1,
        journal: JournalState = JournalState.OK,
        namespace: str = "acme",
        labels: Mapping[str, str] | None = None,
        uid: str = "",
    ) -> Sidecar:
        """Open a stream and say Hello on it."""
        sidecar = Sidecar(self, name, stream=max(self.sidecars, default=0) + 1)
        self.sidecars[sidecar.stream] = sidecar
        sidecar.say(
            Hello(
                holder=name,
                boot_seq=boot_seq,
                workload=Workload(
                    namespace=namespace, name=f"pod-{name}", labels=labels or {}, uid=uid
                ),
                journal=journal,
                epoch_seen_max=0,
                boot_ms=self.boot,
                leases=leases,
            )
        )
        return sidecar

    def change(self, *pools: Pool) -> Step:
        """Put other pools in force."""
        return self.apply(resources(*pools))

    def apply(self, changed: Resources) -> Step:
        """Put other resources in force."""
        self.resources = changed
        return self.step(ResourcesChanged(changed))

    def pass_time(self, milliseconds: int) -> Step:
        """Let time pass, and let the engine notice."""
        self.now = UtcMs(self.now + milliseconds)
        self.boot = BootMs(self.boot + milliseconds)
        return self.step(Tick())

    def cell(self, lease: LeaseId = FOREVER) -> Cell:
        """A (sub-)pool in a window, as the engine knows it."""
        return self.engine.world.cells[lease]

    def entry(self, name: str = "a", lease: LeaseId = FOREVER) -> Entry:
        """A holder's lease, as the engine knows it."""
        return self.cell(lease).entries[name]

    def state(self, lease: LeaseId = FOREVER) -> PoolState:
        """What allocation would read of a cell now."""
        world = self.engine.world
        return state_of(world, world.pools[lease.charge.pool], self.cell(lease))


def this_minute(scene: Scene, charge: Charge = ORG) -> LeaseId:
    """The lease of a pool with windows of a minute, now."""
    return LeaseId(charge, scene.now - scene.now % 60_000)


def these_seconds(scene: Scene, charge: Charge = ORG) -> LeaseId:
    """The lease of a pool with a sliding window of ten minutes, now."""
    return LeaseId(charge, scene.now - scene.now % 10_000)


def per_user(limit: int = 100) -> Pool:
    """A pool that each user has for itself."""
    return pool("people", limit, per=Per.USER)
