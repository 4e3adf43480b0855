"""What every store does, run against each of them."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from controller.store.memory import MemoryStore, Tables
from controller.store.protocol import (
    CloseAccount,
    ClosedTotal,
    Fenced,
    ForgetHolder,
    ForgetWindow,
    PutAccount,
    PutHolder,
    Snapshot,
    Store,
    Write,
)
from controller.store.sqlite import SqliteStore
from farebox.core.budgets import Charge, PoolUid
from farebox.core.instant import UtcMs
from farebox.core.leases import LeaseId, LeaseState
from farebox.core.money import Nanos
from farebox.wire.messages import Workload

ORG = LeaseId(Charge(PoolUid("acme/org"), ""), 60_000)
ANA = LeaseId(Charge(PoolUid("acme/people"), "ana ✓"), 0)
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


def holder(name: str = "a", boot_seq: int = 1) -> PutHolder:
    workload = Workload(namespace="acme", name="pod", labels={"app": "x", "größe": "L"})
    return PutHolder(holder=name, boot_seq=boot_seq, workload=workload)


@pytest.fixture(params=["memory", "sqlite"])
def make_store(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], Store]:
    """Makes another store over the same ledger each time."""
    tables = Tables()
    if request.param == "memory":
        return lambda: MemoryStore(tables)
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
    if "holders" in want:
        assert [row.holder for row in found.holders] == want["holders"]


async def test_who_a_holder_is_comes_back_whole(make_store: Callable[[], Store]) -> None:
    found = await after(make_store, [holder("a", 7)])

    assert found.holders == (holder("a", 7),)


async def test_a_large_amount_comes_back_to_the_nano_dollar(
    make_store: Callable[[], Store],
) -> None:
    found = await after(make_store, [account(granted=2**63 - 1)])

    assert found.accounts[0].granted == 2**63 - 1


@pytest.fixture
async def overtaken(tmp_path: Path) -> AsyncIterator[MemoryStore]:
    """A store whose ledger another controller has opened since."""
    tables = Tables()
    store = MemoryStore(tables)
    await store.open()
    await MemoryStore(tables).open()
    yield store
    await store.close()


async def test_after_a_takeover_the_older_controller_commits_nothing(
    overtaken: MemoryStore,
) -> None:
    with pytest.raises(Fenced, match="this one must end"):
        await overtaken.commit([account()])
