"""Two controllers in one process over one simulated etcd: who leads serves, who does not says who.

Real gRPC streams, the real engine; only etcd is simulated, so that a test can take the leadership
away at the moment it chooses.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import grpc
import grpc.aio
import pytest
from prometheus_client import CollectorRegistry, generate_latest

from controller.leadership import Candidate
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
    """One controller."""

    def __init__(self, etcd: SimulatedEtcd, name: str) -> None:
        self.name = name
        self.kv = SimulatedKv(etcd)
        self.server = LeaseServer()
        self.resources = resources(pool(limit=1_000))
        self.port = 0
        self.reigns: Reigns

    async def start(self) -> "asyncio.Task[None]":
        self.port = await self.server.start(Endpoint("127.0.0.1", 0))
        clock = SystemClock()
        ledger = SharedLedger(
            self.kv, KEYS, clock, Candidate(name=self.name, address=f"127.0.0.1:{self.port}")
        )
        self.server.leader_address = ledger.leader_address
        self.reigns = Reigns(ledger, self.server, clock, Terms(), lambda: self.resources)
        return beside(self.reigns.run())

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


def _metrics(instance: Instance) -> str:
    registry = CollectorRegistry()
    registry.register(ReignMetrics(instance.reigns))
    return generate_latest(registry).decode()
