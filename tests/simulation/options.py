"""What one seed stands for: the shape of its world and the faults it may meet.

Swarm testing: each seed has a random part of all faults, so that rare combinations come up as often
as common ones. The one rule: options follow from the seed alone and print as one line. This module
must not know how any fault is made.
"""

import enum
import random
from dataclasses import asdict, dataclass, field
from typing import Final

from tests.simulation.calendars import CALENDARS, Calendar
from tests.simulation.hosts import START_UTC_MS
from tests.simulation.links import Line
from tests.simulation.provider import Manners


class Fault(enum.StrEnum):
    """What may go wrong or be out of the ordinary, each of it while everything else goes on."""

    KILL_SIDECAR = "sidecar killed"
    LOSE_POD = "pod lost"
    REBOOT = "machine rebooted"
    ROLL_BACK = "journal rolled back"
    TEAR = "journal to be torn"
    COPY = "journal copied to another machine"
    STOP_SIDECAR = "sidecar stopped"
    SUSPEND = "machine suspended"
    STOP_IN_GAP = "stopped between check and send"
    KILL_CONTROLLER = "controller killed"
    STOP_CONTROLLER = "controller stopped"
    TAKE_OVER = "ledger taken over from a living controller"
    CUT = "partition"
    RESET = "streams reset"
    SET_CLOCK = "clock set"
    DRIFT = "clocks drift"
    LOSSY = "messages lost, doubled or overtaken"
    STALL = "messages stalled"
    STORE = "store slow or ambiguous"
    ETCD_LEADER = "etcd without a leader for a while"
    ETCD_FULL = "etcd without space for a while"
    ETCD_COMPACT = "etcd compacted"
    ETCD_SESSION = "session of a leader ended early"
    LOWER = "limit lowered"
    RAISE = "limit raised"
    DISK_FULL = "disk full"
    DELETE = "pool deleted"
    REPARENT = "pool re-parented"
    OVERRUN = "calls cost more than their hold"
    LATE = "answers late"
    LOST_ANSWER = "answers lost"
    REFUSE = "provider refuses"
    SHADOW = "calls past a pool that only records"
    ALLOW = "calls past a pool while nobody can be asked"
    DEFER = "calls in a waiting line"
    OVERRIDE = "limit overridden for a while"
    GOODBYE = "sidecar ended in order"


class Shape(enum.StrEnum):
    """The windows of the pools."""

    LIFETIME = "lifetime"
    FIXED = "fixed"
    SLIDING = "sliding"
    BUCKET = "token bucket"
    CALENDAR = "calendar"
    MIXED = "mixed"


SHARED: Final = 0.7
"""The share of seeds in which two controllers have their ledger in etcd; else one has a file."""

SLOWER: Final = 5
FAULTS_RANDOM: Final = 0.3
"""The chance of each fault to be in a seed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Everything that a seed decides before time begins. Times in seconds, money in n$.

    `slower`: how much longer everything takes than in most seeds. `utc_off_ms`: how far the clocks
    are from where they usually begin.
    """

    seed: int
    faults: frozenset[Fault]
    shape: Shape
    sidecars: int
    users: int
    slower: int
    calendar: Calendar | None
    utc_off_ms: int
    safety_s: float
    pause_s: float
    heartbeat_ms: int
    ttl_ms: int
    period_ms: int
    limit: int
    depth: int
    reserve: int
    shared: bool
    election_ttl_s: int
    fault_pause_s: float
    line: Line = field(default_factory=Line)
    manners: Manners = field(default_factory=Manners)

    @property
    def heartbeat_ms_max(self) -> int:
        """How long a heartbeat gets: so few sidecars are many here."""
        return self.heartbeat_ms * 3 // 2

    @property
    def ttl_ms_max(self) -> int:
        """How long a holder may spend at most after it was heard."""
        return self.ttl_ms + 2 * (self.heartbeat_ms_max - self.heartbeat_ms)

    def text(self) -> str:
        """All of it in one line."""
        fields = asdict(self) | {"faults": sorted(self.faults)}
        return " ".join(f"{name}={value}" for name, value in fields.items())


def options_of(seed: int) -> Options:
    """The options of a seed."""
    rng = random.Random(f"options-{seed}")
    share = rng.choice((0.0, FAULTS_RANDOM, FAULTS_RANDOM, 2 * FAULTS_RANDOM))
    faults = frozenset(fault for fault in Fault if rng.random() < share)
    heartbeat = rng.choice((500, 1_000, 1_000))
    shape = rng.choice(list(Shape))
    # A sliding window is at least a minute long: as many calls, faults and heartbeats, spread.
    slower = SLOWER if shape is Shape.SLIDING else 1
    safety = slower * rng.choice((4.0, 8.0, 14.0))
    period = rng.choice((3_000, 6_000, 12_000))
    calendar = rng.choice(CALENDARS) if shape is Shape.CALENDAR else None
    # The clocks of the calendar's zone are set while there are faults.
    off = rng.randrange(period)
    if calendar is not None:
        off = calendar.change - START_UTC_MS - int(1000 * rng.uniform(0.5, safety - 0.5))
    return Options(
        seed=seed,
        faults=faults,
        shape=shape,
        sidecars=rng.choice((2, 2, 2, 3)),
        users=rng.choice((1, 2, 4)),
        slower=slower,
        calendar=calendar,
        utc_off_ms=off,
        safety_s=safety,
        pause_s=slower * rng.choice((0.5, 1.0, 2.0)),
        heartbeat_ms=slower * heartbeat,
        ttl_ms=slower * heartbeat * 3,
        period_ms=period,
        limit=rng.choice((3_000_000, 10_000_000, 40_000_000, 150_000_000)),
        depth=rng.choice((1, 2, 2, 3)),
        shared=rng.random() < SHARED,
        election_ttl_s=slower * rng.choice((1, 2)),
        reserve=rng.choice((0, 0, 0, 20, 50)),
        fault_pause_s=slower * rng.choice((0.3, 0.7, 1.5)),
        line=_line(faults, rng),
        manners=_manners(faults, rng),
    )


def _line(faults: frozenset[Fault], rng: random.Random) -> Line:
    lossy = Fault.LOSSY in faults
    return Line(
        delay_max=rng.choice((0.002, 0.02, 0.2)),
        stall=0.03 if Fault.STALL in faults else 0.0,
        stall_max=rng.choice((0.5, 5.0)),
        drop=rng.choice((0.0, 0.05, 0.2)) if lossy else 0.0,
        repeat=rng.choice((0.0, 0.05, 0.2)) if lossy else 0.0,
        reorder=rng.choice((0.0, 0.05, 0.2)) if lossy else 0.0,
    )


def _manners(faults: frozenset[Fault], rng: random.Random) -> Manners:
    refuses = Fault.REFUSE in faults
    return Manners(
        answer_max=rng.choice((0.1, 0.8, 2.0)),
        slow=0.1 if Fault.LATE in faults else 0.0,
        overrun=0.1 if Fault.OVERRUN in faults else 0.0,
        refuses=0.05 if refuses else 0.0,
        unreachable=0.05 if refuses else 0.0,
        loses_answer=0.05 if Fault.LOST_ANSWER in faults else 0.0,
    )
