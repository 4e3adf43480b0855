"""Connections kept between requests, bounded for each origin.

The one rule: a connection is either idle in the pool or owned by exactly one request, and whoever
owns it gives it back once. This module must not know what is sent over a connection.
"""

import asyncio
import functools
import ssl
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from sidecar.upstream.connection import ConnectFailedError, Connection
from sidecar.upstream.origin import Origin


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """The bounds of a pool; connections are counted for each origin."""

    connections_max: int = 1024
    idle_connections_max: int = 64
    idle_ms_max: int = 15_000
    """Shorter than servers keep idle connections, so that it is this side that closes them."""
    connect_ms_max: int = 5_000


@dataclass(slots=True)
class _Origin:
    open: int = 0
    idle: deque[Connection] = field(default_factory=deque)
    waiting: deque[asyncio.Future[Connection | None]] = field(default_factory=deque)


@functools.cache
def system_trust() -> ssl.SSLContext:
    """Verify servers against the system's roots; loaded when the first https origin is used."""
    return ssl.create_default_context()


class Pool:
    """A pool of connections. `trust` gives the TLS context for https origins."""

    def __init__(
        self, bounds: Bounds, *, trust: Callable[[], ssl.SSLContext] = system_trust
    ) -> None:
        self._bounds = bounds
        self._trust = trust
        self._origins: dict[Origin, _Origin] = {}

    async def acquire(self, origin: Origin) -> Connection:
        """A connection of one's own, new or kept. Raises ConnectFailedError; nothing is sent."""
        kept = self.kept(origin)
        if kept is not None:
            return kept
        try:
            async with asyncio.timeout(self._bounds.connect_ms_max / 1000):
                return await self._connect_in_turn(origin)
        except TimeoutError:
            raise ConnectFailedError(
                f"no connection to {origin.authority} within {self._bounds.connect_ms_max} ms"
            ) from None

    def give_back(self, connection: Connection) -> None:
        """Return a connection: kept when another request can use it, else closed."""
        place = self._origins.get(connection.origin)
        if place is None or not connection.reusable:
            connection.close()
        elif _hand(place, connection):
            return
        elif len(place.idle) >= self._bounds.idle_connections_max:
            connection.close()
        else:
            connection.idle_for(self._bounds.idle_ms_max)
            place.idle.append(connection)

    def close(self) -> None:
        """Close every idle connection."""
        for place in self._origins.values():
            for connection in tuple(place.idle):
                connection.close()

    def counts(self, origin: Origin) -> tuple[int, int]:
        """How many connections are open to an origin, and how many of them are idle."""
        place = self._origins.get(origin, _Origin())
        return place.open, len(place.idle)

    def kept(self, origin: Origin) -> Connection | None:
        """A kept connection, now one's own; None when a new one has to be made."""
        place = self._origins.get(origin)
        while place is not None and place.idle:
            # The one used last is the one that the other side is least likely to close just now.
            connection = place.idle.pop()
            if connection.is_quiet():
                connection.in_use()
                return connection
            connection.close()
        return None

    async def _connect_in_turn(self, origin: Origin) -> Connection:
        place = self._origins.setdefault(origin, _Origin())
        while place.open >= self._bounds.connections_max:
            connection = await self._wait_in_line(place)
            if connection is not None:
                return connection
            # The place may have been forgotten between the wake-up and now.
            place = self._origins.setdefault(origin, place)
        place.open += 1
        try:
            return await self._connect(origin)
        except OSError as error:
            raise ConnectFailedError(f"{origin.authority} can't be reached: {error}") from error

    async def _wait_in_line(self, place: _Origin) -> Connection | None:
        waiter: asyncio.Future[Connection | None] = asyncio.get_running_loop().create_future()
        place.waiting.append(waiter)
        try:
            return await waiter
        except asyncio.CancelledError:
            # What was given in the same moment must not be lost: it goes to the next in line.
            if waiter.done() and not waiter.cancelled():
                given = waiter.result()
                if given is None:
                    _hand(place, None)
                else:
                    self.give_back(given)
            raise

    async def _connect(self, origin: Origin) -> Connection:
        loop = asyncio.get_running_loop()
        connection = Connection(origin, loop)
        connection.closed.add_done_callback(lambda _: self._left(origin, connection))
        try:
            await loop.create_connection(
                lambda: connection,
                origin.host,
                origin.port,
                ssl=self._trust() if origin.tls else None,
            )
        except BaseException:
            if not connection.closed.done():
                connection.closed.set_result(None)
            raise
        return connection

    def _left(self, origin: Origin, connection: Connection) -> None:
        place = self._origins[origin]
        place.open -= 1
        if connection in place.idle:
            place.idle.remove(connection)
        if not _hand(place, None) and place.open == 0:
            self._origins.pop(origin, None)


def _hand(place: _Origin, connection: Connection | None) -> bool:
    """Give a connection, or the room for a new one, to the first in line; False without a line."""
    while place.waiting:
        waiter = place.waiting.popleft()
        if not waiter.done():
            waiter.set_result(connection)
            return True
    return False
