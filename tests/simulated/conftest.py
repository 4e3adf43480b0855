"""What the tests of the simulated providers share: a provider, its clients, a bounded wait."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from openai import AsyncOpenAI

from farebox.simulated.config import parse_config
from farebox.simulated.ledger import Entry, read_entries
from farebox.simulated.server import SimulatedProvider

polls_max = 6_000
CONFIG: dict[str, Any] = {
    "seed": 7,
    "models": [
        {
            "name": "small",
            "inputPerMillion": "0.15",
            "cachedInputPerMillion": "0.075",
            "outputPerMillion": "0.60",
        },
        {
            "name": "thinker",
            "inputPerMillion": "2.50",
            "outputPerMillion": "10",
            "reasoningTokens": 64,
            "contextWindow": 2_000,
        },
        {
            "name": "paced",
            "inputPerMillion": "1",
            "outputPerMillion": "2",
            "tokensPerSecond": 500,
        },
    ],
}

ProviderMaker = Callable[..., SimulatedProvider]
ClientMaker = Callable[..., AsyncOpenAI]
EntriesReader = Callable[[], list[Entry]]


@pytest.fixture
def ledger_path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.jsonl"


@pytest.fixture
def make_provider(ledger_path: Path) -> ProviderMaker:
    """Makes a provider of three models; keyword arguments replace parts of its configuration."""

    def make(**changes: Any) -> SimulatedProvider:
        return SimulatedProvider(parse_config(CONFIG | changes), ledger_path)

    return make


@pytest.fixture
def make_client() -> ClientMaker:
    """Makes a real client that never retries, so that every call is sent once."""

    def make(provider: SimulatedProvider, **headers: str) -> AsyncOpenAI:
        return AsyncOpenAI(
            base_url=provider.base_url,
            api_key="sk-simulated-wxyz",
            max_retries=0,
            timeout=600.0,
            default_headers={name.replace("_", "-"): value for name, value in headers.items()},
        )

    return make


@pytest.fixture
def entries(ledger_path: Path) -> EntriesReader:
    return lambda: read_entries(ledger_path)


@pytest.fixture
def entries_when(ledger_path: Path) -> Callable[[int], Any]:
    """Waits, within a bound, until the ledger has so many records."""

    async def wait(count: int) -> list[Entry]:
        for _ in range(polls_max):
            found = read_entries(ledger_path)
            if len(found) >= count:
                return found
            await asyncio.sleep(0.01)
        raise AssertionError(f"the ledger has {len(found)} records, not {count}")

    return wait
