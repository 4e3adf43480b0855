"""Which models may serve a call at all, whatever the money and however hard it is.

The one rule: what is asked for by a caller or its task, where data goes and which tier is the
lowest, holds without exception; every model that is ruled out has its reason. This module must not
know costs or pools.
"""

from operator import gt
from typing import Final, NamedTuple

from farebox.core.call import Call
from farebox.core.classify import Classification
from farebox.core.estimate import input_bound_of_text, input_expected
from farebox.core.policy import Policy
from farebox.core.reasons import Reason
from farebox.core.tasks import Freedom
from farebox.core.tiers import Capability, Model, Tier

_NOTHING_SPECIAL: Final[frozenset[Capability]] = frozenset()
_ANYWHERE: Final[frozenset[str]] = frozenset()

_new: Final = tuple.__new__
"""Makes a NamedTuple of all its fields in half the time; every call makes one."""


class Bounds(NamedTuple):
    """What a model must be to serve a call at all; None and 0 leave a bound open.

    `narrowed`: whether where data goes or `least`, the lowest tier that the caller takes, matters;
    `floor` is the lowest tier of its task. `ceiling` is the model that the caller named; `dearest`
    its rates, which none may exceed. `output_expected` is the usual length of an answer.
    """

    narrowed: bool
    residency: frozenset[str]
    least: Tier | None
    floor: Tier | None
    top: Tier | None
    ceiling: Model | None
    dearest: tuple[int, ...] | None
    needed: frozenset[Capability]
    output: int
    output_expected: int
    input_max: int
    input_expected: int


def bounds_of(call: Call, found: Classification, policy: Policy, ceiling: Model | None) -> Bounds:
    """What a call asks of a model; `ceiling` is the model that it names, if any."""
    may_cost_more = ceiling is None or policy.routing.freedom is Freedom.HINT
    said, asked = call.identity, call.output_tokens
    likely = found.output_expected
    likely = max(likely, found.output_min)
    tier_named = policy.catalogue.tier_named
    placed = said.residency or found.residency
    special = call.tools or call.images or call.json_schema
    # By position, in the order of the fields: this is made for every call.
    bounds = (
        bool(said.min_tier or placed),
        frozenset((*said.residency, *found.residency)) if placed else _ANYWHERE,
        tier_named(said.min_tier) if said.min_tier else None,
        tier_named(found.floor_tier) if found.floor_tier else None,
        tier_named(found.ceiling_tier) if found.ceiling_tier else None,
        ceiling,
        None if ceiling is None or may_cost_more else ceiling.price.rates.vector,
        _capabilities_needed(call) if special else _NOTHING_SPECIAL,
        asked or 0,
        likely if asked is None else min(likely, asked),
        # Pictures are not in the text: then the window itself is the bound, and nothing too long.
        0 if call.images else input_bound_of_text(call),
        input_expected(call),
    )
    return _new(Bounds, bounds)


def unfit(bounds: Bounds, tier: Tier | None, model: Model) -> Reason | None:
    """Why a model can't serve the call at all, whatever the money; None when it can."""
    # What a caller or its task asks of where data goes holds for a model that is named, too.
    if bounds.narrowed:
        if not bounds.residency <= model.residency:
            return Reason.RESIDENCY_MISSING
        if bounds.least is not None and (tier is None or tier.rank < bounds.least.rank):
            return Reason.BELOW_MIN_TIER
    if tier is not None:
        why = _out_of_bounds(bounds, tier, model)
        if why is not None:
            return why
    if bounds.output > model.max_output_tokens:
        return Reason.OUTPUT_TOO_LONG
    return Reason.CONTEXT_TOO_LONG if _is_too_long(bounds, tier, model, 0) else None


def cramped(bounds: Bounds, tier: Tier | None, model: Model) -> Reason | None:
    """Why a model has no room for the usual answer of the task; None when it has.

    A usual length bounds nothing: it only says which models to leave out where others can serve.
    """
    if bounds.output_expected > model.max_output_tokens:
        return Reason.OUTPUT_TOO_LONG
    too_long = _is_too_long(bounds, tier, model, bounds.output_expected)
    return Reason.CONTEXT_TOO_LONG if too_long else None


def _is_too_long(bounds: Bounds, tier: Tier | None, model: Model, answer: int) -> bool:
    # The guard is on the likely length; a text whose bound fits is never turned away.
    return (
        bounds.input_max + answer > model.context_window
        and tier is not None
        and bounds.input_expected + answer > model.context_window * tier.context_guard
    )


def _out_of_bounds(bounds: Bounds, tier: Tier, model: Model) -> Reason | None:
    named = model is bounds.ceiling
    if bounds.top is not None and tier.rank > bounds.top.rank:
        return Reason.ABOVE_CEILING
    if (
        bounds.dearest is not None
        and not named
        and any(map(gt, model.price.rates.vector, bounds.dearest))
    ):
        return Reason.ABOVE_CEILING
    # What the caller names itself may lie below the floor of its task: it has decided.
    if bounds.floor is not None and tier.rank < bounds.floor.rank and not named:
        return Reason.BELOW_FLOOR
    if not bounds.needed <= model.capabilities:
        return Reason.CAPABILITY_MISSING
    return None


def _capabilities_needed(call: Call) -> frozenset[Capability]:
    needed = (
        (Capability.TOOLS, call.tools),
        (Capability.VISION, call.images),
        (Capability.JSON_SCHEMA, call.json_schema),
    )
    return frozenset(capability for capability, wanted in needed if wanted)
