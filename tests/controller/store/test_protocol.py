"""What every store does, run against each of them."""

from collections.abc import Callable
from pathlib import Path

import pytest

from controller.store.memory import MemoryStore, Tables
from controller.store.protocol import (
    CloseAccount,
    ClosedTotal,
    Fenced,
    ForgetHolder,
    ForgetWindow,
    PoisonHolder,
    PutAccount,
    PutBucket,
    PutHolder,
    Snapshot,
    Store,
    StoreError,
    Write,
)
from controller.store.sqlite import SqliteStore
from farebox.core.budgets import Charge, PoolUid
from farebox.core.instant import UtcMs
from farebox.core.leases import LeaseId, LeaseState
from farebox.core.money import Nanos
from farebox.wire.messages import Workload
from tests.support.kv import SimulatedEtcd, SimulatedKv
from tests.support.stores import ElectedStore

ORG = LeaseId(Charge(PoolUid("acme/org"), ""), 60_000)
ANA = LeaseId(Charge(PoolUid("acme/people"), "ana ✓"), 0)
ANA_AGAIN = LeaseId(ANA.charge, 3)
ENDS = UtcMs(120_000)


def account(
    lease: LeaseId = ORG, holder: str = "a", *, granted: int = 30, spent: int = 10
) -> PutAccount:
    return PutAccount(
        lease=lease,
        holder=holder,
        granted=Nanos(granted),
        returned=Nanos(5),
        spent=Nanos(spent),
        state=LeaseState.ACTIVE,
        window_ends=None if lease.window == 0 else ENDS,
    )


def close(holder: str, spent: int, ends: int = ENDS) -> CloseAccount:
    return CloseAccount(lease=ORG, holder=holder, spent=Nanos(spent), window_ends=UtcMs(ends))


def close_idle(lease: LeaseId, holder: str, spent: int) -> CloseAccount:
    """A lease of a window that never ends."""
    return CloseAccount(lease=lease, holder=holder, spent=Nanos(spent), window_ends=None)


def bucket(level: int, at: int) -> PutBucket:
    return PutBucket(charge=ANA.charge, level=Nanos(level), at=UtcMs(at))


def holder(name: str = "a", boot_seq: int = 1, uid: str = "") -> PutHolder:
    workload = Workload(namespace="acme", name="pod", labels={"app": "x", "größe": "L"}, uid=uid)
    return PutHolder(holder=name, boot_seq=boot_seq, workload=workload)


@pytest.fixture(params=["memory", "sqlite", "etcd"])
def make_store(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], Store]:
    """Makes another store over the same ledger each time."""
    tables = Tables()
    if request.param == "memory":
        return lambda: MemoryStore(tables)
    if request.param == "etcd":
        etcd = SimulatedEtcd()
        return lambda: ElectedStore(SimulatedKv(etcd))
    return lambda: SqliteStore(tmp_path / "ledger.sqlite")


async def after(make_store: Callable[[], Store], *commits: list[Write]) -> Snapshot:
    """What a second controller finds after the first has made these commits."""
    store = make_store()
    await store.open()
    for writes in commits:
        await store.commit(writes)
    await store.close()
    second = make_store()
    snapshot = await second.open()
    await second.close()
    return snapshot


async def test_a_new_ledger_is_empty_and_each_opening_is_an_epoch(
    make_store: Callable[[], Store],
) -> None:
    for epoch in (1, 2, 3):
        store = make_store()
        assert await store.open() == Snapshot(epoch=epoch)
        await store.close()


@pytest.mark.parametrize(
    ("writes", "want"),
    [
        pytest.param(
            [account(), account(ANA), holder()],
            {"accounts": {account(), account(ANA)}},
            id="leases are kept as they are",
        ),
        pytest.param(
            [account(granted=30), account(granted=40)],
            {"accounts": {account(granted=40)}},
            id="the later of two writes stands",
        ),
        pytest.param(
            [account(), account(holder="b"), close("a", 7)],
            {
                "accounts": {account(holder="b")},
                "closed": {ClosedTotal(lease=ORG, spent=Nanos(7), window_ends=ENDS)},
                "clock_floor": ENDS,
            },
            id="a closed lease is gone and its spending is in the total",
        ),
        pytest.param(
            [account(), account(holder="b"), close("a", 7, 130_000), close("b", 4)],
            {
                "closed": {ClosedTotal(lease=ORG, spent=Nanos(11), window_ends=UtcMs(130_000))},
                "clock_floor": 130_000,
            },
            id="totals add up and ends only move later",
        ),
        pytest.param(
            [account(), account(ANA), close("b", 4), ForgetWindow(lease=ORG, window_ends=ENDS)],
            {"accounts": {account(ANA)}, "clock_floor": ENDS},
            id="a forgotten window leaves only the floor of the clock",
        ),
        pytest.param(
            [account(ANA), close_idle(ANA, "a", 7), close_idle(ANA_AGAIN, "a", 4)],
            {
                "closed": {
                    ClosedTotal(lease=ANA, spent=Nanos(11), window_ends=None, last=3),
                }
            },
            id="leases of a window that never ends share one total",
        ),
        pytest.param(
            [bucket(50, 1), bucket(-3, 2)],
            {"buckets": {bucket(-3, 2)}},
            id="the later level of a bucket stands, an overdraft too",
        ),
        pytest.param(
            [account(), ForgetWindow(lease=ORG, window_ends=ENDS), account(granted=9)],
            {"accounts": {account(granted=9)}, "clock_floor": ENDS},
            id="what is put after a window was forgotten stays",
        ),
        pytest.param(
            [account(holder=str(number)) for number in range(300)]
            + [close(str(number), 1) for number in range(0, 300, 2)],
            {
                "accounts": {account(holder=str(number)) for number in range(1, 300, 2)},
                "closed": {ClosedTotal(lease=ORG, spent=Nanos(150), window_ends=ENDS)},
                "clock_floor": ENDS,
            },
            id="a commit may be larger than what a store writes at a time",
        ),
        pytest.param(
            [
                holder("a"),
                holder("b"),
                PoisonHolder(holder="a"),
                PoisonHolder(holder="b"),
                ForgetHolder(holder="b"),
            ],
            {"holders": ["a"], "poisoned": ("a",)},
            id="a poisoned holder is kept until it is forgotten",
        ),
        pytest.param(
            [holder("a", 1), holder("b"), holder("a", 2), ForgetHolder(holder="b")],
            {"holders": ["a"]},
            id="holders are kept until they are forgotten",
        ),
    ],
)
@pytest.mark.parametrize("one_by_one", [True, False], ids=["one by one", "in one commit"])
async def test_what_is_committed_is_found_again(
    make_store: Callable[[], Store], writes: list[Write], want: dict[str, object], one_by_one: bool
) -> None:
    commits = [[write] for write in writes] if one_by_one else [writes]
    found = await after(make_store, *commits)

    assert set(found.accounts) == want.get("accounts", set())
    assert set(found.closed) == want.get("closed", set())
    assert found.clock_floor == want.get("clock_floor", 0)
    assert set(found.buckets) == want.get("buckets", set())
    assert found.poisoned == want.get("poisoned", ())
    if "holders" in want:
        assert [row.holder for row in found.holders] == want["holders"]


async def test_who_a_holder_is_comes_back_whole(make_store: Callable[[], Store]) -> None:
    found = await after(make_store, [holder("a", 7)])

    assert found.holders == (holder("a", 7),)


async def test_the_pod_that_a_holder_belongs_to_is_kept_until_it_is_forgotten(
    make_store: Callable[[], Store],
) -> None:
    mine: list[Write] = [holder("a", uid="uid-1"), holder("b"), holder("c", uid="uid-3")]
    found = await after(make_store, mine, [ForgetHolder(holder="c")], [holder("c")])

    uids = {row.holder: row.workload.uid for row in found.holders}
    assert uids == {"a": "uid-1", "b": "", "c": ""}


async def test_a_large_amount_comes_back_to_the_nano_dollar(
    make_store: Callable[[], Store],
) -> None:
    found = await after(make_store, [account(granted=2**63 - 1)])

    assert found.accounts[0].granted == 2**63 - 1


async def test_a_store_that_is_closed_commits_nothing(make_store: Callable[[], Store]) -> None:
    store = make_store()
    await store.open()
    await store.close()

    with pytest.raises((StoreError, RuntimeError)):
        await store.commit([account()])


@pytest.mark.parametrize("kind", ["memory", "etcd"])
async def test_after_a_takeover_the_older_controller_commits_nothing(kind: str) -> None:
    older, newer = await _overtaken(kind)

    with pytest.raises(Fenced, match="this one must end"):
        await older.commit([account()])

    await newer.commit([account(holder="b")])


async def _overtaken(kind: str) -> tuple[Store, Store]:
    """A store whose ledger another controller has opened since, and the other's."""
    if kind == "memory":
        tables = Tables()
        stores: list[Store] = [MemoryStore(tables), MemoryStore(tables)]
        for store in stores:
            await store.open()
        return stores[0], stores[1]
    etcd = SimulatedEtcd()
    older, newer = (ElectedStore(SimulatedKv(etcd)) for _ in range(2))
    await older.open()
    assert older.tenure is not None
    etcd.drop_session(older.tenure.reign.session)
    await newer.open()
    return older, newer
