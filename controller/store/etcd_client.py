"""The clients of etcd: `Kv` over the etcd3aio package, the only module that knows it, and what a
leader needs to stay leader over connections that no event loop can hold up.

One connection to each endpoint; requests go to one of them until it fails, the next request then
goes to the next. The one rule: a request is sent once. What its failure means is said by the kind
of error that comes out, and whoever asked decides what to do. This module must not know the ledger.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import etcd3aio
import etcd3aio._protobuf as wire
import grpc
import grpc.aio

from controller.store.kv import (
    Compare,
    CreatedAt,
    KvCompacted,
    KvRefused,
    KvUnclear,
    Op,
    Page,
    Put,
    Row,
)

REQUEST_S_MAX: Final = 2.0
"""How long an answer is waited for; etcd elects another leader of its own in about this time."""

ANSWER_BYTES_MAX: Final = 64 * 1024 * 1024

_OPTIONS: Final = (
    ("grpc.keepalive_time_ms", 10_000),
    ("grpc.keepalive_timeout_ms", 3_000),
    ("grpc.max_receive_message_length", ANSWER_BYTES_MAX),
    # A request is sent once, by us; an endpoint that is back should be noticed soon.
    ("grpc.enable_retries", 0),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1_000),
)

_SURELY_NOT_DONE: Final = {
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.NOT_FOUND,
    grpc.StatusCode.ALREADY_EXISTS,
    grpc.StatusCode.FAILED_PRECONDITION,
    grpc.StatusCode.OUT_OF_RANGE,
    grpc.StatusCode.UNIMPLEMENTED,
}

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """How etcd is reached: endpoints as host:port, PEM texts for TLS, a user and its password."""

    endpoints: tuple[str, ...]
    ca: bytes | None = None
    certificate: bytes | None = None
    key: bytes | None = None
    user: str = ""
    password: str = ""


class _Endpoint:
    """The connection to one endpoint."""

    def __init__(self, address: str, access: Access) -> None:
        self.address = address
        self.channel = _channel(address, access)
        self.keys = etcd3aio.kv.KVService(self.channel, max_attempts=1)
        self.sessions = etcd3aio.lease.LeaseService(self.channel, max_attempts=1)
        self.users = etcd3aio.auth.AuthService(self.channel, max_attempts=1)

    def use(self, token: str) -> None:
        self.keys.set_token(token or None)
        self.sessions.set_token(token or None)


class EtcdClient:
    """A `Kv` on a real etcd of one or more members."""

    def __init__(self, access: Access, *, request_s_max: float = REQUEST_S_MAX) -> None:
        """Connect to nothing yet. Needs a running event loop."""
        self._access = access
        self._request_s_max = request_s_max
        self._endpoints = [_Endpoint(address, access) for address in access.endpoints]
        self._at = 0
        self._token = ""
        self._renewal: Any = None
        self._renewals = 0

    async def read(
        self, key: bytes, end: bytes | None = None, *, revision: int = 0, rows_max: int = 0
    ) -> Page:
        answer = await self._ask(
            lambda at: at.keys.get(
                key, end, revision=revision, limit=rows_max, timeout=self._request_s_max
            )
        )
        rows = tuple(Row(one.key, one.value, one.create_revision) for one in answer.kvs)
        return Page(rows, revision or answer.header.revision, answer.more)

    async def transact(self, compares: Sequence[Compare], ops: Sequence[Op]) -> bool:
        sent_compares, sent_ops = [*map(_compare, compares)], [*map(_op, ops)]
        answer = await self._ask(
            lambda at: at.keys.txn(sent_compares, sent_ops, timeout=self._request_s_max)
        )
        return bool(answer.succeeded)

    async def open_session(self, ttl_s: int) -> int:
        answer = await self._ask(lambda at: at.sessions.grant(ttl_s, timeout=self._request_s_max))
        return int(answer.ID)

    async def renew_session(self, session: int) -> int:
        if self._renewals:
            # The one before has no answer yet: this one goes to another member.
            self._leave(self._endpoints[self._at])
        self._renewals += 1
        try:
            return await self._ask(lambda at: self._renew(at, session))
        finally:
            self._renewals -= 1

    async def end_session(self, session: int) -> None:
        await self._ask(lambda at: at.sessions.revoke(session, timeout=self._request_s_max))

    async def close(self) -> None:
        for endpoint in self._endpoints:
            await endpoint.channel.close(None)

    async def _renew(self, at: _Endpoint, session: int) -> int:
        # Kept until the next one: it ends by itself after its only answer, and a stream that is
        # cancelled before its end costs memory in grpc.aio.
        self._renewal = call = at.sessions.keep_alive(session)
        async with asyncio.timeout(self._request_s_max):
            answer: Any = await call.read()
        return int(getattr(answer, "TTL", 0))

    async def _ask(self, request: Callable[[_Endpoint], Awaitable[_T]]) -> _T:
        """Send a request once; say what its failure means, and where the next shall go."""
        at = self._endpoints[self._at]
        try:
            if self._access.user and not self._token:
                self._token = await self._authenticate(at)
            at.use(self._token)
            return await request(at)
        except etcd3aio.EtcdUnauthenticatedError as error:
            self._token = ""
            raise KvUnclear(f"{at.address} wants a new token: {error}") from error
        except etcd3aio.EtcdPermissionDeniedError as error:
            raise KvRefused(f"{error}: grant the user read and write on the prefix") from error
        except (etcd3aio.EtcdError, TimeoutError) as error:
            self._leave(at)
            said = str(error) or f"no answer within {self._request_s_max} s"
            raise KvUnclear(f"{at.address}: {said}") from error
        except grpc.aio.AioRpcError as error:
            raise self._meaning(at, error) from error

    async def _authenticate(self, at: _Endpoint) -> str:
        try:
            answer = await at.users.authenticate(
                self._access.user, self._access.password, timeout=self._request_s_max
            )
        except grpc.aio.AioRpcError as error:
            raise KvRefused(f"{at.address} does not know the user: {error.details()}") from error
        return str(answer.token)

    def _meaning(self, at: _Endpoint, error: grpc.aio.AioRpcError) -> Exception:
        said = f"{at.address}: {error.details()}"
        if error.code() is grpc.StatusCode.OUT_OF_RANGE and "compacted" in said:
            return KvCompacted(said)
        if self._access.user and "auth" in said:
            # Users or roles were changed: the token is too old for what they are now.
            self._token = ""
            return KvUnclear(said)
        if error.code() in _SURELY_NOT_DONE:
            return KvRefused(said)
        self._leave(at)
        return KvUnclear(said)

    def _leave(self, at: _Endpoint) -> None:
        """Send the next request to the next endpoint, unless another has decided so already."""
        if self._endpoints[self._at] is at:
            self._at = (self._at + 1) % len(self._endpoints)


class _Line:
    """The connection to one endpoint for threads that wait for their answers."""

    def __init__(self, address: str, access: Access) -> None:
        self.address = address
        if access.ca is None:
            self.channel = grpc.insecure_channel(address, options=_OPTIONS)
        else:
            self.channel = grpc.secure_channel(address, _credentials(access), options=_OPTIONS)
        self.keys = wire.KVStub(self.channel)
        self.sessions = wire.LeaseStub(self.channel)
        self.users = wire.AuthStub(self.channel)


class EtcdRenewals:
    """Renews a session and looks at a key, each in a thread that waits for the answer.

    grpc's connections for asyncio share what wakes them in a process; these have their own.
    """

    def __init__(self, access: Access, *, request_s_max: float = REQUEST_S_MAX) -> None:
        """Connect to nothing yet."""
        self._access = access
        self._request_s_max = request_s_max
        self._lines = [_Line(address, access) for address in access.endpoints]
        self._at = 0
        self._token = ""
        self._renewals = 0

    async def renew_session(self, session: int) -> int:
        """Begin the session's time anew; returns the seconds it now has, 0 when it is over."""
        if self._renewals:
            # The one before has no answer yet: this one goes to another member.
            self._leave(self._lines[self._at])
        self._renewals += 1
        try:
            answer = await self._ask(lambda line, rest: self._renew(line, session, rest))
        finally:
            self._renewals -= 1
        return int(getattr(answer, "TTL", 0))

    async def read(self, key: bytes) -> Page:
        """Read one key."""
        request = wire.RangeRequest(key=key)
        answer = await self._ask(lambda line, rest: line.keys.Range(request, **rest))
        rows = tuple(Row(one.key, one.value, one.create_revision) for one in answer.kvs)
        return Page(rows, answer.header.revision)

    async def close(self) -> None:
        """Let go of the connections; requests under way fail."""
        for line in self._lines:
            line.channel.close()

    def _renew(self, line: _Line, session: int, rest: Mapping[str, Any]) -> Any:
        requests = iter((wire.LeaseKeepAliveRequest(ID=session),))
        call = line.sessions.LeaseKeepAlive(requests, **rest)
        try:
            return next(call, None)
        finally:
            call.cancel()

    async def _ask(self, request: Callable[[_Line, Mapping[str, Any]], Any]) -> Any:
        """Send a request once. Raises KvUnclear, and the next then goes to the next endpoint."""
        line = self._lines[self._at]
        try:
            return await asyncio.to_thread(self._send, line, request)
        except grpc.RpcError as error:
            self._token = ""
            self._leave(line)
            raise KvUnclear(f"{line.address}: {error.details()}") from error

    def _send(self, line: _Line, request: Callable[[_Line, Mapping[str, Any]], Any]) -> Any:
        rest: dict[str, Any] = {"timeout": self._request_s_max}
        if self._access.user and not self._token:
            named = wire.AuthenticateRequest(name=self._access.user, password=self._access.password)
            self._token = str(line.users.Authenticate(named, **rest).token)
        if self._token:
            rest["metadata"] = (("token", self._token),)
        return request(line, rest)

    def _leave(self, line: _Line) -> None:
        if self._lines[self._at] is line:
            self._at = (self._at + 1) % len(self._lines)


def _channel(address: str, access: Access) -> grpc.aio.Channel:
    if access.ca is None:
        return grpc.aio.insecure_channel(address, options=_OPTIONS)
    return grpc.aio.secure_channel(address, _credentials(access), options=_OPTIONS)


def _credentials(access: Access) -> grpc.ChannelCredentials:
    return grpc.ssl_channel_credentials(
        root_certificates=access.ca, private_key=access.key, certificate_chain=access.certificate
    )


def _compare(compare: Compare) -> Any:
    service = etcd3aio.kv.KVService
    if isinstance(compare, CreatedAt):
        return service.txn_compare_create_revision(compare.key, compare.revision)
    return service.txn_compare_value(compare.key, compare.value)


def _op(op: Op) -> Any:
    service = etcd3aio.kv.KVService
    if isinstance(op, Put):
        return service.txn_op_put(op.key, op.value, lease=op.session)
    return service.txn_op_delete(op.key, range_end=op.end)
