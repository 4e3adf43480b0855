"""A whole system on a real etcd: three members, two controllers, sidecars, a provider with a bill.

The callers, the scenarios and the judge are those of the cap benchmark. The one rule: the verdict
comes from the provider's own ledger and from what is in etcd when all is quiet. This module must
not know what a test does to the processes.
"""

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from bench import manifests
from bench.cap_callers import Crowd
from bench.cap_fleet import past_lines, provider_config, read_lines, resources
from bench.cap_judge import Account, Line
from bench.cap_run import Result, Seen, judge
from bench.cap_scenario import Scenario, storm, typical_worst_nanos
from controller.store.etcd_client import EtcdClient
from controller.store.etcd_layout import Keys
from controller.store.kv import KvUnclear, end_of
from farebox.cli import fleet
from farebox.cli.admin import AdminError, admin_url, get_json, until_ready
from farebox.cli.processes import Child, Children, Port, Program
from tests.support.etcd import Cluster, etcd_cluster
from tests.support.network import Network
from tests.support.ports import free_ports

PATIENCE_S: Final = 60.0
QUIET_S_MAX: Final = 60.0
POLL_S: Final = 0.05
KEYS: Final = Keys("/farebox")
_DEFAULT_TERMS: Final = ("--heartbeat-ms", "5000", "--ttl-ms", "15000")


def calm(seed: int, **changes: Any) -> Scenario:
    """The benchmark's storm of a seed without kills and faults.

    Its limits are reached in every window, and the windows are short, so that calls go on.
    """
    scenario = storm(seed)
    worst = typical_worst_nanos(0)
    pools = tuple(
        replace(plan, period_ms=seconds * 1_000, calls_worth=calls, limit_nanos=calls * worst + 7)
        for plan, seconds, calls in zip(scenario.pools, (10, 13, 7), (300, 250, 50), strict=True)
    )
    return replace(
        scenario, pools=pools, kills=(), faults={}, overrun_percent=0, think_ms_max=300, **changes
    )


def for_ever(seed: int, calls: int) -> Scenario:
    """The same with limits that never renew themselves, each worth so many typical calls."""
    scenario = calm(seed)
    limit = calls * typical_worst_nanos(0) + 7
    plans = (
        replace(plan, period_ms=None, calls_worth=calls, limit_nanos=limit)
        for plan in scenario.pools
    )
    return replace(scenario, pools=tuple(plans))


def write_limits(system: "System", scenario: Scenario) -> None:
    """Put the limits of another scenario in force."""
    found = resources(scenario, system.provider.facts["port"])
    text = "\n---\n".join(json.dumps(one) for one in found)
    (system.folder / "manifests" / "all.yaml").write_text(text + "\n")


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    """Wait, bounded, until something holds in another process; one that can't be asked may yet."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            with suppress(AdminError):
                if await holds():
                    return
            await asyncio.sleep(POLL_S)


@dataclass
class System:
    """The running processes, and who calls."""

    scenario: Scenario
    folder: Path
    cluster: Cluster
    provider: Child
    controllers: tuple[Child, ...]
    sidecars: tuple[Child, ...]
    crowd: Crowd

    async def leader(self) -> Child:
        """The controller that leads, once one does."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                for child in self.controllers:
                    if await self.role(child) == "leader":
                        return child
                await asyncio.sleep(POLL_S)

    async def role(self, controller: Child) -> str:
        """What a controller says of itself; "" when it does not answer."""
        if not controller.pid:
            return ""
        with suppress(AdminError, TimeoutError):
            async with asyncio.timeout(0.5):
                return str((await get_json(admin_url(controller, "/v1/leader")))["role"])
        return ""

    def other(self, controller: Child) -> Child:
        """The controller that is not this one."""
        one, two = self.controllers
        return two if controller is one else one

    async def seconds_until(self, controller: Child) -> tuple[float, float]:
        """How long until this controller leads, and until every sidecar has its stream back."""
        loop = asyncio.get_running_loop()
        began = loop.time()

        async def it_leads() -> bool:
            return await self.role(controller) == "leader"

        await until(it_leads)
        leads = loop.time() - began
        await self.until_connected()
        return leads, loop.time() - began

    async def until_connected(self) -> None:
        """Wait until every sidecar says that it has a stream."""
        await until(self._all_connected)

    async def _all_connected(self) -> bool:
        with suppress(AdminError):
            for sidecar in self.sidecars:
                if not (await get_json(admin_url(sidecar, "/v1/leases")))["connected"]:
                    return False
            return True
        return False

    async def served(self) -> int:
        """How many calls the provider has answered."""
        found = await get_json(f"http://127.0.0.1:{self.provider.facts['port']}/_sim/calls")
        return int(found["received"])

    async def until_served(self, more: int) -> None:
        """Wait until so many more calls have reached the provider."""
        goal = await self.served() + more

        async def reached() -> bool:
            return await self.served() >= goal

        await until(reached)

    async def settle(self, calling: "asyncio.Task[None]") -> Result:
        """Let the callers stop, wait until all is quiet, and judge."""
        self.crowd.stop()
        await calling
        lines = await self._quiet()
        seen = Seen(tally=self.crowd.tally, statuses={}, lines=lines)
        receipts = tuple(
            fleet.receipts_of(self.folder, fleet.Pod(name=child.name)) for child in self.sidecars
        )
        return judge(self.scenario, self.folder, fleet.ledger_of(self.folder), receipts, seen)

    async def epoch(self) -> int:
        """The epoch of the controller that leads."""
        return int((await get_json(admin_url(await self.leader(), "/v1/leader")))["epoch"])

    async def until_commits(self) -> None:
        """Wait until etcd takes writes again."""
        await self.cluster.until_it_writes()

    async def pools(self) -> list[dict[str, str]]:
        """The leader's view of the pools."""
        return list((await get_json(admin_url(await self.leader(), "/v1/pools")))["pools"])

    async def _quiet(self) -> dict[Account, Line]:
        lines: dict[Account, Line] = {}
        with suppress(TimeoutError):
            async with asyncio.timeout(QUIET_S_MAX):
                while True:
                    url = f"http://127.0.0.1:{self.provider.facts['port']}/_sim/ledger"
                    # An etcd that has just found its leader answers a little later.
                    with suppress(AdminError, KvUnclear):
                        still_open = (await get_json(url))["open"]
                        lines = await self._lines()
                        if not still_open and not any(line.out_nanos for line in lines.values()):
                            return lines
                    await asyncio.sleep(POLL_S)
        return lines

    async def _lines(self) -> dict[Account, Line]:
        leader = await self.leader()
        pools = (await get_json(admin_url(leader, "/v1/pools")))["pools"]
        holders = await get_json(admin_url(leader, "/v1/holders"))
        limits = {plan.name: plan.limit_nanos for plan in self.scenario.pools}
        return past_lines(holders, await self._closed(), limits) | read_lines(pools)

    async def _closed(self) -> dict[Account, int]:
        client = EtcdClient(self.cluster.access())
        try:
            page = await client.read(KEYS.closed, end_of(KEYS.closed))
        finally:
            await client.close()
        rows = [json.loads(row.value) for row in page.rows]
        return {
            Account(row["pool"].rpartition("/")[2], row["key"], row["window"]): row["spent"]
            for row in rows
        }


@asynccontextmanager
async def running_system(
    folder: Path,
    scenario: Scenario,
    *,
    sidecars: int = 2,
    terms: Sequence[str] = _DEFAULT_TERMS,
    etcd_options: Sequence[str] = (),
    sidecar_options: Sequence[str] = (),
    network: Network | None = None,
) -> AsyncIterator[System]:
    """Run everything for as long as the block lasts; in a network, each process in its place."""

    def placed(program: Program) -> Program:
        return network.places[program.name].program(program) if network else program

    provider_program = placed(_on_free_ports(fleet.provider(folder, provider_config(scenario))))
    found = resources(scenario, provider_program.ports[0].first)
    written = manifests.write_folder(folder / "manifests", found)
    async with (
        etcd_cluster(folder / "etcd", options=etcd_options, network=network) as cluster,
        Children(folder) as children,
    ):
        provider = await children.start(provider_program)
        controllers = [
            await children.start(
                placed(_on_free_ports(_controller(number, written, cluster, terms)))
            )
            for number in range(2)
        ]
        addresses = ",".join(f"127.0.0.1:{child.facts['grpc']}" for child in controllers)
        beside = [
            await children.start(
                placed(_sidecar(folder, f"sidecar-{number}", addresses, sidecar_options))
            )
            for number in range(sidecars)
        ]
        for child in beside:
            await until_ready(child)
        crowd = Crowd(scenario, tuple(fleet.base_url(child) for child in beside))
        yield System(scenario, folder, cluster, provider, tuple(controllers), tuple(beside), crowd)


def _controller(number: int, written: Path, cluster: Cluster, terms: Sequence[str]) -> Program:
    return Program(
        name=f"controller-{number}",
        module="controller",
        arguments=(
            *("--manifests", str(written), "--store", "etcd", "--poll-ms", "50"),
            *("--etcd-endpoints", ",".join(cluster.endpoints), "--name", f"controller-{number}"),
            *terms,
        ),
        ports=(Port(flag="--listen", fact="grpc"), Port(flag="--admin", fact="admin")),
    )


def _sidecar(folder: Path, name: str, addresses: str, options: Sequence[str]) -> Program:
    program = fleet.sidecar(
        folder, pod=fleet.Pod(name=name, labels=manifests.LABELS), controller_port=1
    )
    arguments = list(program.arguments)
    arguments[arguments.index("--controller") + 1] = addresses
    return replace(program, arguments=(*arguments, *options))


def pause(child: Child) -> None:
    """Stop a process where it stands, as a debugger or a frozen machine does."""
    os.kill(child.pid, signal.SIGSTOP)


def go_on(child: Child) -> None:
    """Let a stopped process go on."""
    os.kill(child.pid, signal.SIGCONT)


def _on_free_ports(program: Program) -> Program:
    """The program with ports that are known before it starts."""
    ports = zip(program.ports, free_ports(len(program.ports)), strict=True)
    return replace(program, ports=tuple(replace(port, first=first) for port, first in ports))
