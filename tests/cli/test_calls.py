"""Sending prompts with the real `openai` package to a simulated provider over real sockets."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import openai
import pytest

from farebox.cli.calls import Ending, Outcome, _ending_of, send, send_all
from farebox.cli.prompts import Prompt
from farebox.simulated.config import parse_config
from farebox.simulated.server import SimulatedProvider

MODELS = [{"name": "small", "inputPerMillion": "0.15", "outputPerMillion": "0.60"}]


@pytest.fixture
async def provider(tmp_path: Path) -> AsyncIterator[SimulatedProvider]:
    config = parse_config({"models": MODELS})
    async with SimulatedProvider(config, tmp_path / "ledger.jsonl") as running:
        yield running


def prompt(
    name: str = "one", *, model: str = "small", stream: bool = False, fault: str = ""
) -> Prompt:
    body = {"model": model, "messages": [{"role": "user", "content": "hello"}], "user": "ana"}
    return Prompt(
        id=name,
        task="code",
        user="ana",
        stream=stream,
        model=model,
        body={**body, "stream": True} if stream else body,
        headers={"x-sim-fault": fault} if fault else {},
    )


async def send_one(provider: SimulatedProvider, one: Prompt) -> Outcome:
    client = openai.AsyncOpenAI(base_url=provider.base_url, api_key="k", max_retries=0)
    async with client:
        return await send(one, client, 0)


@pytest.mark.parametrize("stream", [False, True])
async def test_an_answer_is_read_to_its_end(provider: SimulatedProvider, stream: bool) -> None:
    outcome = await send_one(provider, prompt(stream=stream))
    assert (outcome.ending, outcome.status, outcome.error) == (Ending.SERVED, 200, "")
    assert outcome.user == "ana"


@pytest.mark.parametrize(
    ("stream", "fault", "model", "status", "error"),
    [
        (False, "error500", "small", 500, "InternalServerError"),
        (False, "", "unknown", 404, "NotFoundError"),
        (False, "hangUp", "small", 0, "APIConnectionError"),
        (True, "cutStream", "small", 200, "APIConnectionError"),
    ],
)
async def test_whatever_breaks_becomes_an_outcome(
    provider: SimulatedProvider, stream: bool, fault: str, model: str, status: int, error: str
) -> None:
    outcome = await send_one(provider, prompt(stream=stream, fault=fault, model=model))
    assert (outcome.ending, outcome.status) == (Ending.FAILED, status)
    assert outcome.error == error


async def test_all_prompts_are_sent_once_and_told_of(provider: SimulatedProvider) -> None:
    heard: list[str] = []
    prompts = [prompt(str(number)) for number in range(20)]
    outcomes = await send_all(
        prompts,
        base_urls=[provider.base_url, provider.base_url],
        callers=4,
        api_key="k",
        note=lambda outcome: heard.append(outcome.id),
    )
    assert sorted(heard) == sorted(one.id for one in prompts)
    assert {outcome.endpoint for outcome in outcomes} == {0, 1}
    assert {outcome.ending for outcome in outcomes} == {Ending.SERVED}


async def test_nobody_at_the_address_is_a_failure_without_a_status() -> None:
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()
    client = openai.AsyncOpenAI(base_url=f"http://127.0.0.1:{port}/v1", api_key="k", max_retries=0)
    async with client:
        outcome = await send(prompt(), client, 1)
    assert (outcome.ending, outcome.status, outcome.endpoint) == (Ending.FAILED, 0, 1)
    assert outcome.error == "APIConnectionError"


@pytest.mark.parametrize(
    ("reason", "ending"),
    [
        ("pool_exhausted", Ending.REFUSED),
        ("budget_unverifiable", Ending.REFUSED),
        ("provider_unreachable", Ending.FAILED),
        ("provider_silent", Ending.FAILED),
        ("", Ending.FAILED),
    ],
)
def test_only_what_farebox_itself_declines_is_a_refusal(reason: str, ending: Ending) -> None:
    assert _ending_of({"x-farebox-reason": reason} if reason else {}) is ending
