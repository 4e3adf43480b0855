"""The controller's end of the `Sync` streams.

Each stream is read into the committer and written from its outbox. The one rule: no decision is
made here, and every stream that ends, however it does, is told to the engine. This module must not
know money.
"""

import asyncio
import itertools
import logging
from typing import Any, Final

import grpc
import grpc.aio

from controller.committer import Committer
from controller.events import Received, Send, StreamClosed, StreamId
from controller.outbox import Outbox, OutboxFull
from farebox.runtime.endpoints import Endpoint
from farebox.runtime.tasks import first_of
from farebox.wire.codec import CodecError, decode_request, encode_response
from farebox.wire.messages import FromSidecar, Goodbye, Hello
from farebox.wire.v1 import lease_pb2, lease_pb2_grpc

_LOG = logging.getLogger(__name__)

STREAMS_MAX: Final = 10_000
MESSAGE_BYTES_MAX: Final = 16 * 1024 * 1024
HELLO_WAIT_S: Final = 10.0
GOODBYE_WAIT_S: Final = 10.0
SHUTDOWN_GRACE_S: Final = 1.0

_OPTIONS: Final = (
    ("grpc.so_reuseport", 0),
    ("grpc.max_receive_message_length", MESSAGE_BYTES_MAX),
    ("grpc.max_send_message_length", MESSAGE_BYTES_MAX),
    # Half-open connections are found by pings; sidecars may ping as often themselves.
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.min_recv_ping_interval_without_data_ms", 5_000),
    ("grpc.http2.max_ping_strikes", 0),
)

_Context = grpc.aio.ServicerContext[Any, Any]


class LeaseServer(lease_pb2_grpc.LeaseServiceServicer):
    """Serves `LeaseService` on one port."""

    def __init__(self, committer: Committer) -> None:
        self._committer = committer
        self._outboxes: dict[StreamId, Outbox] = {}
        self._ids = itertools.count(1)
        self._server = grpc.aio.server(options=_OPTIONS)
        lease_pb2_grpc.add_LeaseServiceServicer_to_server(self, self._server)

    async def start(self, endpoint: Endpoint) -> int:
        """Listen; returns the port. Raises OSError when the address is taken."""
        try:
            port = self._server.add_insecure_port(str(endpoint))
        except RuntimeError as error:
            raise OSError(f"{endpoint} can't be listened on: {error}") from error
        await self._server.start()
        return port

    async def stop(self) -> None:
        """End all streams and stop listening."""
        for outbox in self._outboxes.values():
            outbox.end()
        await self._server.stop(SHUTDOWN_GRACE_S)

    def deliver(self, send: Send) -> None:
        """Put a committed message into its stream's outbox; a stream that is over drops it."""
        outbox = self._outboxes.get(send.stream)
        if outbox is None:
            return
        try:
            outbox.put(send.message)
        except OutboxFull:
            _LOG.warning("stream %d is ended: its sidecar does not read", send.stream)
            outbox.end()

    def end_stream(self, stream: StreamId) -> None:
        """Let a stream end after what was delivered to it."""
        outbox = self._outboxes.get(stream)
        if outbox is not None:
            outbox.end()

    async def Sync(self, _: object, context: _Context) -> None:  # noqa: N802  named by the proto
        """Serve one sidecar until either side ends the stream."""
        if len(self._outboxes) >= STREAMS_MAX:
            await context.abort(
                grpc.StatusCode.RESOURCE_EXHAUSTED,
                f"{STREAMS_MAX} sidecars are connected already; connect to another controller",
            )
        stream = next(self._ids)
        outbox = self._outboxes[stream] = Outbox()
        try:
            await first_of(self._read(stream, context), _write(outbox, context))
        except CodecError as error:
            _LOG.warning("stream %d is ended: %s", stream, error)
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))
        except TimeoutError:
            await context.abort(grpc.StatusCode.DEADLINE_EXCEEDED, "no Hello came in time")
        finally:
            del self._outboxes[stream]
            self._committer.submit_end(StreamClosed(stream))

    async def _read(self, stream: StreamId, context: _Context) -> None:
        async with asyncio.timeout(HELLO_WAIT_S):
            message = await _next(context)
        if message is not None and not isinstance(message, Hello):
            raise CodecError("the first message of a stream must be a Hello")
        while message is not None:
            await self._committer.submit(Received(stream, message))
            if isinstance(message, Goodbye):
                # The engine ends the stream once this is committed: the sidecar waits for that.
                await asyncio.sleep(GOODBYE_WAIT_S)
                return
            message = await _next(context)


async def _next(context: _Context) -> FromSidecar | None:
    """The next message of a sidecar; None when it has said its last."""
    request = await context.read()
    return decode_request(request) if isinstance(request, lease_pb2.SyncRequest) else None


async def _write(outbox: Outbox, context: _Context) -> None:
    while messages := await outbox.take():
        for message in messages:
            await context.write(encode_response(message))
