"""A data plane on a real socket, with money in memory, in front of real or scripted providers."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from openai import AsyncOpenAI
from openai.types.chat import ChatCompletion, ChatCompletionMessageParam
from prometheus_client import CollectorRegistry

from farebox.core.budgets import Pool
from farebox.core.policy import Policy
from farebox.core.tiers import Catalogue
from farebox.runtime.clock import Clock, SystemClock
from farebox.runtime.endpoints import Endpoint
from farebox.simulated.config import parse_config
from farebox.simulated.server import SimulatedProvider
from sidecar.config import Config
from sidecar.dataplane import DataPlane
from sidecar.policy import PolicyHolder
from tests.support.policies import TIERS, make_policy
from tests.support.tills import Till

LOOPBACK = Endpoint("127.0.0.1", 0)
RETRIES = 2
"""As the client of OpenAI does by default."""


@dataclass(kw_only=True)
class Running:
    """A data plane that serves, and a client that calls it."""

    plane: DataPlane
    port: int
    till: Till
    policies: PolicyHolder
    registry: CollectorRegistry
    client: AsyncOpenAI

    @property
    def url(self) -> str:
        """The base URL for OpenAI's clients."""
        return f"http://127.0.0.1:{self.port}/openai/v1"


def policy_at(base_url: str | Mapping[str, str], *pools: Pool, **changes: Any) -> Policy:
    """The usual policy, with all models, or each by its name, at these base URLs."""

    def url(name: str) -> str:
        return base_url if isinstance(base_url, str) else base_url[name]

    tiers = tuple(
        replace(
            tier,
            models=tuple(
                replace(model, base_url=url(model.name), **changes) for model in tier.models
            ),
        )
        for tier in TIERS
    )
    return replace(make_policy(*pools), catalogue=Catalogue(tiers=tiers))


@asynccontextmanager
async def running(
    folder: Path,
    policy: Policy | None,
    *,
    till: Till | None = None,
    secrets: Mapping[str, str] | None = None,
    clock: Clock | None = None,
    **config: Any,
) -> AsyncIterator[Running]:
    """Serve until the block ends; every hold has ended then."""
    till, policies, registry = till or Till(), PolicyHolder(), CollectorRegistry()
    if policy is not None:
        policies.replace(policy)
    plane = DataPlane(
        Config(controller=(LOOPBACK,), journal=folder / "journal", **config),
        clock=clock or SystemClock(),
        money=till,
        policies=policies,
        registry=registry,
        secret=lambda name: (secrets or {}).get(name, ""),
    )
    port = await plane.start(LOOPBACK)
    client = AsyncOpenAI(
        base_url=f"http://127.0.0.1:{port}/openai/v1",
        api_key="sk-caller",
        max_retries=RETRIES,
        timeout=600.0,
    )
    try:
        async with client:
            yield Running(
                plane=plane,
                port=port,
                till=till,
                policies=policies,
                registry=registry,
                client=client,
            )
    finally:
        await plane.stop(grace_ms_max=2_000)
    assert not till.open, "every hold has ended"


def simulated(folder: Path, **changes: Any) -> SimulatedProvider:
    """A simulated provider of the three models, with their prices and a ledger in the folder."""
    prices = {"gpt-4o-mini": ("0.15", "0.60"), "gpt-4o": ("2.50", "10"), "o1": ("15", "60")}
    models = [
        {"name": name, "inputPerMillion": into, "outputPerMillion": out}
        for name, (into, out) in prices.items()
    ]
    config = {"seed": 7, "models": models, "tokenizer": "Bytes", **changes}
    return SimulatedProvider(parse_config(config), folder / "ledger.jsonl")


ASK: list[ChatCompletionMessageParam] = [{"role": "user", "content": "Is this a complaint?"}]


async def ask(run: Running, **fields: Any) -> ChatCompletion:
    """One plain call."""
    fields = {"model": "farebox/auto", "messages": ASK, "max_tokens": 40, **fields}
    answer = await run.client.chat.completions.create(**fields)
    assert isinstance(answer, ChatCompletion)
    return answer
