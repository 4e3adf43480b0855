"""What the real `openai` client makes of each refusal: which exception, and how often it tries."""

from pathlib import Path

import openai
import pytest

from farebox.core.money import Nanos
from farebox.core.reasons import Reason
from farebox.simulated.ledger import read_entries
from sidecar.refusals import RefusalDetail, plainly
from tests.support.planes import RETRIES, ask, policy_at, running, simulated
from tests.support.tills import Till


@pytest.mark.parametrize(
    ("reason", "status", "requests"),
    [
        (Reason.POOL_EXHAUSTED, 402, 1),
        (Reason.REQUEST_TOO_LARGE, 413, 1),
        (Reason.CONTEXT_EXCEEDED, 422, 1),
        (Reason.UNPRICED_MODEL, 422, 1),
        (Reason.PROVIDER_UNREACHABLE, 502, 1),
        (Reason.HOLD_PENDING, 429, 1 + RETRIES),
        (Reason.BUDGET_UNVERIFIABLE, 503, 1 + RETRIES),
    ],
)
async def test_how_often_a_client_sends_a_call_that_is_refused(
    tmp_path: Path, reason: Reason, status: int, requests: int
) -> None:
    till = Till()
    till.refusal = plainly(reason)
    async with running(tmp_path, policy_at("http://127.0.0.1:9/v1"), till=till) as run:
        with pytest.raises(openai.APIStatusError) as caught:
            await ask(run)
        assert caught.value.status_code == status
        assert caught.value.code == reason.value
        assert len(run.plane.receipts.last(10)) == requests


async def test_a_wait_too_long_to_be_told_is_a_terminal_refusal(tmp_path: Path) -> None:
    till = Till()
    till.refusal = RefusalDetail(
        reason=Reason.HOLD_PENDING,
        message="Later.",
        retry_after=31_000,  # type: ignore[arg-type]  # milliseconds
    )
    async with running(tmp_path, policy_at("http://127.0.0.1:9/v1"), till=till) as run:
        with pytest.raises(openai.RateLimitError):
            await ask(run)
        assert len(run.plane.receipts.last(10)) == 1


async def test_an_empty_till_refuses_with_the_figures(tmp_path: Path) -> None:
    async with (
        simulated(tmp_path) as provider,
        running(tmp_path, policy_at(provider.base_url), till=Till(Nanos(10))) as run,
    ):
        with pytest.raises(openai.APIStatusError) as caught:
            await ask(run)
        body = caught.value.body
        assert isinstance(body, dict)
        assert (body["pool"], body["fits_max_tokens"]) == ("acme/till", 0)
        assert caught.value.response.headers["x-farebox-pool"] == "acme/till"
        assert not read_entries(provider.ledger_path)
