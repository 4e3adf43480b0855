"""Conditions as Kubernetes has them, and the one that every kind has: Ready.

The one rule: `lastTransitionTime` is when `status` last became another, so it is carried over from
what stood there before, whoever wrote that. Pure: this module must not know the API server, or what
a pool's money is doing.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from farebox.core.instant import UtcMs, format_utc
from farebox.core.watching import Status
from farebox.manifests.resources import Problem, ResourceId, Value

READY: Final = "Ready"
MESSAGE_CHARACTERS_MAX: Final = 1_024
PROBLEMS_TOLD_MAX: Final = 4
"""A message names so many problems; `/v1/problems` of the controller has them all."""

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A resource as the API server has it, and what became of it.

    `generation`, `version` (metadata.resourceVersion), `spec` and `status` are the API server's.
    `in_force`: the generation of the version in force, None without one; `value` is that version.
    `problems`: what is wrong with the resource.
    """

    id: ResourceId
    uid: str
    generation: int
    version: str
    in_force: int | None
    value: Value | None = None
    problems: tuple[Problem, ...] = ()
    spec: Json = field(default_factory=dict)
    status: Json = field(default_factory=dict)

    @property
    def is_judged(self) -> bool:
        """Whether it was read and either taken into force or found to have a problem."""
        return self.in_force == self.generation or bool(self.problems)


class Found(NamedTuple):
    """A question answered. `reason` is one word for programs, `message` a sentence for people."""

    type: str
    status: Status
    reason: str
    message: str


def conditions(
    found: Iterable[Found], *, before: Json, generation: int, now: UtcMs
) -> list[dict[str, Any]]:
    """The list `status.conditions`; `before` is the status that stands there."""
    stood = conditions_of(before)
    return [_condition(one, stood.get(one.type, {}), generation, now) for one in found]


def conditions_of(status: Json) -> dict[str, Json]:
    """The conditions of a status by type; whatever is no condition is left out."""
    listed = status.get("conditions")
    rows = listed if isinstance(listed, list) else []
    return {str(row["type"]): row for row in rows if isinstance(row, Mapping) and "type" in row}


def ready(seen: Seen) -> Found:
    """Whether the latest version is in force and fits beside the others."""
    if not seen.problems and seen.in_force == seen.generation:
        return Found(READY, Status.TRUE, "InForce", "this version is in force")
    told = told_problems(seen.problems)
    if seen.in_force is None:
        return Found(READY, Status.FALSE, "Refused", sentence(told, "no version of it is in force"))
    if seen.in_force == seen.generation:
        lasts = "it stays in force as long as this controller runs"
        return Found(READY, Status.FALSE, "Unfit", sentence(told, lasts))
    stays = f"generation {seen.in_force} stays in force"
    return Found(READY, Status.FALSE, "Refused", sentence(told, stays))


def told_problems(problems: Sequence[Problem]) -> str:
    """Problems of one resource in one text, each with its field first."""
    told = [
        ": ".join(part for part in (problem.field, problem.message) if part)
        for problem in problems[:PROBLEMS_TOLD_MAX]
    ]
    more = len(problems) - len(told)
    return "; ".join([*told, f"and {more} more"] if more > 0 else told)


def sentence(*parts: str) -> str:
    """Parts that are not empty in one text, cut to what a condition may say."""
    whole = "; ".join(part for part in parts if part)
    if len(whole) <= MESSAGE_CHARACTERS_MAX:
        return whole
    return whole[: MESSAGE_CHARACTERS_MAX - 1] + "…"


def _condition(found: Found, stood: Json, generation: int, now: UtcMs) -> dict[str, Any]:
    since = stood.get("lastTransitionTime") if stood.get("status") == found.status else None
    return {
        "type": found.type,
        "status": str(found.status),
        "reason": found.reason,
        "message": found.message,
        "lastTransitionTime": since if isinstance(since, str) else format_utc(now),
        "observedGeneration": generation,
    }
