"""Records of a provider's ledger for tests of the judge, in amounts that are easy to add up."""

from bench.cap_scenario import PoolPlan
from farebox.simulated.ledger import Entry

PICO_PER_NANO = 1_000


def billed(nanos: int, *, at_ms: int = 1_000, user: str = "ana", pico: int = 0) -> Entry:
    """One billed call of so many nano-dollars, and some pico-dollars."""
    return Entry(
        seq=1,
        request_id="req",
        received_at_ms=at_ms,
        billed_at_ms=at_ms + 500,
        model="gpt-4o-mini",
        user=user,
        key_tail=None,
        metadata=None,
        input_tokens=1,
        cached_tokens=0,
        output_tokens=1,
        stream=False,
        fault=None,
        billed_pico=nanos * PICO_PER_NANO + pico,
        max_tokens_asked=None,
    )


def pool(
    name: str, limit_nanos: int, *, period_ms: int | None = None, per_user: bool = False
) -> PoolPlan:
    """A pool of a scenario."""
    return PoolPlan(
        name=name,
        limit_nanos=limit_nanos,
        calls_worth=1,
        period_ms=period_ms,
        per_user=per_user,
    )
