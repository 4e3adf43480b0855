"""Policies survive the wire, and one that a sidecar could not decide with is refused."""

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given

from farebox.core.budgets import Pool, PoolUid
from farebox.core.money import Nanos
from farebox.core.policy import Policy
from farebox.core.prices import Price, Rates
from farebox.core.tasks import TaskMatch, TaskProfile
from farebox.core.tiers import Api, Capability, Catalogue, Model, Tier
from farebox.core.usage import UsageKind
from farebox.core.windows import CalendarUnit, WindowSpec, WindowType
from farebox.wire import policy_codec
from farebox.wire.checks import CodecError
from farebox.wire.policy_codec import decode_policy, encode_policy
from farebox.wire.v1 import policy_pb2 as pb
from tests.wire.strategies import policies

RATES = Rates(by_kind={UsageKind.INPUT: 150_000_000, UsageKind.OUTPUT: 600_000_000})
MODEL = Model(
    name="gpt-4o-mini",
    provider="openai",
    api=Api.OPENAI_CHAT,
    base_url="http://127.0.0.1:9100/v1",
    upstream_name="gpt-4o-mini",
    price=Price(rates=RATES, above=((200_000, RATES), (400_000, RATES))),
    context_window=128_000,
    max_output_tokens=16_384,
    capabilities=frozenset({Capability.TOOLS, Capability.JSON_SCHEMA}),
)
POOL = Pool(
    uid=PoolUid("default/team"),
    namespace="default",
    name="team",
    generation=2,
    limit=Nanos(50_000_000_000),
    window=WindowSpec(type=WindowType.FIXED, period=CalendarUnit.DAY),
    parent=PoolUid("default/acme"),
)
POLICY = Policy(
    generation=4,
    pools=(POOL,),
    catalogue=Catalogue(
        tiers=(
            Tier(name="small", rank=1, max_difficulty=350, models=(MODEL,)),
            Tier(name="large", rank=2, max_difficulty=1_000, models=(MODEL,)),
        ),
        unlisted=(replace(MODEL, name="gpt-3.5-turbo"),),
    ),
    tasks=(
        TaskProfile(name="triage", match=TaskMatch(aliases=("team/triage",)), default_tier="small"),
    ),
)


@given(policies)
def test_a_policy_arrives_as_it_was_sent(policy: Policy) -> None:
    sent = encode_policy(policy, epoch=1).SerializeToString()
    assert decode_policy(pb.Policy.FromString(sent)) == policy


def test_the_same_policy_is_the_same_bytes() -> None:
    one, other = encode_policy(POLICY, epoch=1), encode_policy(POLICY, epoch=1)
    assert one.SerializeToString(deterministic=True) == other.SerializeToString(deterministic=True)


def test_a_policy_is_never_sent_with_the_models_of_the_one_before() -> None:
    other = replace(POLICY.catalogue, tiers=())
    for catalogue in (POLICY.catalogue, other, other, POLICY.catalogue):
        sent = encode_policy(replace(POLICY, catalogue=catalogue), epoch=1)
        assert decode_policy(sent).catalogue == catalogue


def test_a_guard_between_two_percents_is_not_rounded() -> None:
    tier = Tier(name="odd", rank=1, max_difficulty=1, models=(), context_guard=Fraction(1, 3))
    with pytest.raises(CodecError, match="tier odd: context_guard 1/3 is no whole percent"):
        encode_policy(Policy(catalogue=Catalogue(tiers=(tier,))), epoch=1)


def test_a_limit_beyond_the_wire_is_not_sent() -> None:
    with pytest.raises(CodecError, match="a policy can't be sent"):
        encode_policy(replace(POLICY, pools=(replace(POOL, limit=Nanos(2**63)),)), epoch=1)


def _price(message: pb.Policy) -> pb.Price:
    return message.tiers[0].models[0].price


BAD_POLICIES: list[tuple[str, Callable[[pb.Policy], object], str]] = [
    ("no routing", lambda m: m.ClearField("routing"), "policy.routing is missing"),
    (
        "more pools than a pod can have",
        lambda m: m.pools.extend([pb.Pool()] * policy_codec.POOLS_MAX),
        "policy.pools has 1025 entries: at most 1024",
    ),
    (
        "tiers out of order",
        lambda m: setattr(m.tiers[0], "rank", 3),
        "policy.tiers are not in the order of their ranks",
    ),
    (
        "a difficulty above all difficulties",
        lambda m: setattr(m.tiers[0], "max_difficulty", 1_001),
        "policy.tiers[0].max_difficulty is 1001",
    ),
    (
        "a guard that lets nothing through",
        lambda m: setattr(m.tiers[0], "context_guard_percent", 0),
        "policy.tiers[0].context_guard_percent is 0: it must be 1 to 100",
    ),
    (
        "a model without a name",
        lambda m: setattr(m.tiers[0].models[0], "name", ""),
        "policy.tiers[0].models[0].name is empty",
    ),
    (
        "a model without an address",
        lambda m: setattr(m.tiers[0].models[0], "base_url", ""),
        "policy.tiers[0].models[0].base_url is empty",
    ),
    (
        "a model of an unknown API",
        lambda m: setattr(m.tiers[0].models[0], "api", "Telex"),
        "policy.tiers[0].models[0].api is 'Telex'",
    ),
    (
        "a model that reads nothing",
        lambda m: setattr(m.tiers[0].models[0], "context_window", 0),
        "policy.tiers[0].models[0].context_window is 0",
    ),
    (
        "a capability that nobody knows",
        lambda m: m.tiers[0].models[0].capabilities.append("Smell"),
        "policy.tiers[0].models[0].capabilities is 'Smell'",
    ),
    (
        "a model without a price",
        lambda m: m.tiers[0].models[0].ClearField("price"),
        "policy.tiers[0].models[0].price is missing",
    ),
    (
        "an unlisted model without a price",
        lambda m: m.unlisted[0].ClearField("price"),
        "policy.unlisted[0].price is missing",
    ),
    (
        "a price without rates",
        lambda m: _price(m).ClearField("rates"),
        "price.rates has no rate for input: without it a call would cost nothing",
    ),
    (
        "a price without a rate for output",
        lambda m: _price(m).rates.by_kind.pop("output"),
        "price.rates has no rate for output",
    ),
    (
        "a step without a rate for input",
        lambda m: _price(m).above[1].rates.by_kind.pop("input"),
        "price.above[1].rates has no rate for input",
    ),
    (
        "a rate below nothing",
        lambda m: _price(m).rates.by_kind.update({"input": -1}),
        "price.rates[input] is -1",
    ),
    (
        "a rate for something unheard of",
        lambda m: _price(m).rates.by_kind.update({"smoke": 1}),
        "price.rates is 'smoke': it must be one of input,",
    ),
    (
        "steps that do not grow",
        lambda m: setattr(_price(m).above[1], "input_tokens", 200_000),
        "price.above: its steps do not grow",
    ),
    (
        "a model with more labels than any",
        lambda m: m.tiers[0].models[0].residency.extend(["eu"] * 257),
        "policy.tiers[0].models[0].residency has 257 entries",
    ),
    (
        "a generation below zero",
        lambda m: setattr(m, "generation", -1),
        "policy.generation is -1",
    ),
]


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [case[1:] for case in BAD_POLICIES],
    ids=[case[0] for case in BAD_POLICIES],
)
def test_a_malformed_policy_is_refused(spoil: Callable[[pb.Policy], object], sentence: str) -> None:
    message = encode_policy(POLICY, epoch=1)
    assert decode_policy(message) == POLICY
    spoil(message)
    with pytest.raises(CodecError) as caught:
        decode_policy(message)
    assert sentence in str(caught.value)
