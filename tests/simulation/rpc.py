"""What stands where grpc.aio stands: channels and servers on the simulated network.

The product's own client and server code is written against the part that is here. The one rule: an
object of a process that is dead does nothing any more. This module must not know what a message
says.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any, Self

import grpc
import grpc.aio

from tests.simulation.kernel import CURRENT
from tests.simulation.links import END, Inbox, Network, Stream, error_of


class ServerEnd:
    """What a servicer sees of a stream: the part of `grpc.aio.ServicerContext` that is used."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream

    async def read(self) -> Any:
        message = await self._stream.server_inbox.get()
        self._stream.network.heard(self._stream.client)
        return message

    async def write(self, message: Any) -> None:
        if self._stream.server_inbox.over:
            raise asyncio.CancelledError
        inbox = self._stream.client_inbox
        self._stream.down.send(lambda: inbox.put(message), exempt=_is_level_said_once(message))

    async def abort(
        self,
        code: grpc.StatusCode,
        details: str = "",
        trailing_metadata: tuple[tuple[str, str], ...] = (),
    ) -> None:
        raise grpc.aio.AbortError(code, details, trailing_metadata)

    def peer(self) -> str:
        return f"ipv4:127.0.0.1:{id(self._stream) % 1}"


class ClientEnd:
    """What a client sees of a stream: the part of `grpc.aio.StreamStreamCall` that is used."""

    def __init__(self, network: Network, target: str) -> None:
        self._network = network
        self._target = target
        self._process = CURRENT.get()
        self._inbox = Inbox(network.loop)
        self._stream: Stream | None = None
        self._opened = False
        self._closed = False

    async def read(self) -> Any:
        self._open()
        message = await self._inbox.get()
        if message is END and self._process is not None:
            self._network.ended_in_order.add(self._process)
        return message

    async def write(self, message: Any) -> None:
        self._open()
        if self._inbox.over or self._closed:
            raise asyncio.InvalidStateError("the stream is over")
        stream = self._stream
        if message.HasField("goodbye") and self._process is not None:
            self._network.ended_in_order.discard(self._process)
        if stream is not None:
            exempt = message.HasField("hello") or message.HasField("goodbye")
            stream.up.send(lambda: stream.server_inbox.put(message), exempt=exempt)

    async def done_writing(self) -> None:
        self._closed = True
        stream = self._stream
        if stream is not None:
            stream.up.send(stream.server_inbox.finish, exempt=True)

    def cancel(self) -> bool:
        if self._process is not None and self._process.alive and self._stream is not None:
            self._stream.cancel_by_client()
        return True

    def _open(self) -> None:
        if self._opened:
            return
        self._opened = True
        assert self._process is not None, "only a process opens a stream"
        found = self._network.resolve(self._target)
        if found is None:
            self._network.counts["connection refused"] += 1
            error = error_of(grpc.StatusCode.UNAVAILABLE, "connection refused")
            self._network.loop.after(0.002, lambda: self._inbox.finish(error), self._process)
            return
        server, handler = found
        self._network.counts["connection"] += 1
        stream = self._stream = Stream(self._network, self._process, server, self._inbox)
        stream.up.send(lambda: stream.accept(handler), exempt=True)


class _Channel:
    def __init__(self, network: Network, target: str) -> None:
        self._network = network
        self._target = target

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self, grace: float | None = None) -> None:
        """Streams are cancelled by those who opened them."""

    def stream_stream(self, *_: object, **__: object) -> Callable[..., ClientEnd]:
        return lambda *_, **__: ClientEnd(self._network, self._target)


class _Server:
    """Listens for the process that starts it, at the address `machine:port`."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self._sync: Callable[[None, ServerEnd], Awaitable[None]] | None = None
        self._address = ""

    def add_generic_rpc_handlers(self, handlers: object) -> None:
        """The registered ones are used."""

    def add_registered_method_handlers(self, service: str, handlers: dict[str, Any]) -> None:
        self._sync = handlers["Sync"].stream_stream

    def add_insecure_port(self, address: str) -> int:
        self._address = address
        return 1

    async def start(self) -> None:
        process = CURRENT.get()
        assert process is not None
        sync = self._sync
        assert sync is not None
        self._network.listeners[process.host.name] = (
            process,
            lambda stream: sync(None, ServerEnd(stream)),
        )

    async def stop(self, grace: float | None = None) -> None:
        process = CURRENT.get()
        if (
            process is None
            or self._network.listeners.get(process.host.name, (None,))[0] is not process
        ):
            return
        del self._network.listeners[process.host.name]
        for stream in tuple(self._network.streams):
            if stream.server is process:
                stream.reset()


def _is_level_said_once(message: Any) -> bool:
    """Whether the controller would not say it again on this stream: greeting and policy."""
    return bool(message.HasField("welcome") or message.HasField("policy"))


@contextmanager
def in_place_of_grpc(network: Callable[[], Network]) -> Iterator[None]:
    """Let the product's client and server meet on the simulated network."""
    aio: Any = grpc.aio
    kept = aio.server, aio.insecure_channel
    aio.server = lambda *_, **__: _Server(network())
    aio.insecure_channel = lambda target, *_, **__: _Channel(network(), str(target))
    try:
        yield
    finally:
        aio.server, aio.insecure_channel = kept
