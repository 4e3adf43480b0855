"""The levels of token buckets: what each could lend when it last changed, and what it can now.

The one rule: before what is lent of a bucket changes, and in the order of the ledger before the
lease does, its level as of now is kept; else time in which nothing may flow in would count after a
restart. This module must not know why anything is lent, returned or spent.
"""

from dataclasses import dataclass, replace

from controller.events import Draft
from controller.store.protocol import PutBucket
from controller.world import Cell, World
from farebox.core.bucket import (
    Bucket,
    BucketRate,
    full,
    overdrawn,
    put_back,
    refilled,
    resized,
    taken,
)
from farebox.core.budgets import Charge, Mode, Pool, bucket_rate
from farebox.core.instant import UtcMs
from farebox.core.money import ZERO, Nanos
from farebox.core.windows import WindowType


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """A bucket as it is now. `rate` is None while its pool is no token bucket: nothing flows in."""

    bucket: Bucket
    rate: BucketRate | None


def level_now(world: World, pool: Pool, cell: Cell) -> Bucket:
    """The bucket of a (sub-)pool now. A new one is full but for what is lent already."""
    now, lent = world.now, cell.outstanding
    rate = bucket_rate(pool, now)
    bucket = world.buckets.get(cell.lease.charge)
    if bucket is None:
        return resized(full(rate, now), rate, lent)
    until = pool.override.until if pool.override is not None else None
    if until is not None and bucket.at < until <= now:
        bucket = refilled(bucket, bucket_rate(pool, bucket.at), outstanding=lent, now=until)
    return refilled(resized(bucket, rate, lent), rate, outstanding=lent, now=now)


def before_change(world: World, cell: Cell) -> Level | None:
    """The level before what is lent changes; None where there is no bucket."""
    pool = world.pool_of(cell.lease.charge)
    if pool is not None and pool.window.type is WindowType.TOKEN_BUCKET:
        rate = bucket_rate(pool, world.now)
        return Level(bucket=level_now(world, pool, cell), rate=rate)
    bucket = world.buckets.get(cell.lease.charge)
    if bucket is None:
        return None
    return Level(bucket=_passed_by(bucket, world.now), rate=None)


def keep_lent(world: World, draft: Draft, cell: Cell, level: Level | None, amount: Nanos) -> None:
    """Take a loan out of a bucket. A pool in shadow mode lends also what the bucket has not."""
    if level is None:
        return
    pool = world.pool_of(cell.lease.charge)
    shadow = pool is not None and pool.mode is Mode.SHADOW
    bucket = overdrawn(level.bucket, amount) if shadow else taken(level.bucket, amount)
    put_level(world, draft, cell.lease.charge, bucket)


def keep_spent(
    world: World, draft: Draft, cell: Cell, level: Level | None, *, overdraft: Nanos = ZERO
) -> None:
    """Keep a level before leases are: time has passed, and more was spent than was lent."""
    if level is None:
        return
    bucket = overdrawn(level.bucket, overdraft) if overdraft else level.bucket
    # Of a grant that the ledger had lost, the bucket has no money left.
    if level.rate is not None:
        bucket = resized(bucket, level.rate, cell.outstanding)
    put_level(world, draft, cell.lease.charge, bucket)


def keep_returned(
    world: World, draft: Draft, cell: Cell, level: Level | None, amount: Nanos
) -> None:
    """Put returned money back, after its lease is kept."""
    if level is None or level.rate is None or amount <= 0:
        return
    bucket = world.buckets[cell.lease.charge]
    put_level(
        world, draft, cell.lease.charge, put_back(bucket, level.rate, amount, cell.outstanding)
    )


def put_level(world: World, draft: Draft, charge: Charge, bucket: Bucket) -> None:
    """Keep a level."""
    world.buckets[charge] = bucket
    draft.writes.append(PutBucket(charge=charge, level=bucket.level, at=bucket.at))


def _passed_by(bucket: Bucket, now: UtcMs) -> Bucket:
    """A bucket into which nothing has flowed since."""
    return replace(bucket, at=max(bucket.at, now), rest=0)
