"""Short runs of every policy, and of the product."""

import pytest

from bench.leases import EAGER, OURS
from bench.leases_load import Load
from bench.leases_rivals import POLICIES, Policy
from bench.leases_run import Ours, run
from farebox.core.money import NANOS_PER_DOLLAR, Nanos

SMALL = Load(sidecars=8, limit=Nanos(20 * NANOS_PER_DOLLAR), horizon_ms=600_000)
LOSING = Load(
    sidecars=8, limit=Nanos(40 * NANOS_PER_DOLLAR), horizon_ms=39_000, crash_every_ms=5_000
)


@pytest.mark.parametrize("policy", [OURS, EAGER, *POLICIES], ids=lambda policy: policy.name)
def test_a_run_ends_when_its_pool_is_spent_and_never_beyond(policy: Policy | Ours) -> None:
    tally = run(SMALL, policy, seed=1)
    assert tally.spent_out or tally.ended_ms == SMALL.horizon_ms
    assert tally.used <= tally.limit
    assert tally.refused_falsely <= tally.refused <= tally.calls
    assert tally.asks > 0


def test_the_product_refuses_nobody_before_the_end_though_little_is_left() -> None:
    tally = run(SMALL, OURS, seed=1)
    first = tally.used_at_first
    assert first is None or first * 100 >= 98 * tally.limit


def test_every_message_is_counted_from_the_first_on() -> None:
    messages = run(SMALL, OURS, seed=1).messages
    assert messages["Hello"] == messages["Welcome"] == messages["PolicyPush"] == SMALL.sidecars
    # A grant answers a report as well as an acknowledgement does.
    assert messages["Report"] >= messages["ReportAck"] > 0
    assert messages["Grant"] > 0


def test_a_seed_replays() -> None:
    assert run(SMALL, OURS, seed=2) == run(SMALL, OURS, seed=2)


@pytest.mark.parametrize("policy", [OURS, POLICIES[-1]], ids=lambda policy: policy.name)
def test_a_lost_pod_takes_what_it_was_lent(policy: Policy | Ours) -> None:
    tally = run(LOSING, policy, seed=1)
    assert tally.crashes == 7
    assert 0 < tally.stranded < tally.limit


def test_without_reclaim_money_lies_idle_while_calls_are_refused() -> None:
    fixed, reclaiming = (
        next(policy for policy in POLICIES if policy.name == name)
        for name in ("fixed $5", "fixed $5 + reclaim")
    )
    assert (
        run(SMALL, fixed, seed=1).refused_falsely > run(SMALL, reclaiming, seed=1).refused_falsely
    )
