"""A policy decides about calls again, in the time of the calls, with money that is not there.

Calls come in their order; each is planned and routed by the code that sidecars run, holds its worst
case in a virtual ledger, and ends after as long as it once took. The one rule: the same calls and
the same policy give the same decisions. This module must not know where calls come from.
"""

import heapq
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Final, NamedTuple

from farebox.after.cases import Case, Decision
from farebox.after.virtual import Held, VirtualLedger
from farebox.core.budgets import (
    Charge,
    OnExhausted,
    Pool,
    Priority,
    charges_of,
)
from farebox.core.instant import DurationMs, UtcMs
from farebox.core.money import Nanos
from farebox.core.policy import Policy
from farebox.core.reasons import Reason
from farebox.core.routing import NoFit, Plan, Route, plan, route

DEFER_MS_DEFAULT: Final = DurationMs(30_000)
"""So long a call waits in line where its pool does not say, as in a sidecar."""

ASK_MS_DEFAULT: Final = DurationMs(2_000)
"""So long a call waits for money that other calls hold, as a sidecar does by default."""

LINE_MAX: Final = 1_000
"""So many calls wait in line; the next is refused."""

UNBOUNDED: Final = Nanos(2**62)


class _Waiting(NamedTuple):
    case: Case
    plan: Plan
    target: Route
    charges: tuple[Charge, ...]
    deadline: UtcMs


_ENDS, _COMES, _LATE = range(3)
"""The order of what happens at one instant: first money comes free."""


class Rerun:
    """One run of a policy over calls. `ask` is how long one waits for money that is held."""

    def __init__(self, policy: Policy, *, ask: DurationMs = ASK_MS_DEFAULT) -> None:
        self.ledger = VirtualLedger(policy.pools)
        self._policy = policy
        self._ask_for = ask
        self._asking: dict[str, _Waiting] = {}
        self._decisions: dict[str, Decision] = {}
        self._line: deque[_Waiting] = deque()
        self._agenda: list[tuple[int, int, int, Callable[[UtcMs], None]]] = []
        self._added = 0

    def run(self, cases: Iterable[Case]) -> list[Decision]:
        """Decide about all calls; the result is in their order."""
        ids = []
        for case in cases:
            ids.append(case.id)
            self._at(case.at, _COMES, partial(self._come, case))
        while self._agenda:
            at, _, _, happen = heapq.heappop(self._agenda)
            happen(UtcMs(at))
        return [self._decisions[one] for one in ids]

    def _at(self, at: int, order: int, happen: Callable[[UtcMs], None]) -> None:
        self._added += 1
        heapq.heappush(self._agenda, (at, order, self._added, happen))

    def _come(self, case: Case, now: UtcMs) -> None:
        policy, call = self._policy, case.call
        if case.refused is not None:
            self._refuse(case, case.refused)
            return
        planned = plan(call, case.found, policy)
        if planned.refusal is not None:
            self._refuse(case, planned.refusal)
            return
        capping = policy.request_cap
        cap = UNBOUNDED if capping is None else capping.limit
        lower = capping is not None and OnExhausted.DOWNGRADE in capping.on_exhausted
        target = route(planned, call, headroom=cap, may_downgrade=lower)
        if isinstance(target, NoFit):
            self._refuse(case, Reason.REQUEST_TOO_LARGE, capping)
            return
        charges = charges_of(policy.pools, call.identity.keys, call.identity.priority)
        waiting = _Waiting(case, planned, target, charges, now)
        behind = self._is_behind(waiting)
        if not behind and not self.ledger.short(charges, target.hold, now):
            self._serve(case, target, charges, now)
        elif behind or self._is_hopeless(waiting, now) or not self._ask_for:
            self._make_do(waiting, now)
        else:
            self._ask(waiting, now)

    def _is_hopeless(self, waiting: _Waiting, now: UtcMs) -> bool:
        """Whether a pool would lack the money also if no other call held any."""
        hold = waiting.target.hold
        return any(
            self.ledger.settled(charge, now) + hold > self.ledger.limit(charge, now)
            for charge in self.ledger.short(waiting.charges, hold, now)
        )

    def _ask(self, waiting: _Waiting, now: UtcMs) -> None:
        """Wait a little for money that other calls hold."""
        self._asking[waiting.case.id] = waiting
        self._at(now + self._ask_for, _LATE, partial(self._stop_asking, waiting))

    def _stop_asking(self, waiting: _Waiting, now: UtcMs) -> None:
        if self._asking.pop(waiting.case.id, None) is not None:
            self._make_do(waiting, now)

    def _is_behind(self, waiting: _Waiting) -> bool:
        """Whether others wait for the same money. A call of high priority goes first."""
        if waiting.case.call.identity.priority is not Priority.NORMAL:
            return False
        return any(not set(one.charges).isdisjoint(waiting.charges) for one in self._line)

    # ------------------------------------------------------------------------- not enough money

    def _make_do(self, waiting: _Waiting, now: UtcMs) -> None:
        options = self._options(waiting, now)
        if OnExhausted.DEFER not in options:
            self._fit_or_refuse(waiting, options, now)
            return
        early = options[: options.index(OnExhausted.DEFER)]
        behind = self._is_behind(waiting)
        if OnExhausted.DOWNGRADE in early and not behind and self._fit(waiting, now, lower=True):
            return
        if len(self._line) >= LINE_MAX:
            self._fit_or_refuse(waiting, options, now, Reason.WAITING_LINE_FULL)
            return
        self._put_off(waiting, now)

    def _put_off(self, waiting: _Waiting, now: UtcMs) -> None:
        pools = [self.ledger.pool(charge) for charge in waiting.charges]
        patience = min(
            (pool.defer_for for pool in pools if pool.defer_for is not None),
            default=DEFER_MS_DEFAULT,
        )
        waiting = waiting._replace(deadline=UtcMs(now + patience))
        self._line.append(waiting)
        self._at(waiting.deadline, _LATE, lambda at: self._give_up(waiting, at))
        change = self.ledger.next_change(waiting.charges, now)
        if change is not None and change < waiting.deadline:
            self._at(change, _ENDS, self._look_again)

    def _look_again(self, now: UtcMs) -> None:
        """Money has come free, or is gone for good: serve who waits, in the order they came."""
        for asking in tuple(self._asking.values()):
            if not self.ledger.short(asking.charges, asking.target.hold, now):
                del self._asking[asking.case.id]
                self._serve(asking.case, asking.target, asking.charges, now)
            elif self._is_hopeless(asking, now):
                self._stop_asking(asking, now)
        blocked: set[Charge] = set()
        for waiting in tuple(self._line):
            short = self.ledger.short(waiting.charges, waiting.target.hold, now)
            if short or not blocked.isdisjoint(waiting.charges):
                blocked.update(waiting.charges)
                continue
            self._line.remove(waiting)
            self._serve(waiting.case, waiting.target, waiting.charges, now)

    def _give_up(self, waiting: _Waiting, now: UtcMs) -> None:
        if waiting not in self._line:
            return
        self._line.remove(waiting)
        options = self._options(waiting, now)
        self._fit_or_refuse(waiting, options, now, Reason.DEFERRED_TOO_LONG)

    def _options(self, waiting: _Waiting, now: UtcMs) -> tuple[OnExhausted, ...]:
        """What all pools that are short let be tried, in the order of the first of them."""
        short = self.ledger.short(waiting.charges, waiting.target.hold, now)
        if not short and self._is_behind(waiting):
            short = list(waiting.charges)
        if not short:
            return (OnExhausted.DOWNGRADE,)
        first, *others = (_until_rejected(self.ledger.pool(charge)) for charge in short)
        normal = waiting.case.call.identity.priority is Priority.NORMAL
        return tuple(
            option
            for option in first
            if all(option in other for other in others)
            and (normal or option is not OnExhausted.DEFER)
        )

    def _fit(self, waiting: _Waiting, now: UtcMs, *, lower: bool) -> bool:
        """Serve with the money that is there, smaller or cheaper; says whether that could be."""
        choice = self._choice(waiting, now, lower=lower)
        if not isinstance(choice, Route):
            return False
        self._serve(waiting.case, choice, waiting.charges, now)
        return True

    def _choice(self, waiting: _Waiting, now: UtcMs, *, lower: bool) -> Route | NoFit:
        room = self.ledger.room(waiting.charges, now)
        capping = self._policy.request_cap
        cap = UNBOUNDED if capping is None else capping.limit
        headroom = cap if room is None else min(room, cap)
        return route(waiting.plan, waiting.case.call, headroom=headroom, may_downgrade=lower)

    def _fit_or_refuse(
        self,
        waiting: _Waiting,
        options: Sequence[OnExhausted],
        now: UtcMs,
        put_off: Reason | None = None,
    ) -> None:
        choice = self._choice(waiting, now, lower=OnExhausted.DOWNGRADE in options)
        if isinstance(choice, Route):
            self._serve(waiting.case, choice, waiting.charges, now)
            return
        reason, pool = self._why_short(waiting, choice.least, now)
        self._refuse(waiting.case, put_off or reason, pool)

    def _why_short(self, waiting: _Waiting, least: Nanos, now: UtcMs) -> tuple[Reason, Pool | None]:
        """The most final of what the pools say that lack even the smallest form of the call."""
        said = []
        for charge in self.ledger.short(waiting.charges, least, now):
            pool = self.ledger.pool(charge)
            limit = self.ledger.limit(charge, now)
            if least > limit:
                said.append((0, Reason.REQUEST_TOO_LARGE, pool))
            elif self.ledger.settled(charge, now) + least > limit:
                said.append((1, Reason.POOL_EXHAUSTED, pool))
            else:
                said.append((2, Reason.HOLD_PENDING, pool))
        if not said:
            return Reason.HOLD_PENDING, None
        _, reason, pool = min(said, key=lambda one: one[0])
        return reason, pool

    # ------------------------------------------------------------------------------ how it ends

    def _serve(self, case: Case, chosen: Route, charges: tuple[Charge, ...], now: UtcMs) -> None:
        held = self.ledger.hold(charges, chosen.hold, now)
        ends = UtcMs(now + case.duration)
        waited = DurationMs(now - case.at)
        self._at(ends, _ENDS, lambda at: self._end(case, chosen, held, charges, waited, at))

    def _end(
        self,
        case: Case,
        chosen: Route,
        held: tuple[Held, ...],
        charges: tuple[Charge, ...],
        waited: DurationMs,
        now: UtcMs,
    ) -> None:
        bill = case.bill(chosen)
        first, *more = bill.tries
        self.ledger.settle(held, first.costs, now)
        made = [first]
        for further in more:
            if self.ledger.short(charges, further.needs, now):
                # What follows on an answer is only asked for when its money is there.
                break
            again = self.ledger.hold(charges, further.needs, now)
            self.ledger.settle(again, further.costs, now)
            made.append(further)
        tier = chosen.candidate.tier
        whole = len(made) == len(bill.tries)
        self._decisions[case.id] = Decision(
            id=case.id,
            task=case.found.task,
            model=bill.serves if whole else first.model,
            tier=bill.tier if whole or tier is None else tier.name,
            why=chosen.reason,
            refused=bill.refused if whole else None,
            costs=tuple((one.model, one.costs) for one in made),
            sure=bill.sure,
            waited=waited,
        )
        self._look_again(now)

    def _refuse(self, case: Case, reason: Reason, pool: Pool | None = None) -> None:
        self._decisions[case.id] = Decision(
            id=case.id,
            task=case.found.task,
            refused=reason,
            pool=pool.title if pool is not None else "",
        )


def _until_rejected(pool: Pool) -> tuple[OnExhausted, ...]:
    options = pool.on_exhausted
    if OnExhausted.REJECT in options:
        return options[: options.index(OnExhausted.REJECT)]
    return options
