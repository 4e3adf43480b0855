"""What a shortage is called, and which pool is named."""

from dataclasses import replace

import pytest

from farebox.core.budgets import Per, Pool
from farebox.core.instant import DurationMs, UtcMs
from farebox.core.leases import LeaseId
from farebox.core.money import Nanos
from farebox.core.reasons import RETRY_AFTER_S_MAX, Reason
from farebox.core.routing import NoFit
from farebox.core.windows import CalendarUnit, WindowSpec, WindowType
from farebox.wire.messages import Denial
from sidecar.refusals import retry_after_s
from sidecar.shortage import Shortage, explain, too_large, window_text
from tests.support.money import ORG
from tests.support.policies import ORG_POOL, PEOPLE_POOL, TEAM_POOL, make_pool

NO_FIT = NoFit(
    need=Nanos(7_000),
    least=Nanos(900),
    fits_max_tokens=-1,
    cheaper_model="gpt-4o-mini",
    rejected=(),
)


def denied(reason: Reason, settled: int = 5) -> Denial:
    """A denial with its own figures."""
    return Denial(
        epoch=1,
        lease=LeaseId(charge=ORG, window=1),
        reason=reason,
        retry_after=DurationMs(300),
        limit=Nanos(1_000_000_000),
        settled=Nanos(settled),
        held=Nanos(6),
        remaining=Nanos(0),
        resets_at=UtcMs(1_790_000_000_000),
    )


def shortage(*short: tuple[Pool, Denial | None], connected: bool = True) -> Shortage:
    """A shortage in these pools."""
    return Shortage(short=short, choice=NO_FIT, estimated=Nanos(7_000), connected=connected)


CASES = [
    (
        "the most final denial is named",
        shortage(
            (TEAM_POOL, denied(Reason.HOLD_PENDING)), (ORG_POOL, denied(Reason.POOL_EXHAUSTED))
        ),
        (Reason.POOL_EXHAUSTED, "acme/org"),
    ),
    (
        "never fitting is more final than exhausted",
        shortage(
            (ORG_POOL, denied(Reason.POOL_EXHAUSTED)),
            (PEOPLE_POOL, denied(Reason.REQUEST_TOO_LARGE)),
        ),
        (Reason.REQUEST_TOO_LARGE, "acme/people"),
    ),
    (
        "no word of a connected controller: it is on its way",
        shortage((ORG_POOL, None)),
        (Reason.HOLD_PENDING, "acme/org"),
    ),
    (
        "no word and no controller: nobody knows",
        shortage((ORG_POOL, None), connected=False),
        (Reason.BUDGET_UNVERIFIABLE, "acme/org"),
    ),
    ("nothing is short by itself", shortage(), (Reason.HOLD_PENDING, "")),
]


@pytest.mark.parametrize(("case", "want"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
def test_one_pool_is_named(case: Shortage, want: tuple[Reason, str]) -> None:
    detail = explain(case)
    assert (detail.reason, detail.pool) == want
    assert detail.estimated == 7_000
    assert detail.cheaper_model == "gpt-4o-mini"


def test_the_message_has_the_figures_a_person_needs() -> None:
    detail = explain(shortage((ORG_POOL, denied(Reason.POOL_EXHAUSTED, settled=900_000_000))))
    assert detail.message == (
        "Pool acme/org (Lifetime): limit $1.000000000, settled $0.900000000, held $0.000000006, "
        "resets at 2026-09-21T14:13:20Z. This call may cost $0.000007000. The pool is spent until "
        "its window ends; wait for resets_at or raise its limit."
    )
    assert detail.retry_after == 300


@pytest.mark.parametrize(
    ("put_off", "says"),
    [(Reason.DEFERRED_TOO_LONG, "deferFor"), (Reason.WAITING_LINE_FULL, "already wait")],
)
def test_who_was_put_off_in_vain_is_told_so_with_the_figures(put_off: Reason, says: str) -> None:
    short = denied(Reason.POOL_EXHAUSTED, settled=900_000_000)
    detail = explain(shortage((ORG_POOL, short)), put_off)
    assert (detail.reason, detail.pool, detail.settled) == (put_off, "acme/org", 900_000_000)
    assert says in detail.message
    assert retry_after_s(detail) == 1
    late = explain(shortage((ORG_POOL, replace(short, retry_after=DurationMs(3_600_000)))), put_off)
    assert retry_after_s(late) == RETRY_AFTER_S_MAX


def test_the_cap_of_a_call_is_named_by_who_set_it() -> None:
    pool = make_pool("each", "0.01", per=Per.REQUEST)
    by_pool = too_large(NO_FIT, cap=pool.limit, pool=pool)
    by_header = too_large(NO_FIT, cap=Nanos(50), pool=pool)
    assert (by_pool.pool, by_pool.window) == ("acme/each", "Request")
    assert by_header.pool == ""
    assert "x-farebox-max-cost" in by_header.message
    assert by_header.limit == 50


@pytest.mark.parametrize(
    ("window", "want"),
    [
        (WindowSpec(type=WindowType.LIFETIME), "Lifetime"),
        (WindowSpec(type=WindowType.FIXED, period=CalendarUnit.MONTH), "Month"),
        (WindowSpec(type=WindowType.FIXED, period=DurationMs(86_400_000)), "1d"),
        (WindowSpec(type=WindowType.SLIDING, period=DurationMs(3_600_000)), "Sliding 1h"),
        (WindowSpec(type=WindowType.TOKEN_BUCKET, period=DurationMs(3_600_000)), "TokenBucket"),
    ],
)
def test_windows_in_words(window: WindowSpec, want: str) -> None:
    assert window_text(make_pool("p", "1", window=window)) == want
