"""The controller's end of the `Sync` streams.

Each stream is read into the committer and written from its outbox, for as long as this controller
leads; a controller that stands by turns sidecars away and says who leads. Where pods show who they
are, a stream is that pod's, whatever its Hello says, and ends with it. The one rule: no decision is
made here, every stream that ends, however it does, is told to the engine, and nothing is written by
a controller that may have been deposed. This module must not know money, or how a pod is known.
"""

import asyncio
import itertools
import logging
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

import grpc
import grpc.aio

from controller.admission import Admission, LineFull
from controller.committer import Committer
from controller.door import Authenticate, Context, Guest, Guests, TurnedAway
from controller.events import Received, Send, StreamClosed, StreamId, WorkloadChanged
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
AUTHENTICATION_S_MAX: Final = 9.0
"""A little less than a sidecar waits for its Welcome, so that it hears why it had to wait."""

GOODBYE_WAIT_S: Final = 10.0
SHUTDOWN_GRACE_S: Final = 1.0

LEADER_KEY: Final = "farebox-leader"
"""Metadata of a refusal by a controller that stands by: the address of the leader, if known."""

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

_AMONG_STRANGERS: Final = (
    # Who is not let in, or asks for nothing, holds no connection for long.
    ("grpc.server_handshake_timeout_ms", 10_000),
    ("grpc.max_connection_idle_ms", 30_000),
)


class LeaseServer(lease_pb2_grpc.LeaseServiceServicer):
    """Serves `LeaseService` on one port; stands by while it has no committer.

    `leader_address` tells where sidecars find who leads meanwhile, "" when nobody is known to.
    """

    def __init__(
        self, committer: Committer | None = None, *, authenticate: Authenticate | None = None
    ) -> None:
        """Without `authenticate` a sidecar is who it says: for loopback alone."""
        self.turned_away: Counter[str] = Counter()
        """How many streams were turned away, by gRPC's code, for who they were."""
        self._committer = committer
        self._authenticate = authenticate
        self._guests = Guests()
        self._coming = 0
        self.leader_address: Callable[[], str] = lambda: ""
        self._admission = Admission()
        self._outboxes: dict[StreamId, Outbox] = {}
        self._ids = itertools.count(1)
        among_strangers = () if authenticate is None else _AMONG_STRANGERS
        self._server = grpc.aio.server(options=(*_OPTIONS, *among_strangers))
        lease_pb2_grpc.add_LeaseServiceServicer_to_server(self, self._server)

    def lead(self, committer: Committer) -> None:
        """Serve sidecars from now on."""
        self._committer = committer

    def stand_by(self) -> None:
        """End all streams, unsaid what was not said yet, and turn sidecars away."""
        self._committer = None
        for outbox in self._outboxes.values():
            outbox.end()

    def pod_changed(self, uid: str, labels: Mapping[str, str] | None) -> None:
        """A pod has these labels from now on, or (None) is gone: then its streams end."""
        self._guests.change(uid, labels)

    async def start(
        self, endpoint: Endpoint, credentials: grpc.ServerCredentials | None = None
    ) -> int:
        """Listen, by TLS with credentials; returns the port.

        Raises OSError when the address is taken.
        """
        try:
            if credentials is None:
                port = self._server.add_insecure_port(str(endpoint))
            else:
                port = self._server.add_secure_port(str(endpoint), credentials)
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

    async def Sync(self, _: object, context: Context) -> None:  # noqa: N802  named by the proto
        """Serve one sidecar until either side ends the stream."""
        if self._committer is None:
            await self._turn_away(context)
        elif len(self._outboxes) + self._coming >= STREAMS_MAX:
            await context.abort(
                grpc.StatusCode.RESOURCE_EXHAUSTED,
                f"{STREAMS_MAX} sidecars are connected already; connect to another controller",
            )
        guest: Guest | None = None
        try:
            guest = await self._let_in(context)
            await self._serve(context, guest)
        except CodecError as error:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))
        except TurnedAway as error:
            _LOG.info("a stream from %s is turned away: %s", context.peer(), error)
            self.turned_away[error.code.name] += 1
            await context.abort(error.code, str(error))
        except TimeoutError:
            await context.abort(grpc.StatusCode.DEADLINE_EXCEEDED, "no Hello came in time")
        except LineFull as error:
            await context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, str(error))
        finally:
            if guest is not None:
                self._guests.leave(guest)

    async def _let_in(self, context: Context) -> Guest | None:
        """The pod whose stream it is; None where nobody asks. Raises TurnedAway."""
        if self._authenticate is None:
            return None
        self._coming += 1
        try:
            async with asyncio.timeout(AUTHENTICATION_S_MAX):
                workload = await self._authenticate(context)
        except TimeoutError:
            raise TurnedAway(
                grpc.StatusCode.UNAVAILABLE,
                "the API server could not be asked in time who this is; come again",
            ) from None
        finally:
            self._coming -= 1
        # Nothing is awaited in between: no news of the pod is missed.
        return self._guests.enter(workload)

    async def _serve(self, context: Context, guest: Guest | None) -> None:
        committer = self._committer
        if committer is None:
            await self._turn_away(context)
            return
        stream = next(self._ids)
        outbox = self._outboxes[stream] = Outbox()
        works = [
            self._read(stream, context, committer, guest),
            self._write(outbox, context, committer),
        ]
        if guest is not None:
            works.append(_follow(stream, guest, committer))
        try:
            await first_of(*works)
        except CodecError as error:
            _LOG.warning("stream %d is ended: %s", stream, error)
            raise
        finally:
            del self._outboxes[stream]
            committer.submit_end(StreamClosed(stream))
        if committer is not self._committer:
            await self._turn_away(context)
        if guest is not None and guest.gone:
            raise TurnedAway(grpc.StatusCode.PERMISSION_DENIED, "the pod of this stream is gone")

    async def _turn_away(self, context: Context) -> None:
        leader = self.leader_address()
        await context.abort(
            grpc.StatusCode.UNAVAILABLE,
            f"this controller stands by; {leader or 'another'} leads, or one will soon",
            ((LEADER_KEY, leader),),
        )

    async def _read(
        self, stream: StreamId, context: Context, committer: Committer, guest: Guest | None
    ) -> None:
        async with asyncio.timeout(HELLO_WAIT_S):
            message = await _next(context)
        if message is not None and not isinstance(message, Hello):
            raise CodecError("the first message of a stream must be a Hello")
        if isinstance(message, Hello):
            await self._admission.wait()
            # Asked late: it may have changed while it waited.
            message = message if guest is None else replace(message, workload=guest.workload)
        while message is not None:
            if guest is not None:
                await guest.pace.take(message)
            await committer.submit(Received(stream, message))
            if isinstance(message, Goodbye):
                # The engine ends the stream once this is committed: the sidecar waits for that.
                await asyncio.sleep(GOODBYE_WAIT_S)
                return
            message = await _next(context)
            if isinstance(message, Hello):
                raise CodecError("only the first message of a stream may be a Hello")

    async def _write(self, outbox: Outbox, context: Context, committer: Committer) -> None:
        while messages := await outbox.take():
            for message in messages:
                if committer is not self._committer or not committer.may_speak():
                    return
                await context.write(encode_response(message))


async def _follow(stream: StreamId, guest: Guest, committer: Committer) -> None:
    """Tell what becomes of a stream's pod, until it is gone."""
    while (workload := await guest.news()) is not None:
        await committer.submit(WorkloadChanged(stream, workload))


async def _next(context: Context) -> FromSidecar | None:
    """The next message of a sidecar; None when it has said its last."""
    request = await context.read()
    return decode_request(request) if isinstance(request, lease_pb2.SyncRequest) else None
