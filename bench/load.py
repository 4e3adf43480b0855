"""The load generator: a fixed number of keep-alive connections, each call after the last.

The one rule: every answer is checked (status, size or chunk count), so that a proxy which fails
fast can't look quick; the first failure ends the window and is told. It must not know what it
loads: a URL is all it gets.
Run by `python -m bench.load`: reads one JSON order a line on stdin, answers with one JSON line on
stdout (`Order`, `Window`), and ends when stdin closes.
"""

import asyncio
import functools
import gc
import json
import sys
import time
from dataclasses import asdict, dataclass
from typing import cast
from urllib.parse import urlsplit

import httptools
import uvloop

from bench import figures, traffic

CONCURRENCY_MAX = 256
WINDOW_SECONDS_MAX = 30.0
DRAIN_SECONDS_MAX = 15.0
"""How long calls under way at the end of a window may still take."""

FAILURE_CHARACTERS_MAX = 300
_BODY_BYTES_MAX = 1 << 20
_NANOS_PER_SECOND = 1_000_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One window of load. Calls that start in the warm-up count, but not their latency."""

    url: str
    kind: traffic.Kind
    concurrency: int
    warm_seconds: float
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """What one window saw. `calls` includes the warm-up; latencies are in microseconds.

    `failure` is empty when every call was answered in full.
    """

    calls: int
    calls_per_second: float
    p50_us: float
    p99_us: float
    failure: str


class LoadWindow:
    """The state that the connections of one window share."""

    def __init__(self, order: Order, now_ns: int) -> None:
        self.warm_until_ns = now_ns + round(order.warm_seconds * _NANOS_PER_SECOND)
        self.ends_ns = self.warm_until_ns + round(order.seconds * _NANOS_PER_SECOND)
        self.request = _request(order)
        self.kind = order.kind
        self.latencies_ns: list[int] = []
        self.calls = 0
        self.failure = ""
        self.over = asyncio.get_running_loop().create_future()
        self._open_count = order.concurrency

    def call_ended(self, started_ns: int, ended_ns: int) -> bool:
        """Record one good call; say whether its connection shall go on."""
        self.calls += 1
        if started_ns >= self.warm_until_ns:
            self.latencies_ns.append(ended_ns - started_ns)
        return ended_ns < self.ends_ns and not self.failure

    def failed(self, sentence: str) -> None:
        self.failure = self.failure or sentence[:FAILURE_CHARACTERS_MAX]

    def connection_ended(self) -> None:
        self._open_count -= 1
        if self._open_count == 0 and not self.over.done():
            self.over.set_result(None)

    def result(self) -> Window:
        """Sum up. A window in which no call was timed is a failure, never a row of zeros."""
        failure = self.failure
        if not self.latencies_ns:
            failure = failure or "no call both began and ended in the window"
            return Window(calls=self.calls, calls_per_second=0, p50_us=0, p99_us=0, failure=failure)
        latencies = sorted(self.latencies_ns)
        span_ns = self.ends_ns - self.warm_until_ns
        return Window(
            calls=self.calls,
            calls_per_second=len(latencies) * _NANOS_PER_SECOND / span_ns,
            p50_us=figures.percentile(latencies, 50) / 1000,
            p99_us=figures.percentile(latencies, 99) / 1000,
            failure=failure,
        )


class Caller(asyncio.Protocol):
    """One keep-alive connection that repeats the window's call."""

    def __init__(self, window: LoadWindow) -> None:
        self._window = window
        self._parser = httptools.HttpResponseParser(self)
        self._body = bytearray()
        self._started_ns = 0
        self._done = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports have all methods of asyncio.Transport but do not derive from it.
        self._transport = cast("asyncio.Transport", transport)
        self._call()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._done:
            cause = type(exc).__name__ if exc else "end of stream"
            self._window.failed(f"the connection closed in the middle of a call ({cause})")
        self._window.connection_ended()

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            self._stop(f"the answer is not HTTP/1.1: {error}")

    def on_body(self, body: bytes) -> None:
        self._body += body
        if len(self._body) > _BODY_BYTES_MAX:
            self._stop(f"the answer is longer than {_BODY_BYTES_MAX} bytes")

    def on_message_complete(self) -> None:
        ended_ns = time.perf_counter_ns()
        status = self._parser.get_status_code()
        fault = answer_fault(self._window.kind, status, bytes(self._body))
        if fault:
            self._stop(fault)
        elif self._window.call_ended(self._started_ns, ended_ns):
            self._call()
        else:
            self._stop("")

    def _call(self) -> None:
        self._body.clear()
        self._started_ns = time.perf_counter_ns()
        self._transport.write(self._window.request)

    def _stop(self, failure: str) -> None:
        self._done = True
        if failure:
            self._window.failed(failure)
        self._transport.close()


def answer_fault(kind: traffic.Kind, status: int, body: bytes) -> str:
    """Say in a sentence what is wrong with an answer; empty when it is whole."""
    if status != 200:
        return f"status {status}: {body.decode(errors='replace')}"
    if kind is traffic.Kind.PLAIN:
        return "" if b'"usage"' in body else "a plain answer came without usage"
    if not body.endswith(traffic.STREAM_END):
        return "a stream ended without [DONE]"
    chunks = body.count(b"data: ") - 1
    return "" if chunks == traffic.STREAM_CHUNKS else f"a stream had {chunks} chunks"


async def run_window(order: Order) -> Window:
    """Load one URL for one window, and wait a bounded time for the calls under way."""
    loop = asyncio.get_running_loop()
    window = LoadWindow(order, time.perf_counter_ns())
    host, port = _address(order.url)
    connections: list[asyncio.Transport] = []
    try:
        async with asyncio.timeout(order.warm_seconds + order.seconds + DRAIN_SECONDS_MAX):
            for _ in range(order.concurrency):
                caller = functools.partial(Caller, window)
                transport, _ = await loop.create_connection(caller, host, port)
                connections.append(transport)
            await window.over
    except TimeoutError:
        window.failed(f"calls were still under way {DRAIN_SECONDS_MAX:.0f} s after the window")
    except OSError as error:
        window.failed(f"can't connect to {host}:{port}: {error}")
    for transport in connections:
        transport.abort()
    return window.result()


def read_order(line: str) -> Order:
    """Read an order; raises ValueError when it exceeds a bound."""
    fields = json.loads(line)
    order = Order(**fields | {"kind": traffic.Kind(fields["kind"])})
    if not 1 <= order.concurrency <= CONCURRENCY_MAX:
        message = f"concurrency must lie between 1 and {CONCURRENCY_MAX}"
        raise ValueError(message)
    if not 0 < order.warm_seconds + order.seconds <= WINDOW_SECONDS_MAX:
        message = f"a window must last between 0 and {WINDOW_SECONDS_MAX} seconds"
        raise ValueError(message)
    return order


def _address(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    if parts.hostname is None or parts.port is None:
        message = f"{url} names no host and port"
        raise ValueError(message)
    return parts.hostname, parts.port


def _request(order: Order) -> bytes:
    address = urlsplit(order.url)
    body = traffic.request_body(order.kind)
    head = (
        f"POST {address.path} HTTP/1.1",
        f"host: {address.netloc}",
        "authorization: Bearer sk-bench",
        "content-type: application/json",
        f"content-length: {len(body)}",
        "accept: application/json",
        "user-agent: farebox-bench",
    )
    return "\r\n".join((*head, "", "")).encode() + body


def main() -> None:
    """Carry out orders until stdin closes. The collector runs between windows only."""
    gc.disable()
    for line in sys.stdin:
        gc.collect()
        window = uvloop.run(run_window(read_order(line)))
        print(json.dumps(asdict(window)), flush=True)


if __name__ == "__main__":
    main()
