"""A routing policy is read over the core's defaults, and never takes a secret for an identity."""

import pytest

from farebox.core.tasks import ClassifierKind, Freedom, RoutingPolicy
from tests.manifests.builders import Wrong, assert_found, load_text, policy


def test_an_empty_policy_is_the_default() -> None:
    loaded = load_text(policy("one", "{}"))
    assert loaded.problems == ()
    assert loaded.resources.routing == {"default": RoutingPolicy(name="one")}


def test_a_policy_says_everything() -> None:
    spec = """\
        classifier: Rules
        modelName: Pinned
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
        """
    loaded = load_text(policy("one", spec))
    assert loaded.problems == ()
    assert loaded.resources.routing["default"] == RoutingPolicy(
        name="one",
        classifier=ClassifierKind.RULES,
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
    )


WRONG = {
    "classifier": ("classifier: Magic", "classifier", "write Rules or Heuristic"),
    "cascade": ("classifier: Cascade", "classifier", "is Cascade, which is not in this version"),
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
    "thresholds": ("thresholds: {}", "thresholds", "is not in this version"),
    "translation": ("translation: true", "translation", "a call stays in the API"),
    "field": ("modelname: Hint", "modelname", "did you mean modelName?"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_policy(case: str) -> None:
    spec, field, says = WRONG[case]
    assert_found(Wrong(text=policy("one", spec), line=5, field=f"spec.{field}", says=says))
