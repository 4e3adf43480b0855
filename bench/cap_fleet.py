"""The processes of one cap run: a provider, a controller, two sidecars, in one folder.

The one rule: a process that is killed starts again on the same ports with the same journal or
store; one that ends by itself fails the run. This module must not know who calls or who judges.
"""

import asyncio
import socket
import sqlite3
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import ExitStack, asynccontextmanager, closing
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import aiohttp

from bench import manifests
from bench.cap_judge import Account, Line, nanos
from bench.cap_scenario import CONTROLLER, OUTPUT_DEFAULT, SIDECARS, Kill, Scenario
from farebox.cli import fleet
from farebox.cli.admin import AdminError, admin_url, get_json, until_ready
from farebox.cli.processes import Child, Children, Program

QUIET_S_MAX: Final = 15.0
"""How long money may take to come home after the last call."""

_POLL_S: Final = 0.1
_ERRORS: Final = ("429", "500", "503")


class Fleet:
    """The running processes. Kills of one process do not overlap."""

    def __init__(
        self, scenario: Scenario, folder: Path, provider: Child, children: dict[str, Child]
    ) -> None:
        self.folder = folder
        self._scenario = scenario
        self._provider = provider
        self._children = children
        self._locks = {name: asyncio.Lock() for name in children}

    @property
    def base_urls(self) -> tuple[str, ...]:
        """Where the callers of each sidecar send their calls."""
        return tuple(fleet.base_url(self._children[name]) for name in SIDECARS)

    @property
    def ledger(self) -> Path:
        """The provider's own ledger."""
        return fleet.ledger_of(self.folder)

    @property
    def _store(self) -> Path:
        return self.folder / "controller.sqlite"

    @property
    def receipts(self) -> tuple[Path, ...]:
        """Where the sidecars write their receipts."""
        return tuple(fleet.receipts_of(self.folder, fleet.Pod(name=name)) for name in SIDECARS)

    async def kill(self, kill: Kill) -> None:
        """SIGKILL one process and start it again after its pause."""
        child = self._children[kill.victim]
        async with self._locks[kill.victim]:
            await child.kill()
            await asyncio.sleep(kill.pause_ms / 1000)
            await child.start()

    async def all_ready(self) -> None:
        """Wait until every sidecar has its policy from the controller."""
        for name in SIDECARS:
            async with self._locks[name]:
                await until_ready(self._children[name])

    def check(self) -> None:
        """Raise ChildError when a process has ended by itself."""
        for name, child in self._children.items():
            if child.died and not self._locks[name].locked():
                raise child.error_of_death()

    async def end_faults(self) -> None:
        """Let the provider work without faults from now on."""
        async with (
            aiohttp.ClientSession() as session,
            session.post(self._provider_url("/_sim/faults"), json={}) as answer,
        ):
            answer.raise_for_status()

    async def error_statuses(self) -> dict[str, int]:
        """How often the provider refused a call on purpose, by status."""
        by_status = (await get_json(self._provider_url("/_sim/calls")))["byStatus"]
        return {status: by_status[status] for status in _ERRORS if status in by_status}

    async def quiet(self) -> dict[Account, Line]:
        """Wait, within `QUIET_S_MAX`, until no money is out; returns the last state either way."""
        lines: dict[Account, Line] = {}
        try:
            async with asyncio.timeout(QUIET_S_MAX):
                while True:
                    open_calls = (await get_json(self._provider_url("/_sim/ledger")))["open"]
                    lines = await self._lines()
                    if not open_calls and not any(line.out_nanos for line in lines.values()):
                        return lines
                    await asyncio.sleep(_POLL_S)
        except (TimeoutError, AdminError):
            return lines

    async def _lines(self) -> dict[Account, Line]:
        controller = self._children[CONTROLLER]
        pools = (await get_json(admin_url(controller, "/v1/pools")))["pools"]
        holders = await get_json(admin_url(controller, "/v1/holders"))
        limits = {plan.name: plan.limit_nanos for plan in self._scenario.pools}
        return past_lines(holders, closed_of(self._store), limits) | read_lines(pools)

    def _provider_url(self, path: str) -> str:
        return f"http://127.0.0.1:{self._provider.facts['port']}{path}"


@asynccontextmanager
async def started_fleet(scenario: Scenario, folder: Path) -> AsyncIterator[Fleet]:
    """Run everything for the length of the block. Raises ChildError."""
    provider_port, controller_port = _free_ports(2)
    written = manifests.write_folder(folder / "manifests", resources(scenario, provider_port))
    controller = fleet.controller(folder, manifests=written, variables={})
    terms = ("--heartbeat-ms", scenario.heartbeat_ms, "--ttl-ms", scenario.ttl_ms)
    programs = (
        _listening_on(provider_port, fleet.provider(folder, provider_config(scenario))),
        _listening_on(
            controller_port,
            replace(controller, arguments=(*controller.arguments, *map(str, terms))),
        ),
        *(
            fleet.sidecar(
                folder,
                pod=fleet.Pod(name=name, labels=manifests.LABELS),
                controller_port=controller_port,
            )
            for name in SIDECARS
        ),
    )
    async with Children(folder) as children:
        # All at once: most of a start is imports, and there are two cores.
        async with asyncio.TaskGroup() as group:
            starts = [group.create_task(children.start(program)) for program in programs]
        provider, *others = [start.result() for start in starts]
        running = Fleet(scenario, folder, provider, {child.name: child for child in others})
        await running.all_ready()
        yield running


def provider_config(scenario: Scenario) -> dict[str, Any]:
    """The provider: the same models and prices as in the manifests."""
    return {
        "models": [
            {
                "name": model.name,
                "inputPerMillion": manifests.per_million(model.input_nanos),
                "outputPerMillion": manifests.per_million(model.output_nanos),
                "contextWindow": manifests.CONTEXT_WINDOW,
                "latencyMs": scenario.latency_ms,
                "tokensPerSecond": scenario.tokens_per_second,
            }
            for model in scenario.models
        ],
        "seed": scenario.seed,
        "tokenizer": scenario.tokenizer,
        "answer": {"tokensMin": 40, "tokensMax": OUTPUT_DEFAULT, "fillMax": scenario.fill_max},
        "faults": {
            "mix": dict(scenario.faults),
            "overrunPercent": scenario.overrun_percent,
            "latencyMs": 300,
            "slowMs": 15,
        },
    }


def resources(scenario: Scenario, provider_port: int) -> list[dict[str, Any]]:
    """The resources of the run: pools, a tier for each model, a routing policy."""
    pools = [
        manifests.pool(
            plan.name,
            limit_nanos=plan.limit_nanos,
            period_ms=plan.period_ms,
            per_user=plan.per_user,
            parent=plan.parent,
        )
        for plan in scenario.pools
    ]
    tiers = [
        manifests.tier(
            model.tier,
            rank=rank,
            max_difficulty="1.0" if rank == len(scenario.models) else "0.35",
            model=manifests.model(
                model.name,
                base_url=f"http://127.0.0.1:{provider_port}/v1",
                input_nanos=model.input_nanos,
                output_nanos=model.output_nanos,
                overrun_percent=scenario.overrun_percent,
            ),
        )
        for rank, model in enumerate(scenario.models, 1)
    ]
    routing = {"unsureDifficulty": "0.30", "defaultMaxOutputTokens": OUTPUT_DEFAULT}
    return [*pools, *tiers, manifests.resource("RoutingPolicy", "default", routing)]


def read_lines(pools: Iterable[Mapping[str, str]]) -> dict[Account, Line]:
    """The pools in their present windows, as the controller's admin server tells them."""
    return {
        Account(_name(one["pool"]), one["key"], _utc_ms(one["window_starts"])): Line(
            limit_nanos=nanos(one["limit_usd"]),
            settled_nanos=nanos(one["settled_usd"]),
            held_nanos=nanos(one["held_usd"]),
            leased_nanos=nanos(one["leased_usd"]),
            headroom_nanos=nanos(one["headroom_usd"]),
        )
        for one in pools
    }


def past_lines(
    holders: Iterable[Mapping[str, Any]],
    closed_nanos: Mapping[Account, int],
    limits_nanos: Mapping[str, int],
) -> dict[Account, Line]:
    """The pools in all windows: what closed leases spent, and the leases that are still open.

    A window that is over lends no more, so its headroom is simply what is neither spent nor out.
    """
    spent, held, free = Counter(closed_nanos), Counter[Account](), Counter[Account]()
    for lease in (lease for holder in holders for lease in holder["leases"]):
        account = Account(_name(lease["pool"]), lease["key"], lease["window"])
        lent = nanos(lease["granted_usd"]) - nanos(lease["returned_usd"])
        used = nanos(lease["spent_usd"]), nanos(lease["reserved_usd"])
        spent[account] += used[0]
        held[account] += used[1]
        free[account] += max(0, lent - sum(used))
    return {
        account: Line(
            limit_nanos=limits_nanos[account.pool],
            settled_nanos=spent[account],
            held_nanos=held[account],
            leased_nanos=free[account],
            headroom_nanos=limits_nanos[account.pool]
            - (spent[account] + held[account] + free[account]),
        )
        for account in spent.keys() | free.keys()
    }


def closed_of(store: Path) -> dict[Account, int]:
    """What the controller's ledger counts for leases that are closed, in n$."""
    with closing(sqlite3.connect(f"file:{store}?mode=ro", uri=True)) as database:
        rows = database.execute("SELECT pool, key, window, spent FROM closed").fetchall()
    return {Account(_name(pool), key, window): spent for pool, key, window, spent in rows}


def _name(title: str) -> str:
    return title.rpartition("/")[2]


def _utc_ms(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp()) * 1000


def _free_ports(count: int) -> list[int]:
    """Ports that are free now; all are found before any is let go, so that they differ."""
    with ExitStack() as stack:
        found = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in found:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in found]


def _listening_on(port: int, program: Program) -> Program:
    """The program with a port that is known before it starts."""
    first, *others = program.ports
    return replace(program, ports=(replace(first, first=port), *others))
