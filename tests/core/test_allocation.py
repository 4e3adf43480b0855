"""No grant exceeds what remains, nobody starves, and a denial says what is true."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farebox.core.allocation import (
    SHARE_DIVISOR,
    SHRINKS_MAX,
    SHRINKS_PART,
    Account,
    Decision,
    Demand,
    PoolState,
    Shrink,
    allocate,
    sums_of,
)
from farebox.core.money import Nanos
from farebox.core.reasons import Reason


def account(
    granted: int = 0,
    returned: int = 0,
    spent: int = 0,
    reserved: int = 0,
    *,
    frozen: bool = False,
    recalled: bool = False,
) -> Account:
    return Account(
        granted=Nanos(granted),
        returned=Nanos(returned),
        spent=Nanos(spent),
        reserved=Nanos(reserved),
        frozen=frozen,
        recalled=recalled,
    )


def pool(limit: int, closed_spent: int = 0, **accounts: Account) -> PoolState:
    return PoolState(limit=Nanos(limit), closed_spent=Nanos(closed_spent), accounts=accounts)


def demand(want: int, need: int = 0, least: int = 0, holder: str = "me") -> Demand:
    return Demand(holder=holder, want=Nanos(want), need=Nanos(need), least=Nanos(least))


def granted(amount: int) -> Decision:
    return Decision(grant=Nanos(amount))


def leveled(amount: int, **shrinks: int) -> Decision:
    asked = tuple(Shrink(holder=who, amount=Nanos(much)) for who, much in shrinks.items())
    return Decision(grant=Nanos(amount), shrinks=asked)


def denied(reason: Reason, **shrinks: int) -> Decision:
    asked = tuple(Shrink(holder=who, amount=Nanos(much)) for who, much in shrinks.items())
    return Decision(shrinks=asked, denial=reason)


@pytest.mark.parametrize(
    ("case", "found", "figures"),
    [
        ("nothing lent", account(), (0, 0, 0)),
        ("lent and free", account(10), (10, 10, 0)),
        ("some of each", account(10, 1, 2, 3), (9, 4, 0)),
        ("overdrawn: it has cost more than was lent", account(10, spent=15), (15, 0, 0)),
        ("overdrawn by what is still held", account(10, spent=9, reserved=6), (15, 0, 0)),
        ("silent: its free money can't be had", account(10, spent=4, frozen=True), (10, 0, 6)),
        ("silent and overdrawn", account(10, spent=12, frozen=True), (12, 0, 0)),
    ],
)
def test_what_an_account_is_worth(case: str, found: Account, figures: tuple[int, int, int]) -> None:
    assert (found.committed, found.idle, found.lost) == figures, case


def test_a_pool_adds_up_closed_and_open_leases() -> None:
    found = pool(100, 20, one=account(30, 5, 10, 2), two=account(10, spent=15))
    assert (found.committed, found.settled, found.remaining) == (60, 45, 40)


def test_nothing_remains_of_a_pool_whose_limit_was_lowered_below_what_is_lent() -> None:
    assert pool(10, one=account(30)).remaining == 0


@pytest.mark.parametrize(
    ("case", "found", "asked", "decision"),
    [
        ("the first holder gets a share", pool(1_000), demand(1_000), granted(500)),
        ("but no more than it wants", pool(1_000), demand(100), granted(100)),
        ("and all that one call needs", pool(1_000), demand(900, need=900), granted(900)),
        ("even more than it said it wants", pool(1_000), demand(10, need=20), granted(20)),
        (
            "holders share what is free, lent or not",
            pool(1_000, one=account(200)),
            demand(1_000),
            granted(1_000 // (2 * SHARE_DIVISOR)),
        ),
        (
            "what one has free is part of its share",
            pool(1_000, me=account(100), one=account(200)),
            demand(1_000),
            granted(1_000 // (2 * SHARE_DIVISOR) - 100),
        ),
        (
            "who uses more of a pool gets more of it",
            pool(1_600, me=account(600, spent=600), one=account(200, spent=200)),
            demand(1_000),
            granted(800 * (50 + 600) // ((100 + 800) * SHARE_DIVISOR)),
        ),
        (
            "who has more than its share is asked for the rest of another's",
            pool(1_000, one=account(1_000), two=account(0)),
            demand(100),
            leveled(0, one=125),
        ),
        (
            "nobody waits for that: what remains is shared at once",
            pool(1_000, one=account(880)),
            demand(200, need=70),
            leveled(70, one=125),
        ),
        (
            "only who has more than its share is asked",
            pool(1_000, one=account(800, spent=650), two=account(180, spent=20)),
            demand(100),
            leveled(3, two=41),
        ),
        ("the last money goes to who needs it", pool(10), demand(99, need=10), granted(10)),
        (
            "money for a smaller call is better than none",
            pool(10),
            demand(50, need=20, least=5),
            granted(10),
        ),
        (
            "others give back what they don't use",
            pool(100, a=account(60), b=account(40, spent=30)),
            demand(40, need=40, least=40),
            denied(Reason.HOLD_PENDING, a=50),
        ),
        (
            "as many are asked as it takes",
            pool(100, a=account(60), b=account(40)),
            demand(80, need=80, least=80),
            denied(Reason.HOLD_PENDING, a=60, b=40),
        ),
        (
            "what is asked back need not serve the whole call",
            pool(100, a=account(100, spent=90)),
            demand(50, need=50, least=8),
            denied(Reason.HOLD_PENDING, a=10),
        ),
        (
            "nobody is asked twice",
            pool(100, a=account(100, recalled=True)),
            demand(50, need=50),
            denied(Reason.HOLD_PENDING),
        ),
        (
            "whoever was asked and fell silent holds nobody up",
            pool(100, a=account(50, frozen=True, recalled=True), b=account(50)),
            demand(40, need=40, least=40),
            denied(Reason.HOLD_PENDING, b=50),
        ),
        (
            "after a lowered limit enough is asked for to come below it",
            pool(50, a=account(100)),
            demand(10, need=10, least=10),
            denied(Reason.HOLD_PENDING, a=75),
        ),
        (
            "money in calls under way may come back",
            pool(100, a=account(100, spent=60, reserved=40)),
            demand(40, need=40, least=40),
            denied(Reason.HOLD_PENDING),
        ),
        (
            "money that is spent does not",
            pool(100, a=account(100, spent=61, reserved=39)),
            demand(40, need=40, least=40),
            denied(Reason.POOL_EXHAUSTED),
        ),
        (
            "nor does that of a holder that fell silent",
            pool(100, a=account(100, frozen=True)),
            demand(40, need=40, least=40),
            denied(Reason.POOL_EXHAUSTED),
        ),
        (
            "one's own free money does not come back twice",
            pool(100, me=account(100, spent=40)),
            demand(40, need=40, least=40),
            denied(Reason.POOL_EXHAUSTED),
        ),
        (
            "one's own held money does",
            pool(100, me=account(100, spent=40, reserved=60)),
            demand(40, need=40, least=40),
            denied(Reason.HOLD_PENDING),
        ),
        (
            "closed windows' leases count",
            pool(100, 70),
            demand(40, need=40, least=31),
            denied(Reason.POOL_EXHAUSTED),
        ),
        (
            "what no window can hold never fits",
            pool(100, a=account(100, spent=100)),
            demand(101, need=101, least=101),
            denied(Reason.REQUEST_TOO_LARGE),
        ),
        (
            "nor with what the holder has already",
            pool(100, me=account(50)),
            demand(60, need=60, least=60),
            denied(Reason.REQUEST_TOO_LARGE),
        ),
        (
            "a pool without a limit to lend",
            pool(0),
            demand(1, 1, 1),
            denied(Reason.REQUEST_TOO_LARGE),
        ),
        ("a wish without a need is no reason to deny", pool(0), demand(5), granted(0)),
    ],
)
def test_a_decision(case: str, found: PoolState, asked: Demand, decision: Decision) -> None:
    assert allocate(found, asked) == decision, case


amounts = st.integers(0, 1_000)


@st.composite
def accounts(draw: st.DrawFn) -> Account:
    lent = draw(amounts)
    back = draw(st.integers(0, lent))
    return account(
        lent,
        back,
        draw(st.integers(0, lent - back + 50)),
        draw(st.integers(0, lent - back)),
        frozen=draw(st.booleans()),
        recalled=draw(st.booleans()),
    )


pools = st.builds(
    PoolState,
    limit=amounts.map(Nanos),
    closed_spent=st.integers(0, 200).map(Nanos),
    accounts=st.dictionaries(st.sampled_from("abcdefghijkl"), accounts()),
)


@st.composite
def demands(draw: st.DrawFn) -> Demand:
    need = draw(amounts)
    # Who lacks something for its smallest call says so; who lacks nothing does not ask.
    return demand(
        draw(amounts), need, draw(st.integers(min(1, need), need)), draw(st.sampled_from("abxy"))
    )


@given(pools, demands())
def test_a_grant_never_exceeds_what_remains_nor_what_is_asked(
    found: PoolState, asked: Demand
) -> None:
    decision = allocate(found, asked)
    assert 0 <= decision.grant <= found.remaining
    assert decision.grant <= max(asked.want, asked.need)


@given(pools, demands())
def test_a_demand_is_met_or_denied_and_never_both(found: PoolState, asked: Demand) -> None:
    decision = allocate(found, asked)
    if decision.denial is None:
        assert decision.grant >= min(asked.need, max(asked.least, 1))
    else:
        assert decision.grant == 0
        assert found.remaining < asked.need


def test_of_many_holders_more_are_asked_at_a_time() -> None:
    many = {f"holder-{number:03}": account(1) for number in range(20 * SHRINKS_PART)}
    found = PoolState(limit=Nanos(len(many)), accounts=many)
    needy = demand(200, need=200, least=200)
    assert len(allocate(found, needy).shrinks) == 20
    few = PoolState(limit=Nanos(100), accounts=dict(list(many.items())[:100]))
    assert len(allocate(few, demand(50, need=50, least=50)).shrinks) == SHRINKS_MAX


@given(st.lists(accounts()), st.none() | accounts(), st.none() | accounts())
def test_sums_are_kept_as_accounts_change(
    others: list[Account], before: Account | None, after: Account | None
) -> None:
    kept = sums_of([*others, *([before] if before else [])]).exchanged(before, after)
    assert kept == sums_of([*others, *([after] if after else [])])


@given(pools, demands())
def test_only_free_money_of_others_is_asked_back_once_each(found: PoolState, asked: Demand) -> None:
    shrinks = allocate(found, asked).shrinks
    assert len(shrinks) <= SHRINKS_MAX
    assert len({one.holder for one in shrinks}) == len(shrinks)
    for one in shrinks:
        assert one.holder != asked.holder
        assert 0 < one.amount <= found.accounts[one.holder].idle


@given(pools, demands())
def test_nothing_is_called_exhausted_while_enough_could_come_back(
    found: PoolState, asked: Demand
) -> None:
    """At best all living holders give back all that they have not spent, held money included."""
    if allocate(found, asked).denial is not Reason.POOL_EXHAUSTED:
        return
    at_best = {
        name: one if one.frozen else account(one.spent, spent=one.spent)
        for name, one in found.accounts.items()
    }
    own = found.accounts.get(asked.holder, account())
    assert found.limit - replace(found, accounts=at_best).committed - own.idle < asked.least


@given(pools, demands())
def test_what_never_fits_is_more_than_the_whole_limit(found: PoolState, asked: Demand) -> None:
    if allocate(found, asked).denial is Reason.REQUEST_TOO_LARGE:
        own = found.accounts.get(asked.holder, account())
        assert asked.least + own.idle > found.limit


@given(pools, demands())
def test_nobody_starves_while_others_give_back_what_they_are_asked_for(
    found: PoolState, asked: Demand
) -> None:
    """With no call under way, asking back leads to a grant or to a final answer."""
    quiet = {
        name: replace(one, reserved=Nanos(0), recalled=False)
        for name, one in found.accounts.items()
    }
    found = replace(found, accounts=quiet)
    for _ in range(len(quiet) + 1):
        decision = allocate(found, asked)
        if decision.denial is not Reason.HOLD_PENDING:
            return
        given_back = {
            one.holder: replace(
                quiet[one.holder], returned=Nanos(quiet[one.holder].returned + one.amount)
            )
            for one in decision.shrinks
        }
        quiet = {**quiet, **given_back}
        found = replace(found, accounts=quiet)
    raise AssertionError(f"{asked} still waits after everybody was asked: {found}")
