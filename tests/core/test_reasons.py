"""Every refusal is told to the caller in a way that SDKs understand: once, or again shortly."""

import pytest

from farebox.core.reasons import REFUSALS, RETRY_AFTER_S_MAX, Reason, Refusal

SDK_RETRIES = {408, 409, 429} | set(range(500, 600))
"""What the official OpenAI SDK sends again unless `x-should-retry` says otherwise."""


def test_reasons_have_stable_lower_case_values() -> None:
    assert all(reason.value == reason.name.lower() for reason in Reason)


@pytest.mark.parametrize(
    ("reason", "status", "retryable"),
    [
        (Reason.POOL_EXHAUSTED, 402, False),
        (Reason.HOLD_PENDING, 429, True),
        (Reason.REQUEST_TOO_LARGE, 413, False),
        (Reason.CONTEXT_EXCEEDED, 422, False),
        (Reason.DEFERRED_TOO_LONG, 429, True),
        (Reason.WAITING_LINE_FULL, 429, True),
        (Reason.BUDGET_UNVERIFIABLE, 503, True),
        (Reason.JOURNAL_UNWRITABLE, 503, True),
        (Reason.UNPRICED_MODEL, 422, False),
        (Reason.NO_CANDIDATE, 422, False),
    ],
)
def test_refusals_for_money_have_the_status_of_the_design(
    reason: Reason, status: int, retryable: bool
) -> None:
    assert (REFUSALS[reason].status, REFUSALS[reason].retryable) == (status, retryable)


@pytest.mark.parametrize("refusal", REFUSALS.values(), ids=list(REFUSALS))
def test_a_refusal_that_may_be_retried_has_a_status_that_is(refusal: Refusal) -> None:
    assert 400 <= refusal.status < 600
    assert not refusal.retryable or refusal.status in SDK_RETRIES


@pytest.mark.parametrize("refusal", REFUSALS.values(), ids=list(REFUSALS))
def test_a_refusal_says_what_to_do_in_a_sentence(refusal: Refusal) -> None:
    assert refusal.advice[0].isupper()
    assert refusal.advice.endswith((".", ")."))
    assert len(refusal.advice) <= 120


def test_no_wait_is_so_long_that_an_sdk_hangs() -> None:
    assert RETRY_AFTER_S_MAX == 30
