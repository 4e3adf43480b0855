"""What a holder may count on: the money that it can expect to spend before a window ends.

The one rule: this is a forecast and no promise. Nothing is lent or kept by it; holders choose
models by it, so that a pool that would run dry is spent on what needs it most. Every figure is
reckoned from sums that are kept anyway, so that one costs the same whatever a pool's holders. This
module changes nothing, and must not know how calls are routed.
"""

from collections.abc import Iterable
from typing import Final, NamedTuple

from controller.denials import closing
from controller.levels import level_now
from controller.limits import limit_of
from controller.world import Cell, Entry, Holder, World
from farebox.core.budgets import Mode, Pool, bucket_rate
from farebox.core.instant import DurationMs, UtcMs
from farebox.core.money import Nanos, divide_down, divide_up
from farebox.core.windows import BUCKETS, WindowType
from farebox.wire.messages import Counters, Outlook

OUTLOOKS_MAX: Final = 256
"""An acknowledgement tells of at most so many leases; the others hear with their next change."""

PRIOR_PART: Final = 10
"""A limit divided by this counts as spent in equal parts by all: so a newcomer has a share too."""


class _Rest(NamedTuple):
    """What a (sub-)pool can still spend, all holders together, and until when."""

    money: int
    until: UtcMs


def outlook_of(world: World, cell: Cell, entry: Entry) -> Outlook | None:
    """What the holder of a lease can count on; None without an end, or where nothing is refused.

    Of what is not spent yet it has the part that it had of what was spent in this window, and never
    less than it holds. Durations count from the receipt of the holder's last message.
    """
    pool = world.pool_of(entry.lease.charge)
    if pool is None or pool.mode is Mode.SHADOW:
        return None
    rest = _rest(world, pool, cell)
    heard_at = world.holders[entry.holder].heard_at
    if rest is None or rest.until <= heard_at:
        return None
    left = max(entry.unspent, _share(world, pool, cell, entry, max(0, rest.money)))
    return Outlook(
        lease=entry.lease,
        spent_by_then=Nanos(entry.spent + left),
        lasts=DurationMs(rest.until - heard_at),
    )


def outlooks_of(world: World, holder: Holder, reported: Iterable[Counters]) -> tuple[Outlook, ...]:
    """The outlooks of the leases of which a holder has said something."""
    entries = (holder.leases.get(item.lease) for item in reported)
    known = ((world.cells[entry.home], entry) for entry in entries if entry is not None)
    found = (outlook_of(world, cell, entry) for cell, entry in known)
    return tuple(outlook for outlook in found if outlook is not None)[:OUTLOOKS_MAX]


def _rest(world: World, pool: Pool, cell: Cell) -> _Rest | None:
    match pool.window.type:
        case WindowType.FIXED:
            return _rest_of_window(world, pool, cell)
        case WindowType.SLIDING:
            return _rest_of_sliding(world, pool, cell)
        case WindowType.TOKEN_BUCKET:
            return _rest_of_bucket(world, pool, cell)
        case WindowType.LIFETIME:
            return None


def _rest_of_window(world: World, pool: Pool, cell: Cell) -> _Rest | None:
    if cell.window_ends is None:
        return None
    until = closing(world, cell.lease, cell.window_ends)
    return _Rest(limit_of(world, pool, cell) - cell.settled, until)


def _rest_of_sliding(world: World, pool: Pool, cell: Cell) -> _Rest | None:
    """What may be spent within half a period: what is free now, and what comes back by then.

    Over a whole period everything comes back, whatever was spent lately: that would be no help.
    """
    period = pool.window.period
    if not isinstance(period, int):
        return None
    until = UtcMs(world.now + period // 2)
    staying = sum(
        one.settled
        for one in world.counted(cell.lease.charge)
        if one.counts_until is None or one.counts_until > until
    )
    return _Rest(limit_of(world, pool, cell) - staying, until)


def _rest_of_bucket(world: World, pool: Pool, cell: Cell) -> _Rest | None:
    """What may be spent while a whole bucket flows in: that, what is in it, and what is lent."""
    rate = bucket_rate(pool, world.now)
    if rate.refill <= 0:
        return None
    until = UtcMs(world.now + divide_up(rate.size * rate.per, rate.refill))
    return _Rest(level_now(world, pool, cell).level + cell.outstanding + rate.size, until)


def _share(world: World, pool: Pool, cell: Cell, entry: Entry, money: int) -> int:
    """The part of some money that falls to one of the holders of a cell."""
    prior = divide_down(limit_of(world, pool, cell), PRIOR_PART)
    if pool.window.type is WindowType.SLIDING:
        # Each of its buckets is a cell of its own, in which only so much is spent.
        prior = divide_down(prior, BUCKETS)
    own = entry.spent + divide_down(prior, len(cell.entries))
    everyone = cell.settled - cell.closed_spent + prior
    return divide_down(money * own, everyone) if everyone > 0 else money
