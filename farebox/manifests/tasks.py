"""Reads a `TaskProfile`.

The one rule: everything here is what one team wrote of one task; whether its tiers exist is a
matter of `links`. This module must not know tiers or money.
"""

from typing import Final

from farebox.core.classify import FINGERPRINT_CHARS
from farebox.core.tasks import Consequence, TaskMatch, TaskProfile
from farebox.manifests.fields import Fields
from farebox.manifests.resources import ResourceId
from farebox.manifests.scalars import NAME, TEXT, TOKENS_MAX, choice, text, whole

_PATH: Final = text(
    r"/[A-Za-z0-9._~:/%-]*", 'a path below the provider, for example "/v1/chat/completions"'
)
_FINGERPRINT: Final = text(
    rf"[0-9a-f]{{{FINGERPRINT_CHARS}}}",
    f"the first {FINGERPRINT_CHARS} hexadecimal digits of the SHA-256 of the system prompt",
)
_CONSEQUENCE: Final = choice(Consequence)
_TOKENS: Final = whole(0, TOKENS_MAX)

_LATER: Final = {
    "gates": "leave it out, answers are not checked",
    "escalation": 'leave it out, or write a higher "floorTier"',
    "baseline": "leave it out",
}
_MATCH_LATER: Final = {
    "header": 'write "headerValues"; which header it is stands in RoutingPolicy '
    "spec.identity.taskHeader",
}


def read_task(spec: Fields, resource: ResourceId) -> TaskProfile:
    """Read the spec of a task."""
    task = TaskProfile(
        name=resource.name,
        match=_read_match(spec.section("match")),
        default_tier=spec.one("defaultTier", NAME),
        floor_tier=spec.one("floorTier", NAME, ""),
        ceiling_tier=spec.one("ceilingTier", NAME, ""),
        consequence=spec.one("consequence", _CONSEQUENCE, Consequence.LOW),
        expected_output_tokens=spec.one("expectedOutputTokens", _TOKENS, 0),
        output_tokens_min=spec.one("minOutputTokens", _TOKENS, 0),
    )
    spec.close(_LATER)
    return task


def _read_match(match: Fields) -> TaskMatch:
    found = TaskMatch(
        header_values=match.many("headerValues", TEXT),
        paths=match.many("paths", _PATH),
        aliases=match.many("modelAliases", TEXT),
        system_fingerprints=match.many("systemFingerprints", _FINGERPRINT),
    )
    match.close(_MATCH_LATER)
    return found
