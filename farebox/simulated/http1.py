"""HTTP/1.1 at the level of bytes: requests in, answers out, and the ways to break an answer off.

The one rule: one request at a time on a connection, each in memory and bounded. It is written on
httptools, since a fault has to stop at an exact byte. It knows nothing of models or money.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from http import HTTPStatus
from urllib.parse import parse_qs

import httptools
import msgspec

head_bytes_max = 64 * 1024
body_bytes_max = 32 * 1024 * 1024
read_bytes_max = 256 * 1024
idle_seconds_max = 600
pipelined_requests_max = 16

_STATUS_LINES = {
    status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode() for status in HTTPStatus
}


class HttpRefused(Exception):
    """The bytes are no request that can be served; the connection ends after the answer."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class HttpRequest(msgspec.Struct, frozen=True, kw_only=True):
    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[bytes, bytes]
    """Names in lower case; of repeated headers the last. Few are ever read, so none is decoded."""
    body: bytes
    keep_alive: bool

    def header(self, name: bytes) -> str | None:
        value = self.headers.get(name)
        return None if value is None else value.decode("latin-1")


class RequestReader:
    """Reads the requests of one connection, in order."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._parser = httptools.HttpRequestParser(self)
        self._ready: deque[HttpRequest] = deque()
        self._loop = asyncio.get_running_loop()
        self.on_message_begin()

    async def next_request(self) -> HttpRequest | None:
        """The next request, or None when the client has closed or been idle for too long.

        Raises:
            HttpRefused: for bytes that are no HTTP/1.1 request or are beyond a bound.
        """
        while not self._ready:
            # A bare timer: asyncio.timeout costs more than parsing the request does.
            idle = self._loop.call_later(idle_seconds_max, self._writer.close)
            try:
                data = await self._reader.read(read_bytes_max)
            finally:
                idle.cancel()
            if not data:
                return None
            self._feed(data)
        return self._ready.popleft()

    def _feed(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            raise HttpRefused(400, "The request is not HTTP/1.1.") from error
        if self._head_bytes > head_bytes_max:
            raise HttpRefused(431, f"The head exceeds {head_bytes_max} bytes.")
        if self._body_bytes > body_bytes_max:
            raise HttpRefused(413, f"The body exceeds {body_bytes_max} bytes.")
        if len(self._ready) > pipelined_requests_max:
            raise HttpRefused(429, f"More than {pipelined_requests_max} requests are pipelined.")

    # The callbacks of the parser.

    def on_message_begin(self) -> None:
        self._url = b""
        self._headers: dict[bytes, bytes] = {}
        self._head_bytes = 0
        self._body: list[bytes] = []
        self._body_bytes = 0

    def on_url(self, url: bytes) -> None:
        self._url += url
        self._head_bytes += len(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._head_bytes += len(name) + len(value)
        self._headers[name.lower()] = value

    def on_headers_complete(self) -> None:
        if self._headers.get(b"expect", b"").lower() == b"100-continue":
            self._writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, data: bytes) -> None:
        self._body_bytes += len(data)
        # Past the bound nothing more is kept; the refusal follows when the parser returns.
        if self._body_bytes <= body_bytes_max:
            self._body.append(data)

    def on_message_complete(self) -> None:
        path, _, query = self._url.decode("latin-1").partition("?")
        request = HttpRequest(
            method=self._parser.get_method().decode(),
            path=path,
            query=parse_qs(query) if query else {},
            headers=self._headers,
            body=b"".join(self._body),
            keep_alive=self._parser.should_keep_alive(),
        )
        self._ready.append(request)


class Responder:
    """Writes the answer of one request: whole, in chunks, or broken off."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        *,
        keep_alive: bool,
        request_id: str = "req-0",
        on_outcome: Callable[[str], None] = lambda _outcome: None,
    ) -> None:
        """`on_outcome` hears the status once, or "none" when the answer has no first byte."""
        self.request_id = request_id
        self.keep_alive = keep_alive
        self._reader = reader
        self._writer = writer
        self._on_outcome = on_outcome
        self._begun = False

    @property
    def client_gone(self) -> bool:
        return self._reader.at_eof() or self._writer.is_closing()

    def send(
        self,
        status: int,
        body: bytes,
        *,
        headers: Sequence[tuple[str, str]] = (),
        first_bytes: int | None = None,
    ) -> None:
        """Write the head and the body, or only the first bytes of the body."""
        head = self._head(status, b"application/json", headers, b"content-length: %d" % len(body))
        self._writer.write(head + (body if first_bytes is None else body[:first_bytes]))

    def begin_stream(self) -> None:
        head = self._head(200, b"text/event-stream", (), b"transfer-encoding: chunked")
        self._writer.write(head)

    def chunks(self, frames: Sequence[bytes]) -> None:
        """Write each frame as a chunk of its own."""
        self._writer.write(b"".join([b"%x\r\n%s\r\n" % (len(data), data) for data in frames]))

    def end_stream(self, last: bytes) -> None:
        self._writer.write(b"%x\r\n%s\r\n0\r\n\r\n" % (len(last), last))

    def more(self, data: bytes) -> None:
        """Further bytes of a body whose first bytes `send` has written."""
        self._writer.write(data)

    async def flush(self) -> None:
        """Wait until the client takes more, and let other calls run.

        Raises:
            ConnectionError: when the client is gone.
        """
        await self._writer.drain()
        await asyncio.sleep(0)

    def hang_up(self) -> None:
        """Close the connection after what is written so far."""
        if not self._begun:
            self._begun = True
            self._on_outcome("none")
        self.keep_alive = False
        self._writer.close()

    def _head(
        self, status: int, kind: bytes, headers: Sequence[tuple[str, str]], framing: bytes
    ) -> bytes:
        self._begun = True
        self._on_outcome(str(status))
        more = "".join(f"{name}: {value}\r\n" for name, value in headers)
        return b"%scontent-type: %s\r\nx-request-id: %s\r\n%s%s%s\r\n\r\n" % (
            _STATUS_LINES[status],
            kind,
            self.request_id.encode(),
            more.encode("latin-1"),
            b"" if self.keep_alive else b"connection: close\r\n",
            framing,
        )
