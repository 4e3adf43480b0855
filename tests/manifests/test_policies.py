"""A routing policy is read over the core's defaults, and never takes a secret for an identity."""

import pytest

from farebox.core.tasks import ClassifierKind, Freedom, RoutingPolicy, StreamGate
from tests.manifests.builders import Wrong, assert_found, load_text, policy


def test_an_empty_policy_is_the_default() -> None:
    loaded = load_text(policy("one", "{}"))
    assert loaded.problems == ()
    assert loaded.resources.routing == {"default": RoutingPolicy(name="one")}


def test_a_policy_says_everything() -> None:
    spec = """\
        classifier: Cascade
        modelName: Pinned
        weights: our-own
        quality: 0.995
        boundaryDifficulty: "0.4"
        pacing: false
        streamedGates: Skip
        thresholds:
          escalationAlertPercent: 25
          schemaFailureAlertPercent: 2
          driftAlertPercent: 30
          trustedPassRate: "0.99"
          monitoredPassRate: 0.9
        unsureDifficulty: 0.5
        highConsequenceDifficulty: "0.9"
        minOutputTokens: 1
        defaultMaxOutputTokens: 2048
        identity:
          sessionHeader: X-Session-Id
          userHeader: x-user
          workflowHeader: x-flow
          taskHeader: x-task
          priorityHeader: x-priority
          minTierHeader: X-Tier
          residencyHeader: x-where
        """
    loaded = load_text(policy("one", spec))
    assert loaded.problems == ()
    assert loaded.resources.routing["default"] == RoutingPolicy(
        name="one",
        classifier=ClassifierKind.CASCADE,
        freedom=Freedom.PINNED,
        unsure_difficulty=500,
        high_consequence_difficulty=900,
        output_tokens_min=1,
        output_tokens_default=2048,
        session_header="x-session-id",
        user_header="x-user",
        workflow_header="x-flow",
        task_header="x-task",
        priority_header="x-priority",
        tier_header="x-tier",
        residency_header="x-where",
        weights="our-own",
        quality="0.995",
        boundary_difficulty=400,
        pacing=False,
        streams=StreamGate.SKIP,
        escalation_alert_percent=25,
        schema_failure_alert_percent=2,
        drift_alert_percent=30,
        pass_rate_trusted=990,
        pass_rate_monitored=900,
    )


WRONG = {
    "classifier": ("classifier: Magic", "classifier", "Rules, Heuristic, Model, Hybrid or Cas"),
    "weights": ("weights: ../a", "weights", "write the name of weights"),
    "quality": ("quality: good", "quality", "write a decimal from 0 to 1"),
    "boundary": ("boundaryDifficulty: 500", "boundaryDifficulty", "write a decimal from 0 to 1"),
    "pacing": ("pacing: sometimes", "pacing", "write true or false"),
    "streams": ("streamedGates: Hope", "streamedGates", "write Buffer or Skip"),
    "alert": (
        "thresholds: {driftAlertPercent: 0}",
        "thresholds.driftAlertPercent",
        "a whole number from 1",
    ),
    "monitored": (
        "thresholds: {monitoredPassRate: 0.96}",
        "thresholds.monitoredPassRate",
        "is above trustedPassRate",
    ),
    "threshold": ("thresholds: {alert: 1}", "thresholds.alert", "is not a field here"),
    "model-name": ("modelName: Free", "modelName", "write Ceiling, Pinned or Hint"),
    "unsure": ("unsureDifficulty: 700", "unsureDifficulty", "write a decimal from 0 to 1"),
    "high": ("highConsequenceDifficulty: high", "highConsequenceDifficulty", "write a decimal"),
    "no-output": ("minOutputTokens: 0", "minOutputTokens", "a whole number from 1"),
    "min-above-default": ("minOutputTokens: 5000", "minOutputTokens", "which is 4096: write at"),
    "default-output": ("defaultMaxOutputTokens: all", "defaultMaxOutputTokens", "a whole number"),
    "identity": ("identity: x-user", "identity", "write fields and their values below it"),
    "header": ("identity: {userHeader: x user}", "identity.userHeader", "the name of a header"),
    "secret": (
        "identity: {userHeader: Authorization}",
        "identity.userHeader",
        "is authorization, which carries a secret",
    ),
    "same-header": (
        "identity: {userHeader: X-Farebox-Session}",
        "identity.userHeader",
        "which another field names",
    ),
    "body-field": ("identity: {bodyField: user}", "identity.bodyField", "the OpenAI field user"),
    "baggage": ("identity: {baggage: user}", "identity.baggage", "farebox.session"),
    "identity-field": ("identity: {user: x}", "identity.user", "did you mean userHeader?"),
    "translation": ("translation: true", "translation", "a call stays in the API"),
    "field": ("modelname: Hint", "modelname", "did you mean modelName?"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_policy(case: str) -> None:
    spec, field, says = WRONG[case]
    assert_found(Wrong(text=policy("one", spec), line=5, field=f"spec.{field}", says=says))
