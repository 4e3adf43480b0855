"""A task profile is read with its tiers by name, and wrong ones say so."""

import pytest

from farebox.core.gates import Gate, GateKind
from farebox.core.instant import DurationMs
from farebox.core.tasks import (
    AfterGates,
    Baseline,
    Consequence,
    Escalation,
    TaskMatch,
    TaskProfile,
)
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
        gates:
          - {kind: Labels, labels: [order, refund]}
        escalation: {maxSteps: 1, maxAddedLatency: 5s}
        baseline:
          measured: 2026-11-01
          samples: 250
          catalogue: 0a1b2c3d4e5f
          passRates: {small: "0.91", large: 0.985}
          escalationRate: "0.09"
          difficulties: [0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1]
        residency: [eu, no-training]
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
            gates=(Gate(name="labels", kind=GateKind.LABELS, labels=("order", "refund")),),
            escalation=Escalation(
                steps_max=1, added_latency_max=DurationMs(5_000), after=AfterGates.REFUSE
            ),
            baseline=Baseline(
                measured="2026-11-01",
                samples=250,
                catalogue="0a1b2c3d4e5f",
                pass_rates=(("small", 910), ("large", 985)),
                escalation_rate=90,
                difficulties=(100,) * 10,
            ),
            residency=("eu", "no-training"),
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
    "high-ungated": ("consequence: High", "spec.consequence", "no gate checks the answers"),
    "escalation": ("escalation: {}", "spec.escalation", "means nothing without gates"),
    "steps": ("escalation: {maxSteps: 9}", "spec.escalation.maxSteps", "from 0 to 8"),
    "latency": ("escalation: {maxAddedLatency: 3}", "spec.escalation.maxAddedLatency", "30s"),
    "baseline": ("baseline: {}", "spec.baseline.measured", "is missing: write a day"),
    "residency": ("residency: [EU]", "spec.residency[0]", "write a label of lower-case"),
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


def test_what_fails_its_gates_in_a_task_of_high_consequence_is_never_given_out() -> None:
    spec = """\
        defaultTier: small
        consequence: High
        gates: [{kind: Citation}]
        escalation: {afterGates: ReturnLast}
        """
    (problem,) = load_text(together(TIERS, task("one", spec))).problems
    assert problem.field == "spec.escalation.afterGates"
    assert "write Refuse, or leave it out" in problem.message


def test_a_baseline_has_ten_bins_of_difficulty() -> None:
    baseline = "{measured: 2026-11-01, samples: 9, catalogue: 0a1b2c3d4e5f, difficulties: [1]}"
    (problem,) = load_text(
        together(TIERS, task("one", f"defaultTier: small\nbaseline: {baseline}"))
    ).problems
    assert problem.field == "spec.baseline.difficulties"
    assert "has 1 entries: write 10" in problem.message
