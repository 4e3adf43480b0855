"""A limit that is lowered in the middle of it all, and many sidecars that come back at once."""

import asyncio
import itertools
from collections.abc import Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import replace
from pathlib import Path

import grpc.aio
import pytest

from bench.cap_judge import nanos
from bench.processes import resident_kib
from tests.e2e.conftest import Say
from tests.support.etcd_fleet import System, calm, running_system, until, write_limits
from tests.support.lease_peers import lease_peer
from tests.support.tasks import beside

STREAMS = 1_000
ROUNDS = 6
ATTEMPTS_MAX = 20
GROWTH_KIB_MAX = 4.0
"""What one more connection of a sidecar known before may leave behind."""

pytestmark = pytest.mark.timeout(400)


async def test_a_limit_lowered_under_full_load_binds(tmp_path: Path, say: Say) -> None:
    scenario = calm(21)
    org, *others = scenario.pools
    wide = replace(org, period_ms=None, limit_nanos=100 * org.limit_nanos)
    scenario = replace(scenario, pools=(wide, *others))
    async with running_system(tmp_path, scenario) as system:
        calling = beside(system.crowd.run())
        await system.until_served(100)
        row = await _org(system)
        lowered = nanos(row["settled_usd"]) + nanos(row["held_usd"])
        narrow = replace(scenario, pools=(replace(wide, limit_nanos=lowered), *others))
        began = asyncio.get_running_loop().time()
        write_limits(system, narrow)
        at_adoption = 0

        async def is_adopted() -> bool:
            nonlocal at_adoption
            row = await _org(system)
            at_adoption = _committed(row)
            return nanos(row["limit_usd"]) == lowered

        async def is_bound() -> bool:
            return nanos((await _org(system))["leased_usd"]) == 0

        await until(is_adopted)
        adopted = asyncio.get_running_loop().time() - began
        await until(is_bound)
        bound = asyncio.get_running_loop().time() - began
        system.scenario = replace(scenario, pools=(replace(wide, limit_nanos=at_adoption), *others))
        result = await system.settle(calling)
        say(
            "limit lowered to what was spent and held",
            result,
            adopted_s=f"{adopted:.2f}",
            nothing_idle_s=f"{bound:.2f}",
        )
        billed = max(bill.billed_pico for account, bill in result.bills.items() if not account.user)
        assert billed <= at_adoption * 1_000


async def _org(system: System) -> dict[str, str]:
    (row,) = [one for one in await system.pools() if one["pool"].endswith("/org")]
    return row


def _committed(row: dict[str, str]) -> int:
    return sum(nanos(row[name]) for name in ("settled_usd", "held_usd", "leased_usd"))


async def test_many_that_come_back_at_once_are_let_in_and_leave_nothing_behind(
    tmp_path: Path, say: Say
) -> None:
    async with running_system(tmp_path, calm(22), sidecars=0) as system:
        leader, epoch = await system.leader(), await system.epoch()
        ports = [child.facts["grpc"] for child in (leader, system.other(leader))]
        pids = tuple(child.pid for child in system.controllers)
        took, resident = list[float](), list[int]()
        for _ in range(ROUNDS):
            began = asyncio.get_running_loop().time()
            async with AsyncExitStack() as stack:
                await asyncio.gather(*(_join(stack, one, ports) for one in range(STREAMS)))
                took.append(asyncio.get_running_loop().time() - began)
            resident.append(resident_kib(pids))
        changed = await system.epoch() - epoch
        growth = (resident[-1] - resident[1]) / ((ROUNDS - 2) * STREAMS)
        say(
            f"{STREAMS} streams at once, {ROUNDS} times",
            all_in_s_max=f"{max(took):.1f}",
            rss_mib_of_both=f"{resident[0] // 1024}..{resident[-1] // 1024}",
            growth_kib_per_stream=f"{growth:.2f}",
            controllers_changed=changed,
        )
        assert changed == 0
        assert growth < GROWTH_KIB_MAX


async def _join(stack: AsyncExitStack, number: int, ports: Sequence[int]) -> None:
    """Come as a sidecar does: to one controller, and when it turns us away to the other."""
    for port in itertools.islice(itertools.cycle(ports), ATTEMPTS_MAX):
        peer = await stack.enter_async_context(lease_peer(port))
        with suppress(grpc.aio.AioRpcError, TimeoutError):
            await peer.greet(f"h{number}")
            return
        await asyncio.sleep(0.5)
    raise AssertionError(f"no controller let h{number} in")
