"""A pod's policy to and from protobuf.

The one rule: what a sidecar decodes is a policy that it can decide with: every model has rates for
input and output and a window. This module must not know leases, or what a pool is made of.
"""

from fractions import Fraction
from typing import Final

from farebox.core.policy import Policy
from farebox.core.prices import Price, Rates
from farebox.core.tasks import (
    ClassifierKind,
    Consequence,
    Freedom,
    RoutingPolicy,
    TaskMatch,
    TaskProfile,
)
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
from farebox.wire.v1 import policy_pb2 as pb

POOLS_MAX: Final = 1_024
TIERS_MAX: Final = 64
MODELS_MAX: Final = 8_192
TASKS_MAX: Final = 1_024
MATCHES_MAX: Final = 1_024
STEPS_MAX: Final = 16
THOUSANDTHS: Final = 1_000


def encode_policy(policy: Policy, *, epoch: int) -> pb.Policy:
    """Write a policy. Raises CodecError for a value that the wire can't carry exactly."""
    with encoding("a policy"):
        return pb.Policy(
            epoch=epoch,
            generation=policy.generation,
            pools=[pool_out(one) for one in policy.pools],
            tiers=[_tier_out(tier) for tier in policy.catalogue.tiers],
            unlisted=[_model_out(model) for model in policy.catalogue.unlisted],
            tasks=[_task_out(task) for task in policy.tasks],
            routing=_routing_out(policy.routing),
        )


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
        tasks=tuple(_task(one, f"policy.tasks[{at}]") for at, one in enumerate(message.tasks)),
        routing=_routing(message.routing),
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
    )


def _model(message: pb.Model, at: str) -> Model:
    few(message.capabilities, f"{at}.capabilities", most=len(Capability))
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


def _task_out(task: TaskProfile) -> pb.Task:
    return pb.Task(
        name=task.name,
        header_values=task.match.header_values,
        paths=task.match.paths,
        aliases=task.match.aliases,
        system_fingerprints=task.match.system_fingerprints,
        default_tier=task.default_tier,
        floor_tier=task.floor_tier,
        ceiling_tier=task.ceiling_tier,
        consequence=task.consequence,
        expected_output_tokens=task.expected_output_tokens,
        output_tokens_min=task.output_tokens_min,
    )


def _task(message: pb.Task, at: str) -> TaskProfile:
    for field in ("header_values", "paths", "aliases", "system_fingerprints"):
        few(getattr(message, field), f"{at}.{field}", most=MATCHES_MAX)
    return TaskProfile(
        name=name(message.name, f"{at}.name"),
        match=TaskMatch(
            header_values=tuple(text(v, f"{at}.header_values") for v in message.header_values),
            paths=tuple(text(v, f"{at}.paths") for v in message.paths),
            aliases=tuple(text(v, f"{at}.aliases") for v in message.aliases),
            system_fingerprints=tuple(
                text(v, f"{at}.system_fingerprints") for v in message.system_fingerprints
            ),
        ),
        default_tier=name(message.default_tier, f"{at}.default_tier"),
        floor_tier=text(message.floor_tier, f"{at}.floor_tier"),
        ceiling_tier=text(message.ceiling_tier, f"{at}.ceiling_tier"),
        consequence=choice(Consequence, message.consequence, f"{at}.consequence"),
        expected_output_tokens=number(
            message.expected_output_tokens, f"{at}.expected_output_tokens"
        ),
        output_tokens_min=number(message.output_tokens_min, f"{at}.output_tokens_min"),
    )


def _routing_out(routing: RoutingPolicy) -> pb.Routing:
    return pb.Routing(
        name=routing.name,
        classifier=routing.classifier,
        freedom=routing.freedom,
        unsure_difficulty=routing.unsure_difficulty,
        high_consequence_difficulty=routing.high_consequence_difficulty,
        output_tokens_min=routing.output_tokens_min,
        output_tokens_default=routing.output_tokens_default,
        session_header=routing.session_header,
        user_header=routing.user_header,
        workflow_header=routing.workflow_header,
        task_header=routing.task_header,
        priority_header=routing.priority_header,
    )


def _routing(message: pb.Routing) -> RoutingPolicy:
    at = "policy.routing"
    return RoutingPolicy(
        name=name(message.name, f"{at}.name"),
        classifier=choice(ClassifierKind, message.classifier, f"{at}.classifier"),
        freedom=choice(Freedom, message.freedom, f"{at}.freedom"),
        unsure_difficulty=number(
            message.unsure_difficulty, f"{at}.unsure_difficulty", most=THOUSANDTHS
        ),
        high_consequence_difficulty=number(
            message.high_consequence_difficulty,
            f"{at}.high_consequence_difficulty",
            most=THOUSANDTHS,
        ),
        output_tokens_min=number(message.output_tokens_min, f"{at}.output_tokens_min"),
        output_tokens_default=number(
            message.output_tokens_default, f"{at}.output_tokens_default", least=1
        ),
        session_header=text(message.session_header, f"{at}.session_header"),
        user_header=text(message.user_header, f"{at}.user_header"),
        workflow_header=text(message.workflow_header, f"{at}.workflow_header"),
        task_header=text(message.task_header, f"{at}.task_header"),
        priority_header=text(message.priority_header, f"{at}.priority_header"),
    )
