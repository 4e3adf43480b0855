"""A pod's policy to and from protobuf.

The one rule: what a sidecar decodes is a policy that it can decide with: every model has rates for
input and output and a window. This module must not know leases, or what pools and tasks are
made of.
"""

from fractions import Fraction
from typing import Final

from farebox.core.policy import Policy
from farebox.core.prices import Price, Rates
from farebox.core.tiers import Api, Capability, Catalogue, Model, Tier
from farebox.core.usage import UsageKind
from farebox.wire.checks import (
    CodecError,
    choice,
    encoding,
    few,
    name,
    number,
    present,
    text,
)
from farebox.wire.pool_codec import pool, pool_out
from farebox.wire.task_codec import routing, routing_out, task, task_out
from farebox.wire.v1 import policy_pb2 as pb

POOLS_MAX: Final = 1_024
TIERS_MAX: Final = 64
MODELS_MAX: Final = 8_192
TASKS_MAX: Final = 1_024
STEPS_MAX: Final = 16
LABELS_MAX: Final = 256
THOUSANDTHS: Final = 1_000


def encode_policy(policy: Policy, *, epoch: int, into: pb.Policy | None = None) -> pb.Policy:
    """Write a policy, as a new message or into an empty one, which saves copying it.

    Raises CodecError for a value that the wire can't carry exactly.
    """
    with encoding("a policy"):
        message = pb.Policy() if into is None else into
        message.MergeFromString(_CATALOGUES.written(policy.catalogue))
        message.epoch = epoch
        message.generation = policy.generation
        message.pools.extend(pool_out(one) for one in policy.pools)
        message.tasks.extend(task_out(one) for one in policy.tasks)
        message.routing.CopyFrom(routing_out(policy.routing))
        return message


class _Catalogues:
    """The catalogue that was written last: every pod gets the same, and it is most of a policy."""

    def __init__(self) -> None:
        self._last: tuple[Catalogue, bytes] | None = None

    def written(self, catalogue: Catalogue) -> bytes:
        """A policy of nothing but this, as on the wire. Raises CodecError."""
        last = self._last
        # By identity: comparing hundreds of models would take as long as writing them.
        if last is None or last[0] is not catalogue:
            message = pb.Policy(
                tiers=[_tier_out(tier) for tier in catalogue.tiers],
                unlisted=[_model_out(model) for model in catalogue.unlisted],
            )
            last = self._last = (catalogue, message.SerializeToString())
        return last[1]


_CATALOGUES: Final = _Catalogues()


def decode_policy(message: pb.Policy) -> Policy:
    """Read a policy. Raises CodecError for anything that a sidecar could not decide with."""
    few(message.pools, "policy.pools", most=POOLS_MAX)
    few(message.tiers, "policy.tiers", most=TIERS_MAX)
    few(message.unlisted, "policy.unlisted", most=MODELS_MAX)
    few(message.tasks, "policy.tasks", most=TASKS_MAX)
    present(message.HasField("routing"), "policy.routing")
    tiers = tuple(_tier(one, f"policy.tiers[{at}]") for at, one in enumerate(message.tiers))
    if [tier.rank for tier in tiers] != sorted(tier.rank for tier in tiers):
        raise CodecError("policy.tiers are not in the order of their ranks")
    return Policy(
        generation=number(message.generation, "policy.generation"),
        pools=tuple(pool(one, f"policy.pools[{at}]") for at, one in enumerate(message.pools)),
        catalogue=Catalogue(
            tiers=tiers,
            unlisted=tuple(
                _model(one, f"policy.unlisted[{at}]") for at, one in enumerate(message.unlisted)
            ),
        ),
        tasks=tuple(task(one, f"policy.tasks[{at}]") for at, one in enumerate(message.tasks)),
        routing=routing(message.routing),
    )


def _tier_out(tier: Tier) -> pb.Tier:
    guard = tier.context_guard * 100
    if guard.denominator != 1:
        raise CodecError(
            f"tier {tier.name}: context_guard {tier.context_guard} is no whole percent"
        )
    return pb.Tier(
        name=tier.name,
        rank=tier.rank,
        max_difficulty=tier.max_difficulty,
        models=[_model_out(model) for model in tier.models],
        context_guard_percent=guard.numerator,
    )


def _tier(message: pb.Tier, at: str) -> Tier:
    few(message.models, f"{at}.models", most=MODELS_MAX)
    guard = number(message.context_guard_percent, f"{at}.context_guard_percent", least=1, most=100)
    return Tier(
        name=name(message.name, f"{at}.name"),
        rank=number(message.rank, f"{at}.rank"),
        max_difficulty=number(message.max_difficulty, f"{at}.max_difficulty", most=THOUSANDTHS),
        models=tuple(_model(one, f"{at}.models[{i}]") for i, one in enumerate(message.models)),
        context_guard=Fraction(guard, 100),
    )


def _model_out(model: Model) -> pb.Model:
    return pb.Model(
        name=model.name,
        provider=model.provider,
        api=model.api,
        base_url=model.base_url,
        upstream_name=model.upstream_name,
        price=_price_out(model.price),
        context_window=model.context_window,
        max_output_tokens=model.max_output_tokens,
        capabilities=sorted(model.capabilities),
        overrun_percent=model.overrun_percent,
        secret_env=model.secret_env,
        residency=sorted(model.residency),
    )


def _model(message: pb.Model, at: str) -> Model:
    few(message.capabilities, f"{at}.capabilities", most=len(Capability))
    few(message.residency, f"{at}.residency", most=LABELS_MAX)
    present(message.HasField("price"), f"{at}.price")
    return Model(
        name=name(message.name, f"{at}.name"),
        provider=name(message.provider, f"{at}.provider"),
        api=choice(Api, message.api, f"{at}.api"),
        base_url=name(message.base_url, f"{at}.base_url"),
        upstream_name=name(message.upstream_name, f"{at}.upstream_name"),
        price=_price(message.price, f"{at}.price"),
        # A window of 0 would bound the input by nothing, and so hold nothing for it.
        context_window=number(message.context_window, f"{at}.context_window", least=1),
        max_output_tokens=number(message.max_output_tokens, f"{at}.max_output_tokens", least=1),
        capabilities=frozenset(
            choice(Capability, one, f"{at}.capabilities") for one in message.capabilities
        ),
        overrun_percent=number(message.overrun_percent, f"{at}.overrun_percent"),
        secret_env=text(message.secret_env, f"{at}.secret_env"),
        residency=frozenset(text(one, f"{at}.residency") for one in message.residency),
    )


def _price_out(price: Price) -> pb.Price:
    return pb.Price(
        rates=_rates_out(price.rates),
        above=[
            pb.RatesAbove(input_tokens=threshold, rates=_rates_out(rates))
            for threshold, rates in price.above
        ],
    )


def _rates_out(rates: Rates) -> pb.Rates:
    return pb.Rates(by_kind={kind.value: rate for kind, rate in rates.by_kind.items()})


def _price(message: pb.Price, at: str) -> Price:
    few(message.above, f"{at}.above", most=STEPS_MAX)
    above = tuple(
        (
            number(step.input_tokens, f"{at}.above[{i}].input_tokens"),
            _rates(step.rates, f"{at}.above[{i}].rates"),
        )
        for i, step in enumerate(message.above)
    )
    thresholds = [threshold for threshold, _ in above]
    if thresholds != sorted(set(thresholds)):
        raise CodecError(f"{at}.above: its steps do not grow")
    return Price(rates=_rates(message.rates, f"{at}.rates"), above=above)


def _rates(message: pb.Rates, at: str) -> Rates:
    rates = {
        choice(UsageKind, kind, at): number(rate, f"{at}[{kind}]")
        for kind, rate in message.by_kind.items()
    }
    for kind in (UsageKind.INPUT, UsageKind.OUTPUT):
        if kind not in rates:
            raise CodecError(f"{at} has no rate for {kind}: without it a call would cost nothing")
    return Rates(by_kind=rates)
