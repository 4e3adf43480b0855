"""Reads a `RoutingPolicy`.

The one rule: what is not written has the default of the core's own value, so that a default stands
in one place. This module must not know tasks, tiers or money.
"""

from decimal import Decimal
from typing import Final

from farebox.core.tasks import ClassifierKind, Freedom, RoutingPolicy, StreamGate
from farebox.manifests.documents import Scalar
from farebox.manifests.fields import Fields
from farebox.manifests.resources import ResourceId
from farebox.manifests.scalars import (
    TOKENS_MAX,
    TRUTH,
    Reader,
    Unfit,
    choice,
    share,
    text,
    whole,
)

PERCENT_MAX: Final = 1_000

_CLASSIFIER: Final = choice(ClassifierKind)
_FREEDOM: Final = choice(Freedom)
_DIFFICULTY: Final = share(3)
_SHARE: Final = share(3)
_TOKENS: Final = whole(1, TOKENS_MAX)
_PERCENT: Final = whole(1, PERCENT_MAX)
_STREAMS: Final = choice(StreamGate)
_WEIGHTS: Final = text(
    r"[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?",
    'the name of weights, for example "a"; a file NAME.weights can have others',
)

SECRET_HEADERS: Final = frozenset(
    {"authorization", "proxy-authorization", "cookie", "api-key", "x-api-key", "x-goog-api-key"}
)
"""Never read as an identity, which is written to journals and receipts."""

_LATER: Final = {
    "translation": "leave it out, a call stays in the API it was made in",
}
_IDENTITY_LATER: Final = {
    "bodyField": "leave it out, the OpenAI field user is read for the user",
    "baggage": "leave it out, the baggage keys farebox.session and its like are read",
}


def read_policy(spec: Fields, resource: ResourceId) -> RoutingPolicy:
    """Read the spec of a routing policy."""
    unset = RoutingPolicy()
    headers = _read_headers(spec.section("identity"), unset)
    alerts = _read_thresholds(spec.section("thresholds"), unset)
    policy = RoutingPolicy(
        name=resource.name,
        classifier=spec.one("classifier", _CLASSIFIER, unset.classifier),
        freedom=spec.one("modelName", _FREEDOM, unset.freedom),
        unsure_difficulty=spec.one("unsureDifficulty", _DIFFICULTY, unset.unsure_difficulty),
        high_consequence_difficulty=spec.one(
            "highConsequenceDifficulty", _DIFFICULTY, unset.high_consequence_difficulty
        ),
        output_tokens_min=spec.one("minOutputTokens", _TOKENS, unset.output_tokens_min),
        output_tokens_default=spec.one(
            "defaultMaxOutputTokens", _TOKENS, unset.output_tokens_default
        ),
        session_header=headers["sessionHeader"],
        user_header=headers["userHeader"],
        workflow_header=headers["workflowHeader"],
        task_header=headers["taskHeader"],
        priority_header=headers["priorityHeader"],
        tier_header=headers["minTierHeader"],
        residency_header=headers["residencyHeader"],
        weights=spec.one("weights", _WEIGHTS, unset.weights),
        quality=_as_quality(spec.one("quality", _SHARE, _in_thousandths(unset.quality))),
        boundary_difficulty=spec.one("boundaryDifficulty", _DIFFICULTY, unset.boundary_difficulty),
        pacing=spec.one("pacing", TRUTH, unset.pacing),
        streams=spec.one("streamedGates", _STREAMS, unset.streams),
        escalation_alert_percent=alerts["escalationAlertPercent"],
        schema_failure_alert_percent=alerts["schemaFailureAlertPercent"],
        drift_alert_percent=alerts["driftAlertPercent"],
        pass_rate_trusted=alerts["trustedPassRate"],
        pass_rate_monitored=alerts["monitoredPassRate"],
    )
    sound = spec.is_sound("minOutputTokens", "defaultMaxOutputTokens")
    if sound and policy.output_tokens_min > policy.output_tokens_default:
        spec.problem(
            "minOutputTokens",
            f"is {policy.output_tokens_min}, above defaultMaxOutputTokens, which is "
            f"{policy.output_tokens_default}: write at most that",
        )
    spec.close(_LATER)
    return policy


def _read_thresholds(thresholds: Fields, unset: RoutingPolicy) -> dict[str, int]:
    defaults = {
        "escalationAlertPercent": (_PERCENT, unset.escalation_alert_percent),
        "schemaFailureAlertPercent": (_PERCENT, unset.schema_failure_alert_percent),
        "driftAlertPercent": (_PERCENT, unset.drift_alert_percent),
        "trustedPassRate": (_SHARE, unset.pass_rate_trusted),
        "monitoredPassRate": (_SHARE, unset.pass_rate_monitored),
    }
    found = {
        name: thresholds.one(name, reader, default) for name, (reader, default) in defaults.items()
    }
    thresholds.close()
    sound = thresholds.is_sound("trustedPassRate", "monitoredPassRate")
    if sound and found["monitoredPassRate"] > found["trustedPassRate"]:
        thresholds.problem("monitoredPassRate", "is above trustedPassRate: write at most that")
    return found


def _in_thousandths(quality: str) -> int:
    return int(Decimal(quality) * 1_000)


def _as_quality(thousandths: int) -> str:
    """A share as weights write it in the names of their thresholds: two decimals, or three."""
    text_ = f"{Decimal(thousandths) / 1_000:.3f}"
    return text_.removesuffix("0")


def _read_headers(identity: Fields, unset: RoutingPolicy) -> dict[str, str]:
    defaults = {
        "sessionHeader": unset.session_header,
        "userHeader": unset.user_header,
        "workflowHeader": unset.workflow_header,
        "taskHeader": unset.task_header,
        "priorityHeader": unset.priority_header,
        "minTierHeader": unset.tier_header,
        "residencyHeader": unset.residency_header,
    }
    headers: dict[str, str] = {}
    for name, default in defaults.items():
        header = identity.one(name, _HEADER, default)
        if header in headers.values() and header != _HEADER.stand_in:
            identity.problem(name, f"is {header}, which another field names: write another header")
        headers[name] = header
    identity.close(_IDENTITY_LATER)
    return headers


_TOKEN: Final = text(
    r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,128}", 'the name of a header, for example "x-session-id"'
)


def _header(scalar: Scalar) -> str:
    name = _TOKEN.read(scalar).lower()
    if name in SECRET_HEADERS:
        raise Unfit(f"is {name}, which carries a secret: write another header")
    return name


_HEADER: Final = Reader(wanted=_TOKEN.wanted, read=_header, stand_in="")
