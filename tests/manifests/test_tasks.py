"""A task profile is read with its tiers by name, and wrong ones say so."""

import pytest

from farebox.core.tasks import Consequence, TaskMatch, TaskProfile
from farebox.manifests.resources import Kind
from tests.manifests.builders import load_text, manifest, named_model, task, tier, together

TIERS = together(tier("small", 1), tier("large", 2, named_model("x")))
LINES_BEFORE = TIERS.count("\n") + 1


def test_a_task_says_no_more_than_its_tier() -> None:
    loaded = load_text(together(TIERS, task("intent", "defaultTier: small")))
    assert loaded.problems == ()
    assert loaded.resources.tasks == {
        "default": (TaskProfile(name="intent", default_tier="small"),)
    }


def test_a_task_says_everything() -> None:
    spec = """\
        match:
          headerValues: [intents, "intent detection"]
          paths: [/v1/chat/completions]
          modelAliases: [farebox/intent]
          systemFingerprints: [0123456789abcdef]
        defaultTier: small
        floorTier: small
        ceilingTier: large
        consequence: High
        expectedOutputTokens: 20
        minOutputTokens: 5
        """
    loaded = load_text(together(TIERS, task("intent", spec)))
    assert loaded.problems == ()
    assert loaded.resources.tasks["default"] == (
        TaskProfile(
            name="intent",
            match=TaskMatch(
                header_values=("intents", "intent detection"),
                paths=("/v1/chat/completions",),
                aliases=("farebox/intent",),
                system_fingerprints=("0123456789abcdef",),
            ),
            default_tier="small",
            floor_tier="small",
            ceiling_tier="large",
            consequence=Consequence.HIGH,
            expected_output_tokens=20,
            output_tokens_min=5,
        ),
    )


WRONG = {
    "tier-number": ("floorTier: 1", "spec.floorTier", "put it in quotes"),
    "tier-unknown": ("floorTier: smal", "spec.floorTier", "did you mean small?"),
    "tier-empty": ("ceilingTier:", "spec.ceilingTier", "is empty: write a name"),
    "ceiling-below": (
        "ceilingTier: small\nfloorTier: large",
        "spec.ceilingTier",
        "below the floorTier large",
    ),
    "consequence": ("consequence: Severe", "spec.consequence", "write Low, Medium or High"),
    "tokens": ("expectedOutputTokens: few", "spec.expectedOutputTokens", "write a whole number"),
    "negative": ("minOutputTokens: -1", "spec.minOutputTokens", "is -1: write a whole number"),
    "match-text": ("match: intent", "spec.match", "write fields and their values below it"),
    "paths-text": ("match: {paths: /v1}", "spec.match.paths", "write a list of a path"),
    "path": ("match: {paths: [v1]}", "spec.match.paths[0]", "write a path below the provider"),
    "print": ("match: {systemFingerprints: [ab]}", "spec.match.systemFingerprints[0]", "16 hex"),
    "header": ("match: {header: x}", "spec.match.header", 'write "headerValues"'),
    "alias-twice": ("match: {modelAliases: [a, a]}", "spec.match.modelAliases[1]", "keep one"),
    "gates": ("gates: []", "spec.gates", "is not in this version"),
    "escalation": ("escalation: {}", "spec.escalation", 'write a higher "floorTier"'),
    "baseline": ("baseline: {}", "spec.baseline", "is not in this version"),
    "field": ("defaulttier: small", "spec.defaulttier", "did you mean defaultTier?"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_task(case: str) -> None:
    extra, field, says = WRONG[case]
    loaded = load_text(together(TIERS, task("one", f"defaultTier: small\n{extra}")))
    assert loaded.resources.tasks == {}
    problem = next(one for one in loaded.problems if one.field == field)
    assert problem.line == LINES_BEFORE + 6
    assert says in problem.message
    assert problem.resource == "TaskProfile/default/one"


def test_a_task_needs_a_tier() -> None:
    (problem,) = load_text(manifest(Kind.TASK_PROFILE, "consequence: Low")).problems
    assert str(problem).startswith(
        "a.yaml:4: TaskProfile/default/one: spec.defaultTier: is missing: write a name"
    )
