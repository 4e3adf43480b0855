"""Reads a `TaskProfile`.

The one rule: everything here is what one team wrote of one task; whether its tiers exist is a
matter of `links`. This module must not know tiers or money.
"""

from typing import Final

from farebox.core.classify import FINGERPRINT_CHARS
from farebox.core.gates import Gate
from farebox.core.instant import DurationMs
from farebox.core.tasks import (
    AfterGates,
    Baseline,
    Consequence,
    Escalation,
    TaskMatch,
    TaskProfile,
)
from farebox.core.tiers import VERSION_CHARS
from farebox.manifests.fields import Fields
from farebox.manifests.gates import read_gates
from farebox.manifests.resources import ResourceId
from farebox.manifests.scalars import (
    DATE,
    LABEL,
    NAME,
    TEXT,
    TOKENS_MAX,
    choice,
    duration,
    share,
    text,
    whole,
)

STEPS_MAX: Final = 8
SAMPLES_MAX: Final = 1_000_000
BINS: Final = 10
"""Bins of difficulty in a baseline."""

_PATH: Final = text(
    r"/[A-Za-z0-9._~:/%-]*", 'a path below the provider, for example "/v1/chat/completions"'
)
_FINGERPRINT: Final = text(
    rf"[0-9a-f]{{{FINGERPRINT_CHARS}}}",
    f"the first {FINGERPRINT_CHARS} hexadecimal digits of the SHA-256 of the system prompt",
)
_CONSEQUENCE: Final = choice(Consequence)
_TOKENS: Final = whole(0, TOKENS_MAX)
_STEPS: Final = whole(0, STEPS_MAX)
_LATENCY: Final = duration(DurationMs(100), DurationMs(600_000), "30s")
_AFTER: Final = choice(AfterGates)
_SHARE: Final = share(3)
_SAMPLES: Final = whole(1, SAMPLES_MAX)
_CATALOGUE: Final = text(
    rf"[0-9a-f]{{{VERSION_CHARS}}}",
    f"the version of the tiers, {VERSION_CHARS} hexadecimal digits",
)

_MATCH_LATER: Final = {
    "header": 'write "headerValues"; which header it is stands in RoutingPolicy '
    "spec.identity.taskHeader",
}


def read_task(spec: Fields, resource: ResourceId) -> TaskProfile:
    """Read the spec of a task."""
    gates = read_gates(spec)
    consequence = spec.one("consequence", _CONSEQUENCE, Consequence.LOW)
    task = TaskProfile(
        name=resource.name,
        match=_read_match(spec.section("match")),
        default_tier=spec.one("defaultTier", NAME),
        floor_tier=spec.one("floorTier", NAME, ""),
        ceiling_tier=spec.one("ceilingTier", NAME, ""),
        consequence=consequence,
        expected_output_tokens=spec.one("expectedOutputTokens", _TOKENS, 0),
        output_tokens_min=spec.one("minOutputTokens", _TOKENS, 0),
        gates=gates,
        escalation=_read_escalation(spec, consequence),
        baseline=_read_baseline(spec),
        residency=spec.many("residency", LABEL),
    )
    spec.close()
    _check_gated(spec, consequence, gates)
    return task


def _read_escalation(spec: Fields, consequence: Consequence) -> Escalation:
    escalation, unset = spec.section("escalation"), Escalation()
    high = consequence is Consequence.HIGH
    after = escalation.one("afterGates", _AFTER, AfterGates.REFUSE if high else unset.after)
    if high and after is not AfterGates.REFUSE and escalation.is_sound("afterGates"):
        escalation.problem(
            "afterGates",
            f"is {after} for a task of High consequence, whose failed answers nobody gets: "
            "write Refuse, or leave it out",
        )
    read = Escalation(
        steps_max=escalation.one("maxSteps", _STEPS, unset.steps_max),
        added_latency_max=escalation.one("maxAddedLatency", _LATENCY, unset.added_latency_max),
        after=after,
    )
    escalation.close()
    return read


def _check_gated(spec: Fields, consequence: Consequence, gates: tuple[Gate, ...]) -> None:
    if gates or not spec.is_sound("gates", "consequence"):
        return
    if consequence is Consequence.HIGH:
        spec.problem(
            "consequence",
            "is High, and no gate checks the answers: write one into gates, whatever the tier",
        )
    if spec.has("escalation"):
        spec.problem("escalation", "means nothing without gates: write them, or leave it out")


def _read_baseline(spec: Fields) -> Baseline | None:
    baseline = spec.section("baseline")
    # Every field is asked for, also where there is no baseline: what is read does not depend on it.
    required = spec.is_group("baseline")
    read = Baseline(
        measured=baseline.one("measured", DATE, None if required else ""),
        samples=baseline.one("samples", _SAMPLES, None if required else 0),
        catalogue=baseline.one("catalogue", _CATALOGUE, None if required else ""),
        pass_rates=tuple(baseline.text_map("passRates", NAME, _SHARE).items()),
        escalation_rate=baseline.one("escalationRate", _SHARE, 0),
        difficulties=baseline.all("difficulties", _SHARE),
    )
    baseline.close()
    if read.difficulties and len(read.difficulties) != BINS:
        baseline.problem(
            "difficulties", f"has {len(read.difficulties)} entries: write {BINS}, one for each bin"
        )
    return read if required else None


def _read_match(match: Fields) -> TaskMatch:
    found = TaskMatch(
        header_values=match.many("headerValues", TEXT),
        paths=match.many("paths", _PATH),
        aliases=match.many("modelAliases", TEXT),
        system_fingerprints=match.many("systemFingerprints", _FINGERPRINT),
    )
    match.close(_MATCH_LATER)
    return found
