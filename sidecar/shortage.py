"""What a shortage of money is called: from the pools that lack it to a refusal.

Only one pool is named, the one whose denial is the most final. The one rule: figures come from the
controller's own denial, never from a guess. This module must not know leases or waiting.
"""

from dataclasses import dataclass
from typing import Final

from farebox.core.budgets import Per, Pool
from farebox.core.instant import DurationMs, format_duration, format_utc
from farebox.core.money import Nanos, format_dollars
from farebox.core.reasons import REFUSALS, RETRY_AFTER_S_MAX, Reason
from farebox.core.routing import NoFit, Route
from farebox.core.windows import WindowType
from farebox.wire.messages import Denial
from sidecar.refusals import RefusalDetail

_FINALITY: Final = (
    Reason.REQUEST_TOO_LARGE,
    Reason.POOL_EXHAUSTED,
    Reason.HOLD_PENDING,
    Reason.BUDGET_UNVERIFIABLE,
)
_RETRY_MS: Final = DurationMs(1_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shortage:
    """The pools that lack money for a call, each with the controller's denial if there is one."""

    short: tuple[tuple[Pool, Denial | None], ...]
    choice: Route | NoFit
    estimated: Nanos
    connected: bool


def explain(shortage: Shortage, put_off: Reason | None = None) -> RefusalDetail:
    """The refusal of a call that its pools can't pay for.

    `put_off`: why waiting in line was no use. Such a call may be sent again, and is told when.
    """
    pool, denial = _binding(shortage)
    reason = put_off or _reason(denial, connected=shortage.connected)
    wait = denial.retry_after if denial and denial.retry_after else _RETRY_MS
    choice = shortage.choice
    return RefusalDetail(
        reason=reason,
        message=_message(reason, pool, denial, shortage.estimated),
        pool=pool.title if pool else "",
        window=window_text(pool) if pool else "",
        limit=denial.limit if denial else None,
        settled=denial.settled if denial else None,
        held=denial.held if denial else None,
        estimated=shortage.estimated,
        resets_at=denial.resets_at if denial else None,
        retry_after=wait if put_off is None else DurationMs(min(wait, RETRY_AFTER_S_MAX * 1_000)),
        fits_max_tokens=choice.fits_max_tokens if isinstance(choice, NoFit) else None,
        cheaper_model=choice.cheaper_model if isinstance(choice, NoFit) else "",
        rejected=choice.rejected,
    )


def too_large(choice: NoFit, *, cap: Nanos, pool: Pool | None) -> RefusalDetail:
    """The refusal of a call that can't fit the cap of a single call, whatever the pools have."""
    named = pool is not None and pool.limit == cap
    whose = f"pool {pool.title}" if pool is not None and named else "x-farebox-max-cost"
    return RefusalDetail(
        reason=Reason.REQUEST_TOO_LARGE,
        message=(
            f"One call may cost at most ${format_dollars(cap)} ({whose}); this one may cost "
            f"${format_dollars(choice.need)}. {REFUSALS[Reason.REQUEST_TOO_LARGE].advice}"
        ),
        pool=pool.title if pool is not None and named else "",
        window=Per.REQUEST.value,
        limit=cap,
        estimated=choice.need,
        fits_max_tokens=choice.fits_max_tokens,
        cheaper_model=choice.cheaper_model,
        rejected=choice.rejected,
    )


def window_text(pool: Pool) -> str:
    """The window of a pool in words that a manifest would use."""
    window = pool.window
    if window.type in {WindowType.LIFETIME, WindowType.TOKEN_BUCKET} or window.period is None:
        return window.type.value
    period = window.period
    text = period.value if isinstance(period, str) else format_duration(period)
    return f"{window.type.value} {text}" if window.type is WindowType.SLIDING else text


def _binding(shortage: Shortage) -> tuple[Pool | None, Denial | None]:
    ranked = sorted(
        shortage.short,
        key=lambda one: _FINALITY.index(_reason(one[1], connected=shortage.connected)),
    )
    return ranked[0] if ranked else (None, None)


def _reason(denial: Denial | None, *, connected: bool) -> Reason:
    if denial is not None and denial.reason in _FINALITY:
        return denial.reason
    return Reason.HOLD_PENDING if connected else Reason.BUDGET_UNVERIFIABLE


def _message(reason: Reason, pool: Pool | None, denial: Denial | None, estimated: Nanos) -> str:
    parts = []
    if pool is not None and denial is not None:
        until = f", resets at {format_utc(denial.resets_at)}" if denial.resets_at else ""
        parts.append(
            f"Pool {pool.title} ({window_text(pool)}): limit ${format_dollars(denial.limit)}, "
            f"settled ${format_dollars(denial.settled)}, held ${format_dollars(denial.held)}"
            f"{until}."
        )
    parts.append(f"This call may cost ${format_dollars(estimated)}.")
    parts.append(REFUSALS[reason].advice)
    return " ".join(parts)
