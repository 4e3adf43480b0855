"""Whose stream it is, over real TLS on loopback, with an API server that reviews tokens."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import grpc
import grpc.aio
import pytest

from controller import door, lease_server, pace
from controller.kube import identity
from controller.kube.client import KubeClient, open_client
from farebox.core.instant import BootMs
from farebox.wire.messages import (
    Grant,
    Hello,
    JournalState,
    PolicyPush,
    ReportAck,
    Welcome,
    Workload,
)
from farebox.wire.v1 import lease_pb2_grpc
from tests.support.kube_fake import KubeFake, serving_kube
from tests.support.lease_peers import PATIENCE_S, spent_of
from tests.support.peers import eventually
from tests.support.pods import Controller, Pod, bearer, controller, pod_peer, refusal
from tests.support.scenes import FOREVER, has, pool, wants

MINE = Pod(name="mine", labels={"team": "blue"})
OTHER = Pod(name="other", addresses=("127.0.0.2",))
BLUE = pool("blue", limit=1_000, selector={"team": "blue"})
RED = pool("red", limit=1_000, selector={"team": "red"})


@pytest.fixture
async def kube(tmp_path: Path) -> AsyncIterator[tuple[KubeFake, KubeClient]]:
    async with serving_kube() as fake, open_client(fake.options(tmp_path)) as client:
        yield fake, client


@pytest.fixture
async def at(kube: tuple[KubeFake, KubeClient]) -> AsyncIterator[Controller]:
    async with controller(*kube, pool(limit=1_000), BLUE, RED, pod_s_max=0.3) as made:
        made.run(MINE)
        made.run(OTHER)
        yield made


async def test_a_pod_is_who_the_api_server_says_whatever_its_hello_says(at: Controller) -> None:
    async with pod_peer(at, authorization=bearer(MINE)) as peer:
        liar = Workload(namespace="rich", name="liar", labels={"team": "red"}, uid="uid-of-other")
        await peer.say(
            Hello(
                holder="a",
                boot_seq=1,
                workload=liar,
                journal=JournalState.NEW,
                epoch_seen_max=0,
                boot_ms=BootMs(1_000),
            )
        )
        assert (await peer.next(Welcome)).accepted
        names = [one.name for one in (await peer.next(PolicyPush)).policy.pools]
        kept = at.engine.world.holders["a"].workload

    assert sorted(names) == ["blue", "org"]
    want = Workload(namespace="acme", name="mine", labels={"team": "blue"}, uid=MINE.uid)
    assert kept == want


async def test_a_stolen_token_is_of_no_use_at_another_address_and_is_at_its_own(
    at: Controller,
) -> None:
    async with pod_peer(at, authorization=bearer(OTHER), address="127.0.0.2") as rightful:
        assert (await rightful.greet("b")).accepted
        for address in ("127.0.0.1", "127.0.0.3"):
            async with pod_peer(at, authorization=bearer(OTHER), address=address) as thief:
                found, told = await refusal(thief)
                assert found is grpc.StatusCode.PERMISSION_DENIED
                assert f"pod acme/other, whose address is not {address}" in told
        await rightful.report()
        await rightful.next(ReportAck)


async def test_where_addresses_are_translated_they_are_not_looked_at(
    kube: tuple[KubeFake, KubeClient],
) -> None:
    async with controller(*kube, pool(), require_address=False) as at:
        at.run(replace(OTHER, addresses=()))
        async with pod_peer(at, authorization=bearer(OTHER)) as peer:
            assert (await peer.greet("b")).accepted


@pytest.mark.parametrize("known", [(), ("127.0.0.1",), ("127.0.0.1", "::1")])
async def test_a_sidecar_that_is_quicker_than_the_news_of_its_pod_waits(
    kube: tuple[KubeFake, KubeClient], known: tuple[str, ...]
) -> None:
    async with controller(*kube, pool()) as at:
        if known:
            at.run(replace(MINE, addresses=()))
        else:
            at.run(MINE)
            del at.pods.by_uid[MINE.uid]
        async with pod_peer(at, authorization=bearer(MINE)) as peer:
            await eventually(lambda: at.reviews() > 0)
            assert at.connected() == set()
            at.run(replace(MINE, addresses=known or ("127.0.0.1",)))
            assert (await peer.greet("a")).accepted


async def test_a_pod_whose_address_never_comes_is_told_to_come_again(at: Controller) -> None:
    at.run(replace(MINE, addresses=()))
    async with pod_peer(at, authorization=bearer(MINE)) as peer:
        found, told = await refusal(peer)
    assert (found.name, "the address of pod acme/mine is not known yet" in told) == (
        "UNAVAILABLE",
        True,
    )


async def test_a_replayed_hello_of_another_pod_touches_nothing_of_it(at: Controller) -> None:
    """Somebody recorded what a sidecar says, or copied its journal, and says it as his own pod."""
    async with pod_peer(at, authorization=bearer(OTHER), address="127.0.0.2") as rightful:
        await rightful.greet("b", boot_seq=3)
        await rightful.report(want=(wants(300),))
        await rightful.next(Grant)
        await rightful.report(spent_of(FOREVER, 300, 100))
        await rightful.next(ReportAck)

        for leases in ((), (has(granted=300, spent=100),), (has(granted=300, spent=300),)):
            for boot_seq in (1, 3, 9):
                async with pod_peer(at, authorization=bearer(MINE)) as thief:
                    welcome = await thief.greet("b", *leases, boot_seq=boot_seq)
                    assert not welcome.accepted
                    assert welcome.refusal.startswith("This journal is another pod's")
                    assert await thief.until_end() == []

        holder = at.engine.world.holders["b"]
        assert (holder.frozen, holder.boot_seq) == (False, 3)
        assert holder.leases[FOREVER].spent == 100
        await rightful.report(want=(wants(100),))
        await rightful.next(Grant)
        assert at.connected() == {"b"}


async def test_other_labels_mean_other_pools_at_once(at: Controller) -> None:
    async with pod_peer(at, authorization=bearer(MINE)) as peer:
        await peer.greet("a")
        before = (await peer.next(PolicyPush)).policy
        at.label(MINE, {"team": "red"})
        after = (await peer.next(PolicyPush)).policy

        assert {one.name for one in before.pools} == {"org", "blue"}
        assert {one.name for one in after.pools} == {"org", "red"}
        assert at.engine.world.holders["a"].workload.labels == {"team": "red"}
        await peer.report()
        await peer.next(ReportAck)


async def test_a_pod_that_is_gone_loses_its_streams_and_keeps_its_leases(at: Controller) -> None:
    async with pod_peer(at, authorization=bearer(MINE)) as peer:
        await peer.greet("a")
        await peer.report(want=(wants(300),))
        await peer.next(Grant)
        at.end(MINE)
        found, told = await refusal(peer)
        assert (found.name, "is gone" in told) == ("PERMISSION_DENIED", True)
        await eventually(lambda: at.connected() == set())
        assert at.engine.world.cells[FOREVER].committed == 300


async def test_a_stream_outlives_its_token_and_the_next_one_shows_the_new(at: Controller) -> None:
    async with pod_peer(at, authorization=bearer(MINE)) as peer:
        await peer.greet("a")
        at.fake.tokens["renewed"] = at.fake.tokens.pop(MINE.token)
        await peer.report()
        await peer.next(ReportAck)
    async with pod_peer(at, authorization="Bearer renewed") as peer:
        assert (await peer.greet("a")).accepted


async def test_a_pod_has_only_so_many_streams(
    at: Controller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(door, "STREAMS_PER_POD_MAX", 1)
    async with pod_peer(at, authorization=bearer(MINE)) as first:
        await first.greet("a")
        async with pod_peer(at, authorization=bearer(MINE)) as second:
            found, told = await refusal(second)
        assert (found.name, "pod acme/mine has 1 streams" in told) == ("RESOURCE_EXHAUSTED", True)
    await eventually(lambda: at.connected() == set())
    async with pod_peer(at, authorization=bearer(MINE)) as again:
        assert (await again.greet("a")).accepted


async def test_an_answer_that_takes_too_long_is_not_waited_for(
    at: Controller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease_server, "AUTHENTICATION_S_MAX", 0.05)
    del at.pods.by_uid[MINE.uid]
    async with pod_peer(at, authorization=bearer(MINE)) as peer:
        found, told = await refusal(peer)
    assert (found.name, "could not be asked in time" in told) == ("UNAVAILABLE", True)


async def test_who_speaks_no_tls_hears_nothing(at: Controller) -> None:
    async with grpc.aio.insecure_channel(f"127.0.0.1:{at.port}") as channel:
        call = lease_pb2_grpc.LeaseServiceStub(channel).Sync(
            metadata=(("authorization", bearer(MINE)),)
        )
        async with asyncio.timeout(PATIENCE_S):
            assert await call.code() is grpc.StatusCode.UNAVAILABLE
    assert at.reviews() == 0


async def test_one_that_stands_by_asks_nobody_who_he_is(at: Controller) -> None:
    at.server.stand_by()
    at.server.leader_address = lambda: "farebox-1:7447"
    async with pod_peer(at, authorization=None) as peer:
        found, told = await refusal(peer)
    assert (found.name, "farebox-1:7447 leads" in told) == ("UNAVAILABLE", True)
    assert at.reviews() == 0


@pytest.mark.parametrize(
    ("peer", "address"),
    [
        ("ipv4:10.0.0.7:4711", "10.0.0.7"),
        ("ipv6:%5B::1%5D:4711", "::1"),
        ("ipv6:[fd00::7]:4711", "fd00::7"),
        ("ipv6:%5B::ffff:10.0.0.7%5D:4711", "::ffff:10.0.0.7"),
        ("unix:/some/file", ""),
    ],
)
def test_the_address_in_a_peer(peer: str, address: str) -> None:
    assert identity._address_of(peer) == address


@pytest.mark.parametrize(
    ("address", "addresses", "among"),
    [
        ("10.0.0.7", ("10.0.0.7", "fd00::7"), True),
        ("fd00:0::0007", ("10.0.0.7", "fd00::7"), True),
        ("::ffff:10.0.0.7", ("10.0.0.7",), True),
        ("fe80::1%eth0", ("fe80::1",), True),
        ("10.0.0.70", ("10.0.0.7",), False),
        ("", ("10.0.0.7",), False),
    ],
)
def test_an_address_is_the_same_however_it_is_written(
    address: str, addresses: tuple[str, ...], among: bool
) -> None:
    assert identity._is_among(address, addresses) is among


async def test_a_pod_that_talks_without_end_is_read_no_faster_than_it_may_and_others_are(
    at: Controller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pace, "WORK_MAX", pace.STREAM_WORK + 2 * pace.MESSAGE_WORK)
    monkeypatch.setattr(pace, "WORK_PER_S", 0.001)
    monkeypatch.setattr(pace, "READ_WAIT_S_MAX", 1e6)
    async with (
        pod_peer(at, authorization=bearer(MINE)) as loud,
        pod_peer(at, authorization=bearer(OTHER), address="127.0.0.2") as quiet,
    ):
        await loud.greet("a")
        for _ in range(100):
            await loud.report()
        await quiet.greet("b")
        await quiet.report(want=(wants(300),))
        assert (await quiet.next(Grant)).granted == 300
        told = (await loud.next(ReportAck)).seq
        assert told <= 2
        assert at.engine.world.holders["a"].seq in (1, 2)

    # Nor can it make itself new by coming again.
    async with pod_peer(at, authorization=bearer(MINE)) as again:
        found, sentence = await refusal(again)
    assert (found.name, "comes too often" in sentence) == ("RESOURCE_EXHAUSTED", True)
