"""The raw upstream speaks HTTP/1.1 that aiohttp's client understands, plain and streamed."""

import asyncio
from collections.abc import AsyncIterator

import aiohttp
import pytest

from bench import traffic, upstream
from bench.traffic import Kind

HEADERS = {"content-type": "application/json"}


@pytest.fixture(params=[0, 1], ids=["unpaced", "paced"])
async def base_url(request: pytest.FixtureRequest) -> AsyncIterator[str]:
    server = await upstream.listen(pace_ms=request.param)
    yield f"http://127.0.0.1:{upstream.port_of(server)}"
    server.close()


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    connector = aiohttp.TCPConnector(limit=1)
    async with aiohttp.ClientSession(connector=connector, headers=HEADERS) as session:
        yield session


async def test_plain_calls_share_a_connection(
    base_url: str, session: aiohttp.ClientSession
) -> None:
    for _ in range(3):
        body = traffic.request_body(Kind.PLAIN)
        async with session.post(base_url + traffic.CHAT_PATH, data=body) as response:
            assert response.status == 200
            assert response.content_type == "application/json"
            assert await response.read() == traffic.plain_answer()
            assert (await response.json())["usage"]["total_tokens"] == 330


async def test_streams_come_whole_and_leave_the_connection_usable(
    base_url: str, session: aiohttp.ClientSession
) -> None:
    for _ in range(2):
        body = traffic.request_body(Kind.STREAM)
        async with session.post(base_url + traffic.CHAT_PATH, data=body) as response:
            assert response.status == 200
            assert response.content_type == "text/event-stream"
            assert await response.read() == b"".join(traffic.stream_events())


async def test_a_client_that_leaves_in_a_stream_disturbs_nobody(
    base_url: str, session: aiohttp.ClientSession
) -> None:
    body = traffic.request_body(Kind.STREAM)
    async with session.post(base_url + traffic.CHAT_PATH, data=body) as response:
        await response.content.readline()
        response.close()
    async with session.post(base_url + traffic.CHAT_PATH, data=body) as response:
        assert (await response.read()).endswith(traffic.STREAM_END)


async def test_other_paths_are_not_found(base_url: str, session: aiohttp.ClientSession) -> None:
    async with session.post(f"{base_url}/v1/embeddings", data=b"{}") as response:
        assert response.status == 404


async def test_what_is_not_http_is_refused(base_url: str) -> None:
    port = int(base_url.rpartition(":")[2])
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"hello?\r\n\r\n")
    assert (await reader.read()).startswith(b"HTTP/1.1 400 ")
    writer.close()
