"""What can happen to etcd itself while money is lent from it; the provider's bill judges."""

import asyncio
import signal
from contextlib import suppress
from pathlib import Path

import etcd3aio
import grpc.aio
import pytest

from controller.store.kv import end_of
from tests.e2e.conftest import Say
from tests.e2e.test_failover import QUICK, sound
from tests.support.etcd import Cluster
from tests.support.etcd_fleet import System, calm, running_system, until
from tests.support.tasks import beside

JUNK = b"/junk/"
SPACE_BYTES = 16 * 1024 * 1024

pytestmark = pytest.mark.timeout(400)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "stopped"])
async def test_etcds_own_leader_goes(tmp_path: Path, say: Say, number: signal.Signals) -> None:
    async with running_system(tmp_path, calm(11)) as system:
        calling = beside(system.crowd.run())
        await system.until_served(20)
        epochs, gaps = [await system.epoch()], list[float]()
        for _ in range(2):
            member = await system.cluster.leader()
            began = asyncio.get_running_loop().time()
            member.signal(number)
            await system.until_commits()
            gaps.append(asyncio.get_running_loop().time() - began)
            await system.until_served(20)
            if number is signal.SIGKILL:
                system.cluster.start(member)
            else:
                member.signal(signal.SIGCONT)
            await system.until_served(20)
        epochs.append(await system.epoch())
        result = await system.settle(calling)
        say(
            f"etcd's leader {number.name} twice",
            result,
            until_commits_s_max=f"{max(gaps):.1f}",
            controllers_changed=epochs[1] - epochs[0],
        )
        assert sound(result)


async def test_etcd_without_a_quorum_lends_nothing_and_comes_back(tmp_path: Path, say: Say) -> None:
    async with running_system(tmp_path, calm(12), terms=QUICK) as system:
        calling = beside(system.crowd.run())
        await system.until_served(20)
        down = system.cluster.members[:2]
        for member in down:
            member.signal(signal.SIGKILL)
        await until(lambda: _nobody_leads(system))
        system.cluster.start(*down)
        began = asyncio.get_running_loop().time()
        await system.leader()
        took = asyncio.get_running_loop().time() - began
        await system.until_served(20)
        result = await system.settle(calling)
        say("etcd without a quorum", result, leads_again_s=f"{took:.1f}")
        assert sound(result)


async def test_etcd_without_space_lends_nothing_and_comes_back(tmp_path: Path, say: Say) -> None:
    options = ("--quota-backend-bytes", str(SPACE_BYTES))
    async with running_system(tmp_path, calm(13), terms=QUICK, etcd_options=options) as system:
        calling = beside(system.crowd.run())
        await system.until_served(20)
        await _fill(system.cluster)
        await until(lambda: _nobody_leads(system))
        await _make_room(system.cluster)
        began = asyncio.get_running_loop().time()
        await system.leader()
        took = asyncio.get_running_loop().time() - began
        await system.until_served(20)
        result = await system.settle(calling)
        say("etcd without space", result, leads_again_s=f"{took:.1f}")
        assert sound(result)


async def test_compaction_and_defragmentation_under_load(tmp_path: Path, say: Say) -> None:
    async with running_system(tmp_path, calm(14)) as system:
        calling = beside(system.crowd.run())
        epoch, rounds = await system.epoch(), 5
        for _ in range(rounds):
            await system.until_served(20)
            await _compact(system.cluster)
            for member in system.cluster.members:
                async with system.cluster.maintenance(member) as service:
                    await service.defragment(timeout=30)
        changed = await system.epoch() - epoch
        result = await system.settle(calling)
        say("compacted and defragmented", result, times=rounds, controllers_changed=changed)
        assert sound(result)


async def _nobody_leads(system: System) -> bool:
    roles = [await system.role(child) for child in system.controllers]
    return "leader" not in roles


async def _fill(cluster: Cluster) -> None:
    """Write until etcd takes no more."""
    async with cluster.keys(cluster.members[0]) as keys:
        with suppress(grpc.aio.AioRpcError):
            for number in range(10_000):
                with suppress(etcd3aio.EtcdError, TimeoutError):
                    await keys.put(JUNK + b"%06d" % number, b"x" * 500_000, timeout=5)


async def _compact(cluster: Cluster) -> None:
    async with cluster.keys(cluster.members[0]) as keys:
        revision = (await keys.get(JUNK, timeout=5)).header.revision
        await keys.compact(revision, physical=True, timeout=30)


async def _make_room(cluster: Cluster) -> None:
    """What an operator does: remove, compact, defragment each member, disarm the alarm."""
    async with cluster.keys(cluster.members[0]) as keys:
        await keys.delete(JUNK, end_of(JUNK), timeout=30)
    await _compact(cluster)
    for member in cluster.members:
        async with cluster.maintenance(member) as service:
            await service.defragment(timeout=30)
    async with cluster.maintenance(cluster.members[0]) as service:
        for raised in (await service.alarms(timeout=30)).alarms:
            await service.alarm_deactivate(
                etcd3aio.AlarmType.NOSPACE, member_id=raised.memberID, timeout=30
            )
