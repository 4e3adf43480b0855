"""Calls that wait in line: in turn, for a bounded time, and without a trace when they go."""

import asyncio
from dataclasses import replace

import pytest

from farebox.core.budgets import Keys, OnExhausted
from farebox.core.call import Call, Identity, Priority
from farebox.core.instant import DurationMs
from farebox.core.money import Nanos
from farebox.core.policy import Policy
from farebox.core.reasons import Reason
from sidecar import deferral, waiting_line
from sidecar.events import MoneyHeld, MoneyRefused
from sidecar.refusals import retry_after_s
from tests.support.clocks import LoopClock
from tests.support.desks import CALL, NEED, Desk, held, refusal, until_waiting
from tests.support.money import ORG, TEAM
from tests.support.policies import (
    MID,
    ORG_POOL,
    SMALL,
    TEAM_POOL,
    make_call,
    make_policy,
    planned,
)
from tests.support.tasks import beside

DOWNGRADE, DEFER, REJECT = OnExhausted.DOWNGRADE, OnExhausted.DEFER, OnExhausted.REJECT
LONG = DurationMs(60_000)


def deferring(*options: OnExhausted) -> Policy:
    """A policy whose organisation has these options; its team has all of them."""
    org = replace(ORG_POOL, on_exhausted=options, defer_for=LONG)
    team = replace(TEAM_POOL, on_exhausted=(DOWNGRADE, DEFER, REJECT))
    return make_policy(team, org)


PATIENT = deferring(DEFER, REJECT)
ANA, BEN = (
    make_call(identity=Identity(keys=Keys(user=user), task="classification"))
    for user in ("ana", "ben")
)
HARD = make_call(identity=replace(CALL.identity, task="rag"))
HARD_NEED = planned(HARD, PATIENT).need
URGENT = make_call(identity=replace(CALL.identity, priority=Priority.HIGH))


async def line_of(desk: Desk, count: int) -> None:
    """Let the loop run until so many calls wait in line."""
    for _ in range(2_000):
        if len(desk.cashier._deferral._lines) == count:
            return
        await asyncio.sleep(0)
    raise AssertionError(f"no {count} calls in line")


async def settled() -> None:
    """Let everything that can go on go on."""
    for _ in range(50):
        await asyncio.sleep(0)


async def in_line(
    desk: Desk, call: Call = ANA, policy: Policy = PATIENT, *, place: int = 1
) -> "asyncio.Task[MoneyHeld | MoneyRefused]":
    """A call that has been denied and now waits in line."""
    task = beside(desk.later(call, policy))
    if place == 1:
        await until_waiting(desk, ORG)
        desk.deny(ORG, Reason.POOL_EXHAUSTED)
    await line_of(desk, place)
    return task


def nothing_is_left(desk: Desk) -> bool:
    """Whether no call has left anything behind."""
    cashier = desk.cashier
    return not (
        desk.leasing.waiting
        or cashier._deferral.calls
        or cashier._deferral._lines._lines
        or cashier._deferral._turns
        or cashier._sleepers
    )


async def test_a_deferred_call_is_served_when_money_comes() -> None:
    desk = Desk(team=9 * NEED)
    waiting = await in_line(desk)
    assert [want.charge for want in desk.leasing.report(desk.clock.boot()).wants] == [ORG]
    desk.grant(ORG, NEED)
    assert held(await waiting).route.hold == NEED
    assert nothing_is_left(desk)


async def test_a_deferred_call_is_served_when_another_one_frees_money() -> None:
    desk = Desk(org=NEED, team=9 * NEED)
    first = held(desk.now(ANA, PATIENT))
    waiting = await in_line(desk)
    desk.cashier.settle(first.hold, Nanos(0), Reason.USAGE_REPORTED)
    held(await waiting)
    assert nothing_is_left(desk)


async def test_a_window_that_begins_without_a_message_is_seen(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(deferral, "LOOK_MS", DurationMs(5))
    desk = Desk(team=9 * NEED)
    waiting = await in_line(desk)
    desk.grant(ORG, NEED, window=2, starts_in=1_000)
    await settled()
    assert not waiting.done()
    desk.clock.advance(1_000)
    held(await waiting)


async def test_callers_take_turns() -> None:
    desk = Desk(team=99 * NEED)
    served: list[str] = []

    async def call(name: str, one: Call) -> None:
        held(await desk.later(one, PATIENT))
        served.append(name)

    tasks = []
    for place, (name, one) in enumerate([("ana", ANA)] * 3 + [("ben", BEN)] * 2, start=1):
        tasks.append(beside(call(name, one)))
        if place == 1:
            await until_waiting(desk, ORG)
            desk.deny(ORG, Reason.POOL_EXHAUSTED)
        await line_of(desk, place)
    for total in range(1, 6):
        desk.grant(ORG, total * NEED)
        await settled()
    await asyncio.gather(*tasks)
    assert served == ["ana", "ben", "ana", "ben", "ana"]
    assert nothing_is_left(desk)


async def test_one_grant_serves_all_whom_it_is_enough_for() -> None:
    desk = Desk(team=99 * NEED)
    tasks = [await in_line(desk, ANA, place=place) for place in (1, 2, 3)]
    desk.grant(ORG, 2 * NEED)
    await settled()
    assert [task.done() for task in tasks] == [True, True, False]
    tasks[2].cancel()
    await settled()
    assert nothing_is_left(desk)


async def test_a_new_call_goes_behind_those_who_wait_unless_it_is_urgent() -> None:
    desk = Desk(team=99 * NEED)
    waiting = await in_line(desk, HARD)
    desk.grant(ORG, 2 * NEED)
    assert desk.now(BEN, PATIENT) is None, "though there is enough for it"
    later = beside(desk.later(BEN, PATIENT))
    await line_of(desk, 2)
    held(desk.now(URGENT, PATIENT))
    desk.grant(ORG, HARD_NEED + 2 * NEED)
    assert held(await waiting).route.candidate.model == MID
    held(await later)
    assert nothing_is_left(desk)


async def test_an_urgent_call_is_never_put_off() -> None:
    desk = Desk(team=9 * NEED)
    waiting = beside(desk.later(URGENT, PATIENT))
    await until_waiting(desk, ORG)
    desk.deny(ORG, Reason.POOL_EXHAUSTED)
    assert refusal(await waiting).detail.reason is Reason.POOL_EXHAUSTED
    assert nothing_is_left(desk)


@pytest.mark.parametrize(
    ("case", "options", "org", "model"),
    [
        ("a lower tier before waiting", (DOWNGRADE, DEFER, REJECT), NEED, SMALL.name),
        ("waiting before a lower tier", (DEFER, DOWNGRADE, REJECT), NEED, SMALL.name),
        ("no lower tier at all", (DEFER, REJECT), NEED, None),
        ("nothing fits, and then nothing is tried", (DOWNGRADE, REJECT, DEFER), 5, None),
    ],
)
async def test_the_pools_order_is_kept(
    case: str, options: tuple[OnExhausted, ...], org: int, model: str | None
) -> None:
    desk, clock = Desk(org=org, team=HARD_NEED), LoopClock()
    waiting = beside(desk.later(HARD, deferring(*options)))
    await until_waiting(desk, ORG)
    desk.deny(ORG, Reason.POOL_EXHAUSTED)
    await settled()
    waits = desk.cashier._deferral.calls > 0
    assert waits == (options[0] is DEFER), case
    clock.advance(LONG)
    answer = await waiting
    if model is None:
        expected = Reason.DEFERRED_TOO_LONG if waits else Reason.POOL_EXHAUSTED
        assert refusal(answer).detail.reason is expected, case
    else:
        assert held(answer).route.candidate.model.name == model, case
        assert held(answer).route.reason is Reason.TIER_LOWERED, case
    assert nothing_is_left(desk)


async def test_who_has_waited_too_long_is_told_when_to_come_again() -> None:
    desk, clock = Desk(team=9 * NEED), LoopClock()
    waiting = await in_line(desk, policy=deferring(DEFER))
    clock.advance(LONG)
    detail = refusal(await waiting).detail
    assert detail.reason is Reason.DEFERRED_TOO_LONG
    assert (detail.pool, detail.settled) == ("acme/org", 4_900_000_000)
    assert "deferFor" in detail.message
    assert retry_after_s(detail) == 1
    assert nothing_is_left(desk)


async def test_a_full_line_refuses_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting_line, "DEFERRED_PER_KEY_MAX", 1)
    desk = Desk(team=9 * NEED)
    waiting = await in_line(desk, ANA)
    detail = refusal(await desk.later(ANA, PATIENT)).detail
    assert detail.reason is Reason.WAITING_LINE_FULL
    assert retry_after_s(detail) is not None
    other = await in_line(desk, BEN, place=2)
    for task in (waiting, other):
        task.cancel()
    await settled()
    assert nothing_is_left(desk)


@pytest.mark.parametrize("first", [True, False], ids=["at the head", "behind"])
async def test_a_cancelled_call_leaves_nothing_and_passes_its_turn(first: bool) -> None:
    desk = Desk(team=99 * NEED)
    tasks = [await in_line(desk, call, place=place) for place, call in ((1, ANA), (2, BEN))]
    gone, stays = tasks if first else reversed(tasks)
    gone.cancel()
    with pytest.raises(asyncio.CancelledError):
        await gone
    desk.grant(ORG, NEED)
    held(await stays)
    assert nothing_is_left(desk)
    lease = desk.purse.lease_of(ORG)
    assert lease is not None
    assert lease.reserved == NEED


async def test_a_call_that_lacks_two_pools_waits_for_one_after_the_other() -> None:
    desk = Desk(org=5, team=5)
    waiting = beside(desk.later(ANA, PATIENT))
    await until_waiting(desk, ORG)
    desk.deny(TEAM, Reason.POOL_EXHAUSTED)
    await line_of(desk, 1)
    assert desk.cashier._deferral.any_of((TEAM,))
    desk.grant(TEAM, NEED)
    await settled()
    assert desk.cashier._deferral.any_of((ORG,))
    assert not desk.cashier._deferral.any_of((TEAM,))
    desk.grant(ORG, NEED)
    held(await waiting)
    assert nothing_is_left(desk)


async def test_a_call_that_can_never_fit_does_not_wait() -> None:
    desk = Desk(team=9 * NEED)
    waiting = await in_line(desk)
    desk.deny(ORG, Reason.REQUEST_TOO_LARGE)
    refusal(await waiting)
    assert nothing_is_left(desk)


async def test_a_full_disk_ends_the_waiting_with_its_own_reason() -> None:
    desk = Desk(team=9 * NEED)
    waiting = await in_line(desk)
    before = len(desk.disk.content)
    desk.grant(ORG, 1)
    grant_bytes = len(desk.disk.content) - before
    desk.disk.room = grant_bytes + 8
    desk.grant(ORG, NEED)
    assert refusal(await waiting).detail.reason is Reason.JOURNAL_UNWRITABLE
    assert nothing_is_left(desk)


async def test_money_freed_while_the_disk_was_full_is_there_once_it_has_room(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(deferral, "LOOK_MS", DurationMs(5))
    desk = Desk(org=NEED, team=9 * NEED)
    first = held(desk.now(ANA, PATIENT))
    waiting = await in_line(desk)
    desk.disk.room = 0
    desk.cashier.settle(first.hold, Nanos(0), Reason.USAGE_REPORTED)
    await settled()
    assert not waiting.done()
    desk.disk.room = None
    held(await waiting)
