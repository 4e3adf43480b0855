"""A ledger that never was: what the pools of a pod would have had, in the time of the calls.

It is one account for each (sub-)pool and window, without leases: what several sidecars hold of a
pool that they share is not in it. The one rule: a hold fits every pool that refuses, or it is not
made. This module must not know calls, models or why money is held.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from farebox.core.bucket import Bucket, BucketRate, full, overdrawn, put_back, refilled, taken
from farebox.core.budgets import Charge, Mode, Pool, bucket_rate, effective_limit
from farebox.core.instant import UtcMs
from farebox.core.money import Nanos
from farebox.core.windows import Window, WindowType, window_at


class Held(NamedTuple):
    """Money held in one window of a (sub-)pool."""

    charge: Charge
    window: int
    amount: Nanos


@dataclass(slots=True)
class _Sum:
    window: Window
    spent: int = 0
    held: int = 0

    def counts_at(self, now: UtcMs) -> bool:
        until = self.window.counts_until
        return until is None or now < until


@dataclass(slots=True)
class _Account:
    """A (sub-)pool: its windows, and its bucket where it has one."""

    pool: Pool
    sums: dict[int, _Sum] = field(default_factory=dict)
    bucket: Bucket | None = None
    lent: int = 0

    def at(self, now: UtcMs) -> _Sum:
        window = window_at(self.pool.window, now)
        found = self.sums.get(window.id)
        if found is None:
            # What counts no more is never asked for again.
            self.sums = {one: of for one, of in self.sums.items() if of.held or of.counts_at(now)}
            found = self.sums[window.id] = _Sum(window)
        return found

    def room(self, now: UtcMs) -> int:
        """What may be held now; negative after an overdraft."""
        if self.pool.window.type is WindowType.TOKEN_BUCKET:
            return self.level(now)[0].level
        self.at(now)
        used = sum(one.spent + one.held for one in self.sums.values() if one.counts_at(now))
        return effective_limit(self.pool, now) - used

    def settled(self, now: UtcMs) -> int:
        """What of the limit is gone for as long as its window counts."""
        if self.pool.window.type is WindowType.TOKEN_BUCKET:
            bucket, rate = self.level(now)
            return rate.size - bucket.level - self.lent
        return sum(one.spent for one in self.sums.values() if one.counts_at(now))

    def level(self, now: UtcMs) -> tuple[Bucket, BucketRate]:
        rate = bucket_rate(self.pool, now)
        bucket = full(rate, now) if self.bucket is None else self.bucket
        self.bucket = refilled(bucket, rate, outstanding=Nanos(self.lent), now=now)
        return self.bucket, rate


class VirtualLedger:
    """Holds and settles in every pool of a call at once."""

    def __init__(self, pools: Iterable[Pool]) -> None:
        self._pools = {pool.uid: pool for pool in pools}
        self._accounts: dict[Charge, _Account] = {}

    def room(self, charges: Iterable[Charge], now: UtcMs) -> Nanos | None:
        """The least that the pools that refuse have left; None where none refuses."""
        rooms = [self._account(one).room(now) for one in charges if self._refuses(one)]
        return Nanos(max(0, min(rooms))) if rooms else None

    def short(self, charges: Iterable[Charge], amount: Nanos, now: UtcMs) -> list[Charge]:
        """The pools that refuse and lack an amount, in the order given."""
        return [
            one for one in charges if self._refuses(one) and self._account(one).room(now) < amount
        ]

    def hold(self, charges: Iterable[Charge], amount: Nanos, now: UtcMs) -> tuple[Held, ...]:
        """Hold an amount in all pools. Raises ValueError where one that refuses lacks it."""
        charges = tuple(charges)
        if self.short(charges, amount, now):
            raise ValueError(f"{amount} n$ do not fit")
        return tuple(self._hold(charge, amount, now) for charge in charges)

    def settle(self, held: Iterable[Held], cost: Nanos, now: UtcMs) -> None:
        """End a hold at what it cost, in the windows that it was made in."""
        for one in held:
            self._settle(one, cost, now)

    def spent(self, charge: Charge) -> Nanos:
        """What all windows that are still kept have spent."""
        return Nanos(sum(one.spent for one in self._account(charge).sums.values()))

    def limit(self, charge: Charge, now: UtcMs) -> Nanos:
        """The most that a (sub-)pool can have."""
        pool = self._pools[charge.pool]
        if pool.window.type is WindowType.TOKEN_BUCKET:
            return bucket_rate(pool, now).size
        return effective_limit(pool, now)

    def settled(self, charge: Charge, now: UtcMs) -> Nanos:
        """What of a pool's limit is spent and does not come back by calls that end."""
        return Nanos(max(0, self._account(charge).settled(now)))

    def next_change(self, charges: Iterable[Charge], now: UtcMs) -> UtcMs | None:
        """When the first window of some pools ends."""
        ends = (window_at(self._pools[one.pool].window, now).ends for one in charges)
        return min((end for end in ends if end is not None), default=None)

    def pool(self, charge: Charge) -> Pool:
        """The pool of a charge."""
        return self._pools[charge.pool]

    def _refuses(self, charge: Charge) -> bool:
        return self._pools[charge.pool].mode is Mode.ENFORCE

    def _account(self, charge: Charge) -> _Account:
        known = self._accounts.get(charge)
        if known is None:
            known = self._accounts[charge] = _Account(self._pools[charge.pool])
        return known

    def _hold(self, charge: Charge, amount: Nanos, now: UtcMs) -> Held:
        account = self._account(charge)
        total = account.at(now)
        total.held += amount
        if account.pool.window.type is WindowType.TOKEN_BUCKET:
            bucket, _ = account.level(now)
            # A pool in shadow mode lends what it has not.
            fits = 0 <= amount <= bucket.level
            account.bucket = taken(bucket, amount) if fits else overdrawn(bucket, amount)
            account.lent += amount
        return Held(charge, total.window.id, amount)

    def _settle(self, held: Held, cost: Nanos, now: UtcMs) -> None:
        account = self._account(held.charge)
        total = account.sums[held.window]
        total.held -= held.amount
        total.spent += cost
        if account.pool.window.type is not WindowType.TOKEN_BUCKET:
            return
        bucket, rate = account.level(now)
        account.lent -= held.amount
        surplus = held.amount - cost
        if surplus >= 0:
            account.bucket = put_back(bucket, rate, Nanos(surplus), Nanos(account.lent))
        else:
            account.bucket = overdrawn(bucket, Nanos(-surplus))
