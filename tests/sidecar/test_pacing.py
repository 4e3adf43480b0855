"""Pacing beside a workload: silent without an outlook, choosier as money runs short."""

import asyncio
from dataclasses import replace

import pytest

from farebox.core.budgets import Mode
from farebox.core.instant import DurationMs
from farebox.core.money import Nanos
from farebox.core.pacing import WEAK_ONLY, Pace
from farebox.core.policy import Policy
from farebox.core.reasons import Reason
from farebox.core.tasks import ClassifierKind, RoutingPolicy
from farebox.learn import shipped
from farebox.wire.messages import Outlook
from sidecar import pacing
from sidecar.events import MoneyHeld
from sidecar.pacing import PACE_MS, Pacing, WatchedMoney
from tests.support.desks import Desk, held
from tests.support.money import ORG, TEAM, lease_id
from tests.support.policies import ORG_POOL, TEAM_POOL, make_call, make_policy, planned

ROUTING = RoutingPolicy(classifier=ClassifierKind.MODEL)
POLICY = replace(make_policy(ORG_POOL), routing=ROUTING, scorer=shipped.weights("A"))
CALL = make_call()
PLENTY = 10**9
WINDOW_MS = 60_000
WEAK_COST = 21_000
"""What the plan of CALL expects of the tier small, n$; of the tier mid it expects 350,000."""


class Wheel:
    """A pod whose calls come every 100 ms, in a pool that lasts for a minute."""

    def __init__(self, policy: Policy = POLICY, money: int = PLENTY) -> None:
        self.policy = policy
        self.desk = Desk(org=money, team=money)
        self.clock = self.desk.clock
        self.outlooks = self.desk.leasing.outlooks
        self.pacing = Pacing(self.desk.purse, self.outlooks, self.clock)
        self.money = WatchedMoney(self.desk.cashier, self.pacing)

    def foresee(self, spent_by_then: int, *, lasts: int = WINDOW_MS, team: bool = False) -> None:
        lease = lease_id(TEAM if team else ORG)
        outlook = Outlook(lease=lease, spent_by_then=Nanos(spent_by_then), lasts=DurationMs(lasts))
        self.outlooks.hear([outlook], self.clock.boot())

    def call(self, cost: int | None = None) -> Pace | None:
        """One call; with a cost it ends at once."""
        self.clock.advance(PACE_MS)
        pace = self.pacing.pace(CALL, self.policy)
        plan = planned(CALL, self.policy)
        answer = self.money.hold_now(plan, CALL, self.policy, tried=frozenset(), cap=None)
        if cost is not None:
            self.money.settle(held(answer).hold, Nanos(cost), Reason.USAGE_REPORTED)
        return pace

    def calls(self, number: int, cost: int = WEAK_COST) -> Pace | None:
        return [self.call(cost) for _ in range(number)][-1]


def test_without_an_outlook_there_is_no_pace() -> None:
    assert Wheel().calls(5) is None


def test_an_outlook_that_is_over_paces_nothing() -> None:
    wheel = Wheel()
    wheel.foresee(0, lasts=PACE_MS)
    assert wheel.calls(2) is None


@pytest.mark.parametrize(
    "policy",
    [
        replace(POLICY, routing=replace(ROUTING, pacing=False)),
        replace(POLICY, routing=replace(ROUTING, classifier=ClassifierKind.HEURISTIC)),
        replace(POLICY, scorer=None),
        replace(POLICY, pools=(replace(ORG_POOL, mode=Mode.SHADOW),)),
    ],
    ids=["not wanted", "nothing scores", "no weights", "nothing refuses"],
)
def test_who_does_not_pace(policy: Policy) -> None:
    wheel = Wheel(policy)
    wheel.foresee(0)
    assert wheel.calls(5) is None


def test_money_for_strong_answers_to_all_is_not_paced() -> None:
    wheel = Wheel(money=10**10)
    wheel.foresee(10**10)
    assert wheel.calls(20) is None


def test_the_less_money_is_foreseen_the_choosier_it_gets() -> None:
    """What is held in this pod counts at least, so little is lent."""
    cuts = []
    for left in (120_000_000, 80_000_000, 40_000_000):
        wheel = Wheel(money=20_000_000)
        wheel.foresee(left)
        pace = wheel.calls(50)
        assert pace is not None
        cuts.append(pace.cut)
    assert cuts == sorted(cuts)
    assert len(set(cuts)) == 3


def test_when_not_even_weak_answers_can_be_paid_nothing_goes_strong() -> None:
    wheel = Wheel(money=10_000_000)
    wheel.foresee(5_000_000)
    assert wheel.calls(50) == WEAK_ONLY


def test_what_was_spent_since_the_outlook_is_gone() -> None:
    wheel = Wheel(money=100_000_000)
    wheel.foresee(100_000_000)
    before = wheel.calls(20)
    other = held(wheel.desk.now(CALL, POLICY))
    wheel.desk.cashier.settle(other.hold, Nanos(60_000_000), Reason.USAGE_REPORTED)
    after = wheel.calls(1)
    assert before is not None
    assert after is not None
    assert after.cut > before.cut


def test_of_several_pools_the_tightest_counts() -> None:
    wheel = Wheel(replace(POLICY, pools=(TEAM_POOL, ORG_POOL)), money=10_000_000)
    wheel.foresee(10**12)
    wheel.foresee(10_000_000, team=True)
    assert wheel.calls(50) == WEAK_ONLY


def test_a_pace_holds_for_a_while() -> None:
    wheel = Wheel(money=20_000_000)
    wheel.foresee(100_000_000)
    wheel.calls(20)
    before = wheel.pacing.pace(CALL, wheel.policy)
    wheel.foresee(0)
    assert wheel.pacing.pace(CALL, wheel.policy) is before
    wheel.clock.advance(PACE_MS)
    assert wheel.pacing.pace(CALL, wheel.policy) != before


def test_more_pools_than_are_remembered_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pacing, "FLOWS_MAX", 1)
    wheel = Wheel(replace(POLICY, pools=(TEAM_POOL, ORG_POOL)), money=10_000_000)
    wheel.foresee(10_000_000)
    assert wheel.calls(50) == WEAK_ONLY
    wheel.policy = POLICY
    assert wheel.calls(50) == WEAK_ONLY


def test_money_is_held_and_ended_as_without_anybody_looking_on() -> None:
    wheel, plan = Wheel(), planned(CALL, POLICY)

    async def held_later() -> MoneyHeld:
        answer = await wheel.money.hold(plan, CALL, POLICY, tried=frozenset(), cap=None)
        return held(answer)

    settled, voided, expired = [asyncio.run(held_later()).hold for _ in range(3)]
    assert wheel.money.may_send(settled)
    wheel.money.settle(settled, Nanos(7), Reason.USAGE_REPORTED)
    wheel.money.void(voided, Reason.NOTHING_SENT)
    wheel.money.expire(expired, Reason.OUTCOME_UNKNOWN)
    lease = wheel.desk.purse.lease_of(ORG)
    assert lease is not None
    assert lease.reserved == 0
    assert lease.spent == 7 + planned(CALL, POLICY).need
