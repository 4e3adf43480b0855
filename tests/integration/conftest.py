"""Real processes for whole-system tests: provider, controller and one sidecar on loopback."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import openai
import pytest

from farebox.cli import fleet
from farebox.cli.admin import admin_url, get_json, until_ready
from farebox.cli.fleet import Pod
from farebox.cli.processes import Child, Children
from farebox.simulated.ledger import Entry, read_entries

PATIENCE_S = 100.0
POLL_S = 0.05

MODELS = """
apiVersion: farebox.dev/v1alpha1
kind: ModelTier
metadata: {name: small}
spec:
  rank: 1
  maxDifficulty: "1"
  models:
    - name: gpt-4o-mini
      provider: openai
      baseURL: ${FAREBOX_DEMO_PROVIDER}
      price: {input: "0.15", output: "0.60"}
      contextWindow: 128000
      maxOutputTokens: 16384
"""

PROVIDER = {
    "models": [
        {
            "name": "gpt-4o-mini",
            "inputPerMillion": "0.15",
            "outputPerMillion": "0.60",
            "contextWindow": 128000,
        }
    ],
    "tokenizer": "Bytes",
    "answer": {"fillMax": True},
}


def pool_manifest(name: str, limit: str, *extra: str) -> str:
    """A lifetime pool that selects every pod of the namespace."""
    lines = "".join(f"  {line}\n" for line in extra)
    return (
        "apiVersion: farebox.dev/v1alpha1\nkind: BudgetPool\n"
        f"metadata: {{name: {name}}}\nspec:\n  limit: {limit!r}\n  window: {{type: Lifetime}}\n"
        f"  selector: {{matchLabels: {{}}}}\n{lines}"
    ).replace("'", '"')


@dataclass
class Fleet:
    """A running system. `manifests` is the folder that the controller follows."""

    children: Children
    state: Path
    manifests: Path
    provider: Child
    controller: Child
    sidecar: Child
    clients: list[openai.AsyncOpenAI] = field(default_factory=list)

    def write(self, *manifests: str) -> None:
        """Put pools in force, instead of those before."""
        (self.manifests / "pools.yaml").write_text("---\n".join(manifests))

    def client(self, **options: Any) -> openai.AsyncOpenAI:
        """The real package, pointed at the sidecar."""
        made = openai.AsyncOpenAI(
            base_url=fleet.base_url(self.sidecar),
            api_key="sk-secret-of-a-test",
            timeout=600.0,
            **options,
        )
        self.clients.append(made)
        return made

    def billed(self) -> list[Entry]:
        """What the provider has billed."""
        return list(read_entries(fleet.ledger_of(self.state)))

    async def received(self) -> int:
        """How many calls came to the provider."""
        found = await get_json(f"http://127.0.0.1:{self.provider.facts['port']}/_sim/calls")
        return int(found["received"])

    async def pools(self) -> dict[str, dict[str, Any]]:
        """The controller's view, by pool and key."""
        found = await get_json(admin_url(self.controller, "/v1/pools"))
        return {f"{one['pool']}/{one['key']}".rstrip("/"): one for one in found["pools"]}

    async def until_limit(self, dollars: str) -> None:
        """Wait until the sidecar has a policy in which the first pool has this limit."""

        async def has_it() -> bool:
            policy = await get_json(admin_url(self.sidecar, "/v1/policy"))
            return bool(policy["pools"][0]["limit_usd"] == dollars)

        await until(has_it, f"a limit of {dollars}")

    async def problems(self) -> list[dict[str, Any]]:
        """What is wrong with the manifests."""
        found = await get_json(admin_url(self.controller, "/v1/problems"))
        return list(found["problems"])


async def until(holds: Callable[[], Any], what: str) -> None:
    """Poll an async condition within a bound."""
    try:
        async with asyncio.timeout(PATIENCE_S):
            while not await holds():  # noqa: ASYNC110  (what is polled is another process)
                await asyncio.sleep(POLL_S)
    except TimeoutError:
        raise AssertionError(f"waited {PATIENCE_S} s for: {what}") from None


@pytest.fixture
def money_ms() -> int:
    """How long a call waits for money: longer than a slow machine needs to lend it."""
    return 60_000


@pytest.fixture
async def system(tmp_path: Path, money_ms: int) -> AsyncIterator[Fleet]:
    """Provider, controller and sidecar with one generous pool."""
    manifests, state = tmp_path / "manifests", tmp_path / "state"
    manifests.mkdir()
    (manifests / "models.yaml").write_text(MODELS)
    (manifests / "pools.yaml").write_text(pool_manifest("team", "1.00"))
    async with Children(state) as children:
        provider = await children.start(fleet.provider(state, PROVIDER))
        variables = fleet.provider_variables(provider)
        controller = await children.start(
            fleet.controller(state, manifests=manifests, variables=variables)
        )
        program = fleet.sidecar(
            state, pod=Pod(name="pod-0"), controller_port=controller.facts["grpc"]
        )
        waits = ("--money-ms-max", str(money_ms))
        sidecar = await children.start(replace(program, arguments=(*program.arguments, *waits)))
        await until_ready(sidecar)
        running = Fleet(children, state, manifests, provider, controller, sidecar)
        yield running
        for client in running.clients:
            await client.close()
