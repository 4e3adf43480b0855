"""Which (sub-)pools a call draws on, and which of them may refuse."""

from dataclasses import replace

import pytest

from farebox.core.budgets import (
    Charge,
    Keys,
    Mode,
    Per,
    Priority,
    Reserve,
    WhenDisconnected,
    with_reserves,
)
from farebox.core.call import Identity
from farebox.core.instant import DurationMs
from sidecar import draws
from sidecar.draws import DEFER_MS_DEFAULT, Draws, draw_of
from tests.support.policies import ORG_POOL, PEOPLE_POOL, TEAM_POOL, make_policy, make_pool

ANA = Identity(keys=Keys(user="ana"))
BEN = Identity(keys=Keys(user="ben"))


def test_a_call_draws_on_its_own_sub_pool_and_on_all_above() -> None:
    draw = draw_of(make_policy(PEOPLE_POOL, TEAM_POOL, ORG_POOL), ANA)
    assert [charge.key for charge in draw.charges] == ["ana", "", ""]
    assert draw.pools == (PEOPLE_POOL, TEAM_POOL, ORG_POOL)
    assert (draw.enforced, draw.strict, draw.lenient) == (draw.charges, draw.charges, False)


def test_a_reserve_is_kept_free_by_normal_calls_only() -> None:
    reserved = replace(ORG_POOL, reserve=Reserve(percent=20))
    pools = with_reserves({reserved.uid: reserved})
    policy = make_policy(pools[next(uid for uid in pools if uid != reserved.uid)], reserved)
    high = replace(ANA, priority=Priority.HIGH)
    assert [c.pool for c in draw_of(policy, ANA).charges] == ["acme/org#normal", "acme/org"]
    assert [c.pool for c in draw_of(policy, high).charges] == ["acme/org"]


@pytest.mark.parametrize(
    ("mode", "when", "binding", "binding_away"),
    [
        (Mode.ENFORCE, WhenDisconnected.SPEND_LEASE, True, True),
        (Mode.ENFORCE, WhenDisconnected.ALLOW, True, False),
        (Mode.SHADOW, WhenDisconnected.SPEND_LEASE, False, False),
    ],
)
def test_who_may_refuse(
    mode: Mode, when: WhenDisconnected, binding: bool, binding_away: bool
) -> None:
    pool = replace(TEAM_POOL, mode=mode, when_disconnected=when)
    draw = draw_of(make_policy(pool, ORG_POOL), ANA)
    team, org = draw.charges
    assert draw.binding(away=False) == ((team, org) if binding else (org,))
    assert draw.binding(away=True) == ((team, org) if binding_away else (org,))
    assert draw.lenient != (binding and binding_away)


def test_the_shortest_time_in_line_counts() -> None:
    patient = replace(ORG_POOL, defer_for=DurationMs(9_000))
    hasty = replace(TEAM_POOL, defer_for=DurationMs(4_000))
    assert draw_of(make_policy(hasty, patient), ANA).defer_for == 4_000
    assert draw_of(make_policy(TEAM_POOL, ORG_POOL), ANA).defer_for == DEFER_MS_DEFAULT


def test_what_is_remembered_belongs_to_one_policy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(draws, "REMEMBERED_MAX", 2)
    remembered = Draws()
    first, second = make_policy(PEOPLE_POOL), make_policy(make_pool("new", "1.00", per=Per.USER))
    assert remembered.of(first, ANA) is remembered.of(first, ANA)
    assert remembered.of(second, ANA).charges == (Charge(second.pools[0].uid, "ana"),)
    for name in "abcdef":
        caller = Identity(keys=Keys(user=name))
        assert remembered.of(second, caller).charges[0].key == name
    assert len(remembered._known) <= 2
    assert remembered.of(second, BEN).charges[0].key == "ben"
