"""What gets past the listener, and what is refused at the door."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from farebox.core.budgets import Per
from farebox.core.money import Nanos
from sidecar.listener import CHAT_PATH, _cap, _split
from tests.support.clocks import LoopClock
from tests.support.peers import eventually
from tests.support.planes import Running, policy_at, running, simulated
from tests.support.playbook import request_body
from tests.support.policies import make_policy, make_pool
from tests.support.tasks import beside

NOWHERE = "http://127.0.0.1:9/v1"


@pytest.fixture
async def run(tmp_path: Path) -> AsyncIterator[Running]:
    """A data plane before a simulated provider."""
    async with (
        simulated(tmp_path) as provider,
        running(tmp_path, policy_at(provider.base_url), body_bytes_max=4_096) as it,
    ):
        yield it


async def send(
    run: Running, path: str = f"/openai{CHAT_PATH}", *, method: str = "POST", **request: Any
) -> tuple[int, Any, Any]:
    """One request; returns status, JSON and headers."""
    request.setdefault("data", request_body())
    async with (
        aiohttp.ClientSession() as session,
        session.request(method, f"http://127.0.0.1:{run.port}{path}", **request) as answer,
    ):
        return answer.status, await answer.json(), answer.headers


@pytest.mark.parametrize(
    ("what", "path"),
    [
        ("the usual path", "/openai/v1/chat/completions"),
        ("a base URL that ends in a slash", "/openai/v1//chat/completions"),
        ("a query", "/openai/v1/chat/completions?trace=1"),
    ],
)
async def test_paths_that_are_served(run: Running, what: str, path: str) -> None:
    status, body, headers = await send(run, path)
    assert status == 200
    assert body["usage"]
    assert headers["x-farebox-call"]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/"),
        ("POST", "/v1/chat/completions"),
        ("POST", "/openai/v1/embeddings"),
        ("POST", "/elsewhere/v1/chat/completions"),
        ("GET", "/openai/v1/chat/completions"),
        ("POST", "/openai/v1/models"),
        ("DELETE", "/openai/v1/chat/completions"),
    ],
)
async def test_paths_that_are_not(run: Running, method: str, path: str) -> None:
    status, body, headers = await send(run, path, method=method)
    assert (status, body["error"]["code"]) == (404, "unknown_route")
    assert headers["x-should-retry"] == "false"
    sample = run.registry.get_sample_value("farebox_refusals_total", {"reason": "unknown_route"})
    assert sample == 1


async def test_other_providers_of_the_catalogue_have_paths_too(tmp_path: Path) -> None:
    async with (
        simulated(tmp_path) as provider,
        running(tmp_path, policy_at(provider.base_url, provider="vendor")) as run,
    ):
        assert (await send(run, "/vendor/v1/chat/completions"))[0] == 200
        assert (await send(run, "/openai/v1/chat/completions"))[0] == 200


@pytest.mark.parametrize(
    ("what", "request_", "message"),
    [
        ("no JSON", {"data": b"{"}, "not a chat completion request"),
        ("no body", {"data": b""}, "not a chat completion request"),
        (
            "compressed",
            {"data": b"\x1f\x8b", "headers": {"content-encoding": "gzip"}},
            "compressed",
        ),
        ("a bad cap", {"headers": {"x-farebox-max-cost": "a lot"}}, "x-farebox-max-cost"),
        ("a bad user", {"headers": {"x-farebox-user": "u" * 200}}, "longer than 128"),
    ],
)
async def test_requests_that_can_not_be_read(
    run: Running, what: str, request_: dict[str, Any], message: str
) -> None:
    status, body, headers = await send(run, **request_)
    assert (status, body["error"]["type"]) == (400, "invalid_request_error")
    assert message in body["error"]["message"]
    assert headers["x-should-retry"] == "false"


async def pieces(count: int) -> AsyncIterator[bytes]:
    """A body whose length is not said beforehand."""
    for _ in range(count):
        yield b" " * 1_000
        await asyncio.sleep(0)


async def test_a_body_that_is_too_long_is_refused_whether_it_says_so_or_not(run: Running) -> None:
    for data in (b" " * 5_000, pieces(10)):
        status, body, _ = await send(run, data=data)
        assert (status, body["error"]["code"]) == (413, "body_too_large")


async def test_a_body_in_pieces_is_read(run: Running) -> None:
    async def body() -> AsyncIterator[bytes]:
        whole = request_body()
        yield whole[:20]
        await asyncio.sleep(0.02)
        yield whole[20:]

    assert (await send(run, data=body()))[0] == 200


async def test_a_body_that_does_not_arrive_is_not_waited_for(tmp_path: Path) -> None:
    async with running(tmp_path, policy_at(NOWHERE), body_ms_max=50) as run:
        reader, writer = await asyncio.open_connection("127.0.0.1", run.port)
        writer.write(
            b"POST /openai/v1/chat/completions HTTP/1.1\r\nhost: h\r\ncontent-length: 9\r\n\r\n{"
        )
        assert b"400" in await reader.readline()
        writer.close()


async def test_without_a_policy_nothing_is_verified(tmp_path: Path) -> None:
    async with running(tmp_path, None) as run:
        status, body, headers = await send(run)
        assert (status, body["error"]["code"]) == (503, "budget_unverifiable")
        assert (headers["retry-after"], headers["x-should-retry"]) == ("1", "true")


async def test_calls_under_way_are_bounded(tmp_path: Path) -> None:
    async with (
        simulated(tmp_path) as provider,
        running(tmp_path, policy_at(provider.base_url), calls_max=1) as run,
    ):
        clock = LoopClock()
        slow = beside(send(run, headers={"x-sim-fault": "latency;ms=60000"}))
        await eventually(lambda: len(run.till.open) == 1)
        status, body, headers = await send(run)
        assert (status, body["error"]["code"]) == (429, "too_many_calls")
        assert headers["x-should-retry"] == "true"
        clock.advance(60_000)
        assert (await slow)[0] == 200
        assert (await send(run))[0] == 200


async def test_long_headers_are_read(run: Running) -> None:
    assert (await send(run, headers={"x-token": "t" * 60_000}))[0] == 200


async def test_one_connection_carries_many_calls(run: Running) -> None:
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=1)) as session:
        for _ in range(5):
            async with session.post(f"{run.url}/chat/completions", data=request_body()) as answer:
                assert json.loads(await answer.read())["usage"]


@pytest.mark.parametrize(
    ("said", "pools", "cap"),
    [
        (None, (), None),
        (7, (), 7),
        (None, ("0.01", "0.02"), 10_000_000),
        (7, ("0.01",), 7),
        (10**12, ("0.01",), 10_000_000),
    ],
)
def test_the_least_of_all_caps_binds(
    said: int | None, pools: tuple[str, ...], cap: int | None
) -> None:
    policy = make_policy(
        make_pool("shared", "5"),
        *(make_pool(f"request-{at}", limit, per=Per.REQUEST) for at, limit in enumerate(pools)),
    )
    assert _cap(policy, None if said is None else Nanos(said)) == cap


@pytest.mark.parametrize(
    ("raw_path", "parts"),
    [
        ("/openai/v1/models", ("openai", "/v1/models")),
        ("//openai///v1//models", ("openai", "/v1/models")),
        ("/openai", ("openai", "/")),
        ("/", ("", "/")),
        ("/openai/v1/models?a=//b", ("openai", "/v1/models")),
    ],
)
def test_a_path_names_a_provider(raw_path: str, parts: tuple[str, str]) -> None:
    assert _split(raw_path) == parts
