"""Saying why there is no money, and when there may be.

The one rule: the figures are those of the pool as it is, without what is kept for others in the
line. This module must not know how anything is decided, and lends nothing.
"""

from typing import Final

from controller.agenda import MoneyFlows
from controller.events import Draft
from controller.limits import back_at, figures
from controller.world import Cell, Holder, World
from farebox.core.allocation import Demand
from farebox.core.budgets import Charge, Pool
from farebox.core.instant import UTC_MS_MAX, DurationMs, UtcMs
from farebox.core.leases import LeaseId
from farebox.core.money import ZERO, Nanos
from farebox.core.reasons import Reason
from farebox.core.windows import Window, WindowType
from farebox.wire.messages import Denial

MARGIN_SHARE: Final = 10
"""The margin at the end of a window is at most one of so many parts of it."""

SOON_MS: Final = 30_000
"""Money that comes back so soon by itself is worth waiting for."""

FLOW_WAIT_MS_MIN: Final = 100
"""Who waits for a token bucket is looked at no oftener."""

FIGURE_MAX: Final = Nanos(2**63 - 1)
"""A pod may say that it has spent anything; the others must still be told what they can't have."""

WAIT_MS_MAX: Final = DurationMs(UTC_MS_MAX)

_FLOWING: Final = (WindowType.SLIDING, WindowType.TOKEN_BUCKET)


def closing(world: World, lease: LeaseId, ends: UtcMs) -> UtcMs:
    """When nothing of a window is lent or held any more."""
    margin = min(world.terms.window_margin, (ends - lease.window) // MARGIN_SHARE)
    return UtcMs(ends - margin)


def put_off(
    world: World,
    draft: Draft,
    holder: Holder,
    pool: Pool,
    window: Window,
    lease: LeaseId,
    *,
    tell: bool,
) -> None:
    """Let a want wait for the next window: that comes on the agenda with this one's cell."""
    cell = world.cell(lease, window.ends, window.counts_until)
    if tell and window.ends is not None:
        rest = DurationMs(max(1, window.ends - world.now))
        draft.send(
            holder.stream, _denial(world, pool, cell, Reason.HOLD_PENDING, rest, window.ends)
        )


def softened(world: World, pool: Pool, cell: Cell, least: Nanos, reason: Reason) -> Reason:
    """Why there is no money: what comes back soon by itself is not exhausted."""
    if reason is Reason.POOL_EXHAUSTED and pool.window.type in _FLOWING:
        back = back_at(world, pool, cell, least)
        if back is not None and back - world.now <= SOON_MS:
            return Reason.HOLD_PENDING
    return reason


def denial_of(world: World, pool: Pool, cell: Cell, decided: Reason, least: Nanos) -> Denial:
    """A denial with the figures of the pool."""
    back = cell.window_ends
    if pool.window.type in _FLOWING and decided is not Reason.REQUEST_TOO_LARGE:
        back = back_at(world, pool, cell, least)
    reason = softened(world, pool, cell, least, decided)
    if decided is Reason.BUDGET_UNVERIFIABLE:
        wait = world.terms.heartbeat
    elif decided is Reason.HOLD_PENDING:
        under_way = any(account.recalled for account in cell.accounts.values())
        wait = world.terms.recall_wait if under_way else world.terms.retry
    else:
        # The answer stands until money comes back by itself, 0: for ever.
        wait = DurationMs(0 if back is None else max(1, back - world.now))
    return _denial(world, pool, cell, reason, wait, back)


def unknown_pool(world: World, charge: Charge) -> Denial:
    """The holder works by an older policy: the pool is gone, or split otherwise by now."""
    return Denial(
        epoch=world.epoch,
        lease=LeaseId(charge, 0),
        reason=Reason.BUDGET_UNVERIFIABLE,
        retry_after=world.terms.heartbeat,
        limit=ZERO,
        settled=ZERO,
        held=ZERO,
        remaining=ZERO,
    )


def watch_flow(world: World, pool: Pool, cell: Cell, demand: Demand) -> None:
    """Look again at who waits for a token bucket when enough may have flowed in."""
    if pool.window.type is not WindowType.TOKEN_BUCKET:
        return
    charge = cell.lease.charge
    back = back_at(world, pool, cell, demand.need) or back_at(world, pool, cell, demand.least)
    if back is None:
        return
    at = UtcMs(max(back, world.now + FLOW_WAIT_MS_MIN))
    if charge not in world.flows or at < world.flows[charge]:
        world.flows[charge] = at
        world.agenda.add(at, MoneyFlows(charge))


def _denial(
    world: World, pool: Pool, cell: Cell, reason: Reason, wait: DurationMs, back: UtcMs | None
) -> Denial:
    shown = figures(world, pool, cell)
    never = back is not None and back > UTC_MS_MAX
    return Denial(
        epoch=world.epoch,
        lease=cell.lease,
        reason=reason,
        retry_after=min(wait, WAIT_MS_MAX),
        limit=shown.limit,
        settled=min(shown.settled, FIGURE_MAX),
        held=min(Nanos(shown.committed - shown.settled), FIGURE_MAX),
        remaining=shown.remaining,
        resets_at=None if never else back,
    )
