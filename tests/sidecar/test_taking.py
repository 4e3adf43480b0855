"""Pools that never refuse: they are booked all the same, and it is said that they would have."""

from dataclasses import replace
from pathlib import Path

import pytest

from farebox.core.budgets import Mode, WhenDisconnected
from farebox.core.instant import BootMs
from farebox.core.money import Nanos
from farebox.core.reasons import Reason
from tests.support.desks import CALL, NEED, TTL, Desk, held, refusal
from tests.support.money import ORG, TEAM
from tests.support.policies import ORG_POOL, TEAM_POOL, make_policy

SHADOW = make_policy(TEAM_POOL, replace(ORG_POOL, mode=Mode.SHADOW))
TIGHT = make_policy(TEAM_POOL, replace(ORG_POOL, mode=Mode.SHADOW, limit=Nanos(NEED)))
ALLOW = make_policy(TEAM_POOL, replace(ORG_POOL, when_disconnected=WhenDisconnected.ALLOW))
LENIENT = make_policy(*(replace(pool, mode=Mode.SHADOW) for pool in (TEAM_POOL, ORG_POOL)))


def spent_or_held(desk: Desk) -> int:
    lease = desk.purse.lease_of(ORG)
    assert lease is not None
    return lease.spent + lease.reserved


def test_a_shadow_pool_with_money_is_held_like_any_other() -> None:
    desk = Desk(org=9 * NEED, team=9 * NEED)
    answer = held(desk.now(CALL, SHADOW))
    assert (answer.shadow, answer.headroom) == ((), 9 * NEED)
    assert spent_or_held(desk) == NEED


def test_a_shadow_pool_never_refuses_but_says_that_it_was_denied() -> None:
    desk = Desk(org=5, team=9 * NEED)
    desk.deny(ORG, Reason.POOL_EXHAUSTED)
    answer = held(desk.now(CALL, SHADOW))
    assert answer.shadow == ("acme/org",)
    assert answer.headroom == 9 * NEED, "that of the pools that may refuse"
    assert spent_or_held(desk) == NEED, "booked beyond what was lent"
    desk.cashier.settle(answer.hold, Nanos(7), Reason.USAGE_REPORTED)
    assert spent_or_held(desk) == 7


def test_a_shadow_pool_says_what_this_pod_has_spent_beyond_its_limit() -> None:
    desk = Desk(org=9 * NEED, team=9 * NEED)
    assert [held(desk.now(CALL, TIGHT)).shadow for _ in range(2)] == [(), ("acme/org",)]


def test_a_shadow_lease_on_its_way_is_no_refusal_and_is_asked_for() -> None:
    desk = Desk(team=9 * NEED)
    answer = held(desk.now(CALL, SHADOW))
    assert answer.shadow == ()
    assert desk.wakes
    assert ORG in {want.charge for want in desk.leasing.report(desk.clock.boot()).wants}
    assert desk.purse.charges_held(answer.hold) == (TEAM,), "there is no lease to book it on"


def test_the_other_pools_of_the_call_refuse_as_ever() -> None:
    desk = Desk(org=0, team=5)
    assert desk.now(CALL, SHADOW) is None
    desk.deny(TEAM, Reason.POOL_EXHAUSTED)
    detail = refusal(desk.now(CALL, SHADOW)).detail
    assert (detail.pool, detail.reason) == ("acme/team", Reason.POOL_EXHAUSTED)


@pytest.mark.parametrize("away", ["no stream", "not heard of for a time to live"])
def test_a_pool_that_allows_it_lets_calls_pass_while_the_controller_is_away(away: str) -> None:
    desk = Desk(org=5, team=9 * NEED, deadline=BootMs(0))
    assert desk.now(CALL, ALLOW) is None, "not while the controller is there"
    if away == "no stream":
        desk.leasing.disconnected()
        answer = held(desk.now(CALL, ALLOW))
        assert (answer.unverified, answer.shadow) == (("acme/org",), ())
        assert spent_or_held(desk) == NEED
        assert desk.cashier.may_send(answer.hold)
    else:
        desk.clock.advance(TTL)
        assert desk.now(CALL, ALLOW) is None, "the team's pool does not allow it"


def test_when_all_pools_are_lenient_a_call_needs_no_controller_at_all() -> None:
    desk = Desk(deadline=BootMs(0))
    desk.leasing.disconnected()
    desk.clock.advance(TTL)
    answer = held(desk.now(CALL, LENIENT))
    assert answer.shadow == ("acme/team", "acme/org")
    assert answer.headroom is None
    assert desk.cashier.may_send(answer.hold)


def test_money_that_is_there_is_spent_before_anything_passes_unverified(tmp_path: Path) -> None:
    desk = Desk(tmp_path, org=NEED, team=9 * NEED)
    desk.leasing.disconnected()
    assert [held(desk.now(CALL, ALLOW)).unverified for _ in range(2)] == [(), ("acme/org",)]
    assert spent_or_held(desk) == 2 * NEED
