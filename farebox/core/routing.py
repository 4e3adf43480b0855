"""Which model serves a call: the cheapest that suffices and whose worst case fits the money left.

The order of attempts, each tried on every candidate in order of expected cost: as asked; with a
lower max_tokens; on a lower tier, where every exhausted pool allows it. The one rule: every
candidate that is not taken keeps its reason. This module must not know which pools the money comes
from.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from operator import attrgetter
from typing import Final, NamedTuple

from farebox.core.call import Call
from farebox.core.classify import Classification, asks_for_any_model
from farebox.core.estimate import (
    Estimate,
    estimate,
    output_affordable,
    with_overrun,
)
from farebox.core.money import ZERO, Nanos
from farebox.core.policy import Policy
from farebox.core.reasons import Reason
from farebox.core.serving import bounds_of, cramped, unfit
from farebox.core.tasks import Freedom
from farebox.core.tiers import Model, Tier


class Candidate(NamedTuple):
    """A model that may serve the call, with the call's estimate on it."""

    tier: Tier | None
    model: Model
    estimate: Estimate
    sufficient: bool


class Rejected(NamedTuple):
    """A model that was not taken, and why."""

    model: str
    reason: Reason


class Plan(NamedTuple):
    """All candidates of a call, cheapest first, before money is looked at.

    `output_min` is the floor below which max_tokens is not lowered. `preference` is why the first
    sufficient candidate would serve. `refusal` is set when there is no candidate at all.
    """

    candidates: tuple[Candidate, ...]
    rejected: tuple[Rejected, ...]
    output_min: int
    preference: Reason = Reason.CHEAPEST_SUFFICIENT
    refusal: Reason | None = None

    @property
    def need(self) -> Nanos:
        """The money that the preferred candidate wants held."""
        return next((c.estimate.worst for c in self.candidates if c.sufficient), ZERO)


class Route(NamedTuple):
    """The model chosen, what to ask it for, what to hold for it, and why."""

    candidate: Candidate
    output_asked: int
    hold: Nanos
    reason: Reason
    rejected: tuple[Rejected, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class NoFit:
    """No candidate fits the money: what the smallest useful call would take, and hints.

    `fits_max_tokens` is what the preferred model could write for the money left (negative:
    nothing); `cheaper_model` a model that would fit, though the rules do not let it serve.
    """

    need: Nanos
    least: Nanos
    fits_max_tokens: int
    cheaper_model: str
    rejected: tuple[Rejected, ...]


def plan(call: Call, found: Classification, policy: Policy) -> Plan:
    """List the candidates of a call, sufficient ones and lower tiers, each cheapest first."""
    asked = policy.catalogue.find(call.model)
    if asked is None and not asks_for_any_model(call, policy.marks):
        return _nothing(Reason.UNPRICED_MODEL)
    if call.identity.min_tier and policy.catalogue.tier_named(call.identity.min_tier) is None:
        return _nothing(Reason.UNKNOWN_TIER)
    offered: Iterable[tuple[Tier | None, Model]] = policy.catalogue
    preference = Reason.CASCADE_FIRST if found.cascade else Reason.CHEAPEST_SUFFICIENT
    if asked is not None and (asked[0] is None or policy.routing.freedom is Freedom.PINNED):
        offered, preference = (asked,), Reason.MODEL_PINNED
    bounds = bounds_of(call, found, policy, asked[1] if asked else None)
    candidates: list[Candidate] = []
    tight: list[tuple[Candidate, Reason]] = []
    rejected: list[Rejected] = []
    needed = found.difficulty_needed
    for tier, model in offered:
        why = unfit(bounds, tier, model)
        if why is not None:
            rejected.append(Rejected(model.name, why))
            continue
        candidate = _candidate(call, found, policy, tier, model, needed, bounds.input_max)
        why = cramped(bounds, tier, model) if bounds.output_expected else None
        if why is None:
            candidates.append(candidate)
        else:
            tight.append((candidate, why))
    if tight:
        candidates, rejected = _roomy_if_any(candidates, tight, rejected)
    if not candidates:
        return _nothing(_why_nothing(rejected), tuple(rejected))
    if len(candidates) > 1:
        candidates.sort(key=_by_cost)
    served, least = _with_a_sufficient_one(candidates), _output_min(call, found, policy)
    return _new(Plan, (served, tuple(rejected), least, preference, None))


_new: Final = tuple.__new__
"""Makes a NamedTuple of all its fields in half the time; every call makes some."""

_is_sufficient: Final = attrgetter("sufficient")


def _by_cost(candidate: Candidate) -> tuple[Nanos, Nanos, str]:
    estimated = candidate.estimate
    return estimated.expected, estimated.worst, candidate.model.name


def _roomy_if_any(
    candidates: list[Candidate], tight: list[tuple[Candidate, Reason]], rejected: list[Rejected]
) -> tuple[list[Candidate], list[Rejected]]:
    """Leave those out that a usual answer would not fit, unless there are no others."""
    if not candidates:
        return [candidate for candidate, _ in tight], rejected
    return candidates, [*rejected, *(Rejected(c.model.name, why) for c, why in tight)]


def route(
    plan_: Plan,
    call: Call,
    *,
    headroom: Nanos,
    may_downgrade: bool,
    tried: frozenset[str] = frozenset(),
) -> Route | NoFit:
    """Choose among the candidates for the money left; `tried` models have failed already."""
    at_once = _at_once(plan_, headroom, tried)
    if at_once is not None:
        return at_once
    return _made_do(plan_, call, headroom, tried, may_downgrade=may_downgrade)


def _at_once(plan_: Plan, headroom: Nanos, tried: frozenset[str]) -> Route | None:
    """The first sufficient candidate that fits as asked, in one pass: what most calls get."""
    chosen, rejected = None, []
    for candidate in plan_.candidates:
        _, model, estimated, sufficient = candidate
        if model.name in tried:
            reason = Reason.TRIED_ALREADY
        elif not sufficient:
            reason = Reason.DIFFICULTY_TOO_HIGH
        elif estimated.worst > headroom:
            reason = Reason.DOES_NOT_FIT
        elif chosen is None:
            chosen = candidate
            continue
        else:
            reason = Reason.COSTS_MORE
        rejected.append(Rejected(model.name, reason))
    if chosen is None:
        return None
    why = plan_.preference
    if tried and why is not Reason.ESCALATED:
        why = Reason.FAILED_OVER
    _, output_asked, _, worst, _ = chosen.estimate
    return _new(Route, (chosen, output_asked, worst, why, (*plan_.rejected, *rejected)))


def _made_do(
    plan_: Plan, call: Call, headroom: Nanos, tried: frozenset[str], *, may_downgrade: bool
) -> Route | NoFit:
    """A shorter answer, or a lower tier."""
    open_ = [c for c in plan_.candidates if c.model.name not in tried]
    sufficient = [c for c in open_ if c.sufficient]
    lower = sorted((c for c in open_ if not c.sufficient), key=_rank, reverse=True)
    chosen = _lowered(plan_, sufficient, call, headroom, Reason.OUTPUT_LOWERED)
    if chosen is None and may_downgrade:
        chosen = _as_asked(lower, headroom, Reason.TIER_LOWERED) or _lowered(
            plan_, lower, call, headroom, Reason.TIER_LOWERED
        )
    if chosen is None:
        usable = sufficient + (lower if may_downgrade else [])
        return _no_fit(plan_, call, usable, headroom, tried)
    usable = sufficient if chosen.candidate.sufficient else sufficient + lower
    passed_over = _passed_over(plan_, chosen.candidate, usable, headroom, tried)
    return chosen._replace(rejected=plan_.rejected + passed_over)


def escalated(plan_: Plan, rank: int) -> Plan:
    """The same call for tiers above a rank only, cheapest first: its answer failed a gate."""
    higher = [c for c in plan_.candidates if c.tier is not None and c.tier.rank > rank]
    lower = [c for c in plan_.candidates if all(c is not one for one in higher)]
    rejected = (Rejected(model=c.model.name, reason=Reason.GATE_FAILED) for c in lower)
    return plan_._replace(
        candidates=tuple(c._replace(sufficient=True) for c in higher),
        rejected=(*plan_.rejected, *rejected),
        preference=Reason.ESCALATED,
        refusal=None if higher else Reason.GATE_FAILED,
    )


def _nothing(reason: Reason, rejected: tuple[Rejected, ...] = ()) -> Plan:
    return Plan(candidates=(), rejected=rejected, output_min=0, refusal=reason)


def _why_nothing(rejected: Iterable[Rejected]) -> Reason:
    reasons = {one.reason for one in rejected}
    return Reason.CONTEXT_EXCEEDED if Reason.CONTEXT_TOO_LONG in reasons else Reason.NO_CANDIDATE


def _output_min(call: Call, found: Classification, policy: Policy) -> int:
    floor = max(found.output_min, policy.routing.output_tokens_min)
    return floor if call.output_tokens is None else min(floor, call.output_tokens)


def _candidate(
    call: Call,
    found: Classification,
    policy: Policy,
    tier: Tier | None,
    model: Model,
    needed: int,
    text_max: int,
) -> Candidate:
    asked = call.output_tokens
    if asked is None:
        default = max(policy.routing.output_tokens_default, _output_min(call, found, policy))
        asked = min(default, model.max_output_tokens)
    estimated = estimate(
        call,
        model,
        output_asked=asked,
        output_expected=found.output_expected,
        text_max=text_max,
    )
    suffices = tier is None or needed <= tier.max_difficulty
    return _new(Candidate, (tier, model, estimated, suffices))


def _rank(candidate: Candidate) -> int:
    return 0 if candidate.tier is None else candidate.tier.rank


def _with_a_sufficient_one(candidates: list[Candidate]) -> tuple[Candidate, ...]:
    """Take the highest tier that may serve as sufficient when none is by its difficulty.

    A model that the caller named, a ceiling of the task or a missing capability can leave only
    lower tiers; nothing better may serve, so these are no downgrade that a pool has to allow.
    """
    if any(map(_is_sufficient, candidates)):
        return tuple(candidates)
    top = max(_rank(candidate) for candidate in candidates)
    return tuple(c._replace(sufficient=_rank(c) == top) for c in candidates)


def _as_asked(candidates: Iterable[Candidate], headroom: Nanos, reason: Reason) -> Route | None:
    for candidate in candidates:
        if candidate.estimate.worst <= headroom:
            return Route(
                candidate=candidate,
                output_asked=candidate.estimate.output_asked,
                hold=candidate.estimate.worst,
                reason=reason,
            )
    return None


def _lowered(
    plan_: Plan, candidates: Iterable[Candidate], call: Call, headroom: Nanos, reason: Reason
) -> Route | None:
    for candidate in candidates:
        affordable = output_affordable(call, candidate.model, money=headroom)
        output = min(affordable, candidate.estimate.output_asked)
        if output >= max(plan_.output_min, 1):
            lowered = estimate(call, candidate.model, output_asked=output)
            return Route(
                candidate=candidate,
                output_asked=output,
                hold=lowered.worst,
                reason=reason,
            )
    return None


def _no_fit(
    plan_: Plan,
    call: Call,
    usable: list[Candidate],
    headroom: Nanos,
    tried: frozenset[str],
) -> NoFit:
    leasts = [
        estimate(
            call, c.model, output_asked=min(max(plan_.output_min, 1), c.estimate.output_asked)
        ).worst
        for c in usable
    ]
    fits = [output_affordable(call, c.model, money=headroom) for c in usable if c.sufficient]
    closed = [c for c in plan_.candidates if all(c is not one for one in usable)]
    others = (c for c in closed if c.model.name not in tried)
    cheaper = next((c.model.name for c in others if c.estimate.worst <= headroom), "")
    return NoFit(
        need=plan_.need,
        least=min(leasts, default=plan_.need),
        fits_max_tokens=max(fits, default=-1),
        cheaper_model=cheaper,
        rejected=plan_.rejected + _passed_over(plan_, None, usable, headroom, tried),
    )


def _passed_over(
    plan_: Plan,
    chosen: Candidate | None,
    usable: list[Candidate],
    headroom: Nanos,
    tried: frozenset[str],
) -> tuple[Rejected, ...]:
    """Why each candidate but the chosen one does not serve; `usable` are those that could have."""
    passed_over = []
    for candidate in plan_.candidates:
        if candidate.model.name in tried:
            reason = Reason.TRIED_ALREADY
        elif all(candidate is not one for one in usable):
            reason = Reason.DIFFICULTY_TOO_HIGH
        elif candidate.estimate.worst > headroom:
            reason = Reason.DOES_NOT_FIT
        else:
            reason = Reason.COSTS_MORE if candidate.sufficient else Reason.DIFFICULTY_TOO_HIGH
        if candidate is not chosen:
            passed_over.append(Rejected(model=candidate.model.name, reason=reason))
    return tuple(passed_over)


def output_bound(model: Model, output_asked: int, choices: int) -> int:
    """How many tokens a stream may carry before it has provably crossed its hold."""
    return with_overrun(model, output_asked) * choices
