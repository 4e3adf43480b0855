"""The messages of a `Sync` stream as values.

The one rule: amounts are cumulative counters and times are durations or the holder's own clock.
This module must not know protobuf, gRPC or what either side does with a message.
"""

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field

from farebox.core.budgets import Charge
from farebox.core.instant import BootMs, DurationMs, UtcMs
from farebox.core.leases import LeaseId
from farebox.core.money import ZERO, Nanos
from farebox.core.policy import Policy
from farebox.core.reasons import Reason
from farebox.core.tallies import Tally


class JournalState(enum.StrEnum):
    """What a holder's journal told it at start."""

    OK = "ok"
    NEW = "new"
    LOST = "lost"


@dataclass(frozen=True, slots=True, kw_only=True)
class Counters:
    """What a holder says of one lease; `finished`: over, nothing held, all unspent returned."""

    lease: LeaseId
    granted: Nanos = ZERO
    returned: Nanos = ZERO
    spent: Nanos = ZERO
    reserved: Nanos = ZERO
    finished: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Want:
    """How much more a holder needs of a (sub-)pool; see `farebox.core.allocation.Demand`."""

    charge: Charge
    want: Nanos
    need: Nanos
    least: Nanos


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """The pod that a sidecar serves, as it says itself.

    `uid` is never sent: it is there where somebody else than the sidecar says what the pod is.
    """

    namespace: str
    name: str
    labels: Mapping[str, str] = field(default_factory=dict)
    uid: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hello:
    """First message of a stream."""

    holder: str
    boot_seq: int
    workload: Workload
    journal: JournalState
    epoch_seen_max: int
    boot_ms: BootMs
    leases: tuple[Counters, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Tallies:
    """What became of calls by task, "" for an unknown one, in one life of a sidecar's process.

    `incarnation` names that life, `age` is how long it has counted. Only tasks that changed since
    they were last told on this stream are in it.
    """

    incarnation: int
    age: DurationMs
    tasks: Mapping[str, Tally] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A heartbeat with the leases that changed, and what is wanted."""

    seq: int
    boot_ms: BootMs
    leases: tuple[Counters, ...] = ()
    wants: tuple[Want, ...] = ()
    tallies: Tallies | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Goodbye:
    """Last message of a sidecar that ends in order."""

    leases: tuple[Counters, ...] = ()
    tallies: Tallies | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Welcome:
    """Answer to a Hello. `refusal` is a sentence when the holder is not accepted."""

    epoch: int
    accepted: bool
    heartbeat: DurationMs
    ttl: DurationMs
    drift_ppm: int
    refusal: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """What a lease can have spent in all when the time it `lasts` is over; nothing is lent by it.

    The time counts from when the echoed message was received.
    """

    lease: LeaseId
    spent_by_then: Nanos
    lasts: DurationMs


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """The total ever lent of a lease; durations count from when the echoed message was received.

    All but `starts_in`, which counts from when this message is received, so that a delay makes the
    window start later and never early; it is None when the window has started.
    """

    epoch: int
    lease: LeaseId
    granted: Nanos
    ttl: DurationMs
    echo_boot_ms: BootMs
    window_ends_in: DurationMs | None = None
    starts_in: DurationMs | None = None
    outlook: Outlook | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ShrinkTo:
    """Give back free money until granted - returned is at most `limit`."""

    epoch: int
    lease: LeaseId
    limit: Nanos


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportAck:
    """A report is committed: all leases of the holder live `ttl` from its sending on."""

    epoch: int
    seq: int
    echo_boot_ms: BootMs
    ttl: DurationMs
    outlooks: tuple[Outlook, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Denial:
    """There is not what was needed. `resets_at` is for people only, None without an end."""

    epoch: int
    lease: LeaseId
    reason: Reason
    retry_after: DurationMs
    limit: Nanos
    settled: Nanos
    held: Nanos
    remaining: Nanos
    resets_at: UtcMs | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseClosed:
    """A finished lease is settled in the ledger; the holder may forget it."""

    lease: LeaseId


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyPush:
    """A new policy for this pod."""

    epoch: int
    policy: Policy


FromSidecar = Hello | Report | Goodbye
FromController = Welcome | Grant | ShrinkTo | ReportAck | Denial | LeaseClosed | PolicyPush
