"""The controller's rule: how much of a pool to lend to whom, and what to ask back.

The shape is guided self-scheduling: each grant is a share of what remains, so that the number of
grants near the cap grows with its logarithm and not with the calls. The one rule: a grant never
exceeds limit minus committed, whatever was asked. This module must not know messages, stores or
clocks.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from farebox.core.money import ZERO, Nanos, divide_down
from farebox.core.reasons import Reason

SHARE_DIVISOR: Final = 2
"""Beta: a grant is at most a holder's share of the remainder / beta, unless one call needs more."""

RECLAIM_PERCENT: Final = 125
"""How much is asked back, in per cent of the need, so that one round of returns suffices."""

SHRINKS_MAX: Final = 8
"""How many holders are asked at a time."""


LEVEL_PART: Final = 8
"""When a share can't be given, one of so many parts of all free money is asked back at least."""

EVEN_PART: Final = 16
"""Until one of so many parts of the limit is used, shares go by numbers rather than by use."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """One holder's lease as the controller knows it; `reserved` as last reported.

    `frozen`: the holder is silent past its deadline, so nothing of it can be had. `recalled`: it
    was asked to give back and has not answered yet. What follows from these is worked out once: a
    decision reads it of every holder of a pool.

    `committed` is the most this lease can cost: what is lent, or what is spent and held if that is
    more. `idle` is what the holder had free when it last reported; nothing when it is frozen.
    `used` is what it had spent or held. `lost` is what is committed for a frozen holder beyond what
    it is known to have spent.
    """

    granted: Nanos = ZERO
    returned: Nanos = ZERO
    spent: Nanos = ZERO
    reserved: Nanos = ZERO
    frozen: bool = False
    recalled: bool = False
    committed: Nanos = field(init=False, compare=False)
    idle: Nanos = field(init=False, compare=False)
    used: Nanos = field(init=False, compare=False)
    lost: Nanos = field(init=False, compare=False)

    def __post_init__(self) -> None:
        lent, used = self.granted - self.returned, self.spent + self.reserved
        committed = max(lent, used)
        put = object.__setattr__
        put(self, "committed", committed)
        put(self, "used", used)
        put(self, "idle", 0 if self.frozen else committed - used)
        put(self, "lost", committed - self.spent if self.frozen else 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolState:
    """A (sub-)pool in one window: its limit, what closed leases spent, and the open ones."""

    limit: Nanos
    closed_spent: Nanos = ZERO
    accounts: Mapping[str, Account] = field(default_factory=dict)

    @property
    def committed(self) -> Nanos:
        """The most that all leases of this window can cost."""
        open_leases = sum(account.committed for account in self.accounts.values())
        return Nanos(self.closed_spent + open_leases)

    @property
    def settled(self) -> Nanos:
        """What is known to be spent."""
        return Nanos(self.closed_spent + sum(a.spent for a in self.accounts.values()))

    @property
    def remaining(self) -> Nanos:
        """What may still be lent; never negative, also after the limit was lowered."""
        return Nanos(max(0, self.limit - self.committed))


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """How much more a holder asks for: at best `want`, for its oldest call `need`.

    `least` is what its smallest useful call lacks (a lower max_tokens, a cheaper model).
    """

    holder: str
    want: Nanos
    need: Nanos
    least: Nanos


@dataclass(frozen=True, slots=True, kw_only=True)
class Shrink:
    """Ask a holder to give back so much of its free money."""

    holder: str
    amount: Nanos


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """More money for the holder (may be 0), shrinks for others, and why it doesn't get all."""

    grant: Nanos = ZERO
    shrinks: tuple[Shrink, ...] = ()
    denial: Reason | None = None


def allocate(pool: PoolState, demand: Demand) -> Decision:
    """Decide about one demand against the pool as it is at this moment."""
    found = _survey(pool)
    goal = _goal(pool, found, demand)
    if found.remaining >= goal:
        return Decision(grant=goal)
    if found.remaining >= demand.need:
        return Decision(
            grant=_part_of_rest(pool, found, demand), shrinks=_level(pool, found, demand, goal)
        )
    if found.recalling:
        return Decision(denial=Reason.HOLD_PENDING)
    shrinks = _reclaims(pool, found, demand, demand.need)
    if not shrinks and found.remaining > 0 and found.remaining >= demand.least:
        return Decision(grant=found.remaining)
    shrinks = shrinks or _reclaims(pool, found, demand, demand.least)
    if shrinks:
        return Decision(shrinks=shrinks, denial=Reason.HOLD_PENDING)
    return Decision(denial=_why_not(pool, demand))


class _Found(NamedTuple):
    """What one look over all leases of a pool has found.

    `free` is what may be lent and what is lent and idle; `used` is the sum over the holders.
    """

    remaining: Nanos
    free: int
    used: int
    recalling: bool


def _survey(pool: PoolState) -> _Found:
    committed, idle, used, recalling = int(pool.closed_spent), 0, 0, False
    for account in pool.accounts.values():
        committed += account.committed
        idle += account.idle
        used += account.used
        recalling = recalling or (account.recalled and not account.frozen)
    spare = pool.limit - committed
    return _Found(Nanos(max(0, spare)), max(0, spare + idle), used, recalling)


def _fair(pool: PoolState, found: _Found, holder: str, amount: int) -> int:
    """A holder's share of an amount: by its number or by its use of the pool, whatever is more."""
    holders = len(pool.accounts) + (holder not in pool.accounts)
    share = divide_down(amount, SHARE_DIVISOR * holders)
    own = pool.accounts.get(holder)
    if own is None or not found.used:
        return share
    prior = divide_down(pool.limit, EVEN_PART)
    weight = divide_down(prior, holders) + own.used
    return max(share, divide_down(amount * weight, SHARE_DIVISOR * (prior + found.used)))


def _goal(pool: PoolState, found: _Found, demand: Demand) -> Nanos:
    """What the holder would get if all free money could be dealt anew."""
    own = pool.accounts.get(demand.holder, Account()).idle
    fair = _fair(pool, found, demand.holder, found.free) - own
    return Nanos(max(demand.need, min(demand.want, fair)))


def _part_of_rest(pool: PoolState, found: _Found, demand: Demand) -> Nanos:
    """A share of the remainder, at least what the oldest call needs, at most what is wanted."""
    share = _fair(pool, found, demand.holder, found.remaining)
    return Nanos(max(demand.need, min(demand.want, share)))


def _level(pool: PoolState, found: _Found, demand: Demand, goal: Nanos) -> tuple[Shrink, ...]:
    """Whom to ask for what it has beyond its share, so that those who ask next find money."""
    if found.recalling:
        return ()
    surplus = sorted(
        (
            (account.idle - _fair(pool, found, holder, found.free), holder)
            for holder, account in pool.accounts.items()
            if holder != demand.holder and account.idle > 0
        ),
        reverse=True,
    )
    still = max(goal - found.remaining, divide_down(found.free, LEVEL_PART))
    return _shrinks(surplus, still)


def _why_not(pool: PoolState, demand: Demand) -> Reason:
    """Tell money that may still come free from money that is gone for this window."""
    own = pool.accounts.get(demand.holder, Account())
    if demand.least + own.idle > pool.limit:
        return Reason.REQUEST_TOO_LARGE
    lost = sum(account.lost for account in pool.accounts.values())
    obtainable = pool.limit - pool.settled - lost - own.idle
    return Reason.HOLD_PENDING if obtainable >= demand.least else Reason.POOL_EXHAUSTED


def _reclaims(pool: PoolState, found: _Found, demand: Demand, target: Nanos) -> tuple[Shrink, ...]:
    """Whom to ask so that `target` remains, largest idle first; empty when it isn't to be had.

    What SHRINKS_MAX holders can't give in one round, others are asked for in the next.
    """
    idle = sorted(
        (
            (account.idle, holder)
            for holder, account in pool.accounts.items()
            if holder != demand.holder and account.idle > 0
        ),
        reverse=True,
    )
    missing = target + pool.committed - pool.limit
    idle_money = sum(amount for amount, _ in idle)
    if idle_money < missing:
        return ()
    share = min(max(demand.want, target), _fair(pool, found, demand.holder, idle_money))
    still = max(divide_down(missing * RECLAIM_PERCENT, 100), missing + share - target)
    return _shrinks(idle, still)


def _shrinks(able: Sequence[tuple[int, str]], still: int) -> tuple[Shrink, ...]:
    shrinks = []
    for amount, holder in able[:SHRINKS_MAX]:
        if still <= 0 or amount <= 0:
            break
        shrinks.append(Shrink(holder=holder, amount=Nanos(min(amount, still))))
        still -= amount
    return tuple(shrinks)
