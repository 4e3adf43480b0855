"""A call holds in all its leases or in none, and what it held ends exactly once."""

import pytest

from farebox.core import ledger
from farebox.core.budgets import Charge, PoolUid
from farebox.core.instant import BootMs
from farebox.core.leases import Hold, HoldEvent, HoldId, HoldState, IllegalTransition, LeaseId
from farebox.core.ledger import Closed, Ended, Granted, Held, Returned, Shortfall
from farebox.core.money import ZERO, Nanos
from farebox.core.reasons import Reason
from tests.core.books import LiveBook, replay

TEAM = LeaseId(Charge(PoolUid("acme/team"), ""), 0)
ANA = LeaseId(Charge(PoolUid("acme/people"), "ana"), 0)
ONE, TWO = HoldId(1), HoldId(2)
NOW = BootMs(50)


def lent(team: int = 100, ana: int = 30, *, window_ends: int | None = None) -> LiveBook:
    live = LiveBook()
    ends = None if window_ends is None else BootMs(window_ends)
    live.apply(Granted(lease=TEAM, granted=Nanos(team), window_ends=ends))
    live.apply(Granted(lease=ANA, granted=Nanos(ana), window_ends=ends))
    return live


def hold(live: LiveBook, amount: int, hold_id: HoldId = ONE) -> Held | Shortfall:
    return ledger.hold(
        live.book, hold_id=hold_id, leases=(TEAM, ANA), amount=Nanos(amount), now=NOW
    )


def held(live: LiveBook, amount: int, hold_id: HoldId = ONE) -> LiveBook:
    record = hold(live, amount, hold_id)
    assert isinstance(record, Held)
    live.apply(record)
    return live


def figures(live: LiveBook, lease: LeaseId) -> tuple[int, int, int, int]:
    found = live.leases[lease]
    return found.granted, found.returned, found.spent, found.reserved


def test_a_hold_takes_the_same_amount_from_every_lease() -> None:
    live = held(lent(), 30)
    assert figures(live, TEAM) == (100, 0, 0, 30)
    assert figures(live, ANA) == (30, 0, 0, 30)
    assert live.holds[ONE].state is HoldState.HELD


@pytest.mark.parametrize(
    ("case", "live", "amount", "shortfall"),
    [
        (
            "one lease of two is too small",
            lent(),
            31,
            Shortfall(lease=ANA, headroom=Nanos(30), usable=True),
        ),
        (
            "the first that binds is named",
            lent(team=5),
            31,
            Shortfall(lease=TEAM, headroom=Nanos(5), usable=True),
        ),
        (
            "money held by another call is not free",
            held(lent(), 20, TWO),
            11,
            Shortfall(lease=ANA, headroom=Nanos(10), usable=True),
        ),
        (
            "no lease yet",
            LiveBook(),
            1,
            Shortfall(lease=TEAM, headroom=ZERO, usable=False),
        ),
        (
            "the window has ended",
            lent(window_ends=50),
            1,
            Shortfall(lease=TEAM, headroom=Nanos(100), usable=False),
        ),
        (
            "the controller was not heard of in time",
            LiveBook(leases=lent().leases, deadline=NOW),
            1,
            Shortfall(lease=TEAM, headroom=Nanos(100), usable=False),
        ),
    ],
)
def test_a_hold_that_one_lease_can_not_take_changes_nothing(
    case: str, live: LiveBook, amount: int, shortfall: Shortfall
) -> None:
    before = dict(live.leases)
    assert hold(live, amount) == shortfall, case
    assert live.leases == before


def test_money_may_be_held_until_the_last_millisecond() -> None:
    assert isinstance(hold(lent(window_ends=51), 1), Held)
    live = LiveBook(leases=lent().leases, deadline=BootMs(51))
    assert isinstance(hold(live, 1), Held)


def test_a_free_call_holds_nothing_but_is_held() -> None:
    live = held(lent(team=0, ana=0), 0)
    assert ONE in live.holds


@pytest.mark.parametrize(("hold_id", "amount"), [(ONE, 1), (TWO, -1)])
def test_a_hold_is_new_and_not_negative(hold_id: HoldId, amount: int) -> None:
    with pytest.raises(ValueError, match="is not a new, non-negative hold"):
        hold(held(lent(), 1), amount, hold_id)


@pytest.mark.parametrize(
    ("case", "end", "spent"),
    [
        (
            "settled below the hold: the surplus is free at once",
            lambda live: ledger.settle(
                live.book, hold_id=ONE, cost=Nanos(7), reason=Reason.USAGE_REPORTED
            ),
            7,
        ),
        (
            "settled above the hold: booked in full",
            lambda live: ledger.settle(
                live.book, hold_id=ONE, cost=Nanos(45), reason=Reason.USAGE_REPORTED
            ),
            45,
        ),
        (
            "voided: nothing is spent",
            lambda live: ledger.void(live.book, hold_id=ONE, reason=Reason.NOTHING_SENT),
            0,
        ),
        (
            "expired: all of it is spent",
            lambda live: ledger.expire(live.book, hold_id=ONE, reason=Reason.OUTCOME_UNKNOWN),
            30,
        ),
    ],
)
def test_how_a_hold_ends(case: str, end: object, spent: int) -> None:
    live = held(lent(), 30)
    assert callable(end)
    live.apply(end(live))
    assert figures(live, TEAM) == (100, 0, spent, 0), case
    assert figures(live, ANA) == (30, 0, spent, 0), case
    assert live.holds == {}
    assert live.leases[ANA].overdraft == max(0, spent - 30)


def test_a_hold_that_has_ended_is_not_ended_again() -> None:
    live = held(lent(), 30)
    live.apply(ledger.void(live.book, hold_id=ONE, reason=Reason.NOTHING_SENT))
    with pytest.raises(KeyError):
        ledger.settle(live.book, hold_id=ONE, cost=Nanos(1), reason=Reason.USAGE_REPORTED)


def test_a_hold_in_an_ended_state_does_not_change() -> None:
    live = held(lent(), 30)
    live.holds[ONE] = Hold(id=ONE, leases=(TEAM,), amount=Nanos(30), state=HoldState.VOIDED)
    with pytest.raises(IllegalTransition):
        ledger.expire(live.book, hold_id=ONE, reason=Reason.OUTCOME_UNKNOWN)
    ended = Ended(hold=ONE, event=HoldEvent.SETTLE, cost=ZERO, reason=Reason.USAGE_REPORTED)
    with pytest.raises(IllegalTransition):
        ledger.effect(live.book, ended)


def test_a_cost_below_nothing_is_a_fault() -> None:
    with pytest.raises(ValueError, match="a cost is never negative"):
        ledger.settle(
            held(lent(), 30).book, hold_id=ONE, cost=Nanos(-1), reason=Reason.USAGE_REPORTED
        )


def test_money_of_an_ended_window_is_settled_all_the_same() -> None:
    live = held(lent(window_ends=60), 30)
    late = ledger.settle(live.book, hold_id=ONE, cost=Nanos(9), reason=Reason.USAGE_REPORTED)
    live.apply(late)
    assert live.leases[TEAM].spent == 9


@pytest.mark.parametrize(
    ("case", "totals", "granted"),
    [
        ("a top-up", [100, 150], 150),
        ("told twice", [100, 100], 100),
        ("told in the wrong order", [150, 100], 150),
    ],
)
def test_grants_are_totals(case: str, totals: list[int], granted: int) -> None:
    live = LiveBook()
    for total in totals:
        live.apply(Granted(lease=TEAM, granted=Nanos(total), window_ends=None))
    assert live.leases[TEAM].granted == granted, case


@pytest.mark.parametrize(
    ("case", "keep", "returned"),
    [
        ("all that is free", 0, 70),
        ("all but what is kept", 50, 20),
        ("nothing beyond what is kept", 70, None),
        ("less free than is kept", 71, None),
    ],
)
def test_only_free_money_is_given_back(case: str, keep: int, returned: int | None) -> None:
    live = held(lent(), 30)
    record = ledger.give_back(live.leases[TEAM], keep=Nanos(keep))
    wanted = None if returned is None else Returned(lease=TEAM, returned=Nanos(returned))
    assert record == wanted, case


def test_a_return_told_twice_or_late_counts_once() -> None:
    live = lent()
    for total in (20, 50, 20, 50):
        live.apply(Returned(lease=TEAM, returned=Nanos(total)))
    assert figures(live, TEAM) == (100, 50, 0, 0)


def test_a_lease_in_overdraft_gives_nothing_back() -> None:
    live = held(lent(), 30)
    live.apply(ledger.settle(live.book, hold_id=ONE, cost=Nanos(99), reason=Reason.USAGE_REPORTED))
    assert ledger.give_back(live.leases[ANA], keep=ZERO) is None


@pytest.mark.parametrize(
    ("case", "live", "finished"),
    [
        ("its window runs", lent(window_ends=51), False),
        ("its window is over", lent(window_ends=50), True),
        ("its window never ends", lent(), False),
        ("a call still holds", held(lent(window_ends=51), 1), False),
    ],
)
def test_when_a_lease_can_be_closed(case: str, live: LiveBook, finished: bool) -> None:
    now = BootMs(51) if live.holds else NOW
    assert ledger.is_finished(live.leases[TEAM], now=now) is finished, case


def test_a_closed_lease_is_forgotten_even_twice() -> None:
    live = lent()
    live.apply(Closed(lease=TEAM))
    live.apply(Closed(lease=TEAM))
    assert set(live.leases) == {ANA}


def test_a_record_of_an_unknown_lease_is_a_fault() -> None:
    with pytest.raises(KeyError):
        LiveBook().apply(Returned(lease=TEAM, returned=Nanos(1)))
    with pytest.raises(KeyError):
        LiveBook().apply(Held(hold=ONE, leases=(TEAM,), amount=Nanos(1)))


def test_the_journal_tells_the_same_story() -> None:
    live = held(held(lent(), 10), 5, TWO)
    live.apply(ledger.settle(live.book, hold_id=ONE, cost=Nanos(8), reason=Reason.USAGE_REPORTED))
    told = replay(live.records)
    assert (told.leases, told.holds) == (live.leases, live.holds)
    assert ledger.total_held(told.holds.values()) == 5


def test_only_holds_under_way_are_money_held() -> None:
    ended = Hold(id=TWO, leases=(TEAM,), amount=Nanos(9), state=HoldState.EXPIRED)
    assert ledger.total_held([Hold(id=ONE, leases=(TEAM,), amount=Nanos(4)), ended]) == 4


# Pools that do not refuse, and windows that have not begun.


def test_an_unchecked_lease_takes_the_amount_whatever_it_has() -> None:
    live = lent(team=100, ana=5)
    decided = ledger.hold(
        live.book, hold_id=ONE, leases=(TEAM,), amount=Nanos(30), now=NOW, unchecked=(ANA,)
    )
    assert isinstance(decided, Held)
    assert decided.headroom == 100, "that of the leases that were checked"
    live.apply(decided)
    assert (figures(live, TEAM), figures(live, ANA)) == ((100, 0, 0, 30), (5, 0, 0, 30))
    assert (live.leases[ANA].headroom, live.leases[ANA].overdraft) == (0, 25)
    live.apply(ledger.settle(live.book, hold_id=ONE, cost=Nanos(12), reason=Reason.USAGE_REPORTED))
    assert (figures(live, TEAM), figures(live, ANA)) == ((100, 0, 12, 0), (5, 0, 12, 0))


def test_the_headroom_told_is_the_least_and_never_below_nothing() -> None:
    overdrawn = held(lent(team=100, ana=30), 20)
    overdrawn.apply(
        ledger.settle(overdrawn.book, hold_id=ONE, cost=Nanos(90), reason=Reason.USAGE_REPORTED)
    )
    free = hold(overdrawn, 0, TWO)
    assert isinstance(free, Held), "a call that costs nothing is held on an overdrawn lease too"
    assert free.headroom == 0
    plain = hold(lent(team=100, ana=30), 7)
    assert isinstance(plain, Held)
    assert plain.headroom == 30


@pytest.mark.parametrize(("now", "begun"), [(79, False), (80, True)])
def test_money_of_a_window_that_has_not_begun_is_not_held(now: int, begun: bool) -> None:
    live = LiveBook()
    live.apply(Granted(lease=TEAM, granted=Nanos(100), window_ends=BootMs(500), starts=BootMs(80)))
    decided = ledger.hold(live.book, hold_id=ONE, leases=(TEAM,), amount=Nanos(1), now=BootMs(now))
    assert isinstance(decided, Held) is begun
    assert live.leases[TEAM].open_at(BootMs(now)) is begun
    assert not live.leases[TEAM].open_at(BootMs(500))


@pytest.mark.parametrize(
    ("case", "starts", "expected"),
    [
        ("told twice", [80, 80], 80),
        ("a later message was on its way for longer", [80, 95], 80),
        ("an earlier one was faster", [95, 80], 80),
        ("it has begun by now", [80, None], None),
        ("what has begun goes on", [None, 80], None),
    ],
)
def test_a_window_begins_at_the_earliest_that_was_told(
    case: str, starts: list[int | None], expected: int | None
) -> None:
    live = LiveBook()
    for told in starts:
        at = None if told is None else BootMs(told)
        live.apply(Granted(lease=TEAM, granted=Nanos(100), window_ends=None, starts=at))
    assert live.leases[TEAM].starts == expected, case
