"""What a refusal tells: status, whether to retry and when, and the figures that apply."""

import pytest

from farebox.core.instant import DurationMs, UtcMs
from farebox.core.money import Nanos
from farebox.core.reasons import REFUSALS, Reason
from farebox.core.routing import Rejected
from sidecar.refusals import (
    RefusalDetail,
    fields_of,
    headers_of,
    plainly,
    retry_after_s,
    status_of,
)

TERMINAL = [reason for reason, refusal in REFUSALS.items() if not refusal.retryable]


@pytest.mark.parametrize("reason", TERMINAL)
def test_a_terminal_refusal_never_says_when_to_retry(reason: Reason) -> None:
    detail = RefusalDetail(reason=reason, message="No.", retry_after=DurationMs(1_000))
    assert headers_of(detail) == {"x-farebox-reason": reason.value, "x-should-retry": "false"}
    assert status_of(detail) == REFUSALS[reason].status


@pytest.mark.parametrize(
    ("wait_ms", "seconds"),
    [(None, 1), (0, 1), (1, 1), (1_000, 1), (1_001, 2), (30_000, 30), (30_001, None)],
)
def test_a_wait_is_told_in_whole_seconds_up_to_thirty(
    wait_ms: int | None, seconds: int | None
) -> None:
    wait = None if wait_ms is None else DurationMs(wait_ms)
    detail = RefusalDetail(reason=Reason.HOLD_PENDING, message="Wait.", retry_after=wait)
    assert retry_after_s(detail) == seconds
    headers = headers_of(detail)
    assert headers.get("retry-after") == (None if seconds is None else str(seconds))
    assert headers["x-should-retry"] == ("false" if seconds is None else "true")


def test_the_pool_that_binds_is_named_in_a_header() -> None:
    detail = RefusalDetail(reason=Reason.POOL_EXHAUSTED, message="Spent.", pool="acme/team")
    assert headers_of(detail)["x-farebox-pool"] == "acme/team"


def test_only_the_figures_that_apply_are_told() -> None:
    assert fields_of(plainly(Reason.BAD_REQUEST)) == {}


def test_all_figures() -> None:
    detail = RefusalDetail(
        reason=Reason.POOL_EXHAUSTED,
        message="Spent.",
        pool="acme/team",
        window="Day",
        limit=Nanos(5_000_000_000),
        settled=Nanos(4_999_999_999),
        held=Nanos(0),
        estimated=Nanos(27_000),
        resets_at=UtcMs(1_793_491_200_000),
        fits_max_tokens=-1,
        cheaper_model="gpt-4o-mini",
        rejected=(Rejected(model="o1", reason=Reason.ABOVE_CEILING),),
    )
    assert fields_of(detail) == {
        "pool": "acme/team",
        "window": "Day",
        "cheaper_model": "gpt-4o-mini",
        "limit_usd": "5.000000000",
        "settled_usd": "4.999999999",
        "held_usd": "0.000000000",
        "estimated_usd": "0.000027000",
        "resets_at": "2026-11-01T00:00:00Z",
        "fits_max_tokens": 0,
        "rejected": [{"model": "o1", "reason": "above_ceiling"}],
    }


def test_without_figures_the_message_is_the_advice() -> None:
    assert plainly(Reason.UNKNOWN_ROUTE).message == REFUSALS[Reason.UNKNOWN_ROUTE].advice


def test_the_gate_that_was_not_passed_is_named() -> None:
    detail = RefusalDetail(reason=Reason.GATE_FAILED, message="No.", gate="label")
    assert headers_of(detail)["x-farebox-gate"] == "failed:label"
    assert headers_of(detail)["x-should-retry"] == "false"
    assert fields_of(detail) == {"gate": "label"}
