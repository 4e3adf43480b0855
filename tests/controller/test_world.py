"""The state: what allocation reads of it, its sums, and what the ledger gives back of it."""

from controller.restoring import restore
from controller.store.protocol import ClosedTotal, PutAccount, PutHolder, Snapshot
from controller.terms import Terms
from controller.world import Entry, put
from farebox.core.budgets import Charge, Per
from farebox.core.instant import UtcMs
from farebox.core.leases import LeaseId, LeaseState
from farebox.core.money import Nanos
from farebox.wire.messages import Workload
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
