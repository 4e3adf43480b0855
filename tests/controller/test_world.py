"""The state: what allocation reads of it, its sums, and what the ledger gives back of it."""

import pytest

from controller import world
from controller.restoring import restore
from controller.store.protocol import ClosedTotal, PutAccount, PutHolder, Snapshot
from controller.terms import Terms
from controller.world import Entry, put
from farebox.core.budgets import Charge, Per
from farebox.core.instant import UtcMs
from farebox.core.leases import LeaseId, LeaseState
from farebox.core.money import Nanos
from farebox.core.reasons import Reason
from farebox.wire.messages import Denial, Grant, Workload
from tests.support.scenes import FOREVER, ORG, START, Scene, has, per_user, pool, resources, wants

MINUTE_LEASE = LeaseId(ORG, START)


def account(holder: str, granted: int, *, lease: LeaseId = MINUTE_LEASE) -> PutAccount:
    return PutAccount(
        lease=lease,
        holder=holder,
        granted=Nanos(granted),
        returned=Nanos(5),
        spent=Nanos(7),
        state=LeaseState.ACTIVE,
        window_ends=UtcMs(START + 60_000),
    )


SNAPSHOT = Snapshot(
    epoch=4,
    accounts=(account("a", 30), account("b", 40)),
    closed=(ClosedTotal(lease=MINUTE_LEASE, spent=Nanos(9), window_ends=UtcMs(START + 60_000)),),
    holders=tuple(
        PutHolder(holder=name, boot_seq=2, workload=Workload(namespace="acme", name=name))
        for name in "ab"
    ),
)


def test_what_is_put_is_what_comes_back() -> None:
    world = restore(SNAPSHOT, terms=Terms(), resources=resources(pool()), now=START)
    cell = world.cells[MINUTE_LEASE]

    assert put(cell, cell.entries["a"]) == account("a", 30)


def test_free_money_of_a_holder_that_is_away_counts_as_held() -> None:
    scene = Scene()
    sidecar = scene.connect("a")
    sidecar.report(want=wants(40))
    sidecar.report(has(granted=40, spent=10, reserved=5))
    assert scene.cell().accounts["a"].idle == 25

    sidecar.leave()
    assert scene.cell().accounts["a"].idle == 0
    assert scene.cell().committed == 40


def test_an_entry_tells_what_is_unspent_and_what_of_it_is_idle() -> None:
    entry = Entry(
        lease=FOREVER,
        home=FOREVER,
        holder="a",
        granted=Nanos(40),
        returned=Nanos(5),
        spent=Nanos(10),
    )
    entry.reserved = Nanos(20)
    assert (entry.unspent, entry.idle) == (25, 5)

    entry.spent = Nanos(50)
    assert (entry.unspent, entry.idle) == (0, 0)


def test_a_charge_names_a_pool_only_with_the_kind_of_key_that_the_pool_has() -> None:
    cap = pool("cap", per=Per.REQUEST)
    people = per_user()
    world = restore(
        Snapshot(epoch=1), terms=Terms(), resources=resources(pool(), people, cap), now=START
    )

    assert world.pool_of(ORG) == pool()
    assert world.pool_of(Charge(people.uid, "ana")) == people
    assert world.pool_of(Charge(ORG.pool, "ana")) is None
    assert world.pool_of(Charge(people.uid, "")) is None
    assert world.pool_of(Charge(cap.uid, "")) is None


def test_the_end_of_a_cell_only_moves_later() -> None:
    world = restore(SNAPSHOT, terms=Terms(), resources=resources(pool()), now=START)
    first = world.cells[MINUTE_LEASE]

    assert world.cell(MINUTE_LEASE, UtcMs(START + 1)) is first
    assert first.window_ends == START + 60_000
    world.cell(MINUTE_LEASE, UtcMs(START + 90_000))
    assert first.window_ends == START + 90_000
    world.cell(MINUTE_LEASE, None)
    assert first.window_ends is None


def test_a_holder_has_one_reminder_however_often_it_reports() -> None:
    scene = Scene()
    sidecar = scene.connect("a")
    for _ in range(50):
        scene.pass_time(1_000)
        sidecar.report()

    assert len(scene.engine.world.agenda) == 1


def test_a_pod_has_only_so_many_leases_whatever_its_holders_are_called(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its callers make up keys, and every lease is a row of the ledger."""
    monkeypatch.setattr(world, "LEASES_PER_POD_MAX", 3)
    scene = Scene(per_user())
    keys = [Charge(per_user().uid, f"user-{number}") for number in range(5)]
    first, second = scene.connect("a", uid="1"), scene.connect("b", uid="1")
    first.report(want=tuple(wants(1, of=key) for key in keys[:2]))
    second.report(want=tuple(wants(1, of=key) for key in keys[2:]))
    assert (len(first.got(Grant)), len(second.got(Grant))) == (2, 1)
    assert {one.reason for one in second.got(Denial)} == {Reason.BUDGET_UNVERIFIABLE}

    second.report(want=wants(5, of=keys[2]))
    assert len(second.got(Grant)) == 1, "of what it has it may have more"
    other = scene.connect("c", uid="2")
    other.report(want=wants(1, of=keys[4]))
    assert len(other.got(Grant)) == 1
    scene.restart()
    again = scene.connect("b", uid="1")
    again.report(want=wants(1, of=keys[4]))
    assert again.got_one(Denial).lease.charge == keys[4], "the ledger has the three"
