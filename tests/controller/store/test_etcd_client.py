"""The client over real gRPC: each request once, and errors that say what is known."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
import pytest

from controller.store.etcd_client import Access, EtcdClient, EtcdRenewals
from controller.store.kv import (
    CreatedAt,
    Delete,
    KvCompacted,
    KvError,
    KvRefused,
    KvUnclear,
    Put,
    ValueIs,
)
from tests.controller.store.test_protocol import account
from tests.support.certificates import CERTIFICATE, KEY
from tests.support.clocks import LoopClock
from tests.support.etcd_server import EtcdServer, etcd_server
from tests.support.kv import SimulatedEtcd
from tests.support.peers import eventually
from tests.support.stores import ElectedStore
from tests.support.tasks import beside

DEAD = "127.0.0.1:9"
PLENTY_S = 60.0


@asynccontextmanager
async def connected(*endpoints: str, **access: Any) -> AsyncIterator[EtcdClient]:
    client = EtcdClient(Access(endpoints=endpoints, **access), request_s_max=PLENTY_S)
    try:
        yield client
    finally:
        await client.close()


async def test_it_says_and_reads_what_etcd_has() -> None:
    async with etcd_server(SimulatedEtcd()) as (_, address), connected(address) as kv:
        session = await kv.open_session(600)
        assert await kv.transact(
            [CreatedAt(b"a", 0)],
            [Put(b"a", b"1"), Put(b"b", b"2"), Put(b"c", b"3", session)],
        )
        assert not await kv.transact([ValueIs(b"a", b"9")], [Delete(b"a")])
        assert await kv.transact([ValueIs(b"a", b"1")], [Delete(b"b", b"c"), Put(b"d", b"")])

        page = await kv.read(b"a", b"z", rows_max=2)
        assert [(row.key, row.value) for row in page.rows] == [(b"a", b"1"), (b"c", b"3")]
        assert (page.more, page.revision) == (True, 3)
        assert len((await kv.read(b"a", b"z", revision=2)).rows) == 3
        assert await kv.renew_session(session) == 600
        await kv.end_session(session)
        assert await kv.renew_session(session) == 0
        assert not (await kv.read(b"c")).rows


async def test_a_whole_store_works_over_it() -> None:
    etcd = SimulatedEtcd()
    async with etcd_server(etcd) as (_, address), connected(DEAD, address) as kv:
        store = ElectedStore(kv)
        await store.open()
        await store.commit([account(holder=f"h{number}") for number in range(300)])
        await store.close()
        assert len((await ElectedStore(kv).open()).accounts) == 300


@pytest.mark.parametrize(
    ("code", "said", "want"),
    [
        (grpc.StatusCode.UNAVAILABLE, "etcdserver: leader changed", KvUnclear),
        (grpc.StatusCode.DEADLINE_EXCEEDED, "", KvUnclear),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, "mvcc: database space exceeded", KvUnclear),
        (grpc.StatusCode.UNKNOWN, "raft: stopped", KvUnclear),
        (grpc.StatusCode.CANCELLED, "", KvUnclear),
        (grpc.StatusCode.INVALID_ARGUMENT, "too many operations in txn request", KvRefused),
        (grpc.StatusCode.NOT_FOUND, "requested lease not found", KvRefused),
        (grpc.StatusCode.PERMISSION_DENIED, "permission denied", KvRefused),
        (grpc.StatusCode.OUT_OF_RANGE, "required revision has been compacted", KvCompacted),
    ],
)
async def test_an_error_says_whether_it_may_have_been_done(
    code: grpc.StatusCode, said: str, want: type[KvError]
) -> None:
    async with etcd_server(SimulatedEtcd()) as (member, address), connected(address) as kv:
        member.breaks = [(code, said)]
        with pytest.raises(KvError) as caught:
            await kv.transact([], [Put(b"a", b"1")])

        assert type(caught.value) is want
        assert member.requests == 1, "it was sent once"


async def test_who_is_silent_or_gone_is_left_for_the_next() -> None:
    etcd = SimulatedEtcd()
    async with (
        etcd_server(etcd) as (silent, one),
        etcd_server(etcd) as (_, other),
        connected(one, DEAD, other) as kv,
    ):
        assert await kv.transact([], [Put(b"a", b"0")])
        silent.silent, kv._request_s_max = True, 1.0
        for _ in range(2):
            with pytest.raises(KvUnclear):
                await kv.transact([], [Put(b"a", b"1")])
        kv._request_s_max = PLENTY_S
        assert await kv.transact([], [Put(b"a", b"2")])
        assert await kv.transact([], [Put(b"a", b"3")])
        assert silent.requests == 2


async def test_a_renewal_goes_elsewhere_while_the_one_before_has_no_answer() -> None:
    etcd, clock = SimulatedEtcd(), LoopClock()
    async with (
        etcd_server(etcd) as (silent, one),
        etcd_server(etcd) as (_, other),
        connected(one, other) as kv,
    ):
        session = await kv.open_session(600)
        silent.silent = True
        first = beside(kv.renew_session(session))
        await eventually(lambda: silent.requests == 2)
        assert await kv.renew_session(session) == 600
        clock.advance(60_000)
        with pytest.raises(KvUnclear):
            await first


async def test_renewals_on_connections_of_their_own_find_the_member_that_answers() -> None:
    etcd = SimulatedEtcd()
    async with etcd_server(etcd) as (silent, one), etcd_server(etcd) as (_, other):
        silent.silent = True
        session = etcd.open_session(600)
        etcd.transact([], [Put(b"a", b"1", session)])
        renewals = EtcdRenewals(Access(endpoints=(one, DEAD, other)), request_s_max=0.5)
        for _ in range(2):
            with pytest.raises(KvUnclear):
                await renewals.renew_session(session)
        renewals._request_s_max = PLENTY_S
        assert await renewals.renew_session(session) == 600
        (row,) = (await renewals.read(b"a")).rows
        assert (row.key, row.value) == (b"a", b"1")
        assert row.created == etcd.keys[b"a"].created
        etcd.drop_session(session)
        assert await renewals.renew_session(session) == 0
        assert not (await renewals.read(b"a")).rows
        await renewals.close()


async def test_a_renewal_apart_goes_elsewhere_while_the_one_before_has_no_answer() -> None:
    etcd = SimulatedEtcd()
    async with etcd_server(etcd) as (silent, one), etcd_server(etcd) as (_, other):
        silent.silent = True
        session = etcd.open_session(600)
        renewals = EtcdRenewals(Access(endpoints=(one, other)), request_s_max=PLENTY_S)
        first = beside(renewals.renew_session(session))
        await eventually(lambda: silent.requests == 1)
        assert await renewals.renew_session(session) == 600
        assert not first.done()
        await renewals.close()
        with pytest.raises(KvUnclear):
            await first


async def test_renewals_bring_a_token_and_a_new_one_when_it_is_no_longer_known() -> None:
    async with _guarded() as (member, address):
        access = Access(endpoints=(address,), user="farebox", password="sesame")
        renewals = EtcdRenewals(access, request_s_max=PLENTY_S)
        assert await renewals.renew_session(member.etcd.open_session(600)) == 600
        member.token = "token-2"
        with pytest.raises(KvUnclear, match="invalid auth token"):
            await renewals.read(b"a")
        assert not (await renewals.read(b"a")).rows
        await renewals.close()


async def test_renewals_go_over_tls_with_certificates_on_both_sides() -> None:
    credentials = grpc.ssl_server_credentials(
        [(KEY.encode(), CERTIFICATE.encode())], CERTIFICATE.encode(), require_client_auth=True
    )
    async with etcd_server(SimulatedEtcd(), credentials) as (member, address):
        access = Access(
            endpoints=(address,),
            ca=CERTIFICATE.encode(),
            certificate=CERTIFICATE.encode(),
            key=KEY.encode(),
        )
        renewals = EtcdRenewals(access, request_s_max=PLENTY_S)
        assert await renewals.renew_session(member.etcd.open_session(600)) == 600
        await renewals.close()


async def test_a_user_brings_a_token_and_a_new_one_when_it_is_no_longer_known() -> None:
    async with (
        _guarded() as (member, address),
        connected(address, user="farebox", password="sesame") as kv,
    ):
        assert await kv.transact([], [Put(b"a", b"1")])
        member.token = "token-2"
        with pytest.raises(KvUnclear, match="wants a new token"):
            await kv.transact([], [Put(b"a", b"2")])
        assert await kv.transact([], [Put(b"a", b"2")])


async def test_a_wrong_password_is_told_without_telling_it() -> None:
    async with (
        _guarded() as (_, address),
        connected(address, user="farebox", password="guess") as kv,
    ):
        with pytest.raises(KvRefused, match="does not know the user") as caught:
            await kv.transact([], [Put(b"a", b"1")])
        assert "guess" not in str(caught.value)


async def test_an_old_token_after_a_change_of_roles_is_renewed() -> None:
    async with (
        _guarded() as (member, address),
        connected(address, user="farebox", password="sesame") as kv,
    ):
        member.breaks = [
            (grpc.StatusCode.INVALID_ARGUMENT, "etcdserver: revision of auth store is old")
        ]
        with pytest.raises(KvUnclear):
            await kv.read(b"a")
        assert not (await kv.read(b"a")).rows


@asynccontextmanager
async def _guarded() -> AsyncIterator[tuple[EtcdServer, str]]:
    async with etcd_server(SimulatedEtcd()) as (member, address):
        member.password = "sesame"
        yield member, address


async def test_tls_both_ways() -> None:
    pair = (KEY.encode(), CERTIFICATE.encode())
    credentials = grpc.ssl_server_credentials(
        [pair], root_certificates=CERTIFICATE.encode(), require_client_auth=True
    )
    ca = CERTIFICATE.encode()
    async with etcd_server(SimulatedEtcd(), credentials) as (_, address):
        async with connected(address, ca=ca, certificate=pair[1], key=pair[0]) as kv:
            assert await kv.transact([], [Put(b"a", b"1")])
        async with connected(address, ca=ca) as stranger:
            with pytest.raises(KvUnclear):
                await stranger.read(b"a")
