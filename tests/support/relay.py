"""A way to a server on loopback that a test can cut: connections then carry nothing, in silence.

    async with relay(fake.port) as way:
        kubeconfig = way.kubeconfig(fake.kubeconfig(folder), folder)
        way.cut()   # no end hears of it; who connects now is taken in and not answered
        way.mend()  # who connects from now on reaches the server; what was cut stays cut

The one rule: nothing tells the client that it was cut off, as where packets are dropped on the way.
This module must not know what is carried.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Final

from farebox.runtime.tasks import Beside, first_of

_PIECE_BYTES_MAX: Final = 65_536


class Relay:
    """Listens on `port` of loopback and carries what comes to another port of it."""

    def __init__(self, to: int) -> None:
        self.port = 0
        self._to = to
        self._cut = asyncio.Event()
        self._reached = True
        self._carried = Beside()
        self._server: asyncio.Server | None = None

    def cut(self) -> None:
        """Carry nothing more: not on the connections that there are, nor on others."""
        self._reached = False
        self._cut.set()
        self._cut = asyncio.Event()

    def cut_open_ones(self) -> None:
        """Carry nothing more on the connections that there are; others reach the server."""
        self.cut()
        self.mend()

    def mend(self) -> None:
        """Carry what connects from now on."""
        self._reached = True

    def kubeconfig(self, direct: Path, folder: Path) -> Path:
        """A kubeconfig file as `direct`, by this way."""
        file = folder / "relayed-kubeconfig"
        before, after = f"127.0.0.1:{self._to}", f"127.0.0.1:{self.port}"
        text = direct.read_text()
        assert before in text, "it leads elsewhere"
        file.write_text(text.replace(before, after))
        return file

    async def open(self) -> None:
        """Listen."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """End all connections."""
        if self._server is not None:
            self._server.close()
        await self._carried.finish(grace_s=0)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._carried.start(self._carry(reader, writer))

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        cut = self._cut
        with suppress(OSError):
            try:
                if self._reached:
                    await first_of(self._between(reader, writer), cut.wait())
                if cut.is_set() or not self._reached:
                    # What the client still writes waits unread until it goes away.
                    await asyncio.Event().wait()
            finally:
                writer.close()

    async def _between(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._to)
        try:
            await first_of(_pipe(reader, far_writer), _pipe(far_reader, writer))
        finally:
            far_writer.close()


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while piece := await reader.read(_PIECE_BYTES_MAX):
        writer.write(piece)
        await writer.drain()


@asynccontextmanager
async def relay(to: int) -> AsyncIterator[Relay]:
    """A relay to a port, for as long as the block lasts."""
    made = Relay(to)
    await made.open()
    try:
        yield made
    finally:
        await made.close()
