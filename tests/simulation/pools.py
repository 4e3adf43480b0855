"""The pools of a simulated world, and how they change while it runs.

A chain of one to three pools: an organisation, its team, the people of the team. The one rule: a
change makes new resources and leaves the old ones as they are. This module must not know who goes
by them.
"""

import random
from dataclasses import replace
from typing import Final

from farebox.core.budgets import (
    Mode,
    OnExhausted,
    Override,
    Per,
    Pool,
    PoolUid,
    Reserve,
    WhenDisconnected,
)
from farebox.core.instant import DurationMs, UtcMs
from farebox.core.money import Nanos
from farebox.core.tiers import Catalogue
from farebox.core.windows import LIFETIME, WindowSpec, WindowType
from farebox.manifests.resources import Resources
from tests.simulation.options import Fault, Options, Shape
from tests.support.policies import TASKS, TIERS

NAMES: Final = ("org", "team", "people")
LIMIT_MIN: Final = 200_000

LENIENT_SHARE: Final = 0.5
"""Of the pools, where some are lenient at all."""

SLIDING_MS: Final = 60_000
"""The shortest there is: steps of a second."""


def first_pools(options: Options, rng: random.Random) -> dict[PoolUid, Pool]:
    """The pools at the start: each a child of the one before, limits falling."""
    pools: dict[PoolUid, Pool] = {}
    parent: PoolUid | None = None
    for depth in range(options.depth):
        leaf = depth == options.depth - 1
        per_user = leaf and options.users > 1 and rng.random() < 0.5
        pool = Pool(
            uid=PoolUid(f"acme/{NAMES[depth]}"),
            namespace="acme",
            name=NAMES[depth],
            generation=1,
            limit=Nanos(max(LIMIT_MIN, int(options.limit * rng.choice((1.0, 0.7, 0.4)) ** depth))),
            window=_window(options, rng),
            per=Per.USER if per_user else Per.SHARED,
            selector={} if leaf else None,
            parent=parent,
            reserve=_reserve(options, rng),
        )
        pool = _lenient(pool, options, rng)
        pools[pool.uid] = pool
        parent = pool.uid
    return pools


def _reserve(options: Options, rng: random.Random) -> Reserve | None:
    here = options.reserve and rng.random() < 0.6
    return Reserve(percent=options.reserve) if here else None


def _lenient(pool: Pool, options: Options, rng: random.Random) -> Pool:
    """Some pools only record, let pass while nobody can be asked, or let calls wait in line."""
    downgrade, defer, reject = OnExhausted.DOWNGRADE, OnExhausted.DEFER, OnExhausted.REJECT
    if Fault.SHADOW in options.faults and rng.random() < LENIENT_SHARE:
        pool = replace(pool, mode=Mode.SHADOW)
    if Fault.ALLOW in options.faults and rng.random() < LENIENT_SHARE:
        pool = replace(pool, when_disconnected=WhenDisconnected.ALLOW)
    if Fault.DEFER in options.faults:
        # A call waits in line only where every pool that is short of money lets it.
        order = rng.choice(((downgrade, defer, reject), (defer, downgrade, reject)))
        wait = DurationMs(options.slower * rng.choice((300, 1_000, 3_000)))
        pool = replace(pool, on_exhausted=order, defer_for=wait)
    return pool


def _window(options: Options, rng: random.Random) -> WindowSpec:
    fixed = WindowSpec(type=WindowType.FIXED, period=DurationMs(options.period_ms))
    sliding = WindowSpec(type=WindowType.SLIDING, period=DurationMs(SLIDING_MS))
    bucket = WindowSpec(
        type=WindowType.TOKEN_BUCKET,
        period=DurationMs(options.period_ms),
        burst=Nanos(options.limit // 2) if rng.random() < 0.5 else None,
    )
    match options.shape:
        case Shape.LIFETIME:
            return LIFETIME
        case Shape.FIXED:
            return fixed
        case Shape.SLIDING:
            return sliding
        case Shape.BUCKET:
            return bucket
        case Shape.CALENDAR:
            assert options.calendar is not None, "this shape has one"
            return WindowSpec(
                type=WindowType.FIXED, period=options.calendar.unit, zone=options.calendar.zone
            )
        case Shape.MIXED:
            return rng.choice((fixed, LIFETIME, bucket))


def resources_of(pools: dict[PoolUid, Pool]) -> Resources:
    """Resources with these pools and three tiers of models."""
    return Resources(pools=dict(pools), catalogue=Catalogue(tiers=TIERS), tasks={"acme": TASKS})


def with_limit(pools: dict[PoolUid, Pool], uid: PoolUid, factor: float) -> dict[PoolUid, Pool]:
    """One limit raised or lowered."""
    pool = pools[uid]
    limit = Nanos(int(pool.limit * factor))
    return pools | {uid: replace(pool, limit=limit, generation=pool.generation + 1)}


def overridden(
    pools: dict[PoolUid, Pool], uid: PoolUid, factor: float, until: UtcMs
) -> dict[PoolUid, Pool]:
    """Another limit for one pool until an instant."""
    pool = pools[uid]
    override = Override(limit=Nanos(int(pool.limit * factor)), until=until)
    return pools | {uid: replace(pool, override=override, generation=pool.generation + 1)}


def without(pools: dict[PoolUid, Pool], uid: PoolUid) -> dict[PoolUid, Pool]:
    """One pool deleted; its children hang on its parent, its own selector goes with them."""
    gone = pools[uid]
    left = {}
    for pool in pools.values():
        if pool.uid != uid:
            parent = gone.parent if pool.parent == uid else pool.parent
            left[pool.uid] = replace(pool, parent=parent, generation=pool.generation + 1)
    return left


def again(pools: dict[PoolUid, Pool], gone: Pool, *, number: int) -> dict[PoolUid, Pool]:
    """A deleted pool made again under its name, as the cluster does it: with another uid."""
    uid = PoolUid(f"{gone.namespace}/{gone.name}@{number}") if number else gone.uid
    parent = gone.parent if gone.parent in pools else None
    made = replace(gone, uid=uid, parent=parent, generation=gone.generation + 1)
    changed = {pool.uid: pool for pool in pools.values()}
    for pool in pools.values():
        if pool.parent == parent and gone.selector is None:
            changed[pool.uid] = replace(pool, parent=uid, generation=pool.generation + 1)
    return changed | {uid: made}


def reparented(pools: dict[PoolUid, Pool], rng: random.Random) -> dict[PoolUid, Pool]:
    """One pool hung on another, or on none, without making a ring."""
    uid = rng.choice(sorted(pools))
    below = {uid}
    while grown := {p.uid for p in pools.values() if p.parent in below} - below:
        below |= grown
    parent = rng.choice([None, *sorted(pools.keys() - below)])
    pool = pools[uid]
    return pools | {uid: replace(pool, parent=parent, generation=pool.generation + 1)}
