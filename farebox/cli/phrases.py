"""The closed list of reasons in words, as they complete a sentence about one call.

The one rule: every reason that is no refusal stands here once; refusals have their advice beside
them in the core. This module must not know receipts.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from farebox.core.reasons import REFUSALS, Reason

CLASSIFIED: Final[Mapping[Reason, str]] = MappingProxyType(
    {
        Reason.TASK_TAGGED: "the caller said so",
        Reason.TASK_MATCHED: "the task's own rule recognised it",
        Reason.HEURISTIC_MATCHED: "words and shape of the prompt are those of that kind of call",
        Reason.MODEL_SCORED: "the small model has judged the prompt",
        Reason.MODEL_UNSURE: "the small model knows no prompts like this one: nothing is risked",
        Reason.MODEL_MISSING: "the small model has no weights here: nothing is risked",
        Reason.SHAPE_MATCHED: "the shape of the prompt alone says so",
        Reason.PACED: "the pools' money would not last otherwise, and this call gains little",
        Reason.NOTHING_MATCHED: "no rule matched: it counts as hard as the policy says for that",
    }
)
"""Why a call was taken for as hard as it was."""

ROUTED: Final[Mapping[Reason, str]] = MappingProxyType(
    {
        Reason.MODEL_PINNED: "the caller named it and the policy lets that stand",
        Reason.CHEAPEST_SUFFICIENT: "it was the cheapest that is good enough",
        Reason.OUTPUT_LOWERED: "the money left was enough for it with a shorter answer only",
        Reason.TIER_LOWERED: "the money left was enough for a lower tier only",
        Reason.FAILED_OVER: "the model before it had failed",
        Reason.CASCADE_FIRST: "gates check its answer, so that the cheapest was tried first",
        Reason.ESCALATED: "an answer before it had not passed the gates",
        Reason.GATES_PASSED: "its answer passed the gates",
        Reason.SHADOW_MODE: "the pool watches and refuses nothing",
    }
)
"""Why a model was chosen."""

REJECTED: Final[Mapping[Reason, str]] = MappingProxyType(
    {
        Reason.DIFFICULTY_TOO_HIGH: "the call is harder than its tier is good for",
        Reason.ABOVE_CEILING: "its tier is above what the task or the caller allows",
        Reason.BELOW_FLOOR: "its tier is below what the task asks for",
        Reason.BELOW_MIN_TIER: "its tier is below the one that the caller asked for",
        Reason.RESIDENCY_MISSING: "it does not promise the residency that is asked for",
        Reason.CAPABILITY_MISSING: "it can't do what the call needs (tools, images, a schema)",
        Reason.CONTEXT_TOO_LONG: "the prompt is too long for it",
        Reason.OUTPUT_TOO_LONG: "it can't write as much as is asked for",
        Reason.DOES_NOT_FIT: "its worst case did not fit the money left",
        Reason.TRIED_ALREADY: "it had been tried for this call",
        Reason.COSTS_MORE: "it costs more",
    }
)
"""Why a candidate was not taken."""

ENDED: Final[Mapping[Reason, str]] = MappingProxyType(
    {
        Reason.USAGE_REPORTED: "as the provider's own count says",
        Reason.USAGE_COUNTED: "by counting what passed, since the provider reported nothing",
        Reason.NOTHING_SENT: "since nothing was sent",
        Reason.PROVIDER_REFUSED: "since the provider refused it and bills nothing for that",
        Reason.OUTCOME_UNKNOWN: "in full, since nobody knows what became of it",
        Reason.HOLDER_RESTARTED: "in full, since the sidecar ended in the middle of it",
        Reason.CUT_AT_HOLD: "cut off where its hold ended",
    }
)
"""How an attempt's money ended."""

_ALL: Final = MappingProxyType({**CLASSIFIED, **ROUTED, **REJECTED, **ENDED})


def in_words(reason: str) -> str:
    """A reason as it completes a sentence; one of another version as it stands."""
    try:
        known = Reason(reason)
    except ValueError:
        return reason
    return _ALL[known] if known in _ALL else REFUSALS[known].advice


def why_not(reason: str) -> str:
    """Why a candidate did not serve, which for some is what would refuse the whole call."""
    if reason == Reason.GATE_FAILED:
        return "its answer did not pass the gates"
    return in_words(reason)
