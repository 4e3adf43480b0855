"""Takes calls in: explicit mode, plain HTTP on loopback, paths /PROVIDER/REST-OF-THE-API.

The one rule: nothing gets further that is not bounded: the length of a body, the time that it takes
to arrive, the number of calls under way. This module must not know models or money.
"""

import functools
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from farebox.core.call import Call
from farebox.core.money import Nanos
from farebox.core.pacing import Pace
from farebox.core.policy import Policy
from farebox.core.reasons import Reason
from sidecar import responses
from sidecar.dialects.openai_answers import models_body
from sidecar.dialects.openai_chat import BadRequestError, call_of, parse
from sidecar.driver import Run
from sidecar.exchange import Exchange
from sidecar.identify import BadIdentityError, read_head
from sidecar.inbound.connection import Caller
from sidecar.inbound.request import Request
from sidecar.opening import open_exchange
from sidecar.policy import PolicyHolder, names_served
from sidecar.refusals import RefusalDetail, plainly
from sidecar.surroundings import Arrival, Surroundings

_LOG = logging.getLogger(__name__)

DEFAULT_PROVIDER: Final = "openai"
CHAT_PATH: Final = "/v1/chat/completions"
MODELS_PATH: Final = "/v1/models"

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
    """Turns requests into runs of exchanges; see `sidecar.inbound.connection.Handler`."""

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
        self.body_bytes_max = bounds.body_bytes_max
        self.body_ms_max = bounds.body_ms_max
        self._calls_max = bounds.calls_max
        self._around = around
        self._policies = policies
        self._next_call_id = next_call_id
        self._refused_early = refused_early

    def begin(self) -> RefusalDetail | None:
        """Count a call from its head on; refused when as many as may be are under way."""
        self.calls_open = calls = self.calls_open + 1
        return plainly(Reason.TOO_MANY_CALLS) if calls > self._calls_max else None

    def end(self) -> None:
        """A call is over, however it went."""
        self.calls_open -= 1

    async def serve(self, request: Request, caller: Caller) -> None:
        """Serve one request; a fault in the program is told to its caller and ends nothing else."""
        call_id = self._next_call_id()
        try:
            run = self._begin_run(request, caller, call_id)
            if run is not None:
                await run.serve()
        except RefusedError as refused:
            self._tell_refusal(refused.detail, caller, call_id)
        except Exception:  # noqa: BLE001  whatever it is: this call ends, the next one is served
            _LOG.exception("call %s failed", call_id)
            if caller.untold:
                caller.tell(*responses.failure(call_id))

    def refuse(self, detail: RefusalDetail, caller: Caller) -> None:
        """Refuse a request that was not read to its end."""
        self._tell_refusal(detail, caller, self._next_call_id())

    def too_long(self) -> RefusalDetail:
        return plainly(Reason.BODY_TOO_LARGE)

    def too_late(self) -> RefusalDetail:
        return _bad("The body did not arrive in time.").detail

    def unreadable(self, why: str) -> RefusalDetail:
        return _bad(f"The request can't be read: {why}.").detail

    def _begin_run(self, request: Request, caller: Caller, call_id: str) -> Run | None:
        """The run of a call; None for what is answered at once. Raises RefusedError."""
        around = self._around
        provider, path = _split(request.target)
        policy = self._policies.current
        if policy is None:
            raise RefusedError(_NO_POLICY)
        if provider != DEFAULT_PROVIDER and not _is_served(provider, policy):
            raise RefusedError(plainly(Reason.UNKNOWN_ROUTE))
        if request.method == b"GET" and path == MODELS_PATH:
            caller.tell(*responses.listing(models_body(names_served(policy)), call_id))
            return None
        if request.method != b"POST" or path != CHAT_PATH:
            raise RefusedError(plainly(Reason.UNKNOWN_ROUTE))
        arrival = Arrival(
            head=request.head,
            caller=caller,
            call_id=call_id,
            provider=provider,
            at=around.clock.utc(),
            since=around.clock.boot(),
        )
        exchange = _exchange_of(request, path, call_id, policy, around.pace)
        return Run(exchange, arrival, around)

    def _tell_refusal(self, detail: RefusalDetail, caller: Caller, call_id: str) -> None:
        self._refused_early(detail.reason.value)
        caller.tell(*responses.refusal(detail, call_id))


def _exchange_of(
    request: Request,
    path: str,
    call_id: str,
    policy: Policy,
    pace: Callable[[Call, Policy], Pace | None],
) -> Exchange:
    if request.head.fields.get("content-encoding", "identity") != "identity":
        raise _bad("The body is compressed; send it as plain JSON.")
    try:
        asked = parse(request.body)
        said = read_head(request.head, policy.routing, body_user=asked.user)
    except (BadRequestError, BadIdentityError) as error:
        raise _bad(str(error)) from error
    call = call_of(asked, path=path, identity=said.identity)
    return open_exchange(
        policy=policy,
        request=asked,
        call=call,
        call_id=call_id,
        cap=_cap(policy, said.cap),
        pace=pace(call, policy),
    )


def _cap(policy: Policy, said: Nanos | None) -> Nanos | None:
    """What this one call may cost: the least of the request pools and of what the caller says."""
    pool = policy.request_cap
    if pool is None:
        return said
    return pool.limit if said is None else min(said, pool.limit)


@functools.lru_cache(maxsize=PATHS_KEPT_MAX)
def _split(target: str) -> tuple[str, str]:
    """The provider and the rest of a path; doubled slashes come from base URLs that end in one."""
    path = target.partition("?")[0]
    while "//" in path:
        path = path.replace("//", "/")
    provider, _, rest = path[1:].partition("/")
    return provider, f"/{rest}"


def _is_served(provider: str, policy: Policy) -> bool:
    return any(model.provider == provider for _, model in policy.catalogue)


def _bad(message: str) -> RefusedError:
    return RefusedError(RefusalDetail(reason=Reason.BAD_REQUEST, message=message))


_NO_POLICY: Final = RefusalDetail(
    reason=Reason.BUDGET_UNVERIFIABLE,
    message="This sidecar has no policy from its controller yet; retry shortly.",
)
