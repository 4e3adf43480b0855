"""Refusals: what a caller is told when its call is not served.

The one rule: status and retry advice come from `farebox.core.reasons`, and no wait that is told is
longer than SDKs can bear; a longer one is a terminal refusal that says when the window resets. This
module must not know any provider's JSON; the dialects make the body.
"""

from dataclasses import dataclass
from typing import Final

from farebox.core.instant import DurationMs, UtcMs, format_utc
from farebox.core.money import Nanos, format_dollars
from farebox.core.reasons import REFUSALS, RETRY_AFTER_S_MAX, Reason
from farebox.core.routing import Rejected

_RETRY_AFTER_S_DEFAULT: Final = 1

_AMOUNTS: Final = ("limit", "settled", "held", "estimated")


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusalDetail:
    """Why a call is refused, with the figures of the pool that binds.

    Only the caller's own pools may be named. Amounts are None where they do not apply;
    `fits_max_tokens` is what would fit now, `retry_after` the real wait as far as it is known,
    `gate` the check that the last answer did not pass.
    """

    reason: Reason
    message: str
    pool: str = ""
    window: str = ""
    gate: str = ""
    limit: Nanos | None = None
    settled: Nanos | None = None
    held: Nanos | None = None
    estimated: Nanos | None = None
    resets_at: UtcMs | None = None
    retry_after: DurationMs | None = None
    fits_max_tokens: int | None = None
    cheaper_model: str = ""
    rejected: tuple[Rejected, ...] = ()


def plainly(reason: Reason) -> RefusalDetail:
    """A refusal that needs no figures: its message is the reason's own advice."""
    return RefusalDetail(reason=reason, message=REFUSALS[reason].advice)


def status_of(detail: RefusalDetail) -> int:
    """The HTTP status of a refusal."""
    return REFUSALS[detail.reason].status


def retry_after_s(detail: RefusalDetail) -> int | None:
    """Whole seconds, 1 to 30, after which a retry can help; None when the refusal is terminal."""
    if not REFUSALS[detail.reason].retryable:
        return None
    if detail.retry_after is None:
        return _RETRY_AFTER_S_DEFAULT
    seconds = max(1, -(-detail.retry_after // 1000))
    return seconds if seconds <= RETRY_AFTER_S_MAX else None


def headers_of(detail: RefusalDetail) -> dict[str, str]:
    """Headers that tell SDKs whether to retry, and people which pool binds."""
    wait = retry_after_s(detail)
    headers = {
        "x-farebox-reason": detail.reason.value,
        "x-should-retry": "false" if wait is None else "true",
    }
    if wait is not None:
        headers["retry-after"] = str(wait)
    if detail.pool:
        headers["x-farebox-pool"] = detail.pool
    if detail.gate:
        headers["x-farebox-gate"] = f"failed:{detail.gate}"
    return headers


def fields_of(detail: RefusalDetail) -> dict[str, object]:
    """The figures as JSON values: only what applies; amounts as decimal dollars."""
    fields: dict[str, object] = {}
    for name in ("pool", "window", "gate", "cheaper_model"):
        if text := getattr(detail, name):
            fields[name] = text
    for name in _AMOUNTS:
        amount = getattr(detail, name)
        if amount is not None:
            fields[f"{name}_usd"] = format_dollars(amount)
    if detail.resets_at is not None:
        fields["resets_at"] = format_utc(detail.resets_at)
    if detail.fits_max_tokens is not None:
        fields["fits_max_tokens"] = max(0, detail.fits_max_tokens)
    if detail.rejected:
        fields["rejected"] = [
            {"model": one.model, "reason": one.reason.value} for one in detail.rejected
        ]
    return fields
