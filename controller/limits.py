"""What a limit leaves: how much of a (sub-)pool may be lent at this moment, and when more may be.

Every kind of window is brought into the one shape that `allocate` reads. The one rule: `room` is
what may be lent at most, and below zero so much is lent beyond the limit. This module must not know
holders' messages, and changes nothing.
"""

from dataclasses import replace
from typing import Final, NamedTuple

from controller.levels import level_now
from controller.world import Cell, World, outstanding
from farebox.core.allocation import Account, PoolState
from farebox.core.bucket import ready_at
from farebox.core.budgets import Mode, Pool, bucket_rate, effective_limit
from farebox.core.instant import UtcMs
from farebox.core.money import Nanos
from farebox.core.windows import WindowType

SHADOW_ROOM: Final = Nanos(1_000_000_000_000_000)
"""A pool in shadow mode lends so much at a time ($1,000,000): its counters stay in their range."""

_EARLIER: Final = ""
"""Stands for who has not finished earlier buckets of a sliding window; no holder is called so."""


class Figures(NamedTuple):
    """What people are shown of a (sub-)pool: `committed` is the most that may still be billed."""

    limit: Nanos
    settled: Nanos
    committed: Nanos

    @property
    def remaining(self) -> Nanos:
        """What may still be lent; never negative."""
        return Nanos(max(0, self.limit - self.committed))


def figures(world: World, pool: Pool, cell: Cell) -> Figures:
    """The figures of a (sub-)pool now. What is settled of a bucket is what has to flow in again."""
    limit = limit_of(world, pool, cell)
    settled, committed = cell.settled, cell.committed
    if pool.window.type is WindowType.TOKEN_BUCKET:
        committed = Nanos(limit - level_now(world, pool, cell).level)
        settled = Nanos(max(0, committed - cell.outstanding))
    elif pool.window.type is WindowType.SLIDING:
        others = [one for one in world.counted(cell.lease.charge) if one.lease != cell.lease]
        settled = Nanos(settled + sum(one.settled for one in others))
        committed = Nanos(committed + sum(one.committed for one in others))
    return Figures(limit=limit, settled=settled, committed=committed)


def limit_of(world: World, pool: Pool, cell: Cell) -> Nanos:
    """The limit that holds in a window now, or will when it starts."""
    at = max(world.now, cell.starts)
    if pool.window.type is WindowType.TOKEN_BUCKET:
        return bucket_rate(pool, at).size
    return effective_limit(pool, at)


def room(world: World, pool: Pool, cell: Cell) -> int:
    """How much may be lent in a window; below zero, how much is lent beyond the limit."""
    if pool.mode is Mode.SHADOW:
        return SHADOW_ROOM
    limit = limit_of(world, pool, cell)
    if pool.window.type is WindowType.TOKEN_BUCKET:
        if cell.outstanding > limit:
            return limit - cell.outstanding
        return max(0, level_now(world, pool, cell).level)
    if pool.window.type is WindowType.SLIDING:
        return limit - cell.committed - _elsewhere(world, cell)
    return limit - cell.committed


def state_of(world: World, pool: Pool, cell: Cell) -> PoolState:
    """A (sub-)pool in a window as `allocate` wants it."""
    limit = limit_of(world, pool, cell)
    if pool.window.type is WindowType.TOKEN_BUCKET:
        state = _bucket_state(world, pool, cell, limit)
    elif pool.window.type is WindowType.SLIDING:
        state = _sliding_state(world, cell, limit)
    else:
        state = PoolState(
            limit=limit, closed_spent=cell.closed_spent, accounts=cell.accounts, sums=cell.sums
        )
    if pool.mode is Mode.SHADOW:
        return replace(state, limit=Nanos(state.committed + SHADOW_ROOM))
    return state


def back_at(world: World, pool: Pool, cell: Cell, amount: Nanos) -> UtcMs | None:
    """When `amount` may be lent if nothing is returned until then; None if that never comes."""
    if pool.window.type is WindowType.TOKEN_BUCKET:
        rate = bucket_rate(pool, world.now)
        bucket = level_now(world, pool, cell)
        return ready_at(bucket, rate, amount, outstanding=cell.outstanding)
    if pool.window.type is not WindowType.SLIDING:
        return cell.window_ends
    missing = amount - room(world, pool, cell)
    ends = ((other.counts_until, other.committed) for other in world.counted(cell.lease.charge))
    for counts_until, committed in sorted((at, money) for at, money in ends if at is not None):
        missing -= committed
        if missing <= 0:
            return counts_until
    return None


def _elsewhere(world: World, cell: Cell) -> int:
    """What other windows' money counts beside this one's."""
    total = sum(other.committed for other in world.counted(cell.lease.charge))
    counted_itself = cell.lease in world.cells and cell.counts_at(world.now)
    return total - cell.committed if counted_itself else total


def _sliding_state(world: World, cell: Cell, limit: Nanos) -> PoolState:
    """What is spent of the other buckets is gone for now; the rest of them comes back by itself."""
    settled = pending = 0
    for other in world.counted(cell.lease.charge):
        if other.lease != cell.lease:
            settled += other.settled
            pending += other.committed - other.settled
    accounts = cell.accounts
    if pending > 0:
        held = Nanos(pending)
        accounts = {**accounts, _EARLIER: Account(granted=held, reserved=held)}
    return PoolState(
        limit=limit, closed_spent=Nanos(cell.closed_spent + settled), accounts=accounts
    )


def _bucket_state(world: World, pool: Pool, cell: Cell, limit: Nanos) -> PoolState:
    """A bucket is as a pool of its size in which so much is spent that its level remains."""
    accounts = {
        uid: Account(
            granted=outstanding(account),
            reserved=account.reserved,
            frozen=account.frozen,
            recalled=account.recalled,
        )
        for uid, account in cell.accounts.items()
    }
    lent = sum(account.committed for account in accounts.values())
    spent = max(0, limit - level_now(world, pool, cell).level - lent)
    return PoolState(limit=limit, closed_spent=Nanos(spent), accounts=accounts)
