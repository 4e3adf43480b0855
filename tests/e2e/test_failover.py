"""Controllers and sidecars that die or stand still, on a real etcd; the provider's bill judges."""

import asyncio
import random
import signal
from pathlib import Path

import grpc.aio
import pytest

from bench.cap_run import Result
from farebox.core.budgets import Charge, PoolUid
from farebox.wire.messages import Grant, PolicyPush
from tests.e2e.conftest import Say
from tests.support.etcd_fleet import System, calm, go_on, pause, running_system, until
from tests.support.lease_peers import lease_peer
from tests.support.scenes import wants
from tests.support.tasks import beside

FAILOVER_S_MAX = 10.0
QUICK = ("--heartbeat-ms", "500", "--ttl-ms", "3000")

pytestmark = pytest.mark.timeout(400)


def sound(result: Result) -> bool:
    """Nothing overspent, nothing lost; prints what is wrong."""
    for finding in result.findings:
        assert not finding.sentence, finding.sentence
    return result.billed_calls > 0


async def test_a_killed_leader_is_replaced_in_time(tmp_path: Path, say: Say) -> None:
    async with running_system(tmp_path, calm(1)) as system:
        calling = beside(system.crowd.run())
        took = []
        for _ in range(3):
            await system.until_served(20)
            leader = await system.leader()
            await leader.kill()
            took.append(await system.seconds_until(system.other(leader)))
            await leader.start()
        result = await system.settle(calling)
        leads, whole = max(one for one, _ in took), max(both for _, both in took)
        say(
            "leader killed 3 times",
            result,
            standby_leads_s_max=f"{leads:.1f}",
            sidecars_back_s_max=f"{whole:.1f}",
        )
        assert leads < FAILOVER_S_MAX
        assert sound(result)


async def test_a_leader_that_dies_together_with_etcds_own_is_replaced_in_time(
    tmp_path: Path, say: Say
) -> None:
    async with running_system(tmp_path, calm(6)) as system:
        calling = beside(system.crowd.run())
        await system.until_served(20)
        leader, member = await system.leader(), await system.cluster.leader()
        member.signal(signal.SIGKILL)
        await leader.kill()
        leads, whole = await system.seconds_until(system.other(leader))
        system.cluster.start(member)
        await leader.start()
        result = await system.settle(calling)
        say(
            "leader and etcd's own leader killed",
            result,
            standby_leads_s=f"{leads:.1f}",
            sidecars_back_s=f"{whole:.1f}",
        )
        assert leads < FAILOVER_S_MAX
        assert sound(result)


async def test_an_orderly_end_hands_over_at_once(tmp_path: Path, say: Say) -> None:
    async with running_system(tmp_path, calm(2)) as system:
        calling = beside(system.crowd.run())
        await system.until_served(20)
        leader = await system.leader()
        following = beside(system.seconds_until(system.other(leader)))
        await leader.stop()
        leads, whole = await following
        await leader.start()
        result = await system.settle(calling)
        say(
            "leader ended in order",
            result,
            standby_leads_s=f"{leads:.1f}",
            sidecars_back_s=f"{whole:.1f}",
        )
        assert leads < FAILOVER_S_MAX
        assert sound(result)


async def test_random_kills_of_everything_overspend_nothing(tmp_path: Path, say: Say) -> None:
    dice = random.Random(3)
    async with running_system(tmp_path, calm(3), terms=QUICK) as system:
        calling = beside(system.crowd.run())
        kills = {"controller": 0, "sidecar": 0, "etcd": 0}
        for _ in range(12):
            await asyncio.sleep(dice.uniform(0.2, 2.0))
            kind = dice.choice(list(kills))
            kills[kind] += 1
            await _kill_one(system, kind, dice)
        result = await system.settle(calling)
        say("random kill -9", result, **kills)
        assert sound(result)


async def _kill_one(system: System, kind: str, dice: random.Random) -> None:
    if kind == "etcd":
        member = dice.choice(system.cluster.members)
        member.signal(signal.SIGKILL)
        await asyncio.sleep(dice.uniform(0, 2))
        system.cluster.start(member)
        return
    child = dice.choice(system.controllers if kind == "controller" else system.sidecars)
    await child.kill()
    await asyncio.sleep(dice.uniform(0, 2))
    await child.start()


async def test_a_leader_that_stood_still_sends_nothing_of_what_it_had(
    tmp_path: Path, say: Say
) -> None:
    async with running_system(tmp_path, calm(4)) as system:
        calling = beside(system.crowd.run())
        await system.until_served(20)
        old = await system.leader()
        new = system.other(old)
        async with lease_peer(old.facts["grpc"]) as peer:
            await peer.greet("onlooker")
            await peer.next(PolicyPush)
            pause(old)
            # Asked while it stands still: it decides, or tries to, only once it goes on.
            await peer.report(want=(wants(1_000, of=Charge(PoolUid("default/org"), "")),))
            leads, whole = await system.seconds_until(new)
            await system.until_served(20)
            go_on(old)
            with pytest.raises(grpc.aio.AioRpcError, match="stands by"):
                await peer.next(Grant)

        async def stands_by() -> bool:
            return await system.role(old) == "standby"

        await until(stands_by)
        assert await system.leader() is new
        result = await system.settle(calling)
        say(
            "leader stopped beyond its TTL",
            result,
            standby_leads_s=f"{leads:.1f}",
            sidecars_back_s=f"{whole:.1f}",
            old_log=_verdict(old.log.read_text()),
        )
        assert leads < FAILOVER_S_MAX
        assert sound(result)


def _verdict(log: str) -> str:
    return "leads no more" if "leads no more" in log else "no word of it"


async def test_a_sidecar_that_stood_still_spends_nothing_that_is_not_its_own(
    tmp_path: Path, say: Say
) -> None:
    async with running_system(tmp_path, calm(5), terms=QUICK) as system:
        calling = beside(system.crowd.run())
        for _ in range(2):
            await system.until_served(20)
            pause(system.sidecars[0])
            await system.until_served(20)
            await asyncio.sleep(4)
            go_on(system.sidecars[0])
        await system.until_connected()
        result = await system.settle(calling)
        say("sidecar stopped twice beyond its TTL", result)
        assert sound(result)
