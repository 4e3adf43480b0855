"""Pools: limits in dollars per window, arranged in trees.

The one rule: a call draws on every pool whose selector matches its pod and on all their ancestors,
each with the sub-pool of the call's own key. This module must not know how much is spent.
"""

import enum
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final, NamedTuple, NewType

from farebox.core.bucket import BucketRate
from farebox.core.instant import DurationMs, UtcMs
from farebox.core.money import Nanos, divide_down
from farebox.core.windows import CalendarUnit, WindowSpec

PoolUid = NewType("PoolUid", str)
"""What identifies a pool for ever; in a folder of manifests "namespace/name"."""

NO_KEY: Final = "(none)"
"""The sub-pool of calls that do not say their session, user or workflow."""

ANY_NAMESPACE: Final = "*"
"""In place of a namespace: whichever it is. No namespace can have this name."""

KEY_CHARS_MAX: Final = 128
DEPTH_MAX: Final = 8
HOUR_MS: Final = DurationMs(3_600_000)


class Per(enum.StrEnum):
    """By what a pool is split into sub-pools of the same limit."""

    SHARED = "Shared"
    REQUEST = "Request"
    SESSION = "Session"
    USER = "User"
    WORKFLOW = "Workflow"


class OnExhausted(enum.StrEnum):
    """What is tried, in the order given, when no sufficient model fits the money left."""

    DOWNGRADE = "Downgrade"
    DEFER = "Defer"
    REJECT = "Reject"


class Priority(enum.StrEnum):
    """How important a call says it is."""

    NORMAL = "normal"
    HIGH = "high"


class Mode(enum.StrEnum):
    """Whether a pool refuses what does not fit, or only records that it would have."""

    ENFORCE = "Enforce"
    SHADOW = "Shadow"


class WhenDisconnected(enum.StrEnum):
    """What a sidecar does that can't reach the controller: spend what it was lent, or let pass."""

    SPEND_LEASE = "SpendLease"
    ALLOW = "Allow"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reserve:
    """The share of a limit, in percent, that only calls of one priority may use."""

    percent: int
    priority: Priority = Priority.HIGH


@dataclass(frozen=True, slots=True, kw_only=True)
class Override:
    """A limit that holds in place of the pool's own, until an instant (itself not included)."""

    limit: Nanos
    until: UtcMs


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """One `BudgetPool`. `limit` holds for each sub-pool when `per` is not SHARED.

    `allowed_children`: the namespaces whose pools may name this one as their parent, beside its
    own. `normal_of`: the pool whose reserve this one keeps free, see `with_reserves`. `defer_for`:
    how long a call may wait for money, given with OnExhausted.DEFER only.
    """

    uid: PoolUid
    namespace: str
    name: str
    generation: int
    limit: Nanos
    window: WindowSpec
    per: Per = Per.SHARED
    selector: Mapping[str, str] | None = None
    parent: PoolUid | None = None
    allowed_children: frozenset[str] = frozenset()
    on_exhausted: tuple[OnExhausted, ...] = (OnExhausted.DOWNGRADE, OnExhausted.REJECT)
    defer_for: DurationMs | None = None
    reserve: Reserve | None = None
    normal_of: PoolUid | None = None
    mode: Mode = Mode.ENFORCE
    when_disconnected: WhenDisconnected = WhenDisconnected.SPEND_LEASE
    override: Override | None = None

    @property
    def title(self) -> str:
        """The name that people see."""
        return f"{self.namespace}/{self.name}"

    def allows_children_of(self, namespace: str) -> bool:
        """Whether pools of a namespace may draw on this one, as their parent."""
        allowed = self.allowed_children
        return namespace == self.namespace or not allowed.isdisjoint({namespace, ANY_NAMESPACE})


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """What a call says of itself that can choose a sub-pool."""

    session: str = NO_KEY
    user: str = NO_KEY
    workflow: str = NO_KEY


class Charge(NamedTuple):
    """One pool that a call draws on, with the key of its sub-pool ("" when shared).

    A tuple, because every call hashes it a dozen times.
    """

    pool: PoolUid
    key: str


def pools_of_pod(
    pools: Mapping[PoolUid, Pool],
    *,
    namespace: str,
    labels: Mapping[str, str],
    own: Iterable[Pool] | None = None,
) -> tuple[Pool, ...]:
    """The pools of a pod: those of its namespace whose selector matches, and all their ancestors.

    A pool without a selector matches no pod by itself and is reached as an ancestor. The result is
    ordered from the leaves to the roots; each pool stands in it once, right after the one that
    keeps its reserve free. `own` are those of the namespace, where they are at hand: then it costs
    the same however many there are elsewhere.
    """
    reached: dict[PoolUid, Pool] = {}
    for pool in pools.values() if own is None else own:
        if pool.namespace == namespace and _selects(pool.selector, labels):
            for member in path_of(pools, pool.uid):
                reached.setdefault(member.uid, member)
    ordered: list[Pool] = []
    for pool in sorted(reached.values(), key=lambda p: (-len(path_of(pools, p.uid)), p.uid)):
        normal = pools.get(normal_uid(pool.uid))
        ordered += (pool,) if normal is None else (normal, pool)
    return tuple(ordered)


def by_namespace(pools: Iterable[Pool]) -> dict[str, tuple[Pool, ...]]:
    """The pools of each namespace that has any."""
    found: dict[str, list[Pool]] = {}
    for pool in pools:
        found.setdefault(pool.namespace, []).append(pool)
    return {namespace: tuple(own) for namespace, own in found.items()}


def path_of(pools: Mapping[PoolUid, Pool], uid: PoolUid) -> tuple[Pool, ...]:
    """A pool and its ancestors, itself first. Stops at a missing parent and at DEPTH_MAX."""
    path: list[Pool] = []
    at: PoolUid | None = uid
    while at is not None and at in pools and len(path) < DEPTH_MAX:
        path.append(pools[at])
        at = pools[at].parent
    return tuple(path)


def normal_uid(uid: PoolUid) -> PoolUid:
    """The uid of the pool that keeps the reserve of another free. No manifest can write a "#"."""
    return PoolUid(f"{uid}#normal")


def with_reserves(pools: Mapping[PoolUid, Pool]) -> dict[PoolUid, Pool]:
    """All pools, and for each that has a reserve a pool of what is not reserved.

    Every call but those of the reserve's priority draws on that one too, as on any other pool: so
    what such calls spend never exceeds the limit without its reserve.
    """
    found = dict(pools)
    for pool in pools.values():
        if pool.reserve is not None and pool.per is not Per.REQUEST:
            found[normal_uid(pool.uid)] = _normal(pool, pool.reserve)
    return found


def _normal(pool: Pool, reserve: Reserve) -> Pool:
    def share(amount: Nanos) -> Nanos:
        return Nanos(divide_down(amount * (100 - reserve.percent), 100))

    window, override = pool.window, pool.override
    return replace(
        pool,
        uid=normal_uid(pool.uid),
        name=f"{pool.name} (normal)",
        limit=share(pool.limit),
        window=replace(
            window,
            refill_per_hour=None
            if window.refill_per_hour is None
            else share(window.refill_per_hour),
            burst=None if window.burst is None else share(window.burst),
        ),
        override=None if override is None else replace(override, limit=share(override.limit)),
        selector=None,
        parent=pool.uid,
        allowed_children=frozenset(),
        reserve=None,
        normal_of=pool.uid,
    )


def charges_of(
    pools: Iterable[Pool], keys: Keys, priority: Priority = Priority.NORMAL
) -> tuple[Charge, ...]:
    """The leased (sub-)pools that a call draws on. `Request` pools are local and not among them.

    A call of high priority may use every reserve, so it passes by the pools that keep one free.
    """
    charges = []
    for pool in pools:
        if pool.normal_of is not None and priority is not Priority.NORMAL:
            continue
        if pool.per is Per.SHARED:
            charges.append(Charge(pool.uid, ""))
        elif pool.per is not Per.REQUEST:
            charges.append(Charge(pool.uid, key_of(pool.per, keys)))
    return tuple(charges)


def key_of(per: Per, keys: Keys) -> str:
    """The key of a call's sub-pool in a pool that is split by `per`."""
    match per:
        case Per.SESSION:
            return keys.session
        case Per.USER:
            return keys.user
        case Per.WORKFLOW:
            return keys.workflow
        case Per.SHARED | Per.REQUEST:
            return ""


def effective_limit(pool: Pool, now: UtcMs) -> Nanos:
    """The limit that holds at an instant: the override's while it lasts, else the pool's own."""
    override = pool.override
    return pool.limit if override is None or now >= override.until else override.limit


def bucket_rate(pool: Pool, now: UtcMs) -> BucketRate:
    """Size and inflow of a pool whose window is a token bucket, at an instant."""
    window, limit = pool.window, effective_limit(pool, now)
    size = limit if window.burst is None else window.burst
    if window.refill_per_hour is not None:
        return BucketRate(size=size, refill=window.refill_per_hour, per=HOUR_MS)
    if window.period is None or isinstance(window.period, CalendarUnit):
        # Nothing says how much flows in: such a bucket is spent once.
        return BucketRate(size=size, refill=Nanos(0), per=HOUR_MS)
    return BucketRate(size=size, refill=limit, per=window.period)


def request_cap(pools: Iterable[Pool]) -> Pool | None:
    """The `Request` pool with the smallest limit, which caps every call; None without one."""
    caps = [pool for pool in pools if pool.per is Per.REQUEST]
    return min(caps, key=lambda pool: pool.limit) if caps else None


def _selects(selector: Mapping[str, str] | None, labels: Mapping[str, str]) -> bool:
    if selector is None:
        return False
    return all(labels.get(name) == value for name, value in selector.items())
