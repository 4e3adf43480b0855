"""The virtual ledger: windows as the controller has them, and no window above its limit."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from farebox.after.virtual import VirtualLedger
from farebox.core.budgets import Charge, Mode, Override, Pool
from farebox.core.instant import DurationMs, UtcMs
from farebox.core.money import Nanos
from farebox.core.windows import WindowSpec, WindowType
from tests.support.policies import make_pool
from tests.support.scenes import MINUTE, START

LIMIT = Nanos(1_000)
SLIDING = WindowSpec(type=WindowType.SLIDING, period=DurationMs(60_000))
BUCKET = WindowSpec(type=WindowType.TOKEN_BUCKET, period=DurationMs(60_000))


def make(window: WindowSpec, **changes: object) -> tuple[VirtualLedger, Charge]:
    pool: Pool = replace(make_pool("org", "1"), limit=LIMIT, window=window, **changes)  # type: ignore[arg-type]  # fields of Pool
    return VirtualLedger([pool]), Charge(pool.uid, "")


def test_a_fixed_window_begins_anew() -> None:
    ledger, org = make(MINUTE)
    held = ledger.hold([org], Nanos(900), START)
    assert ledger.room([org], START) == 100
    ledger.settle(held, Nanos(300), UtcMs(START + 10))
    assert ledger.room([org], UtcMs(START + 10)) == 700
    assert ledger.room([org], UtcMs(START + 60_000)) == 1_000


def test_money_that_is_held_over_the_end_stays_in_its_window() -> None:
    ledger, org = make(MINUTE)
    held = ledger.hold([org], Nanos(900), UtcMs(START + 59_999))
    ledger.settle(held, Nanos(800), UtcMs(START + 60_500))
    assert ledger.room([org], UtcMs(START + 60_500)) == 1_000


def test_a_sliding_window_gives_money_back_a_period_later() -> None:
    ledger, org = make(SLIDING)
    held = ledger.hold([org], Nanos(900), START)
    ledger.settle(held, Nanos(900), START)
    assert ledger.room([org], UtcMs(START + 60_000)) == 100
    assert ledger.room([org], UtcMs(START + 61_000)) == 1_000


def test_a_bucket_fills_up_with_time_and_never_over() -> None:
    ledger, org = make(BUCKET)
    held = ledger.hold([org], Nanos(1_000), START)
    assert ledger.room([org], UtcMs(START + 30_000)) == 0
    ledger.settle(held, Nanos(1_000), UtcMs(START + 30_000))
    assert ledger.room([org], UtcMs(START + 60_000)) == 500
    assert ledger.settled(org, UtcMs(START + 60_000)) == 500
    assert ledger.room([org], UtcMs(START + 900_000)) == 1_000


def test_what_costs_more_than_was_held_is_an_overdraft() -> None:
    for window in (MINUTE, SLIDING, BUCKET):
        ledger, org = make(window)
        held = ledger.hold([org], Nanos(900), START)
        ledger.settle(held, Nanos(1_200), START)
        assert ledger.room([org], START) == 0
        assert ledger.short([org], Nanos(0), START) == [org]


def test_a_pool_in_shadow_mode_refuses_nothing() -> None:
    for window in (MINUTE, BUCKET):
        ledger, org = make(window, mode=Mode.SHADOW)
        ledger.settle(ledger.hold([org], Nanos(5_000), START), Nanos(5_000), START)
        assert ledger.room([org], START) is None
        assert ledger.short([org], Nanos(5_000), START) == []


def test_a_raised_limit_holds_while_it_lasts() -> None:
    override = Override(limit=Nanos(3_000), until=UtcMs(START + 10))
    ledger, org = make(MINUTE, override=override)
    assert ledger.room([org], START) == ledger.limit(org, START) == 3_000
    assert ledger.room([org], UtcMs(START + 10)) == 1_000


def test_what_does_not_fit_is_not_held() -> None:
    ledger, org = make(MINUTE)
    with pytest.raises(ValueError, match="do not fit"):
        ledger.hold([org], Nanos(1_001), START)
    assert ledger.next_change([org], START) == START + 60_000


steps = st.lists(st.tuples(st.integers(0, 20_000), st.integers(0, 700)), max_size=60)


@pytest.mark.parametrize("window", [MINUTE, SLIDING, BUCKET])
@given(said=steps)
@settings(deadline=None)
def test_no_window_is_ever_above_its_limit(window: WindowSpec, said: list[tuple[int, int]]) -> None:
    ledger, org = make(window)
    now, spent = START, list[tuple[int, int]]()
    for gap, amount in said:
        now = UtcMs(now + gap)
        if not ledger.short([org], Nanos(amount), now):
            ledger.settle(ledger.hold([org], Nanos(amount), now), Nanos(amount), now)
            spent.append((now, amount))
    for at, _ in spent:
        if window is MINUTE:
            most, ends = LIMIT, at - at % 60_000 + 60_000
        else:
            # What a bucket holds and what flows in meanwhile; a sliding window has no more.
            most, ends = Nanos(2 * LIMIT if window is BUCKET else LIMIT), at + 60_000
        assert sum(amount for when, amount in spent if at <= when < ends) <= most
