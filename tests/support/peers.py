"""The other end of a connection, as a test scripts it: raw bytes in, raw bytes out."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from sidecar.upstream.connection import Connection, Headers
from sidecar.upstream.origin import Origin

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Peer:
    """A listening socket. `accepted` counts its connections."""

    def __init__(self) -> None:
        self.accepted = 0
        self.origin = Origin("127.0.0.1", 0, tls=False)


@asynccontextmanager
async def peer(serve: Serve, ssl_context: ssl.SSLContext | None = None) -> AsyncIterator[Peer]:
    """Serve every connection with `serve`, until the block ends."""
    told = Peer()
    serving: set[asyncio.Task[None]] = set()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        told.accepted += 1
        task = asyncio.current_task()
        assert task is not None
        serving.add(task)
        # The end of the block cancels what is still served.
        with contextlib.suppress(
            ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError
        ):
            await serve(reader, writer)
        serving.discard(task)
        writer.close()

    server = await asyncio.start_server(accept, "127.0.0.1", 0, ssl=ssl_context)
    told.origin = Origin("127.0.0.1", server.sockets[0].getsockname()[1], tls=False)
    try:
        yield told
    finally:
        server.close()
        for task in serving:
            task.cancel()
        await asyncio.gather(*serving)


async def read_request(reader: asyncio.StreamReader) -> bytes:
    """One request, head and body. Raises IncompleteReadError when there is none."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = 0
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            length = int(line.partition(b":")[2])
    return head + (await reader.readexactly(length) if length else b"")


def answering(*answers: bytes, then_close: bool = False) -> Serve:
    """Answer each request of a connection with the next of these bytes, then with the last."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        left = list(answers)
        while True:
            await read_request(reader)
            writer.write(left.pop(0) if len(left) > 1 else left[0])
            await writer.drain()
            if then_close:
                return

    return serve


async def eventually(holds: Callable[[], bool], *, polls_max: int = 3_000) -> None:
    """Wait, bounded, until something holds."""
    for _ in range(polls_max):
        if holds():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it did not come about in time")


async def head_of(connection: Connection, *, ms_max: int) -> tuple[int, Headers]:
    """Wait for an answer's head. Raises BrokenError or SilentError."""
    while (head := connection.head_now()) is None:
        await connection.news(ms_max=ms_max)
    return head


async def body_of(connection: Connection, *, ms_max: int) -> bytes:
    """Wait for the next of a body, b"" at its end. Raises BrokenError or SilentError."""
    while (data := connection.body_now()) is None:
        await connection.news(ms_max=ms_max)
    return data
