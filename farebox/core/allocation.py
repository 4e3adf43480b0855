"""The controller's rule: how much of a pool to lend to whom, and what to ask back.

The shape is guided self-scheduling: each grant is a share of what remains, so that the number of
grants near the cap grows with its logarithm and not with the calls. The one rule: a grant never
exceeds limit minus committed, whatever was asked. This module must not know messages, stores or
clocks.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from farebox.core.money import ZERO, Nanos, divide_down
from farebox.core.reasons import Reason

SHARE_DIVISOR: Final = 4
"""Beta: a grant is at most 1/(beta * holders) of the remainder, unless one call needs more."""

RECLAIM_PERCENT: Final = 125
"""How much is asked back, in per cent of the need, so that one round of returns suffices."""

SHRINKS_MAX: Final = 8
"""How many holders are asked at a time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """One holder's lease as the controller knows it; `reserved` as last reported.

    `frozen`: the holder is silent past its deadline, so nothing of it can be had. `recalled`: it
    was asked to give back and has not answered yet.
    """

    granted: Nanos = ZERO
    returned: Nanos = ZERO
    spent: Nanos = ZERO
    reserved: Nanos = ZERO
    frozen: bool = False
    recalled: bool = False

    @property
    def committed(self) -> Nanos:
        """The most this lease can cost: what is lent, or what is spent and held if that is more."""
        return Nanos(max(self.granted - self.returned, self.spent + self.reserved))

    @property
    def idle(self) -> Nanos:
        """What the holder had free when it last reported; nothing when it is frozen."""
        if self.frozen:
            return ZERO
        return Nanos(max(0, self.granted - self.returned - self.spent - self.reserved))

    @property
    def lost(self) -> Nanos:
        """What is committed for a frozen holder beyond what it is known to have spent."""
        return Nanos(self.committed - self.spent) if self.frozen else ZERO


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
    if pool.remaining >= demand.need:
        return Decision(grant=_share(pool, demand))
    if any(account.recalled and not account.frozen for account in pool.accounts.values()):
        return Decision(denial=Reason.HOLD_PENDING)
    shrinks = _reclaims(pool, demand, demand.need)
    if not shrinks and pool.remaining > 0 and pool.remaining >= demand.least:
        return Decision(grant=pool.remaining)
    shrinks = shrinks or _reclaims(pool, demand, demand.least)
    if shrinks:
        return Decision(shrinks=shrinks, denial=Reason.HOLD_PENDING)
    return Decision(denial=_why_not(pool, demand))


def _why_not(pool: PoolState, demand: Demand) -> Reason:
    """Tell money that may still come free from money that is gone for this window."""
    own = pool.accounts.get(demand.holder, Account())
    if demand.least + own.idle > pool.limit:
        return Reason.REQUEST_TOO_LARGE
    lost = sum(account.lost for account in pool.accounts.values())
    obtainable = pool.limit - pool.settled - lost - own.idle
    return Reason.HOLD_PENDING if obtainable >= demand.least else Reason.POOL_EXHAUSTED


def _share(pool: PoolState, demand: Demand) -> Nanos:
    """A share of the remainder, at least what the oldest call needs, at most what is wanted."""
    others = pool.accounts.keys() | {demand.holder}
    share = divide_down(pool.remaining, SHARE_DIVISOR * len(others))
    wanted = max(demand.want, demand.need)
    return Nanos(min(wanted, max(demand.need, share), pool.remaining))


def _reclaims(pool: PoolState, demand: Demand, target: Nanos) -> tuple[Shrink, ...]:
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
    if sum(amount for amount, _ in idle) < missing:
        return ()
    still = divide_down(missing * RECLAIM_PERCENT, 100)
    shrinks = []
    for amount, holder in idle[:SHRINKS_MAX]:
        if still <= 0:
            break
        shrinks.append(Shrink(holder=holder, amount=Nanos(min(amount, still))))
        still -= amount
    return tuple(shrinks)
