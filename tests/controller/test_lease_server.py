"""The service over real gRPC on loopback."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import grpc
import grpc.aio
import pytest
from prometheus_client import CollectorRegistry

from controller import lease_server
from controller.committer import Committer
from controller.engine import Engine
from controller.lease_server import LeaseServer
from controller.store.memory import MemoryStore
from controller.telemetry import Telemetry
from controller.terms import Terms
from farebox.runtime.clock import SystemClock
from farebox.runtime.endpoints import Endpoint
from farebox.wire.messages import Goodbye, Grant, PolicyPush, ReportAck
from farebox.wire.v1 import lease_pb2
from tests.support.lease_peers import PATIENCE_S, lease_peer, spent_of
from tests.support.peers import eventually
from tests.support.scenes import FOREVER, has, pool, resources, wants
from tests.support.tasks import beside


class Served:
    """A server with the engine behind it."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.clock = SystemClock()
        self.store = MemoryStore()
        self.committer = Committer(
            engine, self.store, self.clock, Telemetry(CollectorRegistry(), engine)
        )
        self.server = LeaseServer(self.committer)
        self.port = 0

    def connected(self) -> set[str]:
        holders = self.engine.world.holders.values()
        return {holder.uid for holder in holders if holder.stream is not None}


@asynccontextmanager
async def serving(limit: int = 1_000) -> AsyncIterator[Served]:
    store = MemoryStore()
    engine = Engine(
        await store.open(),
        terms=Terms(),
        resources=resources(pool(limit=limit)),
        now=SystemClock().utc(),
    )
    served = Served(engine)
    await served.store.open()
    loop = beside(
        served.committer.run(deliver=served.server.deliver, end_stream=served.server.end_stream)
    )
    served.port = await served.server.start(Endpoint("127.0.0.1", 0))
    try:
        yield served
    finally:
        await served.server.stop()
        loop.cancel()
        await asyncio.wait([loop])


async def test_a_sidecar_is_welcomed_gets_its_policy_and_money() -> None:
    async with serving() as at, lease_peer(at.port) as peer:
        assert (await peer.greet("a")).accepted
        pushed = await peer.next(PolicyPush)
        assert [one.name for one in pushed.policy.pools] == ["org"]

        await peer.report(want=(wants(300),))
        assert (await peer.next(Grant)).granted == 300
        await peer.report()
        assert (await peer.next(ReportAck)).seq == 2


async def test_two_sidecars_share_one_limit() -> None:
    async with serving(limit=1_000) as at, lease_peer(at.port) as one, lease_peer(at.port) as two:
        for name, peer in (("a", one), ("b", two)):
            await peer.greet(name)
            await peer.report(want=(wants(700, least=1),))

        first = (await one.next(Grant)).granted
        assert first == 700
        await one.report(has(granted=first, returned=400, reserved=300))
        assert (await two.next(Grant)).granted <= 700
        assert at.engine.world.cells[FOREVER].committed <= 1_000


async def test_the_end_of_a_stream_is_noticed_and_its_leases_stay() -> None:
    async with serving() as at:
        async with lease_peer(at.port) as peer:
            await peer.greet("a")
            await peer.report(want=(wants(300),))
            await peer.next(Grant)
        await eventually(lambda: at.connected() == set())
        assert at.engine.world.cells[FOREVER].committed == 300


async def test_a_goodbye_is_committed_before_the_stream_ends() -> None:
    async with serving() as at, lease_peer(at.port) as peer:
        await peer.greet("a")
        await peer.report(want=(wants(300),))
        await peer.next(Grant)
        await peer.say(Goodbye(leases=(has(granted=300, returned=250, spent=50),)))
        await peer.call.done_writing()

        await peer.until_end()
        assert at.engine.world.cells[FOREVER].committed == 50
        assert await peer.call.code() is grpc.StatusCode.OK


async def test_a_holder_that_comes_again_ends_its_older_stream() -> None:
    async with serving() as at, lease_peer(at.port) as older, lease_peer(at.port) as newer:
        await older.greet("a")
        await newer.greet("a")
        await older.until_end()

        await newer.report(want=(wants(10),))
        assert (await newer.next(Grant)).granted == 10
        assert at.connected() == {"a"}


async def test_a_copied_journal_hears_why_it_is_refused_and_its_stream_ends() -> None:
    async with serving() as at, lease_peer(at.port) as real, lease_peer(at.port) as copy:
        await real.greet("a", boot_seq=2)
        await real.report(want=(wants(300),))
        await real.report(spent_of((await real.next(Grant)).lease, 300, 100))
        await real.next(ReportAck)

        welcome = await copy.greet("a", boot_seq=1)
        assert not welcome.accepted
        assert "starts as a new holder" in welcome.refusal
        assert await copy.until_end() == []


@pytest.mark.parametrize(
    ("request_", "want"),
    [
        (lease_pb2.SyncRequest(), "is empty"),
        (lease_pb2.SyncRequest(hello=lease_pb2.Hello()), "hello.workload is missing"),
        (lease_pb2.SyncRequest(report=lease_pb2.Report(seq=1)), "must be a Hello"),
    ],
)
async def test_a_malformed_beginning_ends_the_stream_with_a_sentence(
    request_: lease_pb2.SyncRequest, want: str
) -> None:
    async with serving() as at, lease_peer(at.port) as peer:
        await peer.call.write(request_)

        async with asyncio.timeout(PATIENCE_S):
            assert await peer.call.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert want in await peer.call.details()


async def test_only_the_first_message_may_be_a_hello() -> None:
    async with serving() as at, lease_peer(at.port) as peer:
        await peer.greet("a")
        await peer.next(PolicyPush)
        await peer.greet_again("b")

        async with asyncio.timeout(PATIENCE_S):
            assert await peer.call.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert "only the first message of a stream may be a Hello" in await peer.call.details()
        assert "b" not in at.engine.world.holders


async def test_a_stream_without_a_hello_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease_server, "HELLO_WAIT_S", 0.05)
    async with serving() as at, lease_peer(at.port) as peer:
        async with asyncio.timeout(PATIENCE_S):
            assert await peer.call.code() is grpc.StatusCode.DEADLINE_EXCEEDED


async def test_more_streams_than_may_be_are_turned_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease_server, "STREAMS_MAX", 1)
    async with serving() as at, lease_peer(at.port) as first:
        await first.greet("a")

        async with lease_peer(at.port) as second, asyncio.timeout(PATIENCE_S):
            assert await second.call.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


async def test_a_sidecar_that_does_not_read_loses_its_stream(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with serving() as at, lease_peer(at.port) as peer:
        await peer.greet("a")
        (outbox,) = at.server._outboxes.values()
        monkeypatch.setattr(outbox, "_messages_max", 0)
        await peer.report()

        await peer.until_end()
        await eventually(lambda: at.connected() == set())


async def test_stopping_ends_every_stream_in_order() -> None:
    async with serving() as at, lease_peer(at.port) as peer:
        await peer.greet("a")
        await at.server.stop()

        await peer.until_end()
        assert await peer.call.code() is grpc.StatusCode.OK


async def test_an_address_that_is_taken_is_told() -> None:
    async with serving() as at:
        other = LeaseServer(at.committer)
        with pytest.raises(OSError, match="can't be listened on"):
            await other.start(Endpoint("127.0.0.1", at.port))
        await other.stop()
