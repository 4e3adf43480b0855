"""Lending: what wants lead to.

What is already on its way to a holder counts. The one rule: only `lend` raises what is committed,
by what `allocate` has found to fit. This module must not know how a want came in or what else its
report said.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

from controller.denials import closing, denial_of, put_off, softened, unknown_pool, watch_flow
from controller.events import Draft
from controller.levels import before_change, keep_lent
from controller.limits import room, state_of
from controller.lines import ahead_of, reserve, seniors_of
from controller.outlook import outlook_of
from controller.recalls import recall
from controller.world import Cell, Entry, Holder, World, put
from farebox.core.allocation import Account, Decision, Demand, PoolState, allocate
from farebox.core.budgets import Charge, Per, Pool
from farebox.core.instant import DurationMs
from farebox.core.leases import LeaseId
from farebox.core.money import Nanos
from farebox.core.reasons import Reason
from farebox.core.windows import Window, window_at
from farebox.wire.messages import Grant, Want

RECONSIDERED_MAX: Final = 64
"""So many waiting holders are looked at when money comes back; the first to ask come first."""

_AHEAD: Final = " "
"""Stands for the first in the line, for whom what comes free is kept; no holder is called so."""


_UNDECIDED: Final = Decision()


@dataclass(slots=True, kw_only=True)
class _Case:
    """A want, where it would be met, and how. `cell` is not known to the world before a grant."""

    want: Want
    pool: Pool
    window: Window
    cell: Cell
    demand: Demand
    decision: Decision = _UNDECIDED

    @property
    def lacks(self) -> Nanos:
        """How much less than wanted there is, where there is not even what is needed."""
        if self.decision.grant >= self.demand.need:
            return Nanos(0)
        return Nanos(max(self.demand.want, self.demand.need) - self.decision.grant)


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
        answer(world, draft, world.holders[uid], (line[uid].want,), tell=tell)


def answer(
    world: World, draft: Draft, holder: Holder, wants: Iterable[Want], *, tell: bool = True
) -> None:
    """Lend, ask others to give back, or (with `tell`) say why not; for all wants together."""
    cases = [
        case for want in wants if (case := _look(world, draft, holder, want, tell=tell)) is not None
    ]
    for case in cases:
        case.decision = _decide(world, holder, case)
    _cut_growth(world, holder, cases)
    for case in cases:
        _act(world, draft, holder, case, tell=tell)


def grant_of(world: World, cell: Cell, entry: Entry) -> Grant:
    """The total lent of a lease, as its holder is to hear it.

    The rest of its window is counted from the receipt of the holder's last message, and by the
    holder from when it sent that: so on its clock the window never ends late. It ends early by the
    margin in which what was sent last is still on its way to the provider. A window that has not
    started starts, for the holder, so long after it hears of it: never early.
    """
    holder = world.holders[entry.holder]
    ends = cell.window_ends
    if ends is not None:
        ends = closing(world, cell.lease, ends)
    ahead = cell.starts - world.now
    return Grant(
        epoch=world.epoch,
        lease=entry.lease,
        granted=entry.granted,
        ttl=holder.ttl,
        echo_boot_ms=holder.boot_ms,
        window_ends_in=None if ends is None else DurationMs(max(0, ends - holder.heard_at)),
        starts_in=DurationMs(ahead) if ahead > 0 else None,
        outlook=outlook_of(world, cell, entry),
    )


def lend(world: World, draft: Draft, holder: Holder, pool: Pool, cell: Cell, amount: Nanos) -> None:
    """Lend a holder so much more of a cell that the world knows."""
    entry = cell.entries.get(holder.uid)
    if entry is None:
        entry = Entry(lease=_new_lease(cell), home=cell.lease, holder=holder.uid)
        world.add_entry(cell, entry)
    level = before_change(world, cell)
    entry.granted = Nanos(entry.granted + amount)
    entry.idle_since = None
    world.refresh(entry)
    # First the bucket, then the lease: cut off in between, money is missing and not doubled.
    keep_lent(world, draft, cell, level, amount)
    assert room(world, pool, cell) >= 0, f"{pool.title} would be lent beyond its limit"
    draft.writes.append(put(cell, entry))
    draft.send(holder.stream, grant_of(world, cell, entry))


def _new_lease(cell: Cell) -> LeaseId:
    """The name of a new lease. In a window without an end no holder is given a name twice."""
    if cell.window_ends is not None:
        return cell.lease
    return LeaseId(cell.lease.charge, cell.next_number)


def _look(world: World, draft: Draft, holder: Holder, want: Want, *, tell: bool) -> _Case | None:
    """What there is to decide; None where the answer is clear, and given."""
    pool = world.pool_of(want.charge)
    if pool is None:
        world.stop_waiting(holder, want.charge)
        draft.send(holder.stream, unknown_pool(world, want.charge))
        return None
    window = window_at(pool.window, world.now)
    lease = LeaseId(want.charge, window.id)
    if window.ends is not None and world.now >= closing(world, lease, window.ends):
        put_off(world, draft, holder, pool, window, lease, tell=tell)
        return None
    cell = world.cells.get(lease) or Cell(lease=lease, window_ends=window.ends)
    entry = cell.entries.get(holder.uid)
    under_way = entry.granted - entry.known if entry else 0
    if entry is not None and under_way > 0 and under_way >= want.need:
        # Granted since the holder wrote its report, or lost: a total may be said twice.
        world.stop_waiting(holder, want.charge)
        draft.send(holder.stream, grant_of(world, cell, entry))
        return None
    demand = _demand(holder, want, Nanos(under_way))
    return _Case(want=want, pool=pool, window=window, cell=cell, demand=demand)


def _demand(holder: Holder, want: Want, under_way: Nanos) -> Demand:
    return Demand(
        holder=holder.uid,
        want=Nanos(max(0, want.want - under_way)),
        need=Nanos(max(0, want.need - under_way)),
        least=Nanos(max(0, want.least - under_way)),
    )


def _decide(world: World, holder: Holder, case: _Case) -> Decision:
    cell = case.cell
    if holder.uid in cell.closed_for and cell.window_ends is not None:
        # Its counters would start at zero again beside messages of the closed lease; only a pool
        # whose window was made longer while it ran comes here.
        return Decision(denial=Reason.BUDGET_UNVERIFIABLE)
    state = state_of(world, case.pool, cell)
    ahead = ahead_of(world, holder, cell)
    if ahead > 0:
        state = _with(state, {_AHEAD: Account(granted=ahead, reserved=ahead)})
    decision = allocate(state, case.demand)
    seniors = seniors_of(world, holder, cell) if decision.shrinks else frozenset()
    if seniors.isdisjoint(shrink.holder for shrink in decision.shrinks):
        return decision
    kept = {uid: _unasked(state.accounts[uid]) for uid in seniors}
    return allocate(_with(state, kept), case.demand)


def _with(state: PoolState, accounts: dict[str, Account]) -> PoolState:
    return replace(state, accounts={**state.accounts, **accounts})


def _unasked(account: Account) -> Account:
    """An account of which nothing is asked back."""
    return replace(account, reserved=Nanos(account.reserved + account.idle))


def _cut_growth(world: World, holder: Holder, cases: list[_Case]) -> None:
    """Where another pool of the same calls lacks money, lend no more than can be used beside it.

    A call draws on all shared pools; two pools that are split by key may serve different calls. Who
    lacks money itself has no growth to cut, so each want is looked at once.
    """
    lack = max((case.lacks for case in cases), default=0)
    shared_lack = max((case.lacks for case in cases if case.pool.per is Per.SHARED), default=0)
    for case in cases:
        lacks = lack if case.pool.per is Per.SHARED else shared_lack
        need, want = case.demand.need, case.demand.want
        if lacks > 0 and case.decision.grant > need:
            case.demand = replace(case.demand, want=Nanos(max(need, want - lacks)))
            case.decision = _decide(world, holder, case)


def _act(world: World, draft: Draft, holder: Holder, case: _Case, *, tell: bool) -> None:
    decision, window, charge = case.decision, case.window, case.want.charge
    if (
        decision.grant > 0
        and holder.uid not in case.cell.entries
        and not world.may_have_more(holder)
    ):
        # Its next Hello could not name it.
        decision = Decision(denial=Reason.BUDGET_UNVERIFIABLE)
    if decision.grant > 0:
        cell = world.cell(case.cell.lease, window.ends, window.counts_until)
        lend(world, draft, holder, case.pool, cell, decision.grant)
    for shrink in decision.shrinks:
        assert shrink.holder != holder.uid, "nobody is asked to give back to itself"
        recall(world, draft, case.cell.entries[shrink.holder], shrink.amount)
    if decision.grant >= case.demand.need:
        world.stop_waiting(holder, charge)
    elif decision.denial is not None:
        _refuse(world, draft, holder, case, decision.denial, tell=tell)


def _refuse(
    world: World, draft: Draft, holder: Holder, case: _Case, reason: Reason, *, tell: bool
) -> None:
    pool, cell, least = case.pool, case.cell, case.demand.least
    if softened(world, pool, cell, least, reason) is Reason.HOLD_PENDING:
        reserve(world, holder, case.want.charge)
    watch_flow(world, pool, cell, case.demand)
    if tell:
        draft.send(holder.stream, denial_of(world, pool, cell, reason, least))
