"""Tasks and routing of a pod's policy to and from protobuf.

The one rule: what a sidecar decodes is bounded and whole: every gate is of a known kind, and every
share lies between nothing and all. This module must not know pools, tiers or leases.
"""

from decimal import Decimal, InvalidOperation
from typing import Final

from farebox.core.gates import (
    GATES_MAX,
    PATTERN_CHARS_MAX,
    RUBRIC_CHARS_MAX,
    SCHEMA_CHARS_MAX,
    Gate,
    GateKind,
)
from farebox.core.instant import DurationMs
from farebox.core.tasks import (
    AfterGates,
    Baseline,
    ClassifierKind,
    Consequence,
    Escalation,
    Freedom,
    RoutingPolicy,
    StreamGate,
    TaskMatch,
    TaskProfile,
)
from farebox.wire.checks import CodecError, choice, few, name, number, text
from farebox.wire.v1 import policy_pb2 as pb

MATCHES_MAX: Final = 1_024
THOUSANDTHS: Final = 1_000
DECIMAL_CHARS_MAX: Final = 64

_ALERTS: Final = (
    "escalation_alert_percent",
    "schema_failure_alert_percent",
    "drift_alert_percent",
    "pass_rate_trusted",
    "pass_rate_monitored",
)


def task_out(profile: TaskProfile) -> pb.Task:
    """Write a profile. Raises ValueError for what its fields can't carry."""
    return pb.Task(
        name=profile.name,
        header_values=profile.match.header_values,
        paths=profile.match.paths,
        aliases=profile.match.aliases,
        system_fingerprints=profile.match.system_fingerprints,
        default_tier=profile.default_tier,
        floor_tier=profile.floor_tier,
        ceiling_tier=profile.ceiling_tier,
        consequence=profile.consequence,
        expected_output_tokens=profile.expected_output_tokens,
        output_tokens_min=profile.output_tokens_min,
        gates=[_gate_out(gate) for gate in profile.gates],
        escalation=pb.Escalation(
            steps_max=profile.escalation.steps_max,
            added_latency_max_ms=profile.escalation.added_latency_max,
            after=profile.escalation.after,
        ),
        baseline=_baseline_out(profile.baseline),
        residency=profile.residency,
    )


def _gate_out(gate: Gate) -> pb.Gate:
    return pb.Gate(
        name=gate.name,
        kind=gate.kind,
        schema=gate.schema,
        labels=gate.labels,
        pattern=gate.pattern,
        values=gate.values,
        minimum="" if gate.minimum is None else str(gate.minimum),
        maximum="" if gate.maximum is None else str(gate.maximum),
        tolerance=str(gate.tolerance),
        citations_min=gate.citations_min,
        model=gate.model,
        rubric=gate.rubric,
        pass_mark=gate.pass_mark,
        function=gate.function,
        case_sensitive=gate.case_sensitive,
    )


def _baseline_out(baseline: Baseline | None) -> pb.Baseline | None:
    if baseline is None:
        return None
    return pb.Baseline(
        measured=baseline.measured,
        samples=baseline.samples,
        catalogue=baseline.catalogue,
        pass_rates=[pb.PassRate(tier=tier, rate=rate) for tier, rate in baseline.pass_rates],
        escalation_rate=baseline.escalation_rate,
        difficulties=baseline.difficulties,
    )


def task(message: pb.Task, at: str) -> TaskProfile:
    """Read the task that stands `at` a place of the policy. Raises CodecError."""
    few(message.gates, f"{at}.gates", most=GATES_MAX)
    for field in ("header_values", "paths", "aliases", "system_fingerprints", "residency"):
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
        gates=tuple(_gate(one, f"{at}.gates[{i}]") for i, one in enumerate(message.gates)),
        escalation=_escalation(message, at),
        baseline=_baseline(message.baseline, at) if message.HasField("baseline") else None,
        residency=tuple(text(label, f"{at}.residency") for label in message.residency),
    )


def _gate(message: pb.Gate, at: str) -> Gate:
    few(message.labels, f"{at}.labels", most=MATCHES_MAX)
    few(message.values, f"{at}.values", most=MATCHES_MAX)
    return Gate(
        name=name(message.name, f"{at}.name"),
        kind=choice(GateKind, message.kind, f"{at}.kind"),
        schema=text(message.schema, f"{at}.schema", chars_max=SCHEMA_CHARS_MAX),
        labels=tuple(text(label, f"{at}.labels") for label in message.labels),
        pattern=text(message.pattern, f"{at}.pattern", chars_max=PATTERN_CHARS_MAX),
        values=tuple(text(value, f"{at}.values") for value in message.values),
        minimum=_decimal(message.minimum, f"{at}.minimum") if message.minimum else None,
        maximum=_decimal(message.maximum, f"{at}.maximum") if message.maximum else None,
        tolerance=_decimal(message.tolerance or "0", f"{at}.tolerance"),
        citations_min=number(message.citations_min, f"{at}.citations_min"),
        model=text(message.model, f"{at}.model"),
        rubric=text(message.rubric, f"{at}.rubric", chars_max=RUBRIC_CHARS_MAX),
        pass_mark=number(message.pass_mark, f"{at}.pass_mark", most=THOUSANDTHS),
        function=text(message.function, f"{at}.function"),
        case_sensitive=message.case_sensitive,
    )


def _decimal(value: str, at: str) -> Decimal:
    try:
        found = Decimal(text(value, at, chars_max=DECIMAL_CHARS_MAX))
    except InvalidOperation:
        found = Decimal("NaN")
    if not found.is_finite():
        raise CodecError(f"{at} is {value!r}: it must be a decimal number")
    return found


def _escalation(message: pb.Task, at: str) -> Escalation:
    if not message.HasField("escalation"):
        # A controller of an earlier version knows none.
        return Escalation()
    read = message.escalation
    return Escalation(
        steps_max=number(read.steps_max, f"{at}.escalation.steps_max"),
        added_latency_max=DurationMs(
            number(read.added_latency_max_ms, f"{at}.escalation.added_latency_max_ms")
        ),
        after=choice(AfterGates, read.after, f"{at}.escalation.after"),
    )


def _baseline(message: pb.Baseline, task_at: str) -> Baseline:
    at = f"{task_at}.baseline"
    few(message.pass_rates, f"{at}.pass_rates", most=MATCHES_MAX)
    few(message.difficulties, f"{at}.difficulties", most=MATCHES_MAX)
    return Baseline(
        measured=text(message.measured, f"{at}.measured"),
        samples=number(message.samples, f"{at}.samples"),
        catalogue=text(message.catalogue, f"{at}.catalogue"),
        pass_rates=tuple(
            (
                name(one.tier, f"{at}.pass_rates"),
                number(one.rate, f"{at}.pass_rates[{one.tier}]", most=THOUSANDTHS),
            )
            for one in message.pass_rates
        ),
        escalation_rate=number(message.escalation_rate, f"{at}.escalation_rate", most=THOUSANDTHS),
        difficulties=tuple(
            number(share, f"{at}.difficulties", most=THOUSANDTHS) for share in message.difficulties
        ),
    )


def routing_out(policy: RoutingPolicy) -> pb.Routing:
    """Write how a namespace routes. Raises ValueError for what its fields can't carry."""
    return pb.Routing(
        name=policy.name,
        classifier=policy.classifier,
        freedom=policy.freedom,
        unsure_difficulty=policy.unsure_difficulty,
        high_consequence_difficulty=policy.high_consequence_difficulty,
        output_tokens_min=policy.output_tokens_min,
        output_tokens_default=policy.output_tokens_default,
        session_header=policy.session_header,
        user_header=policy.user_header,
        workflow_header=policy.workflow_header,
        task_header=policy.task_header,
        priority_header=policy.priority_header,
        tier_header=policy.tier_header,
        residency_header=policy.residency_header,
        weights=policy.weights,
        quality=policy.quality,
        boundary_difficulty=policy.boundary_difficulty,
        pacing=policy.pacing,
        streams=policy.streams,
        escalation_alert_percent=policy.escalation_alert_percent,
        schema_failure_alert_percent=policy.schema_failure_alert_percent,
        drift_alert_percent=policy.drift_alert_percent,
        pass_rate_trusted=policy.pass_rate_trusted,
        pass_rate_monitored=policy.pass_rate_monitored,
    )


def routing(message: pb.Routing) -> RoutingPolicy:
    """Read how a namespace routes. Raises CodecError."""
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
        tier_header=text(message.tier_header, f"{at}.tier_header"),
        residency_header=text(message.residency_header, f"{at}.residency_header"),
        weights=text(message.weights, f"{at}.weights"),
        quality=text(message.quality, f"{at}.quality"),
        boundary_difficulty=number(
            message.boundary_difficulty, f"{at}.boundary_difficulty", most=THOUSANDTHS
        ),
        pacing=message.pacing,
        # A controller of an earlier version says nothing of streams.
        streams=choice(StreamGate, message.streams or StreamGate.BUFFER, f"{at}.streams"),
        **{field: number(getattr(message, field), f"{at}.{field}") for field in _ALERTS},
    )
