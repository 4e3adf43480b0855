"""The real sidecar, killed in every write of its journal; the provider's bill judges.

A write dies with nothing, a byte, half or all of it in the file, and the next sidecar goes on with
what is there. So every frame boundary is met, before and after its money was acted upon, and bytes
inside of every frame.
"""

import asyncio
import itertools
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

import aiohttp
import pytest

from bench import manifests
from bench.cap_callers import Tally
from bench.cap_fleet import provider_config, read_lines, resources
from bench.cap_judge import PICO_PER_NANO, Account, Line
from bench.cap_run import Result, Seen, judge
from bench.cap_scenario import SMALL, Scenario
from farebox.cli import fleet
from farebox.cli.admin import admin_url, get_json, until_ready
from farebox.cli.processes import Child, ChildError, Children, Program
from tests.e2e.conftest import Say
from tests.support.dying import NEVER, REWRITE, Part, deaths_of
from tests.support.etcd_fleet import for_ever, until

NAME = "sidecar-0"
USER = "ana"
CALLS_WORTH = 5_000
HALVES = ((Part.NOTHING, Part.HALF), (Part.FIRST, Part.WHOLE))
"""Two sidecars at a time, each with a journal, a ledger and a provider of its own."""

KINDS = {"H", "E", "g", "h", "e", "r", "c", REWRITE}
"""Header, epoch, grant, hold and its end, return, close; and all of it written anew."""

CLOSING = range(1, 4)
"""The writes in which one who comes back hears that its three leases were closed meanwhile."""

FORGET_AFTER_MS = 200

pytestmark = pytest.mark.timeout(400)


@dataclass
class World:
    """One controller, one provider, and the journal of a sidecar that dies again and again."""

    scenario: Scenario
    children: Children
    provider: Child
    controller: Child

    @property
    def folder(self) -> Path:
        return self.children.folder

    @property
    def journal(self) -> Path:
        return self.folder / f"{NAME}.journal"

    async def live(self, write: int, part: Part) -> None:
        """One life of the sidecar: it dies in a write, or ends in order after its calls."""
        try:
            sidecar = await self.children.start(self._program(write, part))
            await until_ready(sidecar)
        except ChildError:
            assert self.has_died_in(write, part)
            return
        await until(lambda: self._is_booked(sidecar))
        await _call(fleet.base_url(sidecar))
        await sidecar.stop()

    def has_died_in(self, write: int, part: Part) -> bool:
        """Whether there was such a write."""
        return (write, part) in {death[:2] for death in self.deaths()}

    def deaths(self) -> list[tuple[int, Part, str]]:
        """All deaths: in which write, with how much of it, and of what kind it was."""
        lines = deaths_of(self.journal).read_text().splitlines()
        found = (line.split() for line in lines)
        return [(int(write), Part(part), kind) for write, part, kind in found]

    async def lines(self) -> dict[Account, Line]:
        """What the controller says of every pool."""
        pools = (await get_json(admin_url(self.controller, "/v1/pools")))["pools"]
        return read_lines(pools)

    async def has_closed_all(self) -> bool:
        """Whether the controller has closed every lease."""
        holders = await get_json(admin_url(self.controller, "/v1/holders"))
        return not any(holder["leases"] for holder in holders)

    async def _is_booked(self, sidecar: Child) -> bool:
        """Whether all that was billed is counted, unless the sidecar has died before it said so."""
        if sidecar.died:
            return True
        bill = await get_json(f"http://127.0.0.1:{self.provider.facts['port']}/_sim/ledger")
        lines = (await self.lines()).values()
        assert all(line.settled_nanos <= line.limit_nanos for line in lines)
        billed = bill["billedPico"]
        return not bill["open"] and all(
            line.settled_nanos * PICO_PER_NANO >= billed for line in lines
        )

    def _program(self, write: int, part: Part) -> Program:
        pod = fleet.Pod(name=NAME, labels=manifests.LABELS)
        port = self.controller.facts["grpc"]
        program = fleet.sidecar(self.folder, pod=pod, controller_port=port)
        words = (str(write), part, *program.arguments)
        return replace(program, module="tests.support.dying", arguments=words)

    async def judged(self) -> Result:
        """The verdict, once all is quiet."""

        async def is_quiet() -> bool:
            return not any(line.out_nanos for line in (await self.lines()).values())

        await until(is_quiet)
        seen = Seen(tally=Tally(), statuses={}, lines=await self.lines())
        receipts = (fleet.receipts_of(self.folder, fleet.Pod(name=NAME)),)
        ledger = fleet.ledger_of(self.folder)
        return judge(self.scenario, self.folder, ledger, receipts, seen)


@asynccontextmanager
async def world(folder: Path, scenario: Scenario) -> AsyncIterator[World]:
    """Run a provider and a controller for as long as the block lasts."""
    async with Children(folder) as children:
        provider = await children.start(fleet.provider(folder, provider_config(scenario)))
        found = resources(scenario, provider.facts["port"])
        written = manifests.write_folder(folder / "manifests", found)
        program = fleet.controller(folder, manifests=written, variables={})
        words = (*program.arguments, "--forget-after-ms", str(FORGET_AFTER_MS))
        controller = await children.start(replace(program, arguments=words))
        yield World(scenario, children, provider, controller)


async def test_a_sidecar_killed_in_every_write_of_its_journal_loses_no_money(
    tmp_path: Path, say: Say
) -> None:
    scenario = replace(for_ever(41, CALLS_WORTH), latency_ms=0, tokens_per_second=0)
    worlds = await asyncio.gather(
        *(_sweep(tmp_path / str(number), scenario, parts) for number, parts in enumerate(HALVES))
    )
    deaths = Counter(kind for _, found in worlds for kind in found)
    for result, found in worlds:
        say(f"sidecar killed {len(found)} times in its journal", result)
    say("killed in", None, **deaths)
    assert set(deaths) >= KINDS
    for result, _ in worlds:
        for finding in result.findings:
            assert not finding.sentence, finding.sentence


async def _sweep(
    folder: Path, scenario: Scenario, parts: Sequence[Part]
) -> tuple[Result, list[str]]:
    """Die in every write there is, with each of these parts of it; then live and end in order."""
    async with world(folder, scenario) as found:
        for write in itertools.count():
            for part in parts:
                await found.live(write, part)
            if not any(found.has_died_in(write, part) for part in parts):
                break
        for write, part in itertools.product(CLOSING, parts):
            await found.live(NEVER, part)
            await until(found.has_closed_all)
            await found.live(write, part)
        await found.live(NEVER, Part.WHOLE)
        return await found.judged(), [kind for _, _, kind in found.deaths()]


async def _call(url: str) -> None:
    """A call, one that the provider refuses, and a stream; none matters once the sidecar dies."""
    async with aiohttp.ClientSession() as session:
        for fault, stream in (("none", False), ("error500", False), ("none", True)):
            body = {
                "model": SMALL.name,
                "user": USER,
                "messages": [{"role": "user", "content": "one"}],
                "stream": stream,
            }
            headers = {"x-farebox-user": USER, "x-sim-fault": fault}
            with suppress(aiohttp.ClientError):
                async with session.post(
                    f"{url}/chat/completions", json=body, headers=headers
                ) as answer:
                    await answer.read()
