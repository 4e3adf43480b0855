"""Token buckets: a limit that flows back all the time instead of beginning anew.

What is lent leaves the bucket; what flows in stops when the bucket and all that is still lent and
unspent (`outstanding`) are together as large as the bucket. So the money spent over any interval is
at most the size of the bucket and what flows in during the interval:

    level + rest/per + outstanding <= size, always; only flowing in raises that sum, and spending
    lowers it; so what was spent from s to t <= size + refill * (t - s) / per.

The one rule: `refilled` is called with the outstanding money as it was, right before that changes;
else time in which nothing may flow in would count. Money that flows in is counted exactly. This
module must not know who holds the money or what a pool is.
"""

from dataclasses import dataclass, replace

from farebox.core.instant import DurationMs, UtcMs
from farebox.core.money import Nanos, divide_up


@dataclass(frozen=True, slots=True, kw_only=True)
class BucketRate:
    """A bucket of `size` into which `refill` flows during each `per` milliseconds."""

    size: Nanos
    refill: Nanos
    per: DurationMs


@dataclass(frozen=True, slots=True, kw_only=True)
class Bucket:
    """What a bucket can lend, as of the instant `at`.

    `level` is negative only after an overdraft. `rest`/`per` of a n$ has flowed in beyond it (less
    than one; who does not keep these two loses no more than that).
    """

    level: Nanos
    at: UtcMs
    rest: int = 0
    per: int = 1


def full(rate: BucketRate, now: UtcMs) -> Bucket:
    """A new bucket, of which nothing is lent."""
    return Bucket(level=rate.size, at=now)


def refilled(bucket: Bucket, rate: BucketRate, *, outstanding: Nanos, now: UtcMs) -> Bucket:
    """The bucket now, if `outstanding` was lent and unspent all the time since `bucket.at`.

    It never falls. A clock that went back changes nothing: what flowed in once stays.
    """
    if now <= bucket.at:
        return bucket
    room = rate.size - outstanding - bucket.level
    if room <= 0:
        return replace(bucket, at=now, rest=0)
    # A rest of another rate is dropped: it is less than 1 n$.
    carried = bucket.rest if bucket.per == rate.per else 0
    earned, rest = divmod(carried + rate.refill * (now - bucket.at), rate.per)
    if earned >= room:
        earned, rest = room, 0
    return Bucket(level=Nanos(bucket.level + earned), at=now, rest=rest, per=rate.per)


def taken(bucket: Bucket, amount: Nanos) -> Bucket:
    """The bucket after `amount` was lent of it. Raises ValueError for more than its level."""
    if not 0 <= amount <= max(0, bucket.level):
        raise ValueError(f"{amount} n$ can't be taken from a bucket of {bucket.level} n$")
    return replace(bucket, level=Nanos(bucket.level - amount))


def put_back(bucket: Bucket, rate: BucketRate, amount: Nanos, outstanding: Nanos) -> Bucket:
    """The bucket after `amount` was returned; `outstanding` is what is lent and unspent then."""
    if amount < 0:
        raise ValueError(f"{amount} n$ can't be put back into a bucket")
    return _kept_in(replace(bucket, level=Nanos(bucket.level + amount)), rate, outstanding)


def overdrawn(bucket: Bucket, amount: Nanos) -> Bucket:
    """The bucket after `amount` was spent that nobody was lent; what flows in pays for it first."""
    if amount < 0:
        raise ValueError(f"an overdraft of {amount} n$ can't be")
    return replace(bucket, level=Nanos(bucket.level - amount))


def resized(bucket: Bucket, rate: BucketRate, outstanding: Nanos) -> Bucket:
    """The bucket when its rate becomes this one: a smaller one spills over, none is filled up.

    Call `refilled` with the old rate first.
    """
    return _kept_in(bucket, rate, outstanding)


def ready_at(
    bucket: Bucket, rate: BucketRate, amount: Nanos, *, outstanding: Nanos
) -> UtcMs | None:
    """When the bucket will hold `amount` if nothing else happens; None if it never will."""
    missing = amount - bucket.level
    if missing <= 0:
        return bucket.at
    if rate.refill <= 0 or amount > rate.size - outstanding:
        return None
    carried = bucket.rest if bucket.per == rate.per else 0
    return UtcMs(bucket.at + divide_up(missing * rate.per - carried, rate.refill))


def _kept_in(bucket: Bucket, rate: BucketRate, outstanding: Nanos) -> Bucket:
    """The bucket without what does not fit into it beside what is outstanding."""
    room = max(0, rate.size - outstanding)
    if bucket.level < room:
        return bucket
    return replace(bucket, level=Nanos(room), rest=0)
