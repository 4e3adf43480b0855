"""The controller's rule: how much of a pool to lend to whom, and what to ask back.

The shape is guided self-scheduling: each grant is a share of what remains, so that the number of
grants near the cap grows with its logarithm and not with the calls. The one rule: a grant never
exceeds limit minus committed, whatever was asked. This module must not know messages, stores or
clocks.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import InitVar, dataclass, field
from typing import Final, NamedTuple

from farebox.core.money import ZERO, Nanos, divide_down
from farebox.core.reasons import Reason

SHARE_DIVISOR: Final = 2
"""Beta: a grant is at most a holder's share of the remainder / beta, unless one call needs more."""

RECLAIM_PERCENT: Final = 125
"""How much is asked back, in per cent of the need, so that one round of returns suffices."""

SHRINKS_MAX: Final = 8
SHRINKS_PART: Final = 32
"""At a time so many holders are asked, or one of so many if that is more: who waits for what
others give back waits with all that ask meanwhile, and the more holders the more those are."""


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


class Sums(NamedTuple):
    """What accounts are worth together, in n$; `recalling`: how many were asked and can answer."""

    committed: int = 0
    spent: int = 0
    idle: int = 0
    used: int = 0
    lost: int = 0
    recalling: int = 0

    def exchanged(self, before: Account | None, after: Account | None) -> "Sums":
        """The sums when one account becomes another; None is an account that is not there."""
        old, new = _worth(before), _worth(after)
        triples = zip(self, old, new, strict=True)
        return Sums(*(total - gone + come for total, gone, come in triples))


def _worth(account: Account | None) -> Sums:
    if account is None:
        return Sums()
    return Sums(
        account.committed,
        account.spent,
        account.idle,
        account.used,
        account.lost,
        int(account.recalled and not account.frozen),
    )


def sums_of(accounts: Iterable[Account]) -> Sums:
    """The sums over some accounts."""
    return Sums(*map(sum, zip(*map(_worth, accounts), strict=True)))


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolState:
    """A (sub-)pool in one window: its limit, what closed leases spent, and the open ones.

    `sums` are those over `accounts`, from whoever keeps them up to date; None: add them up.
    """

    limit: Nanos
    closed_spent: Nanos = ZERO
    accounts: Mapping[str, Account] = field(default_factory=dict)
    sums: InitVar[Sums | None] = None
    totals: Sums = field(init=False, compare=False)

    def __post_init__(self, sums: Sums | None) -> None:
        object.__setattr__(self, "totals", sums or sums_of(self.accounts.values()))

    @property
    def committed(self) -> Nanos:
        """The most that all leases of this window can cost."""
        return Nanos(self.closed_spent + self.totals.committed)

    @property
    def settled(self) -> Nanos:
        """What is known to be spent."""
        return Nanos(self.closed_spent + self.totals.spent)

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
    """What a decision goes by.

    `free` is what may be lent and what is lent and idle; `used` is the sum over the holders.
    """

    remaining: Nanos
    free: int
    used: int
    recalling: bool


def _survey(pool: PoolState) -> _Found:
    totals = pool.totals
    spare = pool.limit - pool.committed
    free = max(0, spare + totals.idle)
    return _Found(Nanos(max(0, spare)), free, totals.used, totals.recalling > 0)


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
    return _shrinks(surplus, still, len(pool.accounts))


def _why_not(pool: PoolState, demand: Demand) -> Reason:
    """Tell money that may still come free from money that is gone for this window."""
    own = pool.accounts.get(demand.holder, Account())
    if demand.least + own.idle > pool.limit:
        return Reason.REQUEST_TOO_LARGE
    obtainable = pool.limit - pool.settled - pool.totals.lost - own.idle
    return Reason.HOLD_PENDING if obtainable >= demand.least else Reason.POOL_EXHAUSTED


def _reclaims(pool: PoolState, found: _Found, demand: Demand, target: Nanos) -> tuple[Shrink, ...]:
    """Whom to ask so that `target` remains, largest idle first; empty when it isn't to be had.

    What those who are asked at a time can't give, others are asked for in the next round.
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
    return _shrinks(idle, still, len(pool.accounts))


def _shrinks(able: Sequence[tuple[int, str]], still: int, holders: int) -> tuple[Shrink, ...]:
    shrinks = []
    for amount, holder in able[: max(SHRINKS_MAX, holders // SHRINKS_PART)]:
        if still <= 0 or amount <= 0:
            break
        shrinks.append(Shrink(holder=holder, amount=Nanos(min(amount, still))))
        still -= amount
    return tuple(shrinks)
