"""Whatever the models, prices and money: routing keeps each of its promises."""

from hypothesis import given
from hypothesis import strategies as st

from farebox.core.call import Call, Identity
from farebox.core.classify import Classification
from farebox.core.estimate import estimate
from farebox.core.money import Nanos
from farebox.core.policy import Policy
from farebox.core.prices import Price, Rates
from farebox.core.reasons import Reason
from farebox.core.routing import NoFit, Plan, Route, plan, route
from farebox.core.tasks import AUTO_MODEL, Freedom, RoutingPolicy
from farebox.core.tiers import Api, Catalogue, Model, Tier
from farebox.core.usage import UsageKind
from tests.support.policies import make_call

NAMES = ("a", "b", "c", "d", "e")
TIERS = ("low", "middle", "high")

Decision = tuple[Policy, Call, Plan, Nanos, bool, Route | NoFit]


@st.composite
def rated_models(draw: st.DrawFn, name: str) -> Model:
    """A model of one of the three usual price classes, with rates that may cross each other."""
    scale = draw(st.sampled_from((1, 10, 100)))
    rate = st.integers(0, 10).map(lambda dimes: dimes * scale * 100_000_000)
    cached = draw(st.none() | rate)
    by_kind = {UsageKind.INPUT: draw(rate), UsageKind.OUTPUT: draw(rate)}
    if cached is not None:
        by_kind[UsageKind.CACHED_INPUT] = cached
    dearer = draw(st.none() | st.integers(100, 20_000))
    above = () if dearer is None else ((dearer, Rates(by_kind={**by_kind, UsageKind.CALL: scale})),)
    return Model(
        name=name,
        provider="openai",
        api=Api.OPENAI_CHAT,
        base_url="http://127.0.0.1:9/v1",
        upstream_name=name,
        price=Price(rates=Rates(by_kind=by_kind), above=above),
        context_window=draw(st.sampled_from((4_000, 128_000))),
        max_output_tokens=draw(st.sampled_from((500, 16_000))),
        overrun_percent=draw(st.sampled_from((0, 25))),
    )


@st.composite
def policies(draw: st.DrawFn) -> Policy:
    """Three tiers that share four models, and one model that no tier lists."""
    homes = draw(st.tuples(*[st.integers(0, 2)] * 4))
    made = [draw(rated_models(name)) for name in NAMES]
    reach = sorted(draw(st.lists(st.integers(0, 1_000), min_size=3, max_size=3)))
    tiers = tuple(
        Tier(
            name=name,
            rank=rank,
            max_difficulty=reach[rank],
            models=tuple(made[at] for at, home in enumerate(homes) if home == rank),
        )
        for rank, name in enumerate(TIERS)
    )
    return Policy(
        catalogue=Catalogue(tiers=tiers, unlisted=(made[-1],)),
        routing=RoutingPolicy(freedom=draw(st.sampled_from(Freedom))),
    )


floors = st.sampled_from(("", "", "low", "middle"))
ceilings = st.sampled_from(("", "", "middle", "high"))
classifications = st.builds(
    Classification,
    difficulty=st.integers(0, 1_000),
    reason=st.just(Reason.TASK_TAGGED),
    rule=st.just("test"),
    floor_tier=floors,
    ceiling_tier=ceilings,
    output_min=st.integers(0, 1_000),
)


@st.composite
def headrooms(draw: st.DrawFn, made: Plan, call: Call) -> Nanos:
    """Money around what some candidate costs at worst, in full or with a shorter answer."""
    if not made.candidates:
        return Nanos(0)
    candidate = draw(st.sampled_from(made.candidates))
    asked = draw(st.integers(0, candidate.estimate.output_asked))
    worst = draw(
        st.sampled_from(
            (candidate.estimate.worst, estimate(call, candidate.model, output_asked=asked).worst)
        )
    )
    return Nanos(max(0, worst + draw(st.integers(-1, 1))))


@st.composite
def decisions(draw: st.DrawFn) -> Decision:
    """A policy, a call, its plan, the money left, the leave to downgrade, and the choice."""
    policy = draw(policies())
    call = make_call(
        identity=Identity(),
        model=draw(st.sampled_from((AUTO_MODEL, AUTO_MODEL, AUTO_MODEL, *NAMES))),
        body_bytes=draw(st.integers(100, 20_000)),
        output_tokens=draw(st.none() | st.integers(1, 1_000)),
        choices=draw(st.integers(1, 2)),
    )
    made = plan(call, draw(classifications), policy)
    headroom = draw(headrooms(made, call))
    leave = draw(st.booleans())
    tried = frozenset(draw(st.sets(st.sampled_from(NAMES), max_size=1)))
    choice = route(made, call, headroom=headroom, may_downgrade=leave, tried=tried)
    return policy, call, made, headroom, leave, choice


def what_is_held_is_the_worst_case_and_fits(decision: Decision) -> None:
    _, call, _, headroom, _, choice = decision
    if isinstance(choice, Route):
        model, asked = choice.candidate.model, choice.output_asked
        assert choice.hold == estimate(call, model, output_asked=asked).worst <= headroom
        assert asked <= choice.candidate.estimate.output_asked


def no_cheaper_sufficient_model_would_have_fitted(decision: Decision) -> None:
    _, _, made, headroom, _, choice = decision
    if not isinstance(choice, Route):
        return
    tried = {one.model for one in choice.rejected if one.reason is Reason.TRIED_ALREADY}
    fitting = [
        candidate
        for candidate in made.candidates
        if candidate.sufficient
        and candidate.model.name not in tried
        and candidate.estimate.worst <= headroom
    ]
    if fitting:
        least = min(candidate.estimate.expected for candidate in fitting)
        assert choice.candidate.sufficient
        assert choice.candidate.estimate.expected == least
        assert choice.output_asked == choice.candidate.estimate.output_asked
    else:
        assert choice.reason in {Reason.OUTPUT_LOWERED, Reason.TIER_LOWERED}


def a_lower_tier_serves_only_with_leave_and_when_nothing_else_can(decision: Decision) -> None:
    _, call, made, headroom, leave, choice = decision
    if not isinstance(choice, Route) or choice.candidate.sufficient:
        return
    assert leave
    assert choice.reason is Reason.TIER_LOWERED
    tried = {one.model for one in choice.rejected if one.reason is Reason.TRIED_ALREADY}
    for candidate in made.candidates:
        if candidate.sufficient and candidate.model.name not in tried:
            floor = min(max(made.output_min, 1), candidate.estimate.output_asked)
            assert estimate(call, candidate.model, output_asked=floor).worst > headroom


def every_model_on_offer_serves_or_has_its_reason(decision: Decision) -> None:
    policy, call, made, _, _, choice = decision
    if made.refusal is Reason.UNPRICED_MODEL:
        return
    asked = policy.catalogue.find(call.model)
    if asked is not None and (asked[0] is None or policy.routing.freedom is Freedom.PINNED):
        offered = [asked[1].name]
    else:
        offered = [model.name for _, model in policy.catalogue]
    accounted = [one.model for one in choice.rejected]
    if isinstance(choice, Route):
        accounted.append(choice.candidate.model.name)
    assert sorted(accounted) == sorted(offered)


def a_named_model_is_never_replaced_by_one_that_is_dearer_in_any_rate(
    decision: Decision,
) -> None:
    policy, call, _, _, _, choice = decision
    asked = policy.catalogue.find(call.model)
    if asked is None or policy.routing.freedom is Freedom.HINT or not isinstance(choice, Route):
        return
    served, named = choice.candidate.model.price.rates, asked[1].price.rates
    assert all(served.of(kind) <= named.of(kind) for kind in UsageKind)


def a_refusal_names_an_amount_that_would_have_been_enough(decision: Decision) -> None:
    _, call, made, headroom, leave, choice = decision
    if not isinstance(choice, NoFit) or not made.candidates:
        return
    tried = frozenset(one.model for one in choice.rejected if one.reason is Reason.TRIED_ALREADY)
    usable = [c for c in made.candidates if c.model.name not in tried and (c.sufficient or leave)]
    if not usable:
        return
    assert choice.least > headroom
    again = route(made, call, headroom=choice.least, may_downgrade=leave, tried=tried)
    assert isinstance(again, Route)


PROMISES = (
    what_is_held_is_the_worst_case_and_fits,
    no_cheaper_sufficient_model_would_have_fitted,
    a_lower_tier_serves_only_with_leave_and_when_nothing_else_can,
    every_model_on_offer_serves_or_has_its_reason,
    a_named_model_is_never_replaced_by_one_that_is_dearer_in_any_rate,
    a_refusal_names_an_amount_that_would_have_been_enough,
)


@given(decisions())
def test_routing_keeps_all_its_promises(decision: Decision) -> None:
    """All at once, because making up a catalogue takes longer than any promise to check."""
    for promise in PROMISES:
        promise(decision)
