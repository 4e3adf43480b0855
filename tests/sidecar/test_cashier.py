"""Finding the money for a call: at once, after a wait, smaller, cheaper, or not at all."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from farebox.core.budgets import OnExhausted, Per, Pool
from farebox.core.money import Nanos
from farebox.core.reasons import Reason
from tests.support.clocks import LoopClock
from tests.support.desks import CALL, NEED, POLICY, WAIT, Desk, held, refusal, until_waiting
from tests.support.money import ORG, TEAM
from tests.support.policies import (
    MID,
    ORG_POOL,
    SMALL,
    TEAM_POOL,
    make_call,
    make_policy,
    make_pool,
    planned,
    without_downgrade,
)
from tests.support.tasks import beside

HARD_CALL = make_call(identity=replace(CALL.identity, task="rag"))
HARD_NEED = planned(HARD_CALL, POLICY).need


def test_money_that_is_there_is_held_at_once_in_every_pool(tmp_path: Path) -> None:
    desk = Desk(tmp_path, org=2 * NEED, team=NEED)
    answer = held(desk.now())
    assert answer.route.candidate.model == SMALL
    assert answer.route.hold == NEED
    assert answer.headroom == NEED
    assert desk.purse.room((ORG,), desk.clock.boot()).money == NEED
    assert desk.purse.room((TEAM,), desk.clock.boot()).money == 0


def test_a_call_without_pools_is_held_without_a_lease(tmp_path: Path) -> None:
    policy = replace(POLICY, pools=())
    assert held(Desk(tmp_path).now(CALL, policy)).route.hold == NEED


def test_without_a_lease_only_the_controller_can_tell(tmp_path: Path) -> None:
    assert Desk(tmp_path).now() is None
    assert Desk(tmp_path / "b", org=NEED).now() is None


async def test_a_call_waits_for_its_lease_and_is_then_held(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    waiting = beside(desk.later())
    await until_waiting(desk, ORG)
    await until_waiting(desk, TEAM)
    assert desk.wakes == 1
    assert {want.charge for want in desk.leasing.report(desk.clock.boot()).wants} == {ORG, TEAM}
    desk.grant(ORG, NEED)
    desk.grant(TEAM, NEED)
    assert held(await waiting).route.hold == NEED
    assert not desk.leasing.waiting


async def test_money_that_another_call_frees_goes_to_the_one_that_waits(tmp_path: Path) -> None:
    desk = Desk(tmp_path, org=NEED, team=NEED)
    first = held(desk.now())
    waiting = beside(desk.later())
    await until_waiting(desk, ORG)
    desk.cashier.void(first.hold, Reason.PROVIDER_REFUSED)
    assert held(await waiting).route.reason is Reason.CHEAPEST_SUFFICIENT


async def test_those_who_wait_are_served_in_their_order(tmp_path: Path) -> None:
    desk = Desk(tmp_path, team=9 * NEED)
    served: list[int] = []

    async def call(number: int) -> None:
        held(await desk.later())
        served.append(number)

    tasks = []
    for number in range(3):
        tasks.append(beside(call(number)))
        await until_waiting(desk, ORG, number + 1)
    for total in (1, 2, 3):
        desk.grant(ORG, total * NEED)
        for _ in range(20):
            await asyncio.sleep(0)
    await asyncio.gather(*tasks)
    assert served == [0, 1, 2]


async def test_when_the_pool_is_exhausted_the_answer_gets_smaller(tmp_path: Path) -> None:
    desk = Desk(tmp_path, org=NEED - 20_000, team=NEED)
    waiting = beside(desk.later())
    await until_waiting(desk, ORG)
    desk.deny(ORG, Reason.POOL_EXHAUSTED)
    answer = held(await waiting)
    assert answer.route.reason is Reason.OUTPUT_LOWERED
    assert 16 <= answer.route.output_asked < 100
    assert answer.route.hold <= NEED - 20_000


async def test_then_a_lower_tier_serves_where_the_pool_allows_it(tmp_path: Path) -> None:
    desk = Desk(tmp_path, org=NEED, team=HARD_NEED)
    waiting = beside(desk.later(HARD_CALL))
    await until_waiting(desk, ORG)
    desk.deny(ORG, Reason.POOL_EXHAUSTED)
    answer = held(await waiting)
    assert answer.route.candidate.model == SMALL
    assert answer.route.reason is Reason.TIER_LOWERED


async def test_else_it_is_refused_with_the_figures_of_the_pool_that_binds(tmp_path: Path) -> None:
    policy = make_policy(TEAM_POOL, without_downgrade(ORG_POOL))
    desk = Desk(tmp_path, org=NEED, team=HARD_NEED)
    waiting = beside(desk.later(HARD_CALL, policy))
    await until_waiting(desk, ORG)
    desk.deny(ORG, Reason.POOL_EXHAUSTED)
    detail = refusal(await waiting).detail
    assert detail.reason is Reason.POOL_EXHAUSTED
    assert (detail.pool, detail.window) == ("acme/org", "Lifetime")
    assert (detail.settled, detail.held) == (4_900_000_000, 100_000_000)
    assert detail.estimated == HARD_NEED
    assert detail.cheaper_model == SMALL.name
    why = {one.model: one.reason for one in detail.rejected}
    assert why[MID.name] is Reason.DOES_NOT_FIT
    assert why[SMALL.name] is Reason.DIFFICULTY_TOO_HIGH, "and no pool may lower the tier"
    assert desk.purse.room((ORG,), desk.clock.boot()).money == NEED, "nothing is held"


async def test_a_fresh_denial_answers_the_next_call_without_asking(tmp_path: Path) -> None:
    policy = make_policy(without_downgrade(TEAM_POOL), without_downgrade(ORG_POOL))
    desk = Desk(tmp_path, team=NEED)
    desk.deny(ORG, Reason.POOL_EXHAUSTED)
    assert refusal(desk.now(CALL, policy)).detail.reason is Reason.POOL_EXHAUSTED
    desk.clock.advance(1_500)
    assert desk.now(CALL, policy) is None, "an old denial is asked about again"


async def test_money_on_its_way_is_waited_for_and_then_called_pending(tmp_path: Path) -> None:
    desk, clock = Desk(tmp_path, team=NEED), LoopClock()
    waiting = beside(desk.later())
    await until_waiting(desk, ORG)
    desk.deny(ORG, Reason.HOLD_PENDING)
    clock.advance(WAIT)
    detail = refusal(await waiting).detail
    assert detail.reason is Reason.HOLD_PENDING
    assert detail.retry_after == 700
    assert not desk.leasing.waiting


async def test_without_a_controller_the_budget_cannot_be_verified(tmp_path: Path) -> None:
    desk, clock = Desk(tmp_path), LoopClock()
    desk.leasing.disconnected()
    waiting = beside(desk.later())
    await until_waiting(desk, ORG)
    clock.advance(WAIT)
    detail = refusal(await waiting).detail
    assert detail.reason is Reason.BUDGET_UNVERIFIABLE


async def test_money_that_was_lent_is_spent_while_the_controller_is_away(tmp_path: Path) -> None:
    desk = Desk(tmp_path, org=NEED, team=NEED)
    desk.leasing.disconnected()
    held(desk.now())


def test_one_call_may_not_exceed_its_own_cap(tmp_path: Path) -> None:
    desk = Desk(tmp_path, org=9 * NEED, team=9 * NEED)
    smaller = held(desk.now(cap=Nanos(NEED - 20_000)))
    assert smaller.route.reason is Reason.OUTPUT_LOWERED
    detail = refusal(desk.now(cap=Nanos(1_000))).detail
    assert detail.reason is Reason.REQUEST_TOO_LARGE
    assert "x-farebox-max-cost" in detail.message
    assert detail.limit == 1_000


@pytest.mark.parametrize("on_exhausted", [(OnExhausted.REJECT,), tuple(OnExhausted)])
def test_a_request_pool_caps_every_call_and_is_named(
    tmp_path: Path, on_exhausted: tuple[OnExhausted, ...]
) -> None:
    capping: Pool = make_pool("each", "0.000001", per=Per.REQUEST, on_exhausted=on_exhausted)
    policy = make_policy(capping, TEAM_POOL, ORG_POOL)
    desk = Desk(tmp_path, org=9 * HARD_NEED, team=9 * HARD_NEED)
    detail = refusal(desk.now(HARD_CALL, policy, cap=capping.limit)).detail
    assert detail.reason is Reason.REQUEST_TOO_LARGE
    assert detail.pool == "acme/each"


def test_a_model_that_failed_is_not_tried_again(tmp_path: Path) -> None:
    desk = Desk(tmp_path, org=10**10, team=10**10)
    answer = held(desk.now(tried=frozenset({SMALL.name})))
    assert answer.route.candidate.model == MID
    assert answer.route.reason is Reason.FAILED_OVER
    everything = frozenset({"gpt-4o-mini", "gpt-4o", "o1"})
    refusal(desk.now(tried=everything))


async def test_a_call_that_is_cancelled_waits_no_more(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    waiting = beside(desk.later())
    await until_waiting(desk, ORG)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert not desk.leasing.waiting
    desk.grant(ORG, NEED)


async def test_a_call_whose_hold_can_not_be_written_down_is_refused() -> None:
    desk = Desk(org=9 * NEED, team=9 * NEED)
    first = held(desk.now())
    desk.disk.room = 5
    answers = [refusal(desk.now()), refusal(await desk.later())]
    assert {answer.detail.reason for answer in answers} == {Reason.JOURNAL_UNWRITABLE}
    desk.cashier.settle(first.hold, Nanos(1), Reason.USAGE_REPORTED)
    assert desk.purse.room((ORG,), desk.clock.boot()).money == 8 * NEED, "it is not written yet"
    desk.disk.room = None
    held(desk.now())
    assert desk.purse.room((ORG,), desk.clock.boot()).money == 8 * NEED - 1


async def test_a_call_that_waits_when_the_next_window_begins_is_served_then() -> None:
    desk = Desk(team=NEED)
    desk.grant(ORG, NEED, window=2, starts_in=5)
    waiting = beside(desk.later())
    await until_waiting(desk, ORG)
    desk.clock.advance(5)
    assert held(await waiting).route.hold == NEED
