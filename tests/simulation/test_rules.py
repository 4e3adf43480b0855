"""What the judge of the simulation knows: each of its rules sees what breaks it, and only that."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime

import pytest

from controller.store.etcd_layout import Keys
from controller.store.kv import Delete, Put
from farebox.core.budgets import Charge, Mode, Override, Pool, PoolUid, WhenDisconnected
from farebox.core.instant import UtcMs
from farebox.core.leases import LeaseId
from farebox.core.money import Nanos
from farebox.core.windows import LIFETIME, WindowSpec, WindowType
from farebox.wire.messages import Counters, Goodbye
from tests.simulation import run
from tests.simulation.bills import Bills
from tests.simulation.books import CellKept, Kept, Rules
from tests.simulation.calendars import CALENDARS, Calendar
from tests.simulation.calm import Calm, catches_up_in
from tests.simulation.changes import Change, EtcdReader, RowGone, RowIs, TotalIs
from tests.simulation.goings import Goings
from tests.simulation.limits import UNLIMITED, limits_of, sizes_of
from tests.simulation.oracle import Going, Oracle, Said, Violation
from tests.simulation.pools import resources_of
from tests.simulation.provider import Attempt
from tests.simulation.sidecars import may_pass
from tests.simulation.world import CONTROLLERS, World

ORG = Charge(PoolUid("acme/org"), "")
LEASE = LeaseId(ORG, 0)
QUIET_LIFETIME_SEED = 142
"""Without faults, one pool without an end, two controllers."""

POOL = Pool(
    uid=ORG.pool, namespace="acme", name="org", generation=1, limit=Nanos(100), window=LIFETIME
)


def make_oracle(pool: Pool = POOL) -> Oracle:
    rules = Rules()
    rules.know([pool])
    return Oracle(rules, Bills(rules, honest=True), ttl_s=3.0)


def going(limit: int = 100) -> Going:
    return Going(limits={ORG.pool: limit}, passing=frozenset(), utc_ms=0, epoch=1)


def call(cost: int, *passed: Charge, number: int = 1) -> Attempt:
    return Attempt(
        number=number,
        sidecar="pod-1",
        leases=(LEASE,),
        passed=frozenset(passed),
        worst=cost,
        cost=cost,
        sent_at=0.0,
    )


# Sums that are kept up.


def test_the_sums_of_a_cell_are_those_of_its_rows() -> None:
    cell = CellKept()
    rows = (Kept(60, 10, 20), Kept(60, 10, 70), Kept(90, 40, 70), Kept(5, 5, 0))
    for number, row in enumerate(rows):
        cell.put((LEASE, f"holder-{number % 2}"), row)
        cell.closed += number
        assert (cell.lent, cell.worst, cell.outstanding) == cell.summed()
    assert cell.drop((LEASE, "nobody")) is None
    assert cell.drop((LEASE, "holder-0")) == rows[2]
    assert (cell.lent, cell.worst, cell.outstanding) == cell.summed() == (6, 6, 0)


def test_the_sums_are_those_of_the_rows_after_every_commit_of_a_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    commits: list[int] = []
    commit = Oracle.commit

    def checked(oracle: Oracle, changes: Sequence[Change], going: Going) -> None:
        commit(oracle, changes, going)
        commits.append(len(changes))
        for cell in oracle.cells.values():
            assert (cell.lent, cell.worst, cell.outstanding) == cell.summed()

    monkeypatch.setattr(Oracle, "commit", checked)
    for seed in range(4):
        assert run.run_seed(seed).error == ""
    assert len(commits) > 50


# What is read off the ledger.


def test_a_lease_that_was_opened_and_closed_in_one_commit_is_seen_to_be_gone() -> None:
    keys = Keys("/farebox")
    gone = LeaseId(Charge(PoolUid("acme/people#normal"), "user 1"), 7)
    ops = (Delete(keys.account(gone, "holder/1")),)
    assert EtcdReader(keys).of_ops(ops) == [RowGone(gone, "holder/1")]
    assert EtcdReader(keys).of_ops((Delete(keys.holder(keys.holders, "holder/1")),)) == []


def test_what_closes_with_such_a_lease_is_what_its_journal_says() -> None:
    oracle = make_oracle()
    oracle.said[LEASE, "one"] = Said(granted=60, spent=10)
    keys = Keys("/farebox")
    total = b'{"pool":"acme/org","key":"","window":0,"spent":9,"window_ends":null,"last":0}'
    ops = (Delete(keys.account(LEASE, "one")), Put(keys.lease(keys.closed, LEASE), total))
    with pytest.raises(Violation, match="I12: 9 n"):
        oracle.commit(EtcdReader(keys).of_ops(ops), going())


# What a controller goes by.


def test_a_transaction_sent_again_leaves_alone_what_the_next_is_judged_by() -> None:
    goings, numbers = Goings(), iter(range(9))
    first, second = (Put(b"a", b"1"),), (Put(b"a", b"2"),)

    def judged_by(ops: Sequence[Put]) -> int:
        return goings.sending(
            "controller-1", ops, lambda: replace(going(), epoch=next(numbers))
        ).epoch

    assert [judged_by(ops) for ops in (first, first, first, second, first)] == [0, 0, 0, 1, 2]
    goings.end("controller-1")
    assert judged_by(first) == 3


def test_a_limit_counts_until_the_first_commit_after_another_was_decided_by() -> None:
    goings = Goings()
    high, low = (resources_of({POOL.uid: replace(POOL, limit=Nanos(n))}) for n in (100, 40))
    goings.begin("one", high, 0)
    goings.change("one", low)
    limits = [goings.take("one", low, low, utc_ms=0, epoch=1).limits[POOL.uid] for _ in range(2)]
    assert limits == [100, 40]


def test_an_override_counts_for_what_may_have_been_decided_while_it_lasted() -> None:
    """Whether it raised the limit, and has ended since, or lowered it, and has not yet ended."""
    for limit, seen in ((300, [300, 300, 100]), (20, [20, 100, 100])):
        pool = replace(POOL, override=Override(limit=Nanos(limit), until=UtcMs(10)))
        resources, goings = resources_of({pool.uid: pool}), Goings()
        goings.begin("one", resources, 0)
        taken = [goings.take("one", resources, resources, utc_ms=at, epoch=1) for at in (5, 15, 16)]
        assert [one.limits[POOL.uid] for one in taken] == seen
        assert sizes_of(pool) == (min(limit, 100), max(limit, 100))


def test_an_override_may_end_before_its_pool_is_changed() -> None:
    """Both between two commits: what the first decided goes by the limit after the override."""
    pool = replace(POOL, override=Override(limit=Nanos(0), until=UtcMs(10)))
    goings, none = Goings(), resources_of({})
    before, changed = (resources_of({pool.uid: replace(pool, limit=Nanos(n))}) for n in (100, 7))
    goings.begin("one", before, 0)
    goings.change("one", changed)
    assert goings.take("one", changed, none, utc_ms=15, epoch=1).limits == {pool.uid: 100}
    then = goings.take("one", none, none, utc_ms=16, epoch=1)
    assert then.limits == {pool.uid: 7}
    assert then.passing == {pool.uid}
    assert goings.take("one", none, none, utc_ms=17, epoch=1).limits == {}


def test_what_is_lent_ahead_goes_by_the_limit_that_holds_when_its_window_begins() -> None:
    pool = replace(POOL, override=Override(limit=Nanos(20), until=UtcMs(10)))
    resources, goings = resources_of({pool.uid: pool}), Goings()
    goings.begin("one", resources, 0)
    taken = goings.take("one", resources, resources, utc_ms=5, epoch=1)
    assert [taken.limit_of(LeaseId(ORG, window)) for window in (0, 9, 10, 11)] == [20, 20, 100, 100]


def test_a_pool_in_shadow_mode_has_no_limit() -> None:
    shadow = resources_of({POOL.uid: replace(POOL, mode=Mode.SHADOW)})
    assert limits_of(shadow, 0) == {POOL.uid: UNLIMITED}


# Calls past a pool.


def test_only_a_lenient_pool_lets_calls_pass() -> None:
    allow = replace(POOL, when_disconnected=WhenDisconnected.ALLOW)
    assert not may_pass(POOL, away=True)
    assert may_pass(allow, away=True)
    assert not may_pass(allow, away=False)
    assert may_pass(replace(POOL, mode=Mode.SHADOW), away=False)


def test_what_passed_a_pool_is_beyond_its_limit_and_nothing_else_is() -> None:
    oracle = make_oracle()
    oracle.commit([RowIs(LEASE, "one", 100, 0, 0)], going())
    for attempt in (call(30, ORG), call(100, number=2)):
        oracle.bills.add(attempt)
        oracle.billed(attempt)
    one_more = call(1, number=3)
    oracle.bills.add(one_more)
    with pytest.raises(Violation, match="I6: 131 n"):
        oracle.billed(one_more)


def test_a_lease_is_overdrawn_by_what_passed_it_and_no_more() -> None:
    oracle = make_oracle()
    oracle.commit([RowIs(LEASE, "one", 100, 0, 0)], going())
    oracle.passes(call(30, ORG), "one")
    oracle.said[LEASE, "one"] = Said(granted=100, spent=130)
    oracle.commit([RowIs(LEASE, "one", 100, 0, 130)], going())
    assert oracle.cells[LEASE].worst == 130
    oracle.passes(call(30), "one")
    assert oracle.passed[LEASE, "one"] == 30


def test_what_passed_a_lease_while_it_was_closed_may_not_be_in_its_total() -> None:
    for passed, fits in ((5, True), (4, False)):
        oracle = make_oracle()
        oracle.said[LEASE, "one"] = Said(granted=60, spent=15)
        oracle.commit([RowIs(LEASE, "one", 60, 0, 9)], going())
        oracle.passes(call(passed, ORG), "one")
        changes: list[Change] = [RowGone(LEASE, "one"), TotalIs(LEASE, 10)]
        if fits:
            oracle.commit(changes, going())
            continue
        with pytest.raises(Violation, match="I12"):
            oracle.commit(changes, going())


def test_a_call_that_holds_money_of_no_lease_needs_no_controller() -> None:
    oracle = make_oracle()
    oracle.dispatched(call(30, ORG), 100.0, late=False)
    with pytest.raises(Violation, match="TTL"):
        oracle.dispatched(call(30), 100.0, late=False)


# What must come about after the faults.


def test_only_who_may_be_answered_for_good_waits_until_a_clock_set_back_is_caught_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Until then nobody falls silent, so that what the dead were lent may come back yet."""
    bounds: list[float] = []
    wait = Calm._await

    def noted(calm: Calm, seconds: float, missing: Callable[[], str]) -> None:
        bounds.append(seconds)
        wait(calm, seconds, missing)

    def live(world: World) -> None:
        world.begin()
        world.loop.run_until(6.0)
        assert catches_up_in(world) == 0.0
        for name in CONTROLLERS:
            world.hosts[name].set_utc(-60_000)
        world.loop.run_until(9.0)
        assert catches_up_in(world) == pytest.approx(57.0, abs=0.2)
        Calm(world).judge()
        bounds.append(catches_up_in(world))

    monkeypatch.setattr(Calm, "_await", noted)
    monkeypatch.setattr(run, "_live", live)
    assert run.run_seed(QUIET_LIFETIME_SEED).error == ""
    *_, served, for_good, rest = bounds
    assert for_good - served == pytest.approx(rest, abs=2.0)
    assert rest > 10.0


# Calendars and goodbyes.


@pytest.mark.parametrize("calendar", CALENDARS, ids=lambda one: f"{one.zone} {one.change}")
def test_a_calendar_has_its_change_in_it_and_ends_as_it_says(calendar: Calendar) -> None:
    rules = Rules()
    rules.go_by(calendar)
    window = WindowSpec(type=WindowType.FIXED, period=calendar.unit, zone=calendar.zone)
    rules.know([replace(POOL, window=window)])
    first, second, *_ = calendar.starts
    assert first < calendar.change < calendar.starts[-1]
    assert rules.ends(LeaseId(ORG, first)) == second
    assert rules.is_window(LeaseId(ORG, first), second)
    assert not rules.is_window(LeaseId(ORG, first), second + 1)
    assert not rules.is_window(LeaseId(ORG, first + 1), second)


def test_a_lease_of_a_window_that_no_calendar_has_is_seen() -> None:
    berlin = CALENDARS[2]
    window = WindowSpec(type=WindowType.FIXED, period=berlin.unit, zone=berlin.zone)
    oracle = make_oracle(replace(POOL, window=window))
    oracle.rules.go_by(berlin)
    starts = int(datetime.fromisoformat("2026-10-25T00:30+00:00").timestamp() * 1000)
    with pytest.raises(Violation, match="I9: no window of the calendar"):
        oracle.commit([RowIs(LeaseId(ORG, starts), "one", 10, 0, 0, starts + 3_600_000)], going())


def test_a_last_word_that_was_answered_is_in_the_ledger() -> None:
    oracle = make_oracle()
    oracle.said[LEASE, "one"] = Said(granted=100, returned=60, spent=40)
    oracle.commit([RowIs(LEASE, "one", 100, 50, 40)], going())
    said = Counters(lease=LEASE, granted=Nanos(100), returned=Nanos(50), spent=Nanos(40))
    oracle.left("one", Goodbye(leases=(said,)))
    with pytest.raises(Violation, match="G1"):
        oracle.left("one", Goodbye(leases=(replace(said, returned=Nanos(60)),)))
