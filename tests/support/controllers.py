"""A controller at the end of a real gRPC stream that says what a test tells it to say."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
import grpc.aio

from farebox.core.instant import DurationMs
from farebox.runtime.tasks import first_of
from farebox.wire.codec import decode_request, encode_response
from farebox.wire.messages import FromController, FromSidecar, Hello, Welcome
from farebox.wire.v1 import lease_pb2, lease_pb2_grpc

PATIENCE_S = 60.0


class ScriptedController(lease_pb2_grpc.LeaseServiceServicer):
    """Answers each Hello with `welcome`, keeps what it heard, and says what it is told to.

    `after_welcome` follows at once, as it stands on the wire.
    """

    def __init__(self) -> None:
        """Welcome everybody in epoch 1."""
        self.welcome = Welcome(
            epoch=1,
            accepted=True,
            heartbeat=DurationMs(50),
            ttl=DurationMs(60_000),
            drift_ppm=200,
        )
        self.after_welcome: lease_pb2.SyncResponse | None = None
        self.leader: str | None = None
        self.heard: asyncio.Queue[FromSidecar] = asyncio.Queue()
        self.ended = 0
        self.turned_away = 0
        self._context: Any = None
        self._writing = asyncio.Lock()
        self._ending = asyncio.Event()

    async def Sync(self, requests: AsyncIterator[Any], context: Any) -> None:  # noqa: N802
        """Serve one stream; turn it away when there is another `leader` ("": nobody yet)."""
        if self.leader is not None:
            self.turned_away += 1
            await context.abort(
                grpc.StatusCode.UNAVAILABLE, "stands by", (("farebox-leader", self.leader),)
            )
        self._context = context
        try:
            await first_of(self._hear(requests), self._ending.wait())
        finally:
            self.ended += 1

    async def _hear(self, requests: AsyncIterator[Any]) -> None:
        async for request in requests:
            message = decode_request(request)
            await self.heard.put(message)
            if isinstance(message, Hello):
                await self.say(self.welcome)
                if self.after_welcome is not None:
                    await self._context.write(self.after_welcome)

    async def say(self, message: FromController) -> None:
        """Put a message on the present stream."""
        async with self._writing:
            await self._context.write(encode_response(message))

    def end_stream(self) -> None:
        """End this and all later streams, as a controller does that leads no more."""
        self._ending.set()

    async def next(self, kind: type[Any]) -> Any:
        """The next message of a kind; others are passed over."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                message = await self.heard.get()
                if isinstance(message, kind):
                    return message


@asynccontextmanager
async def scripted_controller(port: int = 0) -> AsyncIterator[tuple[ScriptedController, int]]:
    """Serve a scripted controller on loopback."""
    server, controller = grpc.aio.server(), ScriptedController()
    lease_pb2_grpc.add_LeaseServiceServicer_to_server(controller, server)
    bound = server.add_insecure_port(f"127.0.0.1:{port}")
    await server.start()
    try:
        yield controller, bound
    finally:
        await server.stop(grace=None)
