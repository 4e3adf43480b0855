"""Lending: what a want leads to.

Wants are levels, not events: each report replaces what its holder wanted, and what is already on
its way to it counts. The one rule: only `_lend` raises what is committed, by what `allocate` has
found to fit. This module must not know how a want came in or what else its report said.
"""

from collections.abc import Iterable
from typing import Final

from controller.events import Draft
from controller.recalls import recall
from controller.world import Cell, Entry, Holder, World, put
from farebox.core.allocation import Decision, Demand, PoolState, allocate
from farebox.core.budgets import Charge, Pool
from farebox.core.instant import DurationMs, UtcMs
from farebox.core.leases import LeaseId
from farebox.core.money import ZERO, Nanos
from farebox.core.reasons import Reason
from farebox.core.windows import Window, window_at
from farebox.wire.messages import Denial, Grant, Want

RECONSIDERED_MAX: Final = 64
"""So many waiting holders are looked at when money comes back; the first to ask come first."""


MARGIN_SHARE: Final = 10
"""The margin at the end of a window is at most one of so many parts of it."""


def replace_wants(world: World, holder: Holder, wants: Iterable[Want]) -> tuple[Want, ...]:
    """Take what a holder wants now instead of what it wanted before; returns it, once per charge.

    Who goes on wanting keeps its place in the line.
    """
    wanted = {want.charge: want for want in wants}
    for charge in holder.wants - wanted.keys():
        world.stop_waiting(holder, charge)
    for charge, want in wanted.items():
        world.waiting.setdefault(charge, {})[holder.uid] = want
    holder.wants = set(wanted)
    return tuple(wanted.values())


def reconsider(
    world: World, draft: Draft, charge: Charge, *, tell: bool = False, but: str = ""
) -> None:
    """Look again at those who wait for a (sub-)pool, `but` one of them.

    Without `tell` they hear of money only; a refusal they have heard already.
    """
    line = world.waiting.get(charge)
    if line is None:
        return
    waiting = [uid for uid in line if uid != but][:RECONSIDERED_MAX]
    for uid in waiting:
        answer(world, draft, world.holders[uid], line[uid], tell=tell)


def answer(world: World, draft: Draft, holder: Holder, want: Want, *, tell: bool = True) -> None:
    """Lend, ask others to give back, or (with `tell`) say why not."""
    pool = world.pool_of(want.charge)
    if pool is None:
        world.stop_waiting(holder, want.charge)
        draft.send(holder.stream, _unknown_pool(world, want.charge))
        return
    window = window_at(pool.window, draft.now)
    lease = LeaseId(want.charge, window.id)
    if window.ends is not None and draft.now >= _closing(world, lease, window.ends):
        _put_off(world, draft, holder, pool, lease, window.ends, tell=tell)
        return
    cell = world.cells.get(lease) or Cell(lease=lease, window_ends=window.ends)
    entry = cell.entries.get(holder.uid)
    under_way = entry.granted - entry.known if entry else 0
    if entry is not None and under_way > 0 and under_way >= want.need:
        # Granted since the holder wrote its report, or lost: a total may be said twice.
        world.stop_waiting(holder, want.charge)
        draft.send(holder.stream, grant_of(world, cell, entry))
        return
    demand = _demand(holder, want, Nanos(under_way))
    decision = _decide(cell, pool, demand)
    _act(world, draft, holder, demand, decision, cell, window)
    if decision.grant >= demand.need:
        world.stop_waiting(holder, want.charge)
    elif decision.denial is not None and tell:
        state = cell.state(pool)
        draft.send(holder.stream, _denial(world, state, lease, decision.denial, window, draft.now))


def grant_of(world: World, cell: Cell, entry: Entry) -> Grant:
    """The total lent of a lease, as its holder is to hear it.

    The rest of its window is counted from the receipt of the holder's last message, and by the
    holder from when it sent that: so on its clock the window never ends late. It ends early by the
    margin in which what was sent last is still on its way to the provider.
    """
    holder = world.holders[entry.holder]
    ends = cell.window_ends
    if ends is not None:
        ends = _closing(world, cell.lease, ends)
    return Grant(
        epoch=world.epoch,
        lease=entry.lease,
        granted=entry.granted,
        ttl=world.terms.ttl,
        echo_boot_ms=holder.boot_ms,
        window_ends_in=None if ends is None else DurationMs(max(0, ends - holder.heard_at)),
    )


def _closing(world: World, lease: LeaseId, ends: UtcMs) -> UtcMs:
    """When nothing of a window is lent or held any more."""
    margin = min(world.terms.window_margin, (ends - lease.window) // MARGIN_SHARE)
    return UtcMs(ends - margin)


def _put_off(
    world: World,
    draft: Draft,
    holder: Holder,
    pool: Pool,
    lease: LeaseId,
    ends: UtcMs,
    *,
    tell: bool,
) -> None:
    """Let a want wait for the next window: that comes on the agenda with this one's cell."""
    state = world.cell(lease, ends).state(pool)
    if not tell:
        return
    draft.send(
        holder.stream,
        Denial(
            epoch=world.epoch,
            lease=lease,
            reason=Reason.HOLD_PENDING,
            retry_after=DurationMs(max(1, ends - draft.now)),
            limit=state.limit,
            settled=state.settled,
            held=Nanos(state.committed - state.settled),
            remaining=state.remaining,
            resets_at=ends,
        ),
    )


def _demand(holder: Holder, want: Want, under_way: Nanos) -> Demand:
    return Demand(
        holder=holder.uid,
        want=Nanos(max(0, want.want - under_way)),
        need=Nanos(max(0, want.need - under_way)),
        least=Nanos(max(0, want.least - under_way)),
    )


def _decide(cell: Cell, pool: Pool, demand: Demand) -> Decision:
    if demand.holder in cell.closed_for:
        # Its counters would start at zero again beside messages of the closed lease; only a pool
        # whose window was made longer while it ran comes here.
        return Decision(denial=Reason.BUDGET_UNVERIFIABLE)
    return allocate(cell.state(pool), demand)


def _act(
    world: World,
    draft: Draft,
    holder: Holder,
    demand: Demand,
    decision: Decision,
    cell: Cell,
    window: Window,
) -> None:
    if decision.grant > 0:
        _lend(world, draft, holder, world.cell(cell.lease, window.ends), decision.grant)
    for shrink in decision.shrinks:
        assert shrink.holder != demand.holder, "nobody is asked to give back to itself"
        recall(world, draft, cell.entries[shrink.holder], shrink.amount)


def _lend(world: World, draft: Draft, holder: Holder, cell: Cell, amount: Nanos) -> None:
    entry = cell.entries.get(holder.uid)
    if entry is None:
        entry = Entry(lease=cell.lease, holder=holder.uid)
        world.add_entry(cell, entry)
    entry.granted = Nanos(entry.granted + amount)
    world.refresh(entry)
    pool = world.resources.pools[cell.lease.charge.pool]
    assert cell.committed <= pool.limit, f"{pool.title} would be lent beyond its limit"
    draft.writes.append(put(cell, entry))
    draft.send(holder.stream, grant_of(world, cell, entry))


def _denial(
    world: World, state: PoolState, lease: LeaseId, reason: Reason, window: Window, now: UtcMs
) -> Denial:
    return Denial(
        epoch=world.epoch,
        lease=lease,
        reason=reason,
        retry_after=_retry_after(world, state, reason, window, now),
        limit=state.limit,
        settled=state.settled,
        held=Nanos(state.committed - state.settled),
        remaining=state.remaining,
        resets_at=window.ends,
    )


def _retry_after(
    world: World, state: PoolState, reason: Reason, window: Window, now: UtcMs
) -> DurationMs:
    """How long the answer stands: a recall, a while, or the rest of the window (0: for ever)."""
    if reason is Reason.BUDGET_UNVERIFIABLE:
        return world.terms.heartbeat
    if reason is not Reason.HOLD_PENDING:
        return DurationMs(0 if window.ends is None else window.ends - now)
    under_way = any(account.recalled for account in state.accounts.values())
    return world.terms.recall_wait if under_way else world.terms.retry


def _unknown_pool(world: World, charge: Charge) -> Denial:
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
