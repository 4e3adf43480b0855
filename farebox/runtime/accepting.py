"""Takes connections on a port that strangers reach, with a bound for whatever they might hold.

The one rule: how many there are, how long one may be silent, and how long a question may take, is
bounded from the moment it is accepted, TLS handshakes included; who has many makes room for who has
few (see `farebox.runtime.crowd`). This module must not know what is asked.
"""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, cast

from farebox.runtime.crowd import Crowd
from farebox.runtime.endpoints import Endpoint
from farebox.runtime.tasks import Beside

BACKLOG_CONNECTIONS_MAX: Final = 128
"""So many wait in the system until they are accepted."""

HANDSHAKE_S_MAX: Final = 5.0
FAREWELL_S_MAX: Final = 1.0
"""How long the other end has to agree that a TLS connection is over."""

PAUSE_S: Final = 0.1
"""After nothing could be accepted: the process may be out of file descriptors."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """`connections_max` at a time.

    One that says nothing for `rest_s_max` is ended, and so is one that is not answered
    `exchange_s_max` after it has begun to speak. It begins anew where `Accepting.answered` is told
    of answers; else that is the end of it.
    """

    connections_max: int
    rest_s_max: float
    exchange_s_max: float


class Accepting:
    """Listens, and has a protocol made by `make` for each connection."""

    def __init__(self, make: Callable[[], asyncio.Protocol], bounds: Bounds) -> None:
        self._make = make
        self._bounds = bounds
        self._crowd: Crowd[_Guest] = Crowd(guests_max=bounds.connections_max)
        self._guests: dict[asyncio.BaseProtocol, _Guest] = {}
        self._beside = Beside()
        self._listener: socket.socket | None = None

    async def start(self, endpoint: Endpoint, context: ssl.SSLContext | None = None) -> int:
        """Listen, with TLS where there is a context; returns the port.

        Raises OSError when the address is taken.
        """
        family = socket.AF_INET6 if ":" in endpoint.host else socket.AF_INET
        listener = socket.create_server(
            (endpoint.host, endpoint.port), family=family, backlog=BACKLOG_CONNECTIONS_MAX
        )
        listener.setblocking(False)
        self._listener = listener
        self._beside.start(self._accept(listener, context))
        port: int = listener.getsockname()[1]
        return port

    async def stop(self) -> None:
        """Take no more; those that are open stay so for whoever made their protocols."""
        await self._beside.finish(grace_s=0)
        if self._listener is not None:
            self._listener.close()

    def answered(self, protocol: asyncio.BaseProtocol) -> None:
        """A question has had its answer on this connection, which may rest now."""
        if (guest := self._guests.get(protocol)) is not None:
            guest.rest()

    async def _accept(self, listener: socket.socket, context: ssl.SSLContext | None) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                accepted, peer = await loop.sock_accept(listener)
            except OSError:
                await asyncio.sleep(PAUSE_S)
                continue
            guest = _Guest(self._make(), self._bounds, heard=self._crowd.heard, gone=self._gone)
            self._guests[guest.inner] = guest
            if (out := self._crowd.join(guest, str(peer[0]))) is not None:
                out.end()
            guest.begin(self._beside.start(_open(guest, accepted, context)), accepted)

    def _gone(self, guest: "_Guest") -> None:
        self._crowd.leave(guest)
        self._guests.pop(guest.inner, None)


async def _open(guest: "_Guest", accepted: socket.socket, context: ssl.SSLContext | None) -> None:
    loop = asyncio.get_running_loop()
    # Whoever fails at the handshake is nobody's trouble but his own.
    with contextlib.suppress(OSError):
        if context is None:
            await loop.connect_accepted_socket(lambda: guest, accepted)
            return
        await loop.connect_accepted_socket(
            lambda: guest,
            accepted,
            ssl=context,
            ssl_handshake_timeout=HANDSHAKE_S_MAX,
            ssl_shutdown_timeout=FAREWELL_S_MAX,
        )


class _Guest(asyncio.Protocol):
    """One connection: passes everything on to `inner`, and knows how to end."""

    def __init__(
        self,
        inner: asyncio.Protocol,
        bounds: Bounds,
        *,
        heard: Callable[["_Guest"], None],
        gone: Callable[["_Guest"], None],
    ) -> None:
        self.inner = inner
        self._bounds = bounds
        self._heard = heard
        self._gone = gone
        self._opening: asyncio.Task[None] | None = None
        self._transport: asyncio.Transport | None = None
        self._deadline: asyncio.TimerHandle | None = None
        self._rests = False

    def begin(self, opening: asyncio.Task[None], accepted: socket.socket) -> None:
        """It is being opened by this task, or ends with it."""

        def ended(_: object) -> None:
            if self._transport is None:
                accepted.close()
                self._leave()

        self._opening = opening
        opening.add_done_callback(ended)
        self.rest()

    def rest(self) -> None:
        """Nothing is asked; it may be silent for a while."""
        self._rests = True
        self._end_after(self._bounds.rest_s_max)

    def end(self) -> None:
        """End it now."""
        if self._transport is not None:
            self._transport.abort()
        elif self._opening is not None:
            self._opening.cancel()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports have all that asyncio's have, and are of another class.
        self._transport = cast("asyncio.Transport", transport)
        self.inner.connection_made(transport)

    def data_received(self, data: bytes) -> None:
        self._heard(self)
        if self._rests:
            self._rests = False
            self._end_after(self._bounds.exchange_s_max)
        self.inner.data_received(data)

    def eof_received(self) -> bool | None:
        return self.inner.eof_received()

    def pause_writing(self) -> None:
        self.inner.pause_writing()

    def resume_writing(self) -> None:
        self.inner.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        self._leave()
        self.inner.connection_lost(exc)

    def _end_after(self, seconds: float) -> None:
        """End it then, and not when it was to be ended before."""
        if self._deadline is not None:
            self._deadline.cancel()
        self._deadline = asyncio.get_running_loop().call_later(seconds, self.end)

    def _leave(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
        self._gone(self)
