"""Two controllers in one process over one simulated etcd: who leads serves, who does not says who.

Real gRPC streams, the real engine; only etcd is simulated, so that a test can take the leadership
away at the moment it chooses.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import grpc
import grpc.aio
import pytest
from prometheus_client import CollectorRegistry, generate_latest

from controller.leadership import TTL_S, Candidate
from controller.lease_server import LEADER_KEY, LeaseServer
from controller.ledgers import SharedLedger
from controller.reigns import ReignMetrics, Reigns
from controller.terms import Terms
from farebox.runtime.clock import SystemClock
from farebox.runtime.endpoints import Endpoint
from farebox.wire.messages import Denial, Grant, PolicyPush
from tests.support.kv import Fault, SimulatedEtcd, SimulatedKv
from tests.support.lease_peers import lease_peer
from tests.support.peers import eventually
from tests.support.scenes import FOREVER, has, pool, resources, wants
from tests.support.stores import KEYS
from tests.support.tasks import beside

PATIENCE_S = 20


class Instance:
    """One controller. `trouble` is why it can't read its resources; `asked` counts requests."""

    def __init__(self, etcd: SimulatedEtcd, name: str) -> None:
        self.name = name
        self.asked = Counter[str]()
        self.kv = SimulatedKv(etcd, self._count)
        self.ttl_s = TTL_S
        self.server = LeaseServer()
        self.resources = resources(pool(limit=1_000))
        self.renewals = 0
        self.trouble = ""
        self.may_renew = asyncio.Event()
        self.may_renew.set()
        self.port = 0
        self.reigns: Reigns

    async def start(self) -> "asyncio.Task[None]":
        self.port = await self.server.start(Endpoint("127.0.0.1", 0))
        clock = SystemClock()
        candidate = Candidate(name=self.name, address=f"127.0.0.1:{self.port}")
        ledger = SharedLedger(self.kv, KEYS, clock, candidate, ttl_s=self.ttl_s)
        self.server.leader_address = ledger.leader_address
        self.reigns = Reigns(
            ledger, self.server, clock, Terms(), lambda: self.resources, renewed=self._renewed
        )
        return beside(self.reigns.run())

    def _count(self, name: str) -> Fault:
        self.asked[name] += 1
        return Fault.NONE

    async def _renewed(self) -> str:
        self.renewals += 1
        await self.may_renew.wait()
        return self.trouble

    async def until_it_leads(self) -> None:
        async with asyncio.timeout(PATIENCE_S):
            await self.reigns.leading.wait()

    async def until_it_knows(self, leader: str) -> None:
        await eventually(lambda: leader in self.reigns.standing_by())


@asynccontextmanager
async def pair(etcd: SimulatedEtcd) -> AsyncIterator[tuple[Instance, Instance]]:
    """A controller that leads and one that stands by."""
    one, other = Instance(etcd, "one"), Instance(etcd, "other")
    tasks = [await one.start()]
    try:
        await one.until_it_leads()
        tasks.append(await other.start())
        await other.until_it_knows("one")
        yield one, other
    finally:
        for instance in (one, other)[: len(tasks)]:
            await instance.server.stop()
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


@asynccontextmanager
async def running(instance: Instance) -> AsyncIterator[None]:
    """One controller for as long as the block lasts."""
    task = await instance.start()
    try:
        yield
    finally:
        await instance.server.stop()
        task.cancel()
        await asyncio.wait([task])


def depose(etcd: SimulatedEtcd) -> None:
    """End the session of whoever leads."""
    etcd.drop_session(etcd.keys[KEYS.leader].session)


async def test_who_stands_by_turns_sidecars_away_and_says_who_leads() -> None:
    async with pair(SimulatedEtcd()) as (one, other), lease_peer(other.port) as peer:
        assert await peer.call.code() is grpc.StatusCode.UNAVAILABLE
        told = dict(await peer.call.trailing_metadata())
        assert told[LEADER_KEY] == f"127.0.0.1:{one.port}"
        assert f"127.0.0.1:{one.port} leads" in await peer.call.details()
        assert other.reigns.standing_by() == f"standing by; one at 127.0.0.1:{one.port} leads"
        assert one.reigns.standing_by() == ""
        assert one.reigns.role()["role"] == "leader"
        assert other.reigns.role() == {
            "role": "standby",
            "epoch": None,
            "leader": "one",
            "address": f"127.0.0.1:{one.port}",
        }


async def test_the_next_leader_honours_every_grant_of_the_last() -> None:
    etcd = SimulatedEtcd()
    async with pair(etcd) as (one, other):
        async with lease_peer(one.port) as peer:
            await peer.greet("a")
            await peer.report(want=(wants(700),))
            assert (await peer.next(Grant)).granted == 700
            depose(etcd)
            with pytest.raises(grpc.aio.AioRpcError) as ended:
                await peer.until_end()
            assert ended.value.code() is grpc.StatusCode.UNAVAILABLE
        await _somebody_leads(one, other)
        leader = one if one.reigns.leading.is_set() else other
        async with lease_peer(leader.port) as back, lease_peer(leader.port) as late:
            welcome = await back.greet("a", has(granted=700, reserved=700))
            assert (welcome.accepted, welcome.epoch) == (True, 2)
            await late.greet("b")
            await late.report(want=(wants(400),))
            assert (await late.next(Denial)).remaining == 300


async def _somebody_leads(*instances: Instance) -> None:
    await eventually(lambda: any(one.reigns.leading.is_set() for one in instances))


async def test_a_deposed_leader_that_does_not_know_it_commits_and_sends_nothing() -> None:
    etcd = SimulatedEtcd()
    async with pair(etcd) as (one, other), lease_peer(one.port) as peer:
        await peer.greet("a")
        await peer.next(PolicyPush)
        depose(etcd)
        await peer.report(want=(wants(700),))
        with pytest.raises(grpc.aio.AioRpcError):
            await peer.next(Grant)
        await _somebody_leads(one, other)
        leader = one if one.reigns.leading.is_set() else other
        assert leader.reigns.engine is not None
        cell = leader.reigns.engine.world.cells.get(FOREVER)
        assert cell is None or cell.committed == 0


async def test_a_leader_without_etcd_falls_silent_and_leads_again_when_it_is_back() -> None:
    etcd = SimulatedEtcd(timeout_s=0.05)
    instance = Instance(etcd, "alone")
    task = await instance.start()
    await instance.until_it_leads()
    instance.kv.plan = lambda _: Fault.UNREACHABLE
    depose(etcd)
    await eventually(lambda: not instance.reigns.leading.is_set(), polls_max=2_000)
    assert "nobody leads yet" in instance.reigns.standing_by() or "alone" in (
        instance.reigns.standing_by()
    )
    instance.kv.plan = lambda _: Fault.NONE
    await instance.until_it_leads()
    assert instance.reigns.role()["epoch"] == 2
    await instance.server.stop()
    task.cancel()
    await asyncio.wait([task])


async def test_resources_reach_who_leads_and_metrics_say_who_it_is() -> None:
    async with pair(SimulatedEtcd()) as (one, other):
        for instance in (one, other):
            instance.resources = resources(pool(limit=5))
            await instance.reigns.change_resources(instance.resources)
        async with lease_peer(one.port) as peer:
            await peer.greet("a")
            assert (await peer.next(PolicyPush)).policy.pools[0].limit == 5
        assert "farebox_controller_leads 1.0" in _metrics(one)
        assert 'farebox_pool_committed_usd{pool="acme/org"}' in _metrics(one)
        assert _metrics(other).count("farebox_controller_leads 0.0") == 1


class TestOnResourcesThatMayBeOld:
    """Who has won the ledger and must first read what is in force."""

    async def test_what_is_lent_respects_what_was_read_after_the_ledger_was_won(self) -> None:
        etcd = SimulatedEtcd()
        one, other = Instance(etcd, "one"), Instance(etcd, "other")
        other.may_renew.clear()
        async with running(one):
            await one.until_it_leads()
            async with lease_peer(one.port) as peer:
                await peer.greet("a")
                await peer.report(want=(wants(400),))
                assert (await peer.next(Grant)).granted == 400
            async with running(other):
                await other.until_it_knows("one")
                assert other.renewals == 0, "what is read before counts for nothing"
                one.trouble = "nobody answers"
                depose(etcd)
                await eventually(lambda: other.renewals == 1)
                async with lease_peer(other.port) as early:
                    assert await early.call.code() is grpc.StatusCode.UNAVAILABLE
                other.resources = resources(pool(limit=500))
                other.may_renew.set()
                await other.until_it_leads()
                async with lease_peer(other.port) as late:
                    await late.greet("b")
                    await late.report(want=(wants(600),))
                    assert (await late.next(Denial)).remaining == 100

    async def test_who_can_not_read_them_leaves_the_ledger_to_another(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        etcd = SimulatedEtcd()
        cut_off, well = Instance(etcd, "cut-off"), Instance(etcd, "well")
        cut_off.trouble = "nobody answers"
        async with running(cut_off):
            await eventually(lambda: cut_off.renewals == 1)
            async with running(well):
                await well.until_it_leads()
                await cut_off.until_it_knows("well")
                assert cut_off.reigns.role()["role"] == "standby"
        said = "what it knows of the resources may be old (nobody answers)"
        assert f"this controller leaves the lead to others: {said}" in caplog.text

    async def test_alone_it_leads_once_it_can_read_them_again(self) -> None:
        etcd = SimulatedEtcd()
        alone = Instance(etcd, "alone")
        alone.trouble = "nobody answers"
        async with running(alone):
            await eventually(lambda: alone.renewals == 2)
            assert not alone.reigns.leading.is_set()
            alone.trouble = ""
            await alone.until_it_leads()

    async def test_meanwhile_the_ledger_is_kept_from_others(self) -> None:
        etcd = SimulatedEtcd()
        slow, other = Instance(etcd, "slow"), Instance(etcd, "other")
        slow.ttl_s = 2
        slow.may_renew.clear()
        async with running(slow):
            await eventually(lambda: slow.renewals == 1)
            renewed = slow.asked["renew"]
            async with running(other):
                await other.until_it_knows("slow")
                # Three to each time to live: without them its session had ended by now.
                await eventually(lambda: slow.asked["renew"] > renewed + 5)
                assert (slow.renewals, other.renewals) == (1, 0)
                slow.may_renew.set()
                await slow.until_it_leads()
                assert slow.reigns.role()["epoch"] == 1

    async def test_a_ledger_lost_meanwhile_is_lost(self) -> None:
        etcd = SimulatedEtcd()
        slow, other = Instance(etcd, "slow"), Instance(etcd, "other")
        slow.may_renew.clear()
        async with running(slow):
            await eventually(lambda: slow.renewals == 1)
            async with running(other):
                await other.until_it_knows("slow")
                depose(etcd)
                await other.until_it_leads()
                slow.may_renew.set()
                await slow.until_it_knows("other")
                assert slow.reigns.role()["role"] == "standby"


def _metrics(instance: Instance) -> str:
    registry = CollectorRegistry()
    registry.register(ReignMetrics(instance.reigns))
    return generate_latest(registry).decode()
