"""A cheap model goes bad and is mended: the watch says so, everywhere that people look.

Real processes and the real package; what the models answer stands in a book that the simulated
provider is started with.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import openai
import pytest

from farebox.cli import fleet
from farebox.cli.admin import admin_url, get_json, until_ready
from farebox.cli.fleet import Pod
from farebox.cli.processes import Child, Children
from farebox.cli.top import run_top
from farebox.core.instant import UtcMs
from farebox.manifests.folder import load_folder
from tests.integration.conftest import pool_manifest, until

TIER = """
apiVersion: farebox.dev/v1alpha1
kind: ModelTier
metadata: {{name: {name}}}
spec:
  rank: {rank}
  maxDifficulty: "{difficulty}"
  models:
    - name: {model}
      provider: openai
      baseURL: ${{FAREBOX_DEMO_PROVIDER}}
      price: {{input: "{price}", output: "{price}"}}
      contextWindow: 128000
      maxOutputTokens: 1024
"""
TIERS = "---".join(
    TIER.format(name=name, rank=rank, difficulty=difficulty, model=f"{name}-model", price=price)
    for name, rank, difficulty, price in (("small", 1, "0.5", "0.10"), ("large", 2, "1", "5"))
)
TASK = """
apiVersion: farebox.dev/v1alpha1
kind: TaskProfile
metadata: {{name: intent}}
spec:
  match: {{headerValues: [intent]}}
  defaultTier: small
  gates:
    - {{kind: Labels, labels: ["yes", "no"]}}
  baseline:
    measured: "2026-11-01"
    samples: 300
    catalogue: {catalogue}
    passRates: {{small: "0.95", large: "1"}}
    escalationRate: "0.40"
"""
PROMPTS = [f"Is order {number} late?" for number in range(20)]
CALLS = 60
WATCH = ("--watch-window-ms", "60000", "--heartbeat-ms", "500")
"""A window for slow machines too: what outweighs the bad calls is as many good ones."""
PROVIDER = {
    "models": [
        {"name": "small-model", "inputPerMillion": "0.10", "outputPerMillion": "0.10"},
        {"name": "large-model", "inputPerMillion": "5", "outputPerMillion": "5"},
    ],
    "tokenizer": "Bytes",
}


def write_book(path: Path, *, small: str) -> None:
    """What the models answer from the provider's next start on."""
    lines = (
        json.dumps({"prompt": one, "answers": {"small-model": small, "large-model": "yes"}})
        for one in PROMPTS
    )
    path.write_text("\n".join(lines) + "\n")


def write_manifests(folder: Path) -> None:
    """Two tiers, a pool, and a task that was measured on exactly these tiers."""
    folder.mkdir()
    (folder / "tiers.yaml").write_text(TIERS)
    (folder / "pools.yaml").write_text(pool_manifest("team", "1.00"))
    here = {"FAREBOX_DEMO_PROVIDER": "http://127.0.0.1:1/v1"}
    read = load_folder(folder, None, now=UtcMs(0), variables=here)
    assert not read.problems
    version = read.resources.catalogue.version
    (folder / "tasks.yaml").write_text(TASK.format(catalogue=version))


async def ask_all(client: openai.AsyncOpenAI, calls: int) -> None:
    """So many calls of the task, all of which are answered in the end."""
    for number in range(calls):
        answer = await client.chat.completions.create(
            model="farebox/auto",
            messages=[{"role": "user", "content": PROMPTS[number % len(PROMPTS)]}],
            max_tokens=50,
            extra_headers={"x-farebox-task": "intent"},
        )
        assert answer.choices[0].message.content == "yes"


async def stream_one(client: openai.AsyncOpenAI, task: str) -> None:
    """One streamed call, gated or not."""
    stream = await client.chat.completions.create(
        model="farebox/auto",
        messages=[{"role": "user", "content": PROMPTS[0]}],
        max_tokens=50,
        stream=True,
        extra_headers={"x-farebox-task": task},
    )
    assert [chunk async for chunk in stream]


async def task_of(controller: Child) -> dict[str, Any]:
    found = await get_json(admin_url(controller, "/v1/tasks"))
    (row,) = (one for one in found["tasks"] if one["task"] == "intent")
    return dict(row)


async def status_of(controller: Child, condition: str) -> str:
    row = await task_of(controller)
    found = {one["type"]: one for one in row["conditions"]}
    return str(found[condition]["status"]) if condition in found else ""


async def metric(controller: Child, condition: str) -> str:
    """The value of a condition as a scrape shows it."""
    async with (
        aiohttp.ClientSession() as session,
        session.get(admin_url(controller, "/metrics")) as answer,
    ):
        text = await answer.text()
    series = f'farebox_condition{{condition="{condition}",namespace="default",task="intent"}} '
    (line,) = (line for line in text.splitlines() if line.startswith(series))
    return line.removeprefix(series)


@dataclass
class System:
    """The processes, and what they look at."""

    state: Path
    book: Path
    provider: Child
    controller: Child
    sidecar: Child

    async def is_told(self, calls: int) -> bool:
        row = await task_of(self.controller)
        return bool(row["total"]["gated"] == calls)

    async def is_escalating(self) -> bool:
        return await status_of(self.controller, "Escalating") == "True"

    async def mend(self) -> None:
        """Let the small model be right from now on."""
        write_book(self.book, small="yes")
        await self.provider.stop()
        await self.provider.start()

    async def shown(self, capsys: pytest.CaptureFixture[str]) -> str:
        """What `farebox top` prints, on one line."""
        address = admin_url(self.controller, "")
        assert await run_top(address, state=self.state, once=True) == 0
        return " ".join(capsys.readouterr().out.split())

    async def receipts(self) -> list[dict[str, Any]]:
        """Everything that the sidecar wrote, once it has ended."""
        await self.sidecar.stop()
        text = await asyncio.to_thread((self.state / "pod-0.receipts.jsonl").read_text)
        return [json.loads(one) for one in text.splitlines()]


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[System]:
    """All processes, with a small model that is always wrong."""
    manifests, state, book = tmp_path / "manifests", tmp_path / "state", tmp_path / "book.jsonl"
    write_manifests(manifests)
    write_book(book, small="perhaps")
    async with Children(state) as children:
        provider = await children.start(fleet.provider(state, {**PROVIDER, "outcomes": str(book)}))
        program = fleet.controller(
            state, manifests=manifests, variables=fleet.provider_variables(provider)
        )
        controller = await children.start(replace(program, arguments=(*program.arguments, *WATCH)))
        sidecar = await children.start(
            fleet.sidecar(state, pod=Pod(name="pod-0"), controller_port=controller.facts["grpc"])
        )
        await until_ready(sidecar)
        yield System(state, book, provider, controller, sidecar)


async def test_a_cheap_model_that_goes_bad_is_told_until_it_is_mended(
    running: System, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    controller = running.controller
    async with openai.AsyncOpenAI(
        base_url=fleet.base_url(running.sidecar), api_key="sk-secret-of-a-test"
    ) as client:

        async def is_well() -> bool:
            await ask_all(client, 10)
            return await status_of(controller, "Escalating") == "False"

        await ask_all(client, CALLS)
        await until(partial(running.is_told, CALLS), "all calls to be told")
        await until(running.is_escalating, "the escalations to be found")
        assert (await task_of(controller))["total"]["escalated"] == CALLS
        assert await metric(controller, "Escalating") == "1.0"
        assert await metric(controller, "BaselineStale") == "0.0"
        shown = await running.shown(capsys)
        assert "Escalating" in shown
        assert "100.0 % of 60 calls with gates escalated" in shown
        for task in ("intent", "nothing-known"):
            await stream_one(client, task)

        await running.mend()
        await until(is_well, "the mended model to be believed")
        assert await metric(controller, "Escalating") == "0.0"
        assert "Escalating" not in await running.shown(capsys)

    kept = await running.receipts()
    assert {receipt["stream"] for receipt in kept} == {True, False}
    assert all(receipt["response_model"] for receipt in kept)
    assert all(one["response_model"] for receipt in kept for one in receipt["attempts"])
    billed = await asyncio.to_thread(fleet.ledger_of(running.state).read_text)
    assert len(billed.splitlines()) == sum(len(receipt["attempts"]) for receipt in kept)
