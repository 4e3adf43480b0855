"""Answers as aiohttp sends them."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest
from aiohttp import web

from farebox.core.reasons import Reason
from sidecar import responses
from sidecar.refusals import plainly


def test_a_refusal_names_its_call_and_has_the_form_of_the_api() -> None:
    response = responses.refusal(plainly(Reason.HOLD_PENDING), "call-7")
    assert response.status == 429
    assert response.headers["x-farebox-call"] == "call-7"
    assert response.headers["x-farebox-reason"] == "hold_pending"
    assert response.headers["retry-after"] == "1"
    assert response.content_type == "application/json"
    assert isinstance(response.body, bytes)
    assert json.loads(response.body)["error"]["code"] == "hold_pending"


@asynccontextmanager
async def answering(body: bytes) -> AsyncIterator[str]:
    """A server that answers with two cookies and a body; yields its address."""

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        return responses.whole(request, 200, (("set-cookie", "a"), ("set-cookie", "b")), body)

    server = web.Server(handle)
    listening = await asyncio.get_running_loop().create_server(server, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}/"
    finally:
        listening.close()
        await server.shutdown(1)


@pytest.mark.parametrize("size", [2, 3_000_000], ids=["short", "long"])
@pytest.mark.parametrize("connection", ["keep-alive", "close"])
async def test_a_whole_answer_arrives_with_headers_that_come_twice(
    size: int, connection: str
) -> None:
    body = b"x" * size
    async with answering(body) as address, aiohttp.ClientSession() as session:
        for _ in range(3):
            async with session.get(address, headers={"connection": connection}) as answer:
                assert answer.status == 200
                assert answer.headers.getall("set-cookie") == ["a", "b"]
                assert await answer.read() == body


def test_a_beginning_has_status_and_headers() -> None:
    response = responses.begun(201, (("content-type", "text/event-stream"),))
    assert (response.status, response.content_type) == (201, "text/event-stream")


def test_a_listing_is_json() -> None:
    assert responses.listing(b"{}").content_type == "application/json"
