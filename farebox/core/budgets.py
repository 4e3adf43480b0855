"""Pools: limits in dollars per window, arranged in trees.

The one rule: a call draws on every pool whose selector matches its pod and on all their ancestors,
each with the sub-pool of the call's own key. This module must not know how much is spent.
"""

import enum
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple, NewType

from farebox.core.money import Nanos
from farebox.core.windows import WindowSpec

PoolUid = NewType("PoolUid", str)
"""What identifies a pool for ever; in a folder of manifests "namespace/name"."""

NO_KEY: Final = "(none)"
"""The sub-pool of calls that do not say their session, user or workflow."""

KEY_CHARS_MAX: Final = 128
DEPTH_MAX: Final = 8


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
    REJECT = "Reject"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """One `BudgetPool`. `limit` holds for each sub-pool when `per` is not SHARED."""

    uid: PoolUid
    namespace: str
    name: str
    generation: int
    limit: Nanos
    window: WindowSpec
    per: Per = Per.SHARED
    selector: Mapping[str, str] | None = None
    parent: PoolUid | None = None
    on_exhausted: tuple[OnExhausted, ...] = (OnExhausted.DOWNGRADE, OnExhausted.REJECT)

    @property
    def title(self) -> str:
        """The name that people see."""
        return f"{self.namespace}/{self.name}"


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
    pools: Mapping[PoolUid, Pool], *, namespace: str, labels: Mapping[str, str]
) -> tuple[Pool, ...]:
    """The pools of a pod: those of its namespace whose selector matches, and all their ancestors.

    A pool without a selector matches no pod by itself and is reached as an ancestor. The result is
    ordered from the leaves to the roots; each pool stands in it once.
    """
    ordered: dict[PoolUid, Pool] = {}
    for pool in pools.values():
        if pool.namespace == namespace and _selects(pool.selector, labels):
            for member in path_of(pools, pool.uid):
                ordered.setdefault(member.uid, member)
    return tuple(sorted(ordered.values(), key=lambda p: (-len(path_of(pools, p.uid)), p.uid)))


def path_of(pools: Mapping[PoolUid, Pool], uid: PoolUid) -> tuple[Pool, ...]:
    """A pool and its ancestors, itself first. Stops at a missing parent and at DEPTH_MAX."""
    path: list[Pool] = []
    at: PoolUid | None = uid
    while at is not None and at in pools and len(path) < DEPTH_MAX:
        path.append(pools[at])
        at = pools[at].parent
    return tuple(path)


def charges_of(pools: Iterable[Pool], keys: Keys) -> tuple[Charge, ...]:
    """The leased (sub-)pools that a call draws on. `Request` pools are local and not among them."""
    charges = []
    for pool in pools:
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


def request_cap(pools: Iterable[Pool]) -> Pool | None:
    """The `Request` pool with the smallest limit, which caps every call; None without one."""
    caps = [pool for pool in pools if pool.per is Per.REQUEST]
    return min(caps, key=lambda pool: pool.limit) if caps else None


def _selects(selector: Mapping[str, str] | None, labels: Mapping[str, str]) -> bool:
    if selector is None:
        return False
    return all(labels.get(name) == value for name, value in selector.items())
