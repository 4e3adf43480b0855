"""A sidecar's end of a real `Sync` stream, moved by hand."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import grpc.aio

from farebox.core.instant import BootMs
from farebox.core.leases import LeaseId
from farebox.core.money import Nanos
from farebox.wire.codec import decode_response, encode_request
from farebox.wire.messages import (
    Counters,
    FromController,
    FromSidecar,
    Hello,
    JournalState,
    Report,
    Want,
    Welcome,
    Workload,
)
from farebox.wire.v1 import lease_pb2, lease_pb2_grpc

PATIENCE_S = 60.0

_Message = TypeVar("_Message")


class LeasePeer:
    """One stream. `next` passes over messages of other kinds."""

    def __init__(self, call: Any) -> None:
        self.call = call
        self._seq = 0

    async def say(self, message: FromSidecar) -> None:
        """Send any message."""
        await self.call.write(encode_request(message))

    async def greet(self, holder: str, *leases: Counters, boot_seq: int = 1) -> Welcome:
        """Say Hello and wait for the Welcome."""
        await self.say(_hello(holder, leases, boot_seq))
        return await self.next(Welcome)

    async def greet_again(self, holder: str) -> None:
        """Say another Hello, for which there is no Welcome."""
        await self.say(_hello(holder, (), 1))

    async def report(self, *leases: Counters, want: tuple[Want, ...] = ()) -> None:
        """Send a report."""
        self._seq += 1
        await self.say(Report(seq=self._seq, boot_ms=BootMs(2_000), leases=leases, wants=want))

    async def read(self) -> FromController | None:
        """The next message; None at the end of the stream."""
        async with asyncio.timeout(PATIENCE_S):
            received = await self.call.read()
        ended = not isinstance(received, lease_pb2.SyncResponse)
        return None if ended else decode_response(received)

    async def next(self, kind: type[_Message]) -> _Message:
        """The next message of a kind."""
        while True:
            message = await self.read()
            assert message is not None, f"the stream ended before a {kind.__name__} came"
            if isinstance(message, kind):
                return message

    async def until_end(self) -> list[FromController]:
        """Everything up to the end of the stream."""
        messages = []
        while (message := await self.read()) is not None:
            messages.append(message)
        return messages


@asynccontextmanager
async def lease_peer(port: int) -> AsyncIterator[LeasePeer]:
    """Open a stream on a connection of its own."""
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        call = lease_pb2_grpc.LeaseServiceStub(channel).Sync()
        yield LeasePeer(call)
        call.cancel()


def spent_of(lease: LeaseId, granted: int, spent: int) -> Counters:
    """What a sidecar says of a lease that it has spent a part of."""
    return Counters(lease=lease, granted=Nanos(granted), spent=Nanos(spent))


def _hello(holder: str, leases: tuple[Counters, ...], boot_seq: int) -> Hello:
    return Hello(
        holder=holder,
        boot_seq=boot_seq,
        workload=Workload(namespace="acme", name="pod"),
        journal=JournalState.OK,
        epoch_seen_max=0,
        boot_ms=BootMs(1_000),
        leases=leases,
    )
