"""The closed list of reasons: why a call was routed, refused or stopped as it was.

The one rule: every decision that a person may ask about carries exactly one member of `Reason`, and
every refusal takes its HTTP status from `REFUSALS`. Headers, receipts, metrics and docs read this
file; it must not know how a reason came about.
"""

import enum
from dataclasses import dataclass
from typing import Final


class Reason(enum.StrEnum):
    """Why something was decided. The values are stable: they are on the wire and in dashboards."""

    # Why a call went where it went.
    TASK_TAGGED = "task_tagged"
    TASK_MATCHED = "task_matched"
    HEURISTIC_MATCHED = "heuristic_matched"
    MODEL_SCORED = "model_scored"
    MODEL_UNSURE = "model_unsure"
    MODEL_MISSING = "model_missing"
    SHAPE_MATCHED = "shape_matched"
    PACED = "paced"
    NOTHING_MATCHED = "nothing_matched"
    MODEL_PINNED = "model_pinned"
    CHEAPEST_SUFFICIENT = "cheapest_sufficient"
    OUTPUT_LOWERED = "output_lowered"
    TIER_LOWERED = "tier_lowered"
    FAILED_OVER = "failed_over"
    CASCADE_FIRST = "cascade_first"
    ESCALATED = "escalated"
    GATES_PASSED = "gates_passed"
    SHADOW_MODE = "shadow_mode"

    # Why a candidate was not taken.
    DIFFICULTY_TOO_HIGH = "difficulty_too_high"
    ABOVE_CEILING = "above_ceiling"
    BELOW_FLOOR = "below_floor"
    BELOW_MIN_TIER = "below_min_tier"
    RESIDENCY_MISSING = "residency_missing"
    CAPABILITY_MISSING = "capability_missing"
    CONTEXT_TOO_LONG = "context_too_long"
    OUTPUT_TOO_LONG = "output_too_long"
    DOES_NOT_FIT = "does_not_fit"
    TRIED_ALREADY = "tried_already"
    COSTS_MORE = "costs_more"

    # Why a call was refused.
    POOL_EXHAUSTED = "pool_exhausted"
    HOLD_PENDING = "hold_pending"
    DEFERRED_TOO_LONG = "deferred_too_long"
    WAITING_LINE_FULL = "waiting_line_full"
    REQUEST_TOO_LARGE = "request_too_large"
    CONTEXT_EXCEEDED = "context_exceeded"
    BUDGET_UNVERIFIABLE = "budget_unverifiable"
    JOURNAL_UNWRITABLE = "journal_unwritable"
    UNPRICED_MODEL = "unpriced_model"
    BAD_REQUEST = "bad_request"
    BODY_TOO_LARGE = "body_too_large"
    UNKNOWN_ROUTE = "unknown_route"
    UNKNOWN_TIER = "unknown_tier"
    NO_CANDIDATE = "no_candidate"
    TOO_MANY_CALLS = "too_many_calls"
    PROVIDER_UNREACHABLE = "provider_unreachable"
    PROVIDER_SILENT = "provider_silent"
    GATE_FAILED = "gate_failed"

    # How an attempt's money ended.
    USAGE_REPORTED = "usage_reported"
    USAGE_COUNTED = "usage_counted"
    NOTHING_SENT = "nothing_sent"
    PROVIDER_REFUSED = "provider_refused"
    OUTCOME_UNKNOWN = "outcome_unknown"
    HOLDER_RESTARTED = "holder_restarted"
    CUT_AT_HOLD = "cut_at_hold"


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """How a reason is told to the caller: HTTP status, whether a retry can help, what to do."""

    status: int
    retryable: bool
    advice: str


REFUSALS: Final[dict[Reason, Refusal]] = {
    Reason.POOL_EXHAUSTED: Refusal(
        status=402,
        retryable=False,
        advice="The pool is spent until its window ends; wait for resets_at or raise its limit.",
    ),
    Reason.HOLD_PENDING: Refusal(
        status=429,
        retryable=True,
        advice="Money is held by calls under way or on its way to this pod; retry shortly.",
    ),
    Reason.DEFERRED_TOO_LONG: Refusal(
        status=429,
        retryable=True,
        advice="The call has waited for money as long as its pool says (deferFor); retry later.",
    ),
    Reason.WAITING_LINE_FULL: Refusal(
        status=429,
        retryable=True,
        advice="As many calls as may already wait for this pool's money; retry later.",
    ),
    Reason.REQUEST_TOO_LARGE: Refusal(
        status=413,
        retryable=False,
        advice="This call can never fit the limit; lower max_tokens or shorten the prompt.",
    ),
    Reason.CONTEXT_EXCEEDED: Refusal(
        status=422,
        retryable=False,
        advice="No model that may serve this call takes so much text; shorten the prompt.",
    ),
    Reason.BUDGET_UNVERIFIABLE: Refusal(
        status=503,
        retryable=True,
        advice="The budget can't be verified now: no lease here, and the controller is away.",
    ),
    Reason.JOURNAL_UNWRITABLE: Refusal(
        status=503,
        retryable=True,
        advice="The sidecar can't write down what it holds; make room where FAREBOX_JOURNAL is.",
    ),
    Reason.UNPRICED_MODEL: Refusal(
        status=422,
        retryable=False,
        advice="The model has no price; name one that a tier lists, or give it a price there.",
    ),
    Reason.BAD_REQUEST: Refusal(
        status=400,
        retryable=False,
        advice="The body is not a request of this API; see the message.",
    ),
    Reason.BODY_TOO_LARGE: Refusal(
        status=413,
        retryable=False,
        advice="The body is larger than this sidecar accepts (FAREBOX_BODY_BYTES_MAX).",
    ),
    Reason.UNKNOWN_ROUTE: Refusal(
        status=404,
        retryable=False,
        advice="No provider and API are served at this path; use /openai/v1/chat/completions.",
    ),
    Reason.UNKNOWN_TIER: Refusal(
        status=400,
        retryable=False,
        advice="The call asks for a lowest tier that does not exist; see x-farebox-min-tier.",
    ),
    Reason.NO_CANDIDATE: Refusal(
        status=422,
        retryable=False,
        advice="No model of any tier can serve this call; see the rejected candidates.",
    ),
    Reason.TOO_MANY_CALLS: Refusal(
        status=429,
        retryable=True,
        advice="This sidecar serves as many calls as it may (FAREBOX_CALLS_MAX); retry shortly.",
    ),
    Reason.PROVIDER_UNREACHABLE: Refusal(
        status=502,
        retryable=False,
        advice="No provider could be reached for this call; every attempt is in the receipt.",
    ),
    Reason.PROVIDER_SILENT: Refusal(
        status=504,
        retryable=False,
        advice="The provider took the call and did not answer in time; its money counts as spent.",
    ),
    Reason.GATE_FAILED: Refusal(
        status=502,
        retryable=False,
        advice="No answer passed the task's gates; what the answers cost is in the receipt.",
    ),
}
"""Only 402 and the 4xx family without `retryable` are terminal: SDKs send such a call once."""

RETRY_AFTER_S_MAX: Final = 30
"""No Retry-After is longer: several SDKs sleep for whatever they are told."""
