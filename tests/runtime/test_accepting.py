"""Connections that are accepted with bounds, over real sockets."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, Final, cast

import pytest
import uvloop

from farebox.runtime import accepting as module
from farebox.runtime.accepting import Accepting, Bounds
from farebox.runtime.endpoints import Endpoint
from tests.support.certificates import make_certificate
from tests.support.peers import eventually
from tests.support.tasks import beside

PATIENT: Final = Bounds(connections_max=3, rest_s_max=60, exchange_s_max=60)
OTHER: Final = "127.0.0.2"


class Echo(asyncio.Protocol):
    """Says each line again."""

    def __init__(self, place: "Place") -> None:
        self._place = place

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._place.open.add(self)

    def data_received(self, data: bytes) -> None:
        if data.endswith(b"\n"):
            self._transport.write(data)
            self._place.accepting.answered(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._place.open.discard(self)


class Place:
    """Where echoes are served."""

    def __init__(self, bounds: Bounds) -> None:
        self.open: set[Echo] = set()
        self.visitors: list[Visitor] = []
        self.accepting = Accepting(self._make, bounds)
        self.port = 0

    def _make(self) -> Echo:
        return Echo(self)

    async def come(
        self, host: str = "127.0.0.1", context: ssl.SSLContext | None = None
    ) -> "Visitor":
        """Connect from an address."""
        secure: dict[str, Any] = {"ssl": context, "server_hostname": "localhost"} if context else {}
        pair = await asyncio.open_connection("127.0.0.1", self.port, local_addr=(host, 0), **secure)
        self.visitors.append(Visitor(*pair))
        return self.visitors[-1]


class Visitor:
    """One connection's other end."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self.writer = writer

    async def is_served(self) -> bool:
        """Whether its line comes back."""
        self.writer.write(b"hello\n")
        async with asyncio.timeout(5):
            with contextlib.suppress(ConnectionError):
                return await self._reader.readline() == b"hello\n"
        return False

    async def is_ended(self) -> bool:
        """Whether the other end ends it."""
        async with asyncio.timeout(5):
            with contextlib.suppress(ConnectionError):
                return await self._reader.read() == b""
        return True


@contextlib.asynccontextmanager
async def place(bounds: Bounds, context: ssl.SSLContext | None = None) -> AsyncIterator[Place]:
    made = Place(bounds)
    made.port = await made.accepting.start(Endpoint("127.0.0.1", 0), context)
    try:
        yield made
    finally:
        await made.accepting.stop()
        for visitor in made.visitors:
            visitor.writer.transport.abort()
        await eventually(lambda: not made.open)


async def test_who_holds_all_connections_makes_room_for_another() -> None:
    async with place(PATIENT) as served:
        greedy = [await served.come() for _ in range(3)]
        assert await greedy[2].is_served()
        guest = await served.come(OTHER)
        assert await guest.is_served()
        assert await greedy[0].is_ended()
        more = [await served.come() for _ in range(5)]
        assert await more[-1].is_served()
        assert await guest.is_served()
        await eventually(lambda: len(served.open) == 3)


async def test_one_that_says_nothing_ends_and_one_that_asks_now_and_then_does_not() -> None:
    bounds = Bounds(connections_max=3, rest_s_max=0.4, exchange_s_max=60)
    async with place(bounds) as served:
        silent, asking = await served.come(), await served.come()
        ended = beside(silent.is_ended())
        while not ended.done():
            assert await asking.is_served()
            await asyncio.sleep(0.02)
        assert ended.result()
        assert await asking.is_served()
        assert await asking.is_ended()


async def test_a_question_has_an_end_however_slowly_it_is_asked() -> None:
    bounds = Bounds(connections_max=3, rest_s_max=60, exchange_s_max=0.2)
    async with place(bounds) as served:
        slow = await served.come()
        ended = beside(slow.is_ended())
        while not ended.done():
            slow.writer.write(b"h")
            await asyncio.sleep(0.02)
        assert ended.result()
        await eventually(lambda: not served.open)


async def test_a_handshake_takes_a_place_from_its_first_moment(tmp_path: Path) -> None:
    server_side, client_side = make_certificate(tmp_path)
    async with place(PATIENT, server_side) as served:
        mute = [await served.come() for _ in range(5)]
        assert await mute[0].is_ended()
        assert await mute[1].is_ended()
        guest = await served.come(OTHER, client_side)
        assert await guest.is_served()
        assert await mute[2].is_ended()
        assert len(served.open) == 1


@pytest.mark.parametrize("said", [b"GET / HTTP/1.1\r\n\r\n", b""])
async def test_a_handshake_that_comes_to_nothing_leaves_nothing(
    said: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "HANDSHAKE_S_MAX", 0.1)
    server_side, client_side = make_certificate(tmp_path)
    async with place(PATIENT, server_side) as served:
        for _ in range(4):
            stranger = await served.come()
            stranger.writer.write(said)
            assert await stranger.is_ended()
        guest = await served.come(OTHER, client_side)
        assert await guest.is_served()
        await eventually(lambda: len(served.accepting._guests) == 1)


async def test_a_port_that_is_taken_is_told() -> None:
    async with place(PATIENT) as served:
        other = Accepting(lambda: Echo(served), PATIENT)
        with pytest.raises(OSError, match="in use"):
            await other.start(Endpoint("127.0.0.1", served.port))


async def test_after_the_stop_nobody_is_accepted() -> None:
    async with place(PATIENT) as served:
        guest = await served.come()
        assert await guest.is_served()
        await served.accepting.stop()
        assert await guest.is_served()
        with pytest.raises(ConnectionError):
            await served.come()


async def test_without_file_descriptors_it_waits_and_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    loop = asyncio.get_running_loop()
    monkeypatch.setattr(module, "PAUSE_S", 0.01)
    accept: Callable[..., Any] = loop.sock_accept
    failures = [OSError(24, "Too many open files")] * 3

    async def failing(listener: Any) -> Any:
        if failures:
            raise failures.pop()
        return await accept(listener)

    monkeypatch.setattr(loop, "sock_accept", failing)
    async with place(PATIENT) as served:
        assert await (await served.come()).is_served()
    assert not failures


def test_the_loop_of_the_sidecar_does_the_same(tmp_path: Path) -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(test_who_holds_all_connections_makes_room_for_another())
        runner.run(test_one_that_says_nothing_ends_and_one_that_asks_now_and_then_does_not())
        runner.run(test_a_question_has_an_end_however_slowly_it_is_asked())
        runner.run(test_a_handshake_takes_a_place_from_its_first_moment(tmp_path))
        runner.run(test_after_the_stop_nobody_is_accepted())
