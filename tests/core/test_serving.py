"""Which models may serve a call: where data goes and the lowest tier hold without exception."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farebox.core.call import Call, Identity
from farebox.core.classify import Classification
from farebox.core.policy import Policy
from farebox.core.reasons import Reason
from farebox.core.routing import Route, escalated, plan, route
from farebox.core.serving import bounds_of, cramped, unfit
from farebox.core.tasks import AUTO_MODEL, Freedom
from tests.core.routes import (
    POLICY,
    RICH,
    UNLISTED,
    call,
    found,
    names,
    reasons,
    with_catalogue,
)
from tests.support.policies import FRONTIER, MID, SMALL, TIERS, make_call

EU_SMALL = replace(SMALL, residency=frozenset({"eu"}))
EU_MID = replace(MID, residency=frozenset({"eu", "no-training"}))
HERE = with_catalogue((EU_SMALL,), (EU_MID,), (FRONTIER,), unlisted=(UNLISTED,))
PINNED = replace(HERE, routing=replace(HERE.routing, freedom=Freedom.PINNED))


def said(*, min_tier: str = "", residency: tuple[str, ...] = (), **changes: object) -> Call:
    return make_call(identity=Identity(min_tier=min_tier, residency=residency), **changes)


@pytest.mark.parametrize(
    ("case", "asked", "seen", "policy", "serving", "rejected"),
    [
        (
            "a label",
            said(residency=("eu",)),
            found(100),
            HERE,
            ["gpt-4o-mini", "gpt-4o"],
            {"o1": "residency_missing"},
        ),
        (
            "labels of the call and of its task",
            said(residency=("eu",)),
            found(100, residency=("no-training",)),
            HERE,
            ["gpt-4o"],
            {"gpt-4o-mini": "residency_missing", "o1": "residency_missing"},
        ),
        (
            "a lowest tier",
            said(min_tier="mid"),
            found(100),
            HERE,
            ["gpt-4o", "o1"],
            {"gpt-4o-mini": "below_min_tier"},
        ),
        (
            "both together",
            said(min_tier="mid", residency=("eu",)),
            found(100),
            HERE,
            ["gpt-4o"],
            {"gpt-4o-mini": "below_min_tier", "o1": "residency_missing"},
        ),
        (
            "a usual answer longer than one model writes",
            call(output_tokens=None),
            found(100, output_expected=9_000),
            with_catalogue((replace(SMALL, max_output_tokens=8_000),), (MID,), (FRONTIER,)),
            ["gpt-4o", "o1"],
            {"gpt-4o-mini": "output_too_long"},
        ),
        (
            "a usual answer longer than any model writes bounds nothing",
            call(output_tokens=None),
            found(100, output_expected=10**6),
            POLICY,
            ["gpt-4o-mini", "gpt-4o", "o1"],
            {},
        ),
        (
            "nor one that the caller cuts short",
            call(output_tokens=100),
            found(100, output_expected=9_000),
            with_catalogue((replace(SMALL, max_output_tokens=8_000),), (MID,), (FRONTIER,)),
            ["gpt-4o-mini", "gpt-4o", "o1"],
            {},
        ),
        (
            "a text that leaves no room for its usual answer",
            call(body_bytes=4 * 700, output_tokens=None),
            found(100, output_expected=200),
            with_catalogue((replace(SMALL, context_window=1_000),), (MID,), (FRONTIER,)),
            ["gpt-4o", "o1"],
            {"gpt-4o-mini": "context_too_long"},
        ),
        (
            "a cascade begins at the bottom, however hard the call",
            call(),
            found(1_000, cascade=True),
            POLICY,
            ["gpt-4o-mini", "gpt-4o", "o1"],
            {},
        ),
        (
            "or where its consequence allows",
            call(),
            found(1_000, cascade=True, cascade_from=600),
            POLICY,
            ["gpt-4o", "o1"],
            {},
        ),
    ],
)
def test_who_may_serve(
    case: str,
    asked: Call,
    seen: Classification,
    policy: Policy,
    serving: list[str],
    rejected: dict[str, str],
) -> None:
    made = plan(asked, seen, policy)
    assert names(made)[0] == serving, case
    assert reasons(made.rejected) == rejected, case


@pytest.mark.parametrize(
    ("case", "asked", "policy", "refusal"),
    [
        ("a tier that there is not", said(min_tier="best"), HERE, Reason.UNKNOWN_TIER),
        ("a place where no model is", said(residency=("mars",)), HERE, Reason.NO_CANDIDATE),
        (
            "a pinned model elsewhere",
            said(residency=("eu",), model="o1"),
            PINNED,
            Reason.NO_CANDIDATE,
        ),
        (
            "a pinned model below the lowest tier",
            said(min_tier="mid", model="gpt-4o-mini"),
            PINNED,
            Reason.NO_CANDIDATE,
        ),
        (
            "a model that no tier lists has no rank",
            said(min_tier="small", model="gpt-3.5-turbo"),
            HERE,
            Reason.NO_CANDIDATE,
        ),
        (
            "and no labels",
            said(residency=("eu",), model="gpt-3.5-turbo"),
            HERE,
            Reason.NO_CANDIDATE,
        ),
    ],
)
def test_a_call_that_nobody_may_serve(
    case: str, asked: Call, policy: Policy, refusal: Reason
) -> None:
    assert plan(asked, found(100), policy).refusal is refusal, case


def test_a_model_that_may_serve_has_no_reason_against_it() -> None:
    bounds = bounds_of(call(), found(100), POLICY, None)
    assert unfit(bounds, TIERS[0], SMALL) is None
    assert cramped(bounds, TIERS[0], SMALL) is None


labels = st.sampled_from(("eu", "us", "no-training"))
some_labels = st.lists(labels, max_size=2, unique=True).map(tuple)


@given(
    st.lists(st.frozensets(labels), min_size=3, max_size=3),
    some_labels,
    some_labels,
    st.sampled_from(("", "small", "mid", "frontier")),
    st.sampled_from((AUTO_MODEL, "gpt-4o-mini", "gpt-4o", "o1", "gpt-3.5-turbo")),
    st.sampled_from(Freedom),
    st.integers(0, 1_000),
    st.booleans(),
)
def test_nobody_serves_who_may_not(
    has: list[frozenset[str]],
    asked: tuple[str, ...],
    of_task: tuple[str, ...],
    min_tier: str,
    model: str,
    freedom: Freedom,
    difficulty: int,
    cascade: bool,
) -> None:
    small, mid, frontier = (
        (replace(one, residency=own),) for one, own in zip((SMALL, MID, FRONTIER), has, strict=True)
    )
    policy = with_catalogue(small, mid, frontier, unlisted=(UNLISTED,))
    policy = replace(policy, routing=replace(policy.routing, freedom=freedom))
    call_ = said(min_tier=min_tier, residency=asked, model=model)
    seen = found(difficulty, residency=of_task, cascade=cascade)
    least = policy.catalogue.tier_named(min_tier)
    for made in (plan(call_, seen, policy), escalated(plan(call_, seen, policy), 1)):
        for tier, serving, _, _ in made.candidates:
            assert {*asked, *of_task} <= serving.residency
            assert least is None or (tier is not None and tier.rank >= least.rank)
        assert (made.refusal is None) is bool(made.candidates)


def test_an_escalation_goes_up_and_says_why() -> None:
    made = plan(call(), found(100, cascade=True), POLICY)
    assert made.preference is Reason.CASCADE_FIRST
    first = route(made, call(), headroom=RICH, may_downgrade=False)
    assert isinstance(first, Route)
    assert (first.candidate.model, first.reason) == (SMALL, Reason.CASCADE_FIRST)
    higher = escalated(made, TIERS[0].rank)
    assert (names(higher)[0], reasons(higher.rejected)) == (
        ["gpt-4o", "o1"],
        {"gpt-4o-mini": "gate_failed"},
    )
    second = route(
        higher, call(), headroom=RICH, may_downgrade=False, tried=frozenset({"gpt-4o-mini"})
    )
    assert isinstance(second, Route)
    assert (second.candidate.model, second.reason) == (MID, Reason.ESCALATED)
    assert escalated(made, TIERS[2].rank).refusal is Reason.GATE_FAILED
