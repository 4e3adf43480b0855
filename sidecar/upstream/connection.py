"""One HTTP/1.1 connection to an origin, carrying one request at a time.

The one rule: every failure says whether the request may have reached the other side, because money
hangs on it: what was written counts as sent. Reading stops when the reader is slow. This module
must not know JSON, money or what a status means.
"""

import asyncio
import select
from typing import Final, cast

import httptools

from sidecar.upstream.origin import Origin
from sidecar.upstream.watchdog import Watchdog

UNREAD_BYTES_MAX: Final = 256 * 1024
"""Reading from the socket pauses while more of a body than this waits for its reader."""

HEAD_BYTES_MAX: Final = 128 * 1024
"""A head that is longer breaks the connection."""

_STATUS_OK: Final = 200

Headers = tuple[tuple[bytes, bytes], ...]


class ConnectFailedError(Exception):
    """No connection could be made in time; nothing was sent."""


class BrokenError(Exception):
    """The connection broke after the request was written: the request may have been served."""


class SilentError(Exception):
    """The other side sent nothing for as long as was to be waited."""


class Connection(asyncio.Protocol):
    """A client connection: `send`, then `head_now`, then `body_now` until it returns b"".

    Where either has nothing, `news` is awaited.
    """

    def __init__(self, origin: Origin, loop: asyncio.AbstractEventLoop) -> None:
        self.origin = origin
        self.closed = loop.create_future()
        self._loop = loop
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._watchdog = Watchdog(loop, self._expired)
        self._poll = select.poll()
        self._waiter: asyncio.Future[None] | None = None
        self.fault: Exception | None = None
        """Why nothing can come any more: BrokenError or SilentError; None while all is well."""
        self._reusable = True
        self._paused = False
        self._begin()
        self._complete = True  # no request yet, hence no answer to read

    def _begin(self) -> None:
        self._headers: list[tuple[bytes, bytes]] = []
        self._head: tuple[int, Headers] | None = None
        self._head_bytes = 0
        self._pieces: list[bytes] = []
        self._unread_bytes = 0
        self._complete = False

    # ----------------------------------------------------------------- for whoever has the request

    def send(self, request: bytes) -> None:
        """Write a whole request: from now on it counts as sent.

        Raises ConnectFailedError when the connection has gone before a byte was written.
        """
        transport = self._transport
        if transport is None or transport.is_closing() or not self._reusable:
            raise ConnectFailedError("the connection closed before the request was written")
        self._begin()
        transport.write(request)

    def head_now(self) -> tuple[int, Headers] | None:
        """The status and headers when they have come."""
        return self._head

    def body_now(self) -> bytes | None:
        """What has come of the body; b"" at its end, None when nothing new has come."""
        pieces = self._pieces
        if not pieces:
            return b"" if self._complete else None
        self._pieces = []
        self._unread_bytes = 0
        if self._paused:
            self._resume()
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def news(self, *, ms_max: int) -> asyncio.Future[None]:
        """To be awaited when nothing is at hand: done when something has come, or was to come.

        A plain function, since every call waits here. Raises BrokenError or SilentError at once
        when nothing can come any more.
        """
        if self.fault is not None:
            raise self.fault
        waiter = self._waiter = self._loop.create_future()
        self._watchdog.arm(ms_max)
        return waiter

    @property
    def reusable(self) -> bool:
        """Whether another request may be sent: the answer is read whole and all is still open."""
        transport = self._transport
        return (
            self._reusable
            and self._complete
            and not self._pieces
            and self.fault is None
            and transport is not None
            and not transport.is_closing()
            and transport.get_write_buffer_size() == 0
        )

    def is_quiet(self) -> bool:
        """Whether an idle connection has neither been closed by the other side nor sent anything.

        The kernel is asked, because the event loop may not have read the end of the stream yet; a
        request written into a closed connection would count as sent.
        """
        return self._reusable and not self._poll.poll(0)

    def idle_for(self, ms_max: int) -> None:
        """Close the connection unless it is used again within `ms_max` milliseconds."""
        self._watchdog.arm(ms_max)

    def in_use(self) -> None:
        """The connection is no longer idle."""
        self._watchdog.lift()

    def close(self) -> None:
        """Close at once; an answer that is still coming is dropped."""
        self._reusable = False
        self._watchdog.close()
        if self._transport is not None:
            self._transport.abort()

    # -------------------------------------------------------------------------- asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        socket = transport.get_extra_info("socket")
        self._poll.register(socket.fileno(), select.POLLIN | select.POLLHUP | select.POLLERR)

    def data_received(self, data: bytes) -> None:
        if self._complete or self.fault is not None:
            self._reusable = False
            return
        if self._head is None:
            self._head_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self._break(f"the answer is not HTTP/1.1: {error}")
            return
        if self._head is None and self._head_bytes > HEAD_BYTES_MAX:
            self._break(f"the head of the answer is longer than {HEAD_BYTES_MAX} bytes")
        elif self._unread_bytes > UNREAD_BYTES_MAX and not self._paused:
            self._pause()
        self._wake()

    def connection_lost(self, exc: Exception | None) -> None:
        self._watchdog.close()
        self._reusable = False
        if exc is None and self._ends_with_connection():
            self._complete = True
        elif not self._complete and self.fault is None:
            self.fault = BrokenError(str(exc) if exc else "the other side closed the connection")
        if not self.closed.done():
            self.closed.set_result(None)
        self._wake()

    # ------------------------------------------------------------------ httptools' parser callbacks

    def on_message_begin(self) -> None:
        if self._complete:
            self._reusable = False  # more has come than was asked for

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._head is None:
            self._headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        if status < _STATUS_OK:
            self._headers = []  # an interim answer such as 100 Continue
        elif self._head is None:
            self._head = (status, tuple(self._headers))

    def on_body(self, body: bytes) -> None:
        if self._complete:
            return
        self._pieces.append(body)
        self._unread_bytes += len(body)

    def on_message_complete(self) -> None:
        if self._head is not None:
            self._complete = True
            self._reusable = self._reusable and self._parser.should_keep_alive()

    # ------------------------------------------------------------------------------------ waiting

    def _wake(self) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter is not None:
            self._watchdog.lift()
            if not waiter.done():
                waiter.set_result(None)

    def _expired(self) -> None:
        if self._waiter is None or self._waiter.done():
            self.close()
            return
        self.fault = SilentError("nothing came in time")
        self._reusable = False
        self._wake()

    def _break(self, why: str) -> None:
        self.fault = BrokenError(why)
        self._reusable = False
        self._wake()
        self.close()

    def _ends_with_connection(self) -> bool:
        """Whether the body has no length of its own, so that the end of the stream ends it."""
        if self._head is None or self._complete or self.fault is not None:
            return False
        names = {name for name, _ in self._head[1]}
        return not names & {b"content-length", b"transfer-encoding"}

    def _pause(self) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._paused = True
            self._transport.pause_reading()

    def _resume(self) -> None:
        self._paused = False
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()
