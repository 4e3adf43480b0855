"""The benchmark's upstream: canned chat completions, as cheap as Python can answer.

The one rule: it must never be the bottleneck, so answers are bytes made once at start, and a
request is read no further than to see whether it asks for a stream. It does not price or count.
Run by `python -m bench.upstream`; prints its port on stdout and ends when stdin closes.
"""

import argparse
import asyncio
import functools
import os
import sys
from typing import cast

import httptools
import uvloop

from bench import traffic

STREAM_PACE_MS = 2
"""Pause between two events of a stream. Without one, a proxy would read many events at a time."""

STREAM_PACE_MS_MAX = 1000
CONNECTIONS_MAX = 1024
BODY_BYTES_MAX = 1 << 20


def _head(status: str, *fields: str) -> bytes:
    return "\r\n".join((f"HTTP/1.1 {status}", *fields, "", "")).encode()


def _plain_response() -> bytes:
    body = traffic.plain_answer()
    fields = ("content-type: application/json", f"content-length: {len(body)}")
    return _head("200 OK", *fields, "x-request-id: bench") + body


def _frames() -> tuple[bytes, ...]:
    """Return the stream as HTTP/1.1 chunks; the last one also carries the end of the body."""
    frames = [b"%x\r\n%b\r\n" % (len(event), event) for event in traffic.stream_events()]
    frames[-1] += b"0\r\n\r\n"
    return tuple(frames)


PLAIN_RESPONSE = _plain_response()
NOT_FOUND = _head("404 Not Found", "content-length: 0")
REFUSED = _head("400 Bad Request", "content-length: 0", "connection: close")
STREAM_HEAD = _head(
    "200 OK",
    "content-type: text/event-stream",
    "cache-control: no-cache",
    "transfer-encoding: chunked",
    "x-request-id: bench",
)
FRAMES = _frames()


class Upstream(asyncio.Protocol):
    """One keep-alive connection. Requests are answered in turn; pipelining is not supported."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, pace_ms: int, open_count: list[int]
    ) -> None:
        self._loop = loop
        self._pace_seconds = pace_ms / 1000
        self._open_count = open_count
        self._parser = httptools.HttpRequestParser(self)
        self._path = b""
        self._body = bytearray()
        self._stream_began = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports have all methods of asyncio.Transport but do not derive from it.
        self._transport = cast("asyncio.Transport", transport)
        self._open_count[0] += 1
        if self._open_count[0] > CONNECTIONS_MAX:
            self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        del exc  # However a client leaves, all that is left to do is to stop its stream.
        self._open_count[0] -= 1
        if self._timer is not None:
            self._timer.cancel()

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self._refuse()

    def on_url(self, url: bytes) -> None:
        self._path = url

    def on_body(self, body: bytes) -> None:
        self._body += body
        if len(self._body) > BODY_BYTES_MAX:
            self._refuse()

    def on_message_complete(self) -> None:
        if not self._path.endswith(traffic.CHAT_PATH.encode()):
            self._transport.write(NOT_FOUND)
        elif traffic.asks_for_stream(bytes(self._body)):
            self._transport.write(STREAM_HEAD)
            self._stream_began = self._loop.time()
            self._send_frame(0)
        else:
            self._transport.write(PLAIN_RESPONSE)
        self._body.clear()

    def _send_frame(self, position: int) -> None:
        """Write one event and set the timer for the next; a pace of 0 writes all at once.

        Events are due at fixed times after the stream began, so that timers which fire late do
        not make the stream longer and whatever is longer is the proxy's.
        """
        if self._pace_seconds == 0:
            self._transport.write(b"".join(FRAMES))
            return
        self._transport.write(FRAMES[position])
        following = position + 1
        if following < len(FRAMES):
            due = self._stream_began + following * self._pace_seconds
            self._timer = self._loop.call_at(due, self._send_frame, following)

    def _refuse(self) -> None:
        self._transport.write(REFUSED)
        self._transport.close()


async def listen(*, pace_ms: int = STREAM_PACE_MS) -> asyncio.Server:
    """Listen on a free loopback port; the caller closes the server."""
    loop = asyncio.get_running_loop()
    protocol = functools.partial(Upstream, loop, pace_ms, [0])
    return await loop.create_server(protocol, "127.0.0.1", 0)


def port_of(server: asyncio.Server) -> int:
    """Return the port of a listening server."""
    port: int = server.sockets[0].getsockname()[1]
    return port


async def _serve_until_stdin_closes(pace_ms: int) -> None:
    server = await listen(pace_ms=pace_ms)
    loop = asyncio.get_running_loop()
    closed = loop.create_future()

    def read_stdin() -> None:
        if not os.read(sys.stdin.fileno(), 4096) and not closed.done():
            closed.set_result(None)

    loop.add_reader(sys.stdin.fileno(), read_stdin)
    print(port_of(server), flush=True)
    await closed
    loop.remove_reader(sys.stdin.fileno())
    server.close()


def main() -> None:
    """Serve until the process that started this one closes our stdin, or ends."""
    parser = argparse.ArgumentParser(description="canned chat completions for benchmarks")
    parser.add_argument("--pace-ms", type=int, default=STREAM_PACE_MS)
    pace_ms: int = parser.parse_args().pace_ms
    if not 0 <= pace_ms <= STREAM_PACE_MS_MAX:
        parser.error(f"--pace-ms must lie between 0 and {STREAM_PACE_MS_MAX}")
    uvloop.run(_serve_until_stdin_closes(pace_ms))


if __name__ == "__main__":
    main()
