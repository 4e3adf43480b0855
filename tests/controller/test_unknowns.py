"""Money that the ledger does not know: what a known pod is believed."""

from typing import Any

import pytest

from controller.brought import BROUGHT_MAX
from controller.unknowns import AHEAD_MS_MAX
from farebox.core.budgets import Charge, Per, PoolUid
from farebox.core.leases import LeaseId
from farebox.core.windows import LIFETIME
from farebox.wire.messages import LeaseClosed, Welcome
from tests.support.scenes import (
    FOREVER,
    HOURLY,
    MINUTE,
    ORG,
    START,
    TEN_MINUTES,
    Scene,
    has,
    pool,
)

DAY = 86_400_000


def believed(at: Scene, lease: LeaseId, *, uid: str = "1") -> bool:
    sidecar = at.connect("a", has(lease, granted=10, spent=5), uid=uid)
    assert sidecar.got_one(Welcome).accepted
    known = lease in at.engine.world.holders["a"].leases
    assert [one.lease for one in sidecar.got(LeaseClosed)] == ([] if known else [lease])
    assert any("not believed" in warning for warning in at.warnings) is not known
    return known


@pytest.mark.parametrize("window", [MINUTE, TEN_MINUTES])
@pytest.mark.parametrize(
    ("ahead", "is_believed"),
    [(0, True), (60_000, True), (AHEAD_MS_MAX, True), (AHEAD_MS_MAX + 60_000, False), (DAY, False)],
)
def test_a_window_may_be_about_to_begin(window: Any, ahead: int, is_believed: bool) -> None:
    at = Scene(pool(window=window))
    assert believed(at, LeaseId(ORG, START + ahead)) is is_believed
    if not is_believed:
        assert at.engine.world.cells == {}
        assert "nothing is lent so long before a window begins" in at.warnings[-1]


@pytest.mark.parametrize(
    ("back", "is_believed"),
    [(60_000, True), (DAY, True), (DAY + 60_000, False), (400 * DAY, False)],
)
def test_a_window_that_is_forgotten_is_not_remembered(back: int, is_believed: bool) -> None:
    at = Scene(pool(window=MINUTE))
    assert believed(at, LeaseId(ORG, START - back)) is is_believed
    if not is_believed:
        assert "its window is long over" in at.warnings[-1]


def test_a_pool_that_is_gone_has_no_windows_ahead_either() -> None:
    gone = Charge(PoolUid("acme/gone"), "")
    assert believed(Scene(pool()), LeaseId(gone, START))
    assert believed(Scene(pool()), LeaseId(gone, 7))
    assert not believed(Scene(pool()), LeaseId(gone, START + DAY))


@pytest.mark.parametrize("window", [LIFETIME, HOURLY])
def test_leases_without_an_end_have_numbers_and_no_time(window: Any) -> None:
    at = Scene(pool(window=window))
    sidecar = at.connect("a", has(LeaseId(ORG, 3), granted=10, spent=10), uid="1")
    assert sidecar.got_one(Welcome).accepted
    assert at.warnings == [] or "not believed" not in at.warnings[-1]


@pytest.mark.parametrize("ahead", [DAY, 400 * DAY])
def test_whoever_says_himself_who_he_is_is_believed(ahead: int) -> None:
    assert believed(Scene(pool(window=MINUTE)), LeaseId(ORG, START + ahead), uid="")


def of_users(first: int, count: int) -> list[LeaseId]:
    users = PoolUid("acme/people")
    return [LeaseId(Charge(users, f"u{number}"), 0) for number in range(first, first + count)]


def test_a_pod_brings_only_so_many_whatever_it_calls_itself() -> None:
    at = Scene(pool("people", per=Per.USER), pool())
    told = [has(lease, granted=1, spent=1) for lease in of_users(0, BROUGHT_MAX + 10)]
    sidecar = at.connect("a", *told, uid="1")
    assert len(at.engine.world.holders["a"].leases) == BROUGHT_MAX
    assert len(sidecar.got(LeaseClosed)) == 10
    assert "reports 10 leases that nobody can have lent it" in at.warnings[-1]
    assert "one pod may not bring so many" in at.warnings[-1]

    written = len(at.writes)
    more = [has(lease, granted=1, spent=1) for lease in of_users(BROUGHT_MAX + 10, 10)]
    at.connect("b", *more, uid="1")
    assert len(at.writes) == written + 1, "the holder, and nothing else"
    honest = at.connect("c", has(FOREVER, granted=5, spent=1), uid="2")
    assert honest.got_one(Welcome).accepted
    assert at.entry("c").granted == 5

    at.pass_time(at.terms.forget_after)
    at.connect("b", *more, uid="1")
    assert len(at.engine.world.holders["b"].leases) == 10


def test_what_is_told_without_any_money_is_not_counted() -> None:
    at = Scene(pool("people", per=Per.USER))
    empty = [has(lease) for lease in of_users(0, BROUGHT_MAX)]
    at.connect("a", *empty, has(of_users(9_999, 1)[0], granted=1), uid="1")
    assert len(at.engine.world.holders["a"].leases) == 1
