"""How a test reaches what runs in a network namespace: by the same port of its own loopback.

A connection that comes in is carried on by a socket that was made inside the namespace; so the test
sits beside the process, whatever is cut between the namespaces. The one rule: what either end
closes is closed at the other. It must not know what is carried.
"""

import asyncio
import socket
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import Final

from farebox.runtime.tasks import Beside, first_of
from tests.support.inside import enter

_PIECE_BYTES_MAX: Final = 65_536
_GRACE_S: Final = 2.0


class Doors:
    """Listening sockets of the test, one for each port inside."""

    def __init__(self) -> None:
        self.ports: tuple[int, ...] = ()
        self._servers: list[asyncio.Server] = []
        self._hands: ThreadPoolExecutor | None = None
        self._carried = Beside()

    async def listen(self, count: int) -> None:
        """Take so many free ports; connections are carried on once `open_into` was called."""
        for number in range(count):
            accept = partial(self._accept, number)
            self._servers.append(await asyncio.start_server(accept, "127.0.0.1", 0))
        self.ports = tuple(one.sockets[0].getsockname()[1] for one in self._servers)

    def open_into(self, namespace: str) -> None:
        """Carry connections on into a namespace. Raises nothing: a connection would fail."""
        self._hands = ThreadPoolExecutor(1, initializer=enter, initargs=(namespace,))

    async def close(self) -> None:
        """Close all, and leave the namespace."""
        for server in self._servers:
            server.close()
        # What ran inside has ended, so that most connections end by themselves.
        await self._carried.finish(grace_s=_GRACE_S)
        if self._hands is not None:
            self._hands.shutdown()

    def _accept(
        self, number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._carried.start(self._carry(self.ports[number], reader, writer))

    async def _carry(
        self, port: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        # Who finds nobody inside is hung up on.
        with suppress(OSError):
            try:
                inside_reader, inside_writer = await self._connect(port)
                try:
                    await first_of(_pipe(reader, inside_writer), _pipe(inside_reader, writer))
                finally:
                    await _hang_up(inside_writer)
            finally:
                await _hang_up(writer)

    async def _connect(self, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        loop = asyncio.get_running_loop()
        made = await loop.run_in_executor(self._hands, socket.socket)
        try:
            made.setblocking(False)
            await loop.sock_connect(made, ("127.0.0.1", port))
            return await asyncio.open_connection(sock=made)
        except BaseException:
            made.close()
            raise


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while piece := await reader.read(_PIECE_BYTES_MAX):
        writer.write(piece)
        await writer.drain()


async def _hang_up(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()
