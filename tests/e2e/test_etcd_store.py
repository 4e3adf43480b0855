"""The shared tests of all stores, and what only a real etcd can show, against a real etcd."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from controller.leadership import TTL_S, Candidate, Election
from controller.store.etcd_client import EtcdClient, EtcdRenewals
from controller.store.etcd_layout import Keys
from controller.store.kv import Delete, KvRefused, Put
from controller.store.protocol import Fenced, Store, Write
from farebox.runtime.clock import SystemClock
from tests.controller.store.test_protocol import (
    account,
    test_a_large_amount_comes_back_to_the_nano_dollar,
    test_a_new_ledger_is_empty_and_each_opening_is_an_epoch,
    test_a_store_that_is_closed_commits_nothing,
    test_what_is_committed_is_found_again,
    test_who_a_holder_is_comes_back_whole,
)
from tests.support.etcd import Cluster, etcd_cluster
from tests.support.peers import eventually
from tests.support.stores import KEYS, ElectedStore
from tests.support.tasks import beside

__all__ = [
    "test_a_large_amount_comes_back_to_the_nano_dollar",
    "test_a_new_ledger_is_empty_and_each_opening_is_an_epoch",
    "test_a_store_that_is_closed_commits_nothing",
    "test_what_is_committed_is_found_again",
    "test_who_a_holder_is_comes_back_whole",
]


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[Cluster]:
    async with etcd_cluster(tmp_path, members=1) as made:
        yield made


@pytest.fixture
async def client(cluster: Cluster) -> AsyncIterator[EtcdClient]:
    made = EtcdClient(cluster.access())
    yield made
    await made.close()


@pytest.fixture
def make_store(client: EtcdClient) -> Callable[[], Store]:
    """Makes another store over the same ledger each time."""
    return lambda: ElectedStore(client)


async def test_a_deposed_controller_writes_nothing(client: EtcdClient) -> None:
    older, newer = ElectedStore(client), ElectedStore(client)
    await older.open()
    assert older.tenure is not None
    await client.end_session(older.tenure.reign.session)
    await newer.open()

    with pytest.raises(Fenced):
        await older.commit([account()])
    await newer.commit([account(holder="b")])
    await newer.close()
    assert set((await ElectedStore(client).open()).accounts) == {account(holder="b")}


async def test_a_large_ledger_is_read_in_pages_and_a_large_commit_is_whole(
    client: EtcdClient,
) -> None:
    writes: list[Write] = [account(holder=f"h{number}") for number in range(12_000)]
    first = ElectedStore(client)
    await first.open()
    await first.commit(writes)
    await first.close()

    assert set((await ElectedStore(client).open()).accounts) == set(writes)
    assert not (await client.read(Keys("/test").redo_part(0))).rows


async def test_a_leader_whose_event_loop_stands_still_beyond_its_time_leads_on(
    cluster: Cluster, client: EtcdClient
) -> None:
    access, candidate = cluster.access(), Candidate(name="one", address="127.0.0.1:1")
    election = Election(client, KEYS, SystemClock(), candidate, apart=lambda: EtcdRenewals(access))
    tenure = await election.campaign()
    keeping = beside(tenure.keep())
    await eventually(lambda: any("renewals" in one.name for one in threading.enumerate()))
    threading.Event().wait(TTL_S + 1)
    assert tenure.may_speak()
    keeping.cancel()
    with pytest.raises(asyncio.CancelledError):
        await keeping
    await tenure.resign()


@pytest.mark.parametrize(
    "ops",
    [
        [Put(b"a", b"1"), Put(b"a", b"2")],
        [Delete(b"a", b"b"), Put(b"a1", b"2")],
        [Put(b"%d" % number, b"") for number in range(129)],
    ],
    ids=["a key twice", "a key in a range", "too many"],
)
async def test_it_refuses_what_the_simulated_one_refuses(
    client: EtcdClient, ops: list[Put | Delete]
) -> None:
    with pytest.raises(KvRefused):
        await client.transact([], ops)
