"""Accepts calls: explicit mode, plain HTTP on loopback, paths /PROVIDER/REST-OF-THE-API.

The one rule: nothing gets further that is not bounded: the length of a body, the time that it takes
to arrive, the number of calls under way. This module must not know models or money.
"""

import asyncio
import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from aiohttp import StreamReader, web

from farebox.core.money import Nanos
from farebox.core.policy import Policy
from farebox.core.reasons import Reason
from sidecar import responses
from sidecar.dialects.openai_answers import models_body
from sidecar.dialects.openai_chat import BadRequestError, call_of, parse
from sidecar.driver import Arrival, Run, Surroundings
from sidecar.exchange import Exchange
from sidecar.identify import BadIdentityError, identify, max_cost
from sidecar.policy import PolicyHolder, names_served
from sidecar.refusals import RefusalDetail, plainly

DEFAULT_PROVIDER: Final = "openai"
CHAT_PATH: Final = "/v1/chat/completions"
MODELS_PATH: Final = "/v1/models"

HEAD_FIELD_BYTES_MAX: Final = 128 * 1024
"""Larger than servers' usual 8 KiB: tokens in headers can be long."""

KEEP_ALIVE_S: Final = 75.0
PATHS_KEPT_MAX: Final = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """What one sidecar takes on."""

    body_bytes_max: int
    body_ms_max: int
    calls_max: int


class RefusedError(Exception):
    """The call is refused before it begins."""

    def __init__(self, detail: RefusalDetail) -> None:
        super().__init__(detail.message)
        self.detail = detail


class Listener:
    """Turns requests into runs of exchanges."""

    def __init__(
        self,
        *,
        around: Surroundings,
        policies: PolicyHolder,
        bounds: Bounds,
        next_call_id: Callable[[], str],
        refused_early: Callable[[str], None],
    ) -> None:
        self.calls_open = 0
        self._around = around
        self._policies = policies
        self._bounds = bounds
        self._next_call_id = next_call_id
        self._refused_early = refused_early

    def server(self) -> web.Server:
        """The protocol factory for the listening socket; needs a running loop."""
        return web.Server(
            self.handle,
            # A caller that goes cancels its run at once, which leaves the rest to a job.
            handler_cancellation=True,
            access_log=None,
            # Bodies are read as they are: a decompressed one would not be what was sent.
            auto_decompress=False,
            max_line_size=HEAD_FIELD_BYTES_MAX,
            max_field_size=HEAD_FIELD_BYTES_MAX,
            keepalive_timeout=KEEP_ALIVE_S,
        )

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Serve one request."""
        call_id = self._next_call_id()
        self.calls_open += 1
        try:
            return await self._serve(request, call_id)
        except RefusedError as refused:
            self._refused_early(refused.detail.reason.value)
            return responses.refusal(refused.detail, call_id)
        finally:
            self.calls_open -= 1

    async def _serve(self, request: web.BaseRequest, call_id: str) -> web.StreamResponse:
        clock = self._around.clock
        at, since = clock.utc(), clock.boot()
        if self.calls_open > self._bounds.calls_max:
            raise RefusedError(plainly(Reason.TOO_MANY_CALLS))
        provider, path = _split(request.raw_path)
        policy = self._policies.current
        if policy is None:
            raise RefusedError(_NO_POLICY)
        if not _is_served(provider, policy):
            raise RefusedError(plainly(Reason.UNKNOWN_ROUTE))
        if request.method == "GET" and path == MODELS_PATH:
            return responses.listing(models_body(names_served(policy)))
        if request.method != "POST" or path != CHAT_PATH:
            raise RefusedError(plainly(Reason.UNKNOWN_ROUTE))
        body = self._body_at_once(request)
        if body is None:
            body = await self._body_in_time(request)
        arrival = Arrival(request=request, call_id=call_id, provider=provider, at=at, since=since)
        return await Run(_exchange_of(body, path, arrival, policy), arrival, self._around).serve()

    def _body_at_once(self, request: web.BaseRequest) -> bytes | None:
        """The body when all of it has come with the head, as nearly always."""
        headers = request.headers
        if headers.get("content-encoding", "identity") != "identity":
            raise _bad("The body is compressed; send it as plain JSON.")
        if (request.content_length or 0) > self._bounds.body_bytes_max:
            raise RefusedError(plainly(Reason.BODY_TOO_LARGE))
        if not request.content.is_eof():
            return None
        body = request.content.read_nowait()
        if len(body) > self._bounds.body_bytes_max:
            raise RefusedError(plainly(Reason.BODY_TOO_LARGE))
        return body

    async def _body_in_time(self, request: web.BaseRequest) -> bytes:
        """The body that is still to come."""
        if "expect" in request.headers and request.transport is not None:
            # The low-level server leaves it to its handler to say this.
            request.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        try:
            async with asyncio.timeout(self._bounds.body_ms_max / 1000):
                return await self._read(request.content)
        except TimeoutError:
            raise _bad("The body did not arrive in time.") from None

    async def _read(self, content: StreamReader) -> bytes:
        pieces, total = [], 0
        while piece := await content.readany():
            total += len(piece)
            if total > self._bounds.body_bytes_max:
                raise RefusedError(plainly(Reason.BODY_TOO_LARGE))
            pieces.append(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def _exchange_of(body: bytes, path: str, arrival: Arrival, policy: Policy) -> Exchange:
    headers = arrival.request.headers
    try:
        request = parse(body)
        identity = identify(headers, policy.routing, body_user=request.user)
        said = max_cost(headers)
    except (BadRequestError, BadIdentityError) as error:
        raise _bad(str(error)) from error
    return Exchange(
        policy=policy,
        request=request,
        call=call_of(request, path=path, identity=identity),
        call_id=arrival.call_id,
        cap=_cap(policy, said),
    )


def _cap(policy: Policy, said: Nanos | None) -> Nanos | None:
    """What this one call may cost: the least of the request pools and of what the caller says."""
    pool = policy.request_cap
    if pool is None:
        return said
    return pool.limit if said is None else min(said, pool.limit)


@functools.lru_cache(maxsize=PATHS_KEPT_MAX)
def _split(raw_path: str) -> tuple[str, str]:
    """The provider and the rest of a path; doubled slashes come from base URLs that end in one."""
    path = raw_path.partition("?")[0]
    while "//" in path:
        path = path.replace("//", "/")
    provider, _, rest = path[1:].partition("/")
    return provider, f"/{rest}"


def _is_served(provider: str, policy: Policy) -> bool:
    return provider == DEFAULT_PROVIDER or any(
        model.provider == provider for _, model in policy.catalogue
    )


def _bad(message: str) -> RefusedError:
    return RefusedError(RefusalDetail(reason=Reason.BAD_REQUEST, message=message))


_NO_POLICY: Final = RefusalDetail(
    reason=Reason.BUDGET_UNVERIFIABLE,
    message="This sidecar has no policy from its controller yet; retry shortly.",
)
