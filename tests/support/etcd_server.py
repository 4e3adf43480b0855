"""etcd's gRPC services over a simulated etcd, so that the client is tested without the binary."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import etcd3aio._protobuf as wire
import grpc
import grpc.aio

from controller.store.kv import (
    Compare,
    CreatedAt,
    Delete,
    KvCompacted,
    KvRefused,
    Op,
    Put,
    ValueIs,
)
from tests.support.kv import SimulatedEtcd

# Found where the package keeps them: it exports only what a client needs.
services: Any = vars(wire)["rpc_pb2_grpc"]
messages: Any = vars(wire)["rpc_pb2"]


class EtcdServer:
    """One member. `breaks` is what the next requests are answered with in place of an answer.

    `silent` members answer nothing; with `password` set, requests need the token.
    """

    def __init__(self, etcd: SimulatedEtcd) -> None:
        self.etcd = etcd
        self.breaks: list[tuple[grpc.StatusCode, str]] = []
        self.silent = False
        self.password = ""
        self.token = "token-1"
        self.requests = 0

    async def admit(self, context: Any) -> None:
        """What every request goes through."""
        self.requests += 1
        if self.silent:
            await asyncio.Event().wait()
        if self.breaks:
            await context.abort(*self.breaks.pop(0))
        told = dict(context.invocation_metadata() or ())
        if self.password and told.get("token") != self.token:
            await context.abort(grpc.StatusCode.UNAUTHENTICATED, "invalid auth token")


class _Keys(services.KVServicer):  # type: ignore[misc]  # it has no types
    def __init__(self, server: EtcdServer) -> None:
        self._server = server

    async def Range(self, request: Any, context: Any) -> Any:  # noqa: N802  named by etcd
        await self._server.admit(context)
        try:
            page = self._server.etcd.read(
                request.key,
                request.range_end or None,
                revision=request.revision,
                rows_max=request.limit,
            )
        except KvCompacted:
            await context.abort(
                grpc.StatusCode.OUT_OF_RANGE, "required revision has been compacted"
            )
        answer = messages.RangeResponse(more=page.more)
        answer.header.revision = self._server.etcd.revision
        for row in page.rows:
            answer.kvs.add(key=row.key, value=row.value, create_revision=row.created)
        return answer

    async def Txn(self, request: Any, context: Any) -> Any:  # noqa: N802  named by etcd
        await self._server.admit(context)
        try:
            done = self._server.etcd.transact(
                [_compare(one) for one in request.compare], [_op(one) for one in request.success]
            )
        except KvRefused as error:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))
        return messages.TxnResponse(succeeded=done)


class _Sessions(services.LeaseServicer):  # type: ignore[misc]  # it has no types
    def __init__(self, server: EtcdServer) -> None:
        self._server = server

    async def LeaseGrant(self, request: Any, context: Any) -> Any:  # noqa: N802  named by etcd
        await self._server.admit(context)
        number = self._server.etcd.open_session(request.TTL)
        return messages.LeaseGrantResponse(ID=number, TTL=request.TTL)

    async def LeaseRevoke(self, request: Any, context: Any) -> Any:  # noqa: N802  named by etcd
        await self._server.admit(context)
        self._server.etcd.drop_session(request.ID)
        return messages.LeaseRevokeResponse()

    async def LeaseKeepAlive(  # noqa: N802  named by etcd
        self, requests: AsyncIterator[Any], context: Any
    ) -> AsyncIterator[Any]:
        await self._server.admit(context)
        async for request in requests:
            left = self._server.etcd.renew_session(request.ID)
            yield messages.LeaseKeepAliveResponse(ID=request.ID, TTL=left)


class _Users(services.AuthServicer):  # type: ignore[misc]  # it has no types
    def __init__(self, server: EtcdServer) -> None:
        self._server = server

    async def Authenticate(self, request: Any, context: Any) -> Any:  # noqa: N802  named by etcd
        if request.password != self._server.password:
            await context.abort(
                grpc.StatusCode.INVALID_ARGUMENT, "authentication failed, invalid user or password"
            )
        return messages.AuthenticateResponse(token=self._server.token)


def _compare(one: Any) -> Compare:
    if one.target == messages.Compare.VALUE:
        return ValueIs(one.key, one.value)
    return CreatedAt(one.key, one.create_revision)


def _op(one: Any) -> Op:
    if one.HasField("request_put"):
        put = one.request_put
        return Put(put.key, put.value, put.lease)
    gone = one.request_delete_range
    return Delete(gone.key, gone.range_end or None)


@asynccontextmanager
async def etcd_server(
    etcd: SimulatedEtcd, credentials: grpc.ServerCredentials | None = None
) -> AsyncIterator[tuple[EtcdServer, str]]:
    """Serve one member on loopback; gives it and its address."""
    server, member = grpc.aio.server(), EtcdServer(etcd)
    services.add_KVServicer_to_server(_Keys(member), server)
    services.add_LeaseServicer_to_server(_Sessions(member), server)
    services.add_AuthServicer_to_server(_Users(member), server)
    if credentials is None:
        port = server.add_insecure_port("127.0.0.1:0")
    else:
        port = server.add_secure_port("127.0.0.1:0", credentials)
    await server.start()
    try:
        yield member, f"{'localhost' if credentials else '127.0.0.1'}:{port}"
    finally:
        await server.stop(None)
