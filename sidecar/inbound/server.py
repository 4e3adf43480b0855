"""Listens for callers, and ends their connections in order.

The one rule: every connection is known here from its start to its end, and there are only so many.
This module must not know what is served.
"""

import asyncio
from typing import Final

from farebox.runtime.endpoints import Endpoint
from farebox.runtime.tasks import Beside
from sidecar.inbound.connection import Caller, Handler

BACKLOG_MAX: Final = 1_024
CONNECTIONS_MAX: Final = 8_192
"""What comes beyond is closed at once."""


class Server:
    """A listening socket and its connections."""

    def __init__(self, handler: Handler) -> None:
        self._handler = handler
        self._tasks = Beside()
        self._callers: set[Caller] = set()
        self._socket: asyncio.Server | None = None

    async def start(self, endpoint: Endpoint) -> int:
        """Listen; returns the port. Raises OSError when the address is taken."""
        self._socket = await asyncio.get_running_loop().create_server(
            self._new_caller, endpoint.host, endpoint.port, backlog=BACKLOG_MAX
        )
        port: int = self._socket.sockets[0].getsockname()[1]
        return port

    def _new_caller(self) -> asyncio.BaseProtocol:
        if len(self._callers) >= CONNECTIONS_MAX:
            return _Unwelcome()
        caller = Caller(self._handler, self._tasks.start, self._callers.discard)
        self._callers.add(caller)
        return caller

    async def stop(self, *, grace_s: float) -> None:
        """Take nothing new, let answers under way end within the grace, then cancel them."""
        if self._socket is not None:
            self._socket.close()
        for caller in tuple(self._callers):
            caller.finish()
        await self._tasks.finish(grace_s=grace_s)


class _Unwelcome(asyncio.Protocol):
    """A connection beyond the bound."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport.close()
