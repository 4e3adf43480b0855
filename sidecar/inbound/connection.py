"""One HTTP/1.1 connection of a caller, serving one request at a time.

httptools reads what comes; a request that is whole is served by a task, and the next one waits for
its end. A caller that goes cancels the task. The one rule: what a caller sends is bounded in length
and in time before anything looks at it. This module must not know paths, models or money.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any, Final, Protocol, cast

import httptools

from sidecar.inbound import answer
from sidecar.inbound.request import Head, RawHeaders, Request
from sidecar.refusals import RefusalDetail
from sidecar.upstream.watchdog import Watchdog

HEAD_BYTES_MAX: Final = 256 * 1024
"""Larger than servers' usual 8 KiB: tokens in headers can be long."""

HEAD_MS_MAX: Final = 30_000
"""A head that began must be whole by then."""

KEEP_ALIVE_MS: Final = 75_000

WAITING_MAX: Final = 16
"""So many requests may be sent ahead of their answers."""

_HTTP_1_1: Final = "1.1"
_LENGTH: Final = b"content-length"
_LENGTH_BYTES: Final = len(_LENGTH)
_new: Final = tuple.__new__
"""Makes a NamedTuple of all its fields in half the time; every call makes one."""

_NO_TRAILERS: Final[deque[tuple[bytes, bytes]]] = deque(maxlen=0)
"""Where header fields go that follow a body: nobody reads them."""

_OFFER: Final = frozenset({b"connection", b"upgrade", b"http2-settings"})


class Handler(Protocol):
    """Who serves requests.

    `begin` counts a request whose head has come, and may refuse it; `end` follows in any case.
    Between them `serve` or `refuse` is called once, unless the caller goes before. The others say
    why a request can't be served.
    """

    @property
    def body_bytes_max(self) -> int: ...

    @property
    def body_ms_max(self) -> int: ...

    def begin(self) -> RefusalDetail | None: ...

    def end(self) -> None: ...

    def serve(self, request: Request, caller: "Caller") -> Coroutine[Any, Any, None]: ...

    def refuse(self, detail: RefusalDetail, caller: "Caller") -> None: ...

    def too_long(self) -> RefusalDetail: ...

    def too_late(self) -> RefusalDetail: ...

    def unreadable(self, why: str) -> RefusalDetail: ...


class Caller(asyncio.Protocol):
    """A caller's connection: what it asks goes to the handler, what it is told is written here."""

    def __init__(
        self,
        handler: Handler,
        start: Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]],
        gone: Callable[["Caller"], None],
    ) -> None:
        self._handler = handler
        self._start = start
        self._gone = gone
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpRequestParser(self)
        self._watchdog = Watchdog(self._loop, self._expired)
        self._task: asyncio.Task[None] | None = None
        self._idle: asyncio.Future[None] | None = None
        self._serving = False
        self._waiting: deque[tuple[Request, bool]] = deque()
        self._read_on = True
        self._raw: RawHeaders = ()
        self._head = Head(())
        self._drained: asyncio.Future[None] | None = None
        self.is_slow = False
        """Whether the caller has yet to take what was written; then `taken` waits for it."""
        self._closing = False
        self._keep_alive = True
        self._chunked = True
        self._answered = False
        self.untold = True
        """Whether nothing of the answer under way has been written."""
        self._bounded: str | None = None
        self._unfinished = False
        self.on_message_begin()
        self._unfinished = False

    # -------------------------------------------------------------------------- asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._watchdog.arm(KEEP_ALIVE_MS)

    def data_received(self, data: bytes) -> None:
        if self._closing:
            return
        if not self._head_is_whole:
            self._head_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._stay_with_http(data[upgrade.args[0] :])
            return
        except httptools.HttpParserError as error:
            self._stop_reading(self._handler.unreadable(f"it is not HTTP/1.1 ({error})"))
        if self._unfinished and not self._closing:
            self._bound_what_comes()

    def _stay_with_http(self, rest: bytes) -> None:
        """Read a request again without its offer to switch protocols, which is not taken up.

        The parser takes what follows such a head for the other protocol. Java's own client makes
        the offer with its first request of every connection without TLS.
        """
        method = self._parser.get_method()
        if method == b"CONNECT":
            self._stop_reading(self._handler.unreadable("CONNECT is for proxies"))
            return
        kept = [line for line in self._fields if line[0].lower() not in _OFFER]
        if self._length is not None:
            kept.append((_LENGTH, self._length))
        lines = b"".join([b"%b: %b\r\n" % line for line in kept])
        self._parser = httptools.HttpRequestParser(self)
        self.data_received(b"%b %b HTTP/1.1\r\n%b\r\n%b" % (method, self._target, lines, rest))

    def connection_lost(self, _: Exception | None) -> None:
        self._closing = True
        self._watchdog.close()
        self._drop_waiting()
        if self._task is not None:
            self._task.cancel()
        self._end_if_begun()
        self._wake()
        self._gone(self)

    def pause_writing(self) -> None:
        self.is_slow = True
        if self._drained is None:
            self._drained = self._loop.create_future()

    def resume_writing(self) -> None:
        self._wake()

    # ------------------------------------------------------------------ httptools' parser callbacks

    def on_message_begin(self) -> None:
        self._target = b""
        self._fields: list[tuple[bytes, bytes]] | deque[tuple[bytes, bytes]] = []
        self._length: bytes | None = None
        self._head_bytes = 0
        self._head_is_whole = False
        self._pieces: list[bytes] = []
        self._body_bytes = 0
        self._refused = False
        self._begun = False
        self._unfinished = True

    def on_url(self, url: bytes) -> None:
        self._target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        if len(name) == _LENGTH_BYTES and name.lower() == _LENGTH:
            # Left out, so that requests that differ in nothing else share one reading of the head.
            self._length = value
        else:
            self._fields.append((name, value))

    def on_headers_complete(self) -> None:
        if self._parser.should_upgrade():
            return
        self._head_is_whole = True
        raw = tuple(self._fields)
        self._fields = _NO_TRAILERS
        if raw != self._raw:
            self._raw, self._head = raw, Head(raw)
        self._begun = True
        refusal, length = self._handler.begin(), self._length
        # The parser has checked the digits.
        if refusal is None and length is not None and int(length) > self._handler.body_bytes_max:
            refusal = self._handler.too_long()
        if refusal is not None:
            self._refuse(refusal)
        elif not self._serving and "expect" in self._head.fields:
            self._write(answer.CONTINUE)

    def on_body(self, body: bytes) -> None:
        if self._refused:
            return
        self._body_bytes += len(body)
        if self._body_bytes > self._handler.body_bytes_max:
            self._pieces.clear()
            self._refuse(self._handler.too_long())
        else:
            self._pieces.append(body)

    def on_message_complete(self) -> None:
        if not self._head_is_whole:
            return  # it ends with an offer to switch protocols, and is read again without it
        self._unfinished = False
        self._bounded = None
        if self._refused:
            # It was answered before it was whole; now the next one can come.
            self._end_if_begun()
            if not self._serving:
                self._rest()
            return
        parser, pieces = self._parser, self._pieces
        body = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        target = self._target.decode("latin-1")
        request = _new(Request, (parser.get_method(), target, self._head, body))
        self._begun = False
        self._waiting.append((request, parser.should_keep_alive()))
        if not self._serving:
            self._wake_up()
        elif len(self._waiting) >= WAITING_MAX and self._transport is not None:
            # A caller that sends so far ahead of its answers is read no further until it has some;
            # nor is it seen to leave until then.
            self._read_on = False
            self._transport.pause_reading()

    # -------------------------------------------------------------------------- one after the other

    def _wake_up(self) -> None:
        """Let the connection's task serve what waits. One task serves all its requests."""
        self._serving = True
        self._watchdog.lift()
        if self._task is None:
            self._task = self._start(self._serve_all())
        elif self._idle is not None:
            self._idle.set_result(None)
            self._idle = None

    async def _serve_all(self) -> None:
        handler = self._handler
        while not self._closing:
            if not self._waiting:
                self._rest()
                self._idle = self._loop.create_future()
                await self._idle
                continue
            request, self._keep_alive = self._waiting.popleft()
            self._answered = False
            self.untold = True
            try:
                await handler.serve(request, self)
            finally:
                handler.end()
                if not self._keep_alive or not self._answered:
                    self._close()

    def _rest(self) -> None:
        """Nothing is to be served: wait for the next request, but not for ever."""
        self._serving = False
        if self._transport is not None and not self._closing:
            if not self._read_on:
                self._read_on = True
                self._transport.resume_reading()
            self._watchdog.arm(KEEP_ALIVE_MS)

    def _bound_what_comes(self) -> None:
        """Set the time for the part of a request that is still to come, once for each part."""
        if not self._head_is_whole and self._head_bytes > HEAD_BYTES_MAX:
            self._stop_reading(self._handler.unreadable("its head is too long"))
            return
        part = "body" if self._head_is_whole else "head"
        if not self._serving and part != self._bounded:
            self._bounded = part
            self._watchdog.arm(self._handler.body_ms_max if part == "body" else HEAD_MS_MAX)

    def _refuse(self, detail: RefusalDetail) -> None:
        """Answer at once, and read the rest of the request for nothing."""
        self._refused = True
        if not self._serving:
            self._keep_alive = True
            self._handler.refuse(detail, self)
        else:
            # What came before is not answered yet, and no answer may overtake another.
            self._keep_alive = False
            self._drop_waiting()

    def _stop_reading(self, detail: RefusalDetail) -> None:
        """Nothing more of this connection can be understood."""
        self._end_if_begun()
        self._unfinished = False
        self._keep_alive = False
        self._drop_waiting()
        if not self._serving:
            if not self._refused:
                self._handler.refuse(detail, self)
            self._close()

    def _expired(self) -> None:
        if self._serving:
            # The caller does not take its answer.
            self.abort()
        elif self._begun:
            self._stop_reading(self._handler.too_late())
        else:
            self._close()

    def _end_if_begun(self) -> None:
        if self._begun:
            self._begun = False
            self._handler.end()

    def _drop_waiting(self) -> None:
        for _ in self._waiting:
            self._handler.end()
        self._waiting.clear()

    def _close(self) -> None:
        self._closing = True
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """Close at once."""
        self._closing = True
        if self._transport is not None:
            self._transport.abort()

    def finish(self) -> None:
        """Take no further request; an answer under way is given to its end."""
        self._keep_alive = False
        self._drop_waiting()
        if not self._serving:
            self._close()

    # ---------------------------------------------------------------------------------- answering

    def tell(self, status: int, lines: bytes, body: bytes) -> None:
        """Answer in one piece."""
        self._write(answer.whole(status, lines, body, keep_alive=self._keep_alive))
        self.untold = False
        self._answered = True

    def begin(self, status: int, lines: bytes) -> None:
        """Begin an answer whose pieces follow."""
        self.untold = False
        # Before HTTP/1.1 there are no chunks: such an answer ends with its connection.
        self._chunked = self._parser.get_http_version() == _HTTP_1_1
        self._write(answer.head(status, lines, chunked=self._chunked, keep_alive=self._keep_alive))

    def pass_on(self, data: bytes) -> None:
        """Write a piece of an answer that has begun."""
        self._write(answer.chunk(data) if self._chunked else data)

    def complete(self) -> None:
        """End an answer that has begun. One that is never completed ends with its connection."""
        if self._chunked:
            self._write(answer.LAST_CHUNK)
        else:
            self._keep_alive = False
        self._answered = True

    async def taken(self, *, ms_max: int) -> None:
        """Wait for a slow caller; one that takes nothing for so long is closed."""
        self._watchdog.arm(ms_max)
        try:
            while self._drained is not None:
                await self._drained
        finally:
            self._watchdog.lift()

    def _write(self, data: bytes) -> None:
        if self._transport is not None and not self._closing:
            self._transport.write(data)

    def _wake(self) -> None:
        self.is_slow = False
        drained, self._drained = self._drained, None
        if drained is not None and not drained.done():
            drained.set_result(None)
