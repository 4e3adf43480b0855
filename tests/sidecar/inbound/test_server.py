"""The listening socket."""

import asyncio

import pytest

from farebox.runtime.endpoints import Endpoint
from sidecar.inbound import server as server_module
from sidecar.inbound.server import Server
from tests.sidecar.inbound.test_connection import Echo, post
from tests.support.peers import eventually


async def test_connections_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_module, "CONNECTIONS_MAX", 1)
    server = Server(Echo())
    port = await server.start(Endpoint("127.0.0.1", 0))
    first, first_writer = await asyncio.open_connection("127.0.0.1", port)
    first_writer.write(post())
    assert await first.readline() == b"HTTP/1.1 200 OK\r\n"
    second, second_writer = await asyncio.open_connection("127.0.0.1", port)
    assert await second.read() == b""
    first_writer.close()
    second_writer.close()
    await server.stop(grace_s=1)


async def test_an_address_that_is_taken_is_an_error() -> None:
    first, second = Server(Echo()), Server(Echo())
    port = await first.start(Endpoint("127.0.0.1", 0))
    with pytest.raises(OSError, match="address"):
        await second.start(Endpoint("127.0.0.1", port))
    await first.stop(grace_s=0)
    await second.stop(grace_s=0)


async def test_a_task_that_does_not_end_in_its_grace_is_cancelled() -> None:
    async def wait(*_: object) -> None:
        await asyncio.Event().wait()

    handler = Echo(wait)
    server = Server(handler)
    port = await server.start(Endpoint("127.0.0.1", 0))
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(post())
    await eventually(lambda: handler.served == 1)
    await server.stop(grace_s=0.01)
    assert (handler.cancelled, handler.open) == (1, 0)
    writer.close()
