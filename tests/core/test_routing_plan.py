"""Who may serve a call at all, whatever the money: sufficient models, lower tiers, nobody."""

from dataclasses import replace
from fractions import Fraction

import pytest

from farebox.core.call import Call
from farebox.core.classify import Classification
from farebox.core.money import ZERO
from farebox.core.policy import Policy
from farebox.core.reasons import Reason
from farebox.core.routing import plan
from farebox.core.tasks import Freedom
from farebox.core.tiers import Capability, Catalogue
from farebox.core.usage import UsageKind
from tests.core.routes import (
    POLICY,
    TRIAGE,
    UNLISTED,
    call,
    found,
    names,
    reasons,
    with_catalogue,
    with_freedom,
)
from tests.support.policies import FRONTIER, MID, SMALL, TIERS, make_model


@pytest.mark.parametrize(
    ("case", "asked", "seen", "policy", "sufficient", "lower"),
    [
        ("an easy call", call(), found(350), POLICY, ["gpt-4o-mini", "gpt-4o", "o1"], []),
        ("a middling one", call(), found(351), POLICY, ["gpt-4o", "o1"], ["gpt-4o-mini"]),
        ("a hard one", call(), found(1_000), POLICY, ["o1"], ["gpt-4o-mini", "gpt-4o"]),
        (
            "a floor is a floor for lower tiers too",
            call(),
            found(100, floor_tier="mid"),
            POLICY,
            ["gpt-4o", "o1"],
            [],
        ),
        (
            "under a ceiling the best that is allowed suffices",
            call(),
            found(900, ceiling_tier="mid"),
            POLICY,
            ["gpt-4o"],
            ["gpt-4o-mini"],
        ),
        (
            "a named model is a ceiling",
            call(model="gpt-4o"),
            found(100),
            POLICY,
            ["gpt-4o-mini", "gpt-4o"],
            [],
        ),
        (
            "a hard call for a small model is the caller's own choice",
            call(model="gpt-4o-mini"),
            found(900),
            POLICY,
            ["gpt-4o-mini"],
            [],
        ),
        (
            "even below the floor of its task",
            call(model="gpt-4o-mini"),
            found(900, floor_tier="frontier"),
            POLICY,
            ["gpt-4o-mini"],
            [],
        ),
        (
            "a pinned model is the only one",
            call(model="gpt-4o"),
            found(100),
            with_freedom(Freedom.PINNED),
            ["gpt-4o"],
            [],
        ),
        (
            "pinned and too small is still what was asked for",
            call(model="gpt-4o-mini"),
            found(900),
            with_freedom(Freedom.PINNED),
            ["gpt-4o-mini"],
            [],
        ),
        (
            "a hint bounds nothing",
            call(model="gpt-4o-mini"),
            found(900),
            with_freedom(Freedom.HINT),
            ["o1"],
            ["gpt-4o-mini", "gpt-4o"],
        ),
        (
            "an alias of a task leaves the choice open",
            call(model="acme/triage"),
            found(100),
            replace(POLICY, tasks=(TRIAGE,)),
            ["gpt-4o-mini", "gpt-4o", "o1"],
            [],
        ),
        (
            "an unlisted model goes as it is, whatever it can do",
            call(model="gpt-3.5-turbo", tools=1),
            found(900, floor_tier="frontier"),
            with_catalogue((SMALL,), (MID,), (FRONTIER,), unlisted=(UNLISTED,)),
            ["gpt-3.5-turbo"],
            [],
        ),
        (
            "when the best lack a capability, the next best suffices",
            call(tools=1),
            found(900),
            with_catalogue((SMALL,), (MID,), (replace(FRONTIER, capabilities=frozenset()),)),
            ["gpt-4o"],
            ["gpt-4o-mini"],
        ),
        (
            "models of a tier stand in the order of their cost",
            call(),
            found(100),
            with_catalogue((make_model("dearer", "1", "4"), SMALL), (), ()),
            ["gpt-4o-mini", "dearer"],
            [],
        ),
    ],
)
def test_who_may_serve(
    case: str,
    asked: Call,
    seen: Classification,
    policy: Policy,
    sufficient: list[str],
    lower: list[str],
) -> None:
    assert names(plan(asked, seen, policy)) == (sufficient, lower), case


SHORT_WINDOW = replace(SMALL, context_window=1_000)
GUARDED = replace(
    POLICY,
    catalogue=Catalogue(
        tiers=(replace(TIERS[0], models=(SHORT_WINDOW,), context_guard=Fraction(1, 10)),)
    ),
)


@pytest.mark.parametrize(
    ("case", "asked", "seen", "policy", "rejected"),
    [
        (
            "a floor and a ceiling",
            call(),
            found(floor_tier="mid", ceiling_tier="mid"),
            POLICY,
            {"gpt-4o-mini": "below_floor", "o1": "above_ceiling"},
        ),
        (
            "a named model",
            call(model="gpt-4o-mini"),
            found(),
            POLICY,
            {"gpt-4o": "above_ceiling", "o1": "above_ceiling"},
        ),
        (
            "an image that one can't see",
            call(images=1),
            found(),
            with_catalogue((replace(SMALL, capabilities=frozenset()),), (MID,), (FRONTIER,)),
            {"gpt-4o-mini": "capability_missing"},
        ),
        (
            "a schema that one can't keep to",
            call(json_schema=True),
            found(),
            with_catalogue(
                (SMALL,), (replace(MID, capabilities=frozenset({Capability.TOOLS})),), ()
            ),
            {"gpt-4o": "capability_missing"},
        ),
        (
            "an answer longer than one can write",
            call(output_tokens=9_000),
            found(),
            with_catalogue((replace(SMALL, max_output_tokens=8_000),), (MID,), (FRONTIER,)),
            {"gpt-4o-mini": "output_too_long"},
        ),
        (
            "a text likely to be over the guard",
            call(body_bytes=4 * 801),
            found(),
            with_catalogue((SHORT_WINDOW,), (MID,), (FRONTIER,)),
            {"gpt-4o-mini": "context_too_long"},
        ),
        (
            "a text likely to be just below it",
            call(body_bytes=4 * 800),
            found(),
            with_catalogue((SHORT_WINDOW,), (MID,), (FRONTIER,)),
            {},
        ),
        (
            "a text whose bound fits, whatever the guard says",
            call(body_bytes=960),
            found(),
            GUARDED,
            {},
        ),
    ],
)
def test_who_may_not_serve_and_why(
    case: str, asked: Call, seen: Classification, policy: Policy, rejected: dict[str, str]
) -> None:
    assert reasons(plan(asked, seen, policy).rejected) == rejected, case


@pytest.mark.parametrize(
    ("case", "asked", "seen", "policy", "refusal"),
    [
        ("no price", call(model="gpt-9"), found(), POLICY, Reason.UNPRICED_MODEL),
        (
            "too much text for all",
            call(body_bytes=10**7),
            found(),
            POLICY,
            Reason.CONTEXT_EXCEEDED,
        ),
        (
            "too long an answer for all",
            call(output_tokens=10**6),
            found(),
            POLICY,
            Reason.NO_CANDIDATE,
        ),
        (
            "a floor above the ceiling",
            call(),
            found(floor_tier="frontier", ceiling_tier="small"),
            POLICY,
            Reason.NO_CANDIDATE,
        ),
        (
            "no models at all",
            call(),
            found(),
            replace(POLICY, catalogue=Catalogue()),
            Reason.NO_CANDIDATE,
        ),
    ],
)
def test_a_call_that_nobody_may_serve(
    case: str, asked: Call, seen: Classification, policy: Policy, refusal: Reason
) -> None:
    nobody = plan(asked, seen, policy)
    assert (nobody.refusal, nobody.candidates, nobody.need) == (refusal, (), ZERO), case


def test_a_model_is_above_the_ceiling_by_any_of_its_rates() -> None:
    """A rate that is not given is that of the plain kind, on both sides."""
    cached = replace(
        SMALL,
        price=replace(
            SMALL.price,
            rates=replace(
                SMALL.price.rates,
                by_kind={**SMALL.price.rates.by_kind, UsageKind.CACHED_INPUT: 75_000_000},
            ),
        ),
    )
    fee = replace(
        SMALL,
        name="fee",
        upstream_name="fee",
        price=replace(
            SMALL.price,
            rates=replace(
                SMALL.price.rates, by_kind={**SMALL.price.rates.by_kind, UsageKind.CALL: 1}
            ),
        ),
    )
    below = plan(call(model="gpt-4o"), found(), with_catalogue((cached,), (MID,), ()))
    assert names(below)[0] == ["gpt-4o-mini", "gpt-4o"]
    above = plan(call(model="gpt-4o"), found(), with_catalogue((fee,), (MID,), ()))
    assert reasons(above.rejected) == {"fee": "above_ceiling"}


@pytest.mark.parametrize(
    ("case", "asked", "seen", "output", "output_min"),
    [
        ("the caller's own length", call(output_tokens=100), found(), 100, 16),
        ("a short one is its own floor", call(output_tokens=5), found(), 5, 5),
        ("none given: the policy's", call(output_tokens=None), found(), 4_096, 16),
        ("the task's floor", call(output_tokens=100), found(output_min=50), 100, 50),
        (
            "a task whose answers are longer than the policy's default",
            call(output_tokens=None),
            found(output_min=5_000),
            5_000,
            5_000,
        ),
    ],
)
def test_how_long_an_answer_is_asked_for(
    case: str, asked: Call, seen: Classification, output: int, output_min: int
) -> None:
    made = plan(asked, seen, POLICY)
    assert made.candidates[0].estimate.output_asked == output, case
    assert made.output_min == output_min, case


def test_no_answer_is_asked_to_be_longer_than_its_model_writes() -> None:
    made = plan(
        call(output_tokens=None),
        found(),
        with_catalogue((replace(SMALL, max_output_tokens=1_000),), (), ()),
    )
    assert made.candidates[0].estimate.output_asked == 1_000
