"""The sidecar as a process: it starts, gets its policy and money, serves, and ends in order."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from openai import AsyncOpenAI

from controller.kube.client import open_client
from farebox.core.budgets import Charge
from farebox.core.instant import DurationMs
from farebox.core.leases import LeaseId
from farebox.core.money import Nanos
from farebox.simulated.ledger import bill_nanos, read_entries
from farebox.simulated.server import SimulatedProvider
from farebox.wire.messages import Goodbye, Grant, Hello, PolicyPush
from tests.support.controllers import PATIENCE_S, ScriptedController, scripted_controller
from tests.support.kube_fake import serving_kube
from tests.support.peers import eventually
from tests.support.planes import policy_at, simulated
from tests.support.pods import Pod
from tests.support.pods import controller as pod_controller
from tests.support.policies import ORG_POOL

LENT = 10**9


@dataclass(kw_only=True)
class Child:
    """A sidecar process that serves."""

    process: asyncio.subprocess.Process
    http: int
    admin: int
    receipts: Path

    async def get(self, path: str) -> tuple[int, str]:
        """Ask its admin server."""
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"http://127.0.0.1:{self.admin}{path}") as answer,
        ):
            return answer.status, await answer.text()

    async def until_it_says(self, path: str) -> None:
        """Wait until a probe is answered with success."""
        async with asyncio.timeout(PATIENCE_S):
            while (await self.get(path))[0] != 200:  # noqa: ASYNC110  another process is asked
                await asyncio.sleep(0.02)

    async def end(self) -> int:
        """Ask it to end; returns its exit code."""
        self.process.terminate()
        async with asyncio.timeout(PATIENCE_S):
            return await self.process.wait()


async def spawn(*arguments: str) -> asyncio.subprocess.Process:
    """A sidecar with these arguments."""
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "sidecar",
        *arguments,
        stderr=asyncio.subprocess.PIPE,
        env={name: value for name, value in os.environ.items() if not name.startswith("FAREBOX_")},
    )


@asynccontextmanager
async def sidecar(folder: Path, controller: int, *more: str) -> AsyncIterator[Child]:
    """A sidecar that serves, until the block ends."""
    ready = folder / "ready"
    process = await spawn(
        *("--controller", f"127.0.0.1:{controller}", "--journal", str(folder / "journal")),
        *("--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--namespace", "acme"),
        *("--receipts", str(folder / "receipts.jsonl"), "--ready-file", str(ready)),
        *more,
    )
    try:
        await eventually(ready.exists, polls_max=6_000)
        ports = json.loads(ready.read_text())
        assert ports["pid"] == process.pid
        yield Child(
            process=process,
            http=ports["http"],
            admin=ports["admin"],
            receipts=folder / "receipts.jsonl",
        )
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def lend(controller: ScriptedController, hello: Hello) -> None:
    """Lend the one pool's money."""
    lease = LeaseId(charge=Charge(ORG_POOL.uid, ""), window=0)
    await controller.say(
        Grant(
            epoch=1,
            lease=lease,
            granted=Nanos(LENT),
            ttl=DurationMs(60_000),
            echo_boot_ms=hello.boot_ms,
        )
    )


async def until(controller: ScriptedController, kind: type[Any]) -> Any:
    """The next message of a kind."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            message = await controller.heard.get()
            if isinstance(message, kind):
                return message


async def test_a_sidecar_from_its_start_to_its_end(tmp_path: Path) -> None:
    async with simulated(tmp_path) as provider, scripted_controller() as (controller, port):
        # Money that nobody asks for goes back at a heartbeat; this test is over before the first.
        controller.welcome = replace(controller.welcome, heartbeat=DurationMs(60_000))
        async with sidecar(tmp_path, port) as child:
            await live(child, controller, provider)


async def live(child: Child, controller: ScriptedController, provider: SimulatedProvider) -> None:
    """Serve one call, show what it cost, and end."""
    hello = await until(controller, Hello)
    assert hello.workload.namespace == "acme"
    assert (await child.get("/readyz"))[0] == 503
    assert (await child.get("/healthz"))[0] == 200

    await controller.say(PolicyPush(epoch=1, policy=policy_at(provider.base_url, ORG_POOL)))
    await lend(controller, hello)
    await child.until_it_says("/readyz")
    client = AsyncOpenAI(base_url=f"http://127.0.0.1:{child.http}/openai/v1", api_key="sk-x")
    async with client:
        answer = await client.chat.completions.create(
            model="farebox/auto",
            messages=[{"role": "user", "content": "Is this a complaint?"}],
            max_tokens=20,
        )
    assert answer.model == "gpt-4o-mini"
    policy = json.loads((await child.get("/v1/policy"))[1])
    assert policy["classifier"] == "Heuristic"
    assert policy["weights"] == {"in_use": None, "problem": ""}

    billed = bill_nanos(read_entries(provider.ledger_path))
    (lease,) = json.loads((await child.get("/v1/leases"))[1])["leases"]
    assert lease["spent_usd"] == f"0.{billed:09d}"
    (receipt,) = json.loads((await child.get("/v1/receipts?last=5"))[1])["receipts"]
    assert receipt["cost_usd"] == f"0.{billed:09d}"
    assert (await child.get("/v1/receipts?last=many"))[0] == 400
    assert "farebox_calls_total" in (await child.get("/metrics"))[1]

    assert await child.end() == 0
    goodbye = await until(controller, Goodbye)
    assert goodbye.leases[0].spent == billed
    assert child.receipts.read_text().count("\n") == 1


async def test_a_sidecar_without_a_controller_serves_refusals_and_ends(tmp_path: Path) -> None:
    async with sidecar(tmp_path, 9) as child:
        async with (
            aiohttp.ClientSession() as session,
            session.post(f"http://127.0.0.1:{child.http}/openai/v1/chat/completions") as answer,
        ):
            assert answer.status == 503
        assert await child.end() == 0


@pytest.mark.parametrize("kept", [True, False])
async def test_that_prompts_are_kept_is_said_loudly_and_only_then(
    tmp_path: Path, kept: bool
) -> None:
    switch = ("--keep-prompts", "true") if kept else ()
    async with sidecar(tmp_path, 9, *switch) as child:
        child.process.terminate()
        async with asyncio.timeout(PATIENCE_S):
            _, said = await child.process.communicate()
    warned = [line for line in said.decode().splitlines() if "PROMPTS ARE KEPT" in line]
    assert len(warned) == kept
    assert all("warning" in line.lower() for line in warned)


async def ended(*arguments: str) -> tuple[int | None, str]:
    """The exit code and what was said on standard error."""
    process = await spawn(*arguments)
    async with asyncio.timeout(PATIENCE_S):
        _, said = await process.communicate()
    return process.returncode, said.decode()


async def test_a_sidecar_in_a_pod_shows_who_it_is_and_answers_the_kubelet(tmp_path: Path) -> None:
    pod = Pod(name="assistant-0", labels={"app": "assistant"})
    ca, token = tmp_path / "ca.pem", tmp_path / "token"
    async with (
        serving_kube() as fake,
        open_client(fake.options(tmp_path)) as kube,
        pod_controller(fake, kube, ORG_POOL) as controller,
    ):
        ca.write_text(controller.tls.bundle)
        token.write_text(controller.run(pod).token)
        async with sidecar(
            tmp_path,
            controller.port,
            *("--controller", f"localhost:{controller.port}", "--probes", "[127.0.0.1]:0"),
            *("--controller-ca", str(ca), "--token-file", str(token)),
        ) as child:
            probes = replace(child, admin=json.loads((tmp_path / "ready").read_text())["probes"])
            await probes.until_it_says("/startz")
            (holder,) = controller.engine.world.holders.values()
            assert (holder.workload.namespace, holder.workload.name) == ("acme", "assistant-0")
            assert {path: (await probes.get(path))[0] for path in ("/livez", "/readyz")} == {
                "/livez": 200,
                "/readyz": 200,
            }
            assert (await probes.get("/v1/leases"))[0] == 404
            assert await child.end() == 0


async def test_mistakes_are_told_in_sentences() -> None:
    code, said = await ended("--listen", "everywhere")
    assert code == 2
    assert "--controller is missing" in said
    assert "--listen: 'everywhere' is not an address" in said
    assert "Traceback" not in said


async def test_a_journal_belongs_to_one_process(tmp_path: Path) -> None:
    async with sidecar(tmp_path, 9) as child:
        journal = str(tmp_path / "journal")
        code, said = await ended("--controller", "127.0.0.1:9", "--journal", journal)
        assert code == 1
        assert "could not go on" in said
        assert "Traceback" not in said

        other = str(tmp_path / "other")
        taken = ("--listen", f"127.0.0.1:{child.http}", "--admin", "127.0.0.1:0")
        code, said = await ended("--controller", "127.0.0.1:9", "--journal", other, *taken)
        assert code == 1
        assert "address already in use" in said
        assert "Traceback" not in said
        assert await child.end() == 0


async def test_help_names_every_flag() -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "sidecar", "--help", stdout=asyncio.subprocess.PIPE
    )
    said, _ = await process.communicate()
    assert process.returncode == 0
    assert b"--journal" in said
