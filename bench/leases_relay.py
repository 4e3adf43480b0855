"""A relay between real sidecars and a real controller that counts what passes.

Messages go on as the bytes that they came as; only their kind is looked at. The one rule: nothing
is changed, held up or said by the relay itself. This module must not know what messages mean.
"""

from collections import Counter
from collections.abc import AsyncIterable, AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

import grpc.aio

from farebox.wire.v1 import lease_pb2

_METHOD: Final = "/farebox.wire.v1.LeaseService/Sync"


if TYPE_CHECKING:
    _Handler = grpc.GenericRpcHandler[bytes, bytes]
else:
    _Handler = grpc.GenericRpcHandler


class Relay(_Handler):
    """Passes streams on to the controller at `port`. `messages` by kind; `asks` want money."""

    def __init__(self, port: int) -> None:
        self._target = f"127.0.0.1:{port}"
        self.messages: Counter[str] = Counter()
        self.asks = 0

    def service(self, handler_call_details: Any) -> Any:
        """What serves a method: only `Sync` is known."""
        if handler_call_details.method != _METHOD:
            return None
        return grpc.stream_stream_rpc_method_handler(self._sync)

    async def _sync(self, requests: AsyncIterator[bytes], context: Any) -> None:
        async with grpc.aio.insecure_channel(self._target) as channel:
            method = channel.stream_stream(
                _METHOD, request_serializer=_as_it_is, response_deserializer=_as_it_is
            )
            call = method(self._counted(requests, self._note_request))
            try:
                async for answer in self._counted(call, self._note_response):
                    await context.write(answer)
            except grpc.aio.AioRpcError as error:
                await context.abort(error.code(), error.details() or "")
            finally:
                call.cancel()

    async def _counted(
        self, messages: AsyncIterable[bytes], note: Callable[[bytes], None]
    ) -> AsyncIterator[bytes]:
        async for message in messages:
            note(message)
            yield message

    def _note_request(self, message: bytes) -> None:
        request = lease_pb2.SyncRequest.FromString(message)
        self.messages[request.WhichOneof("message") or "empty"] += 1
        self.asks += bool(request.report.wants)

    def _note_response(self, message: bytes) -> None:
        response = lease_pb2.SyncResponse.FromString(message)
        self.messages[response.WhichOneof("message") or "empty"] += 1


def _as_it_is(message: bytes) -> bytes:
    return message


@asynccontextmanager
async def relaying(port: int) -> AsyncIterator[tuple[Relay, int]]:
    """A relay to the controller at `port` for the length of the block, and its own port."""
    relay, server = Relay(port), grpc.aio.server()
    server.add_generic_rpc_handlers((relay,))
    bound = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield relay, bound
    finally:
        await server.stop(grace=None)
