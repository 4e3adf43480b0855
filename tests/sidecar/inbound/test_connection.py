"""What callers do to a connection, byte by byte, and what they are told.

Real sockets; the handler is a small one that answers with what it was asked.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from farebox.core.reasons import Reason
from farebox.runtime.endpoints import Endpoint
from sidecar.inbound import connection
from sidecar.inbound.connection import Caller
from sidecar.inbound.request import Request
from sidecar.inbound.server import Server
from sidecar.refusals import RefusalDetail, plainly
from tests.support.clocks import LoopClock
from tests.support.peers import eventually

BODY_BYTES_MAX = 1_000
PATIENCE_S = 60

Serve = Callable[[Request, Caller], Awaitable[None]]


async def echo(request: Request, caller: Caller) -> None:
    """Answer with method, target and body."""
    caller.tell(200, b"", b"%b %b %b" % (request.method, request.target.encode(), request.body))


class Echo:
    """A handler that counts what is open, and serves as it is told."""

    body_bytes_max = BODY_BYTES_MAX

    def __init__(self, serve: Serve = echo, *, body_ms_max: int = 5_000, most: int = 100) -> None:
        self.body_ms_max = body_ms_max
        self.open = 0
        self.served = 0
        self.cancelled = 0
        self._most = most
        self._serve = serve

    def begin(self) -> RefusalDetail | None:
        self.open += 1
        return plainly(Reason.TOO_MANY_CALLS) if self.open > self._most else None

    def end(self) -> None:
        self.open -= 1

    async def serve(self, request: Request, caller: Caller) -> None:
        self.served += 1
        try:
            await self._serve(request, caller)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise

    def refuse(self, detail: RefusalDetail, caller: Caller) -> None:
        caller.tell(400, b"", detail.message.encode())

    def too_long(self) -> RefusalDetail:
        return RefusalDetail(reason=Reason.BODY_TOO_LARGE, message="too long")

    def too_late(self) -> RefusalDetail:
        return RefusalDetail(reason=Reason.BAD_REQUEST, message="too late")

    def unreadable(self, why: str) -> RefusalDetail:
        return RefusalDetail(reason=Reason.BAD_REQUEST, message=f"unreadable: {why}")


class Wire:
    """A caller's socket."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def says(self, *pieces: bytes) -> None:
        """Send pieces, each on its own."""
        for piece in pieces:
            self.writer.write(piece)
            await self.writer.drain()
            await asyncio.sleep(0.005)

    async def hears(self) -> tuple[int, bytes]:
        """The next answer: status and body (chunks joined)."""
        async with asyncio.timeout(PATIENCE_S):
            head = await self.reader.readuntil(b"\r\n\r\n")
            status = int(head.split()[1])
            if status == 100:
                return status, b""
            if b"chunked" in head:
                return status, await self._chunks()
            length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
            return status, await self.reader.readexactly(length)

    async def _chunks(self) -> bytes:
        body = b""
        while size := int(await self.reader.readline(), 16):
            body += await self.reader.readexactly(size)
            await self.reader.readline()
        await self.reader.readline()
        return body

    async def rest(self) -> bytes:
        """Everything until the connection is closed."""
        async with asyncio.timeout(PATIENCE_S):
            return await self.reader.read()


@asynccontextmanager
async def wire_to(handler: Any) -> AsyncIterator[Wire]:
    """A socket connected to a server with this handler."""
    server = Server(handler)
    port = await server.start(Endpoint("127.0.0.1", 0))
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield Wire(reader, writer)
    finally:
        writer.close()
        await server.stop(grace_s=1)
    assert handler.open == 0, "every request that began has ended"


def post(
    body: bytes = b"hi", *lines: bytes, target: bytes = b"/a", version: bytes = b"1.1"
) -> bytes:
    """A request."""
    head = b"POST %b HTTP/%b\r\nhost: h\r\ncontent-length: %d\r\n" % (target, version, len(body))
    return head + b"".join(line + b"\r\n" for line in lines) + b"\r\n" + body


async def test_requests_come_in_any_number_of_pieces() -> None:
    async with wire_to(Echo()) as wire:
        await wire.says(post(b"one"))
        assert await wire.hears() == (200, b"POST /a one")
        await wire.says(*(bytes([byte]) for byte in post(b"two", target=b"/b?c=d")))
        assert await wire.hears() == (200, b"POST /b?c=d two")
        await wire.says(b"GET /c HTTP/1.1\r\nhost: h\r\n\r\n")
        assert await wire.hears() == (200, b"GET /c ")


async def test_a_body_in_chunks() -> None:
    async with wire_to(Echo()) as wire:
        await wire.says(b"POST /a HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\n")
        await wire.says(b"3\r\none\r\n", b"4\r\n two\r\n", b"0\r\nx-trailer: 1\r\n\r\n")
        assert await wire.hears() == (200, b"POST /a one two")


async def test_requests_sent_ahead_are_answered_in_their_order() -> None:
    async def slowly(request: Request, caller: Caller) -> None:
        await asyncio.sleep(0.01)
        await echo(request, caller)

    async with wire_to(Echo(slowly)) as wire:
        await wire.says(b"".join(post(b"%d" % at) for at in range(20)))
        assert [await wire.hears() for _ in range(20)] == [
            (200, b"POST /a %d" % at) for at in range(20)
        ]


async def test_a_caller_that_waits_to_be_asked_for_its_body_is_asked() -> None:
    async with wire_to(Echo()) as wire:
        request = post(b"body", b"expect: 100-continue")
        await wire.says(request[:-4])
        assert await wire.hears() == (100, b"")
        await wire.says(request[-4:])
        assert await wire.hears() == (200, b"POST /a body")


@pytest.mark.parametrize(
    "request_",
    [
        post(b"x" * 1_001),
        b"POST /a HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\n"
        b"1f4\r\n" + b"x" * 500 + b"\r\n1f5\r\n" + b"x" * 501 + b"\r\n0\r\n\r\n",
    ],
    ids=["with its length", "in chunks"],
)
async def test_a_body_that_is_too_long_is_refused_and_the_connection_goes_on(
    request_: bytes,
) -> None:
    handler = Echo()
    async with wire_to(handler) as wire:
        await wire.says(request_[:700])
        if b"chunked" not in request_:
            # The length alone is enough: nobody waits for the rest.
            assert await wire.hears() == (400, b"too long")
            await wire.says(request_[700:])
        else:
            await wire.says(request_[700:])
            assert await wire.hears() == (400, b"too long")
        await wire.says(post(b"one"))
        assert await wire.hears() == (200, b"POST /a one")
        assert handler.served == 1


async def test_more_calls_than_may_be_are_refused_at_their_head() -> None:
    async with wire_to(Echo(most=0)) as wire:
        await wire.says(post())
        status, body = await wire.hears()
        assert status == 400
        assert body


async def test_a_body_that_never_comes_ends_the_connection() -> None:
    async with wire_to(Echo(body_ms_max=30)) as wire:
        await wire.says(post(b"body")[:-2])
        assert await wire.hears() == (400, b"too late")
        assert await wire.rest() == b""


async def test_a_head_that_never_ends_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "HEAD_MS_MAX", 30)
    async with wire_to(Echo()) as wire:
        await wire.says(b"POST /a HTTP/1.1\r\nhost: h\r\n")
        assert await wire.rest() == b""


async def test_a_connection_that_is_not_used_is_closed() -> None:
    clock = LoopClock()
    async with wire_to(Echo()) as wire:
        await wire.says(post())
        assert (await wire.hears())[0] == 200
        clock.advance(connection.KEEP_ALIVE_MS)
        assert await wire.rest() == b""


@pytest.mark.parametrize(
    ("what", "bytes_"),
    [
        ("TLS", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"),
        ("no HTTP", b"hello there\r\n\r\n"),
        ("two lengths", b"POST /a HTTP/1.1\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab"),
        (
            "a length and chunks",
            b"POST /a HTTP/1.1\r\ncontent-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        ),
    ],
)
async def test_what_is_not_http_is_said_once(what: str, bytes_: bytes) -> None:
    handler = Echo()
    async with wire_to(handler) as wire:
        await wire.says(bytes_)
        told = await wire.rest()
        assert told.startswith(b"HTTP/1.1 400 "), what
        assert b"unreadable" in told
        assert told.count(b"HTTP/1.1 400") == 1
        assert handler.served == 0


async def test_a_head_without_bounds_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "HEAD_BYTES_MAX", 2_000)
    async with wire_to(Echo()) as wire:
        await wire.says(b"POST /a HTTP/1.1\r\n")
        for _ in range(5):
            wire.writer.write(b"x-more: " + b"y" * 1_000 + b"\r\n")
        assert b"head is too long" in await wire.rest()


async def test_an_offer_to_switch_protocols_is_not_taken_up() -> None:
    """As Java's client makes it with every first request over plain HTTP."""
    offer = (b"connection: Upgrade, HTTP2-Settings", b"upgrade: h2c", b"http2-settings: AAEAAEAA")
    async with wire_to(Echo()) as wire:
        await wire.says(post(b"one", *offer))
        assert await wire.hears() == (200, b"POST /a one")
        await wire.says(post(b"two"))
        assert await wire.hears() == (200, b"POST /a two")
        await wire.says(post(b"three", *offer) + post(b"four"))
        assert await wire.hears() == (200, b"POST /a three")
        assert await wire.hears() == (200, b"POST /a four")


@pytest.mark.parametrize(
    "request_",
    [post(b"hi", b"connection: close"), post(b"hi", version=b"1.0")],
    ids=["asked to close", "HTTP/1.0"],
)
async def test_a_connection_is_closed_after_the_last_answer(request_: bytes) -> None:
    async with wire_to(Echo()) as wire:
        await wire.says(request_)
        told = await wire.rest()
        assert told.endswith(b"POST /a hi")
        assert b"connection: close" in told


async def stream(_: Request, caller: Caller) -> None:
    """Answer in three pieces."""
    caller.begin(200, b"")
    for piece in (b"one ", b"two ", b"three"):
        caller.pass_on(piece)
        await asyncio.sleep(0)
    caller.complete()


async def test_an_answer_in_pieces() -> None:
    async with wire_to(Echo(stream)) as wire:
        for _ in range(2):
            await wire.says(post())
            assert await wire.hears() == (200, b"one two three")


async def test_before_chunks_were_known_the_end_of_the_connection_ended_an_answer() -> None:
    async with wire_to(Echo(stream)) as wire:
        await wire.says(post(version=b"1.0"))
        assert (await wire.rest()).endswith(b"\r\n\r\none two three")


async def test_an_answer_that_breaks_off_is_not_taken_for_a_whole_one() -> None:
    async def break_off(_: Request, caller: Caller) -> None:
        caller.begin(200, b"")
        caller.pass_on(b"one")

    async with wire_to(Echo(break_off)) as wire:
        await wire.says(post())
        assert (await wire.rest()).endswith(b"3\r\none\r\n")


async def test_a_caller_that_leaves_cancels_its_request() -> None:
    async def wait(_: Request, __: Caller) -> None:
        await asyncio.Event().wait()

    handler = Echo(wait)
    async with wire_to(handler) as wire:
        await wire.says(post(), post())
        await eventually(lambda: handler.served == 1)
        wire.writer.transport.abort()
        await eventually(lambda: handler.cancelled == 1)
        await eventually(lambda: handler.open == 0)


async def test_a_caller_that_takes_nothing_is_waited_for_and_then_closed() -> None:
    async def pour(_: Request, caller: Caller) -> None:
        caller.begin(200, b"")
        while True:
            caller.pass_on(b"x" * 65_536)
            if caller.is_slow:
                await caller.taken(ms_max=50)
            await asyncio.sleep(0)

    handler = Echo(pour)
    async with wire_to(handler) as wire:
        await wire.says(post())
        await eventually(lambda: handler.cancelled == 1)


async def test_the_end_of_the_process_lets_answers_end() -> None:
    release = asyncio.Event()

    async def later(request: Request, caller: Caller) -> None:
        await release.wait()
        await echo(request, caller)

    handler = Echo(later)
    server = Server(handler)
    port = await server.start(Endpoint("127.0.0.1", 0))
    busy = Wire(*await asyncio.open_connection("127.0.0.1", port))
    idle = Wire(*await asyncio.open_connection("127.0.0.1", port))
    await busy.says(post(), post())
    await eventually(lambda: handler.served == 1)
    asyncio.get_running_loop().call_later(0.05, release.set)
    await server.stop(grace_s=PATIENCE_S)
    assert (await busy.rest()).count(b"HTTP/1.1 200") == 1
    assert await idle.rest() == b""
    assert (handler.cancelled, handler.open) == (0, 0)
    for wire in (busy, idle):
        wire.writer.close()
