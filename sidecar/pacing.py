"""Pacing beside one workload: what the money left allows, worked out now and then.

What the controller foresees of the leases, how often calls come and what they cost make a prospect
for every pool; the core makes a pace of it, and the tightest holds. It is reckoned anew at most
every `PACE_MS`, so that a call only looks it up. The one rule: nothing here holds, refuses or lends
money; without an outlook there is no pace. This module must not know prompts.
"""

from typing import Final

from farebox.core.budgets import Charge
from farebox.core.call import Call
from farebox.core.instant import BootMs, DurationMs
from farebox.core.leases import HoldId
from farebox.core.money import ZERO, Nanos
from farebox.core.pacing import Pace, Prospect, pace_of, tightest
from farebox.core.policy import Policy
from farebox.core.reasons import Reason
from farebox.core.routing import Plan
from farebox.core.scoring import Weights
from farebox.core.tasks import ClassifierKind
from farebox.core.tiers import Tier
from farebox.runtime.clock import Clock
from sidecar.commands import Outcome
from sidecar.draws import Draws
from sidecar.events import MoneyHeld, MoneyRefused
from sidecar.outlooks import Outlooks
from sidecar.purse import Purse
from sidecar.surroundings import Money
from sidecar.usual import CallRate, Costs, Mix

PACE_MS: Final = 100
"""A pace holds for so long."""

FLOWS_MAX: Final = 4_096
"""For so many (sub-)pools, and sets of them, a pace is kept; then all are forgotten at once."""

HOLDS_MAX: Final = 65_536
"""So many open holds are remembered with what was expected of them."""

_SCORING: Final = frozenset({ClassifierKind.MODEL, ClassifierKind.HYBRID, ClassifierKind.CASCADE})
_SCORED: Final = (
    Reason.MODEL_SCORED,
    Reason.MODEL_UNSURE,
    Reason.PACED,
    Reason.SHAPE_MATCHED,
)


class _Flow:
    """Calls on the same pools: how often they come to each, and the pace that holds for them."""

    __slots__ = ("at", "pace", "rates")

    def __init__(self, rates: dict[Charge, CallRate]) -> None:
        self.rates = rates
        self.pace: Pace | None = None
        self.at: BootMs | None = None


class Pacing:
    """Says how choosy to be, and learns from every call."""

    def __init__(self, purse: Purse, outlooks: Outlooks, clock: Clock) -> None:
        self._purse = purse
        self._outlooks = outlooks
        self._clock = clock
        self._draws = Draws()
        self._policy: Policy | None = None
        self._weights: Weights | None = None
        self.is_on = False
        """Whether the latest call's policy is paced at all."""
        self._weak, self._strong, self._mix = Costs(), Costs(), Mix()
        self._rates: dict[Charge, CallRate] = {}
        self._flows: dict[tuple[Charge, ...], _Flow] = {}
        self._holds: dict[HoldId, tuple[Costs, Nanos]] = {}

    def pace(self, call: Call, policy: Policy) -> Pace | None:
        """The pace for a call; None where its policy has none, or there is nothing to go by."""
        if self._scorer_of(policy) is None:
            return None
        charges = self._draws.of(policy, call.identity).enforced
        flow = self._flows.get(charges) or self._begin(charges)
        for rate in flow.rates.values():
            rate.fresh += 1
        now = self._clock.boot()
        if flow.at is None or now - flow.at >= PACE_MS:
            flow.at = now
            flow.pace = tightest(self._pace_of(*one, now) for one in flow.rates.items())
        return flow.pace

    def offered(self, plan: Plan, policy: Policy) -> None:
        """Learn from the candidates of a call what it would cost on either side."""
        if self._scorer_of(policy) is None:
            return
        seen = set()
        # Candidates are in order of expected cost: the first of a side is what it would cost there.
        for tier, _, estimate, _ in plan.candidates:
            side = self._side_of(tier)
            if side is not None and side not in seen:
                seen.add(side)
                side.offer(estimate.expected)

    def held(self, held: MoneyHeld) -> None:
        """An attempt has its money; what it was expected to cost is compared when it has ended."""
        candidate = held.route.candidate
        side = None if self._weights is None else self._side_of(candidate.tier)
        if side is not None and len(self._holds) < HOLDS_MAX:
            self._holds[held.hold] = side, candidate.estimate.expected

    def ended(self, hold_id: HoldId, cost: Nanos | None) -> None:
        """A hold has ended, at a cost or without one that is known."""
        noted = self._holds.pop(hold_id, None)
        if noted is not None and cost is not None:
            side, expected = noted
            side.settle(expected, cost)

    def finished(self, outcome: Outcome) -> None:
        """A call is over: whether the small model decided about it, and what it cost."""
        if self._weights is not None and outcome.attempts:
            self._mix.ended(
                scored=outcome.rule.startswith(_SCORED),
                held=Nanos(sum(attempt.held for attempt in outcome.attempts)),
                cost=outcome.cost,
            )

    def _scorer_of(self, policy: Policy) -> Weights | None:
        """The weights that calls are paced by; None where the policy wants no pacing."""
        if policy is not self._policy:
            routing = policy.routing
            paces = routing.pacing and routing.classifier in _SCORING
            self._policy, self._weights = policy, policy.scorer if paces else None
            self.is_on = self._weights is not None
            self._flows.clear()
            if self._weights is None:
                # Nobody looks at these calls' ends any more.
                self._holds.clear()
        return self._weights

    def _side_of(self, tier: Tier | None) -> Costs | None:
        """Where a tier stands: what serves calls above the boundary is strong."""
        if tier is None or self._policy is None:
            return None
        boundary = self._policy.routing.boundary_difficulty
        return self._strong if tier.max_difficulty > boundary else self._weak

    def _begin(self, charges: tuple[Charge, ...]) -> _Flow:
        if len(self._rates) >= FLOWS_MAX or len(self._flows) >= FLOWS_MAX:
            self._flows.clear()
            self._rates.clear()
        now = self._clock.boot()
        rates = {charge: self._rates.setdefault(charge, CallRate(now)) for charge in charges}
        flow = self._flows[charges] = _Flow(rates)
        return flow

    def _pace_of(self, charge: Charge, rate: CallRate, now: BootMs) -> Pace | None:
        lease = self._purse.lease_of(charge)
        foreseen = None if lease is None else self._outlooks.of(lease.id, now)
        weak, strong = self._weak.mean(), self._strong.mean()
        if foreseen is None or lease is None or self._weights is None:
            return None
        calls = rate.expected(DurationMs(foreseen.until - now), now)
        if weak is None or strong is None:
            return None
        unspent = max(lease.granted - lease.returned, foreseen.spent_by_then) - lease.spent
        others, others_cost = self._mix.others(calls)
        left = unspent - self._mix.cost_of(lease.reserved) - others_cost
        prospect = Prospect(Nanos(max(ZERO, left)), max(1, calls - others), weak, strong)
        return pace_of(self._weights, prospect)


class WatchedMoney:
    """The money of calls, with its pacing looking on: every answer is that of who holds it."""

    __slots__ = ("_money", "_pacing", "may_send")

    def __init__(self, money: Money, pacing: Pacing) -> None:
        self._money = money
        self._pacing = pacing
        self.may_send = money.may_send

    def hold_now(
        self, plan: Plan, call: Call, policy: Policy, *, tried: frozenset[str], cap: Nanos | None
    ) -> MoneyHeld | MoneyRefused | None:
        held = self._money.hold_now(plan, call, policy, tried=tried, cap=cap)
        if self._pacing.is_on:
            if not tried:
                self._pacing.offered(plan, policy)
            if isinstance(held, MoneyHeld):
                self._pacing.held(held)
        return held

    async def hold(
        self, plan: Plan, call: Call, policy: Policy, *, tried: frozenset[str], cap: Nanos | None
    ) -> MoneyHeld | MoneyRefused:
        held = await self._money.hold(plan, call, policy, tried=tried, cap=cap)
        if isinstance(held, MoneyHeld):
            self._pacing.held(held)
        return held

    def settle(self, hold_id: HoldId, cost: Nanos, reason: Reason) -> None:
        self._money.settle(hold_id, cost, reason)
        if self._pacing.is_on:
            self._pacing.ended(hold_id, cost)

    def void(self, hold_id: HoldId, reason: Reason) -> None:
        self._money.void(hold_id, reason)
        self._pacing.ended(hold_id, None)

    def expire(self, hold_id: HoldId, reason: Reason) -> None:
        self._money.expire(hold_id, reason)
        self._pacing.ended(hold_id, None)
