"""What the ledger has is what a controller starts with."""

from dataclasses import replace

from controller.limits import limit_of, room, state_of
from controller.restoring import restore
from controller.store.protocol import ClosedTotal, PutAccount, PutBucket, PutHolder, Snapshot
from controller.terms import Terms
from farebox.core.instant import UtcMs
from farebox.core.leases import LeaseId, LeaseState
from farebox.core.money import Nanos
from farebox.wire.messages import Workload
from tests.support.scenes import (
    FOREVER,
    HOURLY,
    ORG,
    START,
    TEN_MINUTES,
    pool,
    resources,
)

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


def test_a_ledger_comes_back_with_its_sums() -> None:
    world = restore(SNAPSHOT, terms=Terms(), resources=resources(pool()), now=START)

    cell = world.cells[MINUTE_LEASE]
    assert cell.committed == 9 + 25 + 35
    assert state_of(world, pool(), cell).committed == cell.committed
    assert cell.window_ends == START + 60_000
    assert world.epoch == 4


def test_after_a_restart_nobody_is_there_so_nothing_lies_idle() -> None:
    world = restore(SNAPSHOT, terms=Terms(), resources=resources(pool()), now=START)

    accounts = world.cells[MINUTE_LEASE].accounts
    assert [account.idle for account in accounts.values()] == [0, 0]
    assert not any(account.frozen for account in accounts.values())


def endless(holder: str, number: int, *, spent: int = 7) -> PutAccount:
    return replace(
        account(holder, 30), lease=LeaseId(ORG, number), window_ends=None, spent=Nanos(spent)
    )


def test_all_leases_of_a_window_without_an_end_stand_in_one_cell() -> None:
    snapshot = replace(
        SNAPSHOT,
        accounts=(endless("a", 0), endless("b", 3)),
        closed=(ClosedTotal(lease=FOREVER, spent=Nanos(11), window_ends=None, last=2),),
    )
    world = restore(snapshot, terms=Terms(), resources=resources(pool()), now=START)

    (cell,) = world.cells.values()
    assert (cell.lease, cell.committed, cell.next_number) == (FOREVER, 11 + 25 + 25, 3)
    assert world.holders["b"].leases.keys() == {LeaseId(ORG, 3)}


def test_money_of_a_sliding_window_counts_for_as_long_as_before() -> None:
    given = resources(pool(limit=100, window=TEN_MINUTES))
    world = restore(SNAPSHOT, terms=Terms(), resources=given, now=START)

    cell = world.cells[MINUTE_LEASE]
    assert cell.counts_until == START + 60_000 + 600_000
    assert room(world, pool(limit=100, window=TEN_MINUTES), cell) == 100 - 69


def test_a_token_bucket_has_what_it_had_and_what_flowed_in_since() -> None:
    bucket = pool(limit=3_600, window=HOURLY)
    snapshot = replace(
        SNAPSHOT,
        accounts=(endless("a", 0),),
        closed=(),
        buckets=(PutBucket(charge=ORG, level=Nanos(100), at=UtcMs(START - 10_000)),),
    )
    world = restore(snapshot, terms=Terms(), resources=resources(bucket), now=START)

    cell = world.cells[FOREVER]
    assert limit_of(world, bucket, cell) == 3_600
    assert room(world, bucket, cell) == state_of(world, bucket, cell).remaining == 110


def test_who_was_written_off_stays_so() -> None:
    snapshot = replace(SNAPSHOT, poisoned=("a", "nobody knows"))
    world = restore(snapshot, terms=Terms(), resources=resources(pool()), now=START)

    assert {uid for uid, one in world.holders.items() if one.poisoned} == {"a", "nobody knows"}
