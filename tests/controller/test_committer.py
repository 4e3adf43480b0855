"""Store first, then send; one commit for what has gathered; the end of it all when one fails."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from prometheus_client import CollectorRegistry

from controller.committer import (
    BATCH_EVENTS_MAX,
    COMMIT_WRITES_MAX,
    EVENTS_WAITING_MAX,
    Committer,
)
from controller.engine import Engine
from controller.events import Received, Send, StreamClosed, Tick
from controller.store.protocol import Fenced, StoreError
from controller.telemetry import Telemetry
from controller.terms import Terms
from farebox.core.instant import BootMs
from farebox.wire.messages import (
    FromController,
    Grant,
    Hello,
    JournalState,
    Report,
    Welcome,
    Workload,
)
from tests.support.clocks import ManualClock
from tests.support.peers import eventually
from tests.support.scenes import FOREVER, has, pool, resources, wants
from tests.support.stores import HeldStore
from tests.support.tasks import beside

PATIENCE_S = 60


class Desk:
    """A committer with what it delivered."""

    def __init__(self, engine: Engine, store: HeldStore, clock: ManualClock) -> None:
        self.engine, self.store, self.clock = engine, store, clock
        self.committer = Committer(engine, store, clock, Telemetry(CollectorRegistry(), engine))
        self.delivered: list[Send] = []
        self.ended: list[int] = []
        self.news = asyncio.Event()
        self.running = beside(
            self.committer.run(deliver=self._deliver, end_stream=self.ended.append)
        )

    def _deliver(self, send: Send) -> None:
        self.delivered.append(send)
        self.news.set()

    def got(self, stream: int, kind: type[FromController]) -> list[FromController]:
        return [
            send.message
            for send in self.delivered
            if send.stream == stream and isinstance(send.message, kind)
        ]

    async def until_got(self, stream: int, kind: type[FromController]) -> FromController:
        async with asyncio.timeout(PATIENCE_S):
            while not self.got(stream, kind):
                self.news.clear()
                await self.news.wait()
        return self.got(stream, kind)[-1]


@asynccontextmanager
async def desk(limit: int = 100) -> AsyncIterator[Desk]:
    clock, store = ManualClock(), HeldStore()
    engine = Engine(
        await store.open(), terms=Terms(), resources=resources(pool(limit=limit)), now=clock.utc()
    )
    made = Desk(engine, store, clock)
    yield made
    made.running.cancel()
    await asyncio.wait([made.running])


def hello(stream: int) -> Received:
    return Received(
        stream,
        Hello(
            holder=f"h{stream}",
            boot_seq=1,
            workload=Workload(namespace="acme", name="pod"),
            journal=JournalState.NEW,
            epoch_seen_max=0,
            boot_ms=BootMs(5),
        ),
    )


def report(stream: int, need: int) -> Received:
    return Received(stream, Report(seq=1, boot_ms=BootMs(6), wants=(wants(need),)))


async def test_nothing_is_sent_while_its_commit_is_under_way() -> None:
    async with desk() as at:
        await at.committer.submit(hello(1))
        await at.committer.submit(report(1, 30))
        await at.store.waiting.wait()
        await asyncio.sleep(0)
        assert at.engine.world.cells[FOREVER].committed == 30
        assert at.delivered == []

        at.store.gate.set()
        await at.until_got(1, Grant)
        assert at.store.commits


async def test_what_gathers_during_a_commit_is_committed_together_and_judged_in_order() -> None:
    async with desk(limit=100) as at:
        await at.committer.submit(hello(1))
        await at.store.waiting.wait()
        for stream in range(2, 8):
            await at.committer.submit(hello(stream))
            await at.committer.submit(report(stream, 30))
        at.store.gate.set()
        await at.until_got(7, Welcome)

        assert len(at.store.commits) == 2
        assert at.engine.world.cells[FOREVER].committed <= 100
        assert [bool(at.got(stream, Grant)) for stream in range(2, 8)] == [True] * 3 + [False] * 3


async def test_a_batch_is_bounded() -> None:
    async with desk() as at:
        await at.committer.submit(hello(1))
        await at.store.waiting.wait()
        for stream in range(2, BATCH_EVENTS_MAX + 3):
            await at.committer.submit(hello(stream))
        at.store.gate.set()
        await at.until_got(BATCH_EVENTS_MAX + 2, Welcome)

        rest = BATCH_EVENTS_MAX - COMMIT_WRITES_MAX
        assert [len(commit) for commit in at.store.commits] == [1, COMMIT_WRITES_MAX, rest, 1]


async def test_a_failed_commit_sends_nothing_and_ends_the_loop() -> None:
    async with desk() as at:
        at.store.broken = True
        at.store.gate.set()
        await at.committer.submit(hello(1))
        await at.committer.submit(report(1, 30))

        with pytest.raises(StoreError, match="the disk is full"):
            await at.running
        assert at.delivered == []
        at.committer.submit_end(StreamClosed(1))  # whoever ends now is not held up


async def test_who_may_have_been_deposed_sends_nothing_even_of_what_is_committed() -> None:
    async with desk() as at:
        at.store.gate.set()
        at.committer.may_speak = lambda: False
        await at.committer.submit(hello(1))

        with pytest.raises(Fenced, match="could not show in time that it still leads"):
            await at.running
        assert len(at.store.commits) == 1
        assert at.delivered == []


async def test_who_waits_to_submit_when_the_reign_ends_waits_no_longer() -> None:
    async with desk() as at:
        await at.committer.submit(hello(1))
        await at.store.waiting.wait()
        for _ in range(EVENTS_WAITING_MAX):
            await at.committer.submit(Tick())
        waiting = [beside(at.committer.submit(Tick())) for _ in range(3)]
        await asyncio.sleep(0)
        at.committer.close()
        async with asyncio.timeout(PATIENCE_S):
            await asyncio.gather(*waiting)


async def test_an_event_without_writes_needs_no_commit() -> None:
    async with desk() as at:
        at.store.gate.set()
        await at.committer.submit(hello(1))
        await at.until_got(1, Welcome)
        commits = len(at.store.commits)
        await at.committer.submit(Tick())
        await at.committer.submit(hello(2))
        await at.until_got(2, Welcome)

        assert len(at.store.commits) == commits + 1


async def test_a_replaced_stream_is_ended_after_the_commit() -> None:
    async with desk() as at:
        at.store.gate.set()
        await at.committer.submit(hello(1))
        again = hello(1)
        await at.committer.submit(Received(2, again.message))
        await at.until_got(2, Welcome)

        assert at.ended == [1]


async def test_who_brings_too_many_events_waits() -> None:
    async with desk() as at:
        await at.committer.submit(hello(1))
        await at.store.waiting.wait()
        for _ in range(EVENTS_WAITING_MAX):
            await at.committer.submit(Tick())
        one_more = beside(at.committer.submit(Tick()))
        await asyncio.sleep(0)
        assert not one_more.done()

        at.store.gate.set()
        async with asyncio.timeout(PATIENCE_S):
            await one_more


async def test_what_should_not_happen_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    async with desk() as at:
        at.store.gate.set()
        with caplog.at_level(logging.WARNING):
            await at.committer.submit(hello(1))
            unknown = Report(seq=1, boot_ms=BootMs(6), leases=(has(granted=5),))
            await at.committer.submit(Received(1, unknown))
            await at.committer.submit(hello(2))
            await at.until_got(2, Welcome)

    assert "the ledger does not know" in caplog.text


async def test_time_passes_for_the_engine() -> None:
    async with desk() as at:
        before = at.engine.now
        at.clock.advance(60_000)
        ticking = beside(at.committer.tick())
        await eventually(lambda: at.engine.now == before + 60_000)
        ticking.cancel()
        await asyncio.wait([ticking])
