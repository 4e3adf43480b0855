"""Runs one exchange: carries its orders out, and brings it the facts.

The one rule: nothing is decided here, and no exchange is left before its money has ended: a caller
that goes leaves the exchange to a job that reads the answer to its end, and a process that stops
tells every exchange so. This module must not know what the orders mean for money.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import msgspec
from aiohttp import web

from farebox.core.call import Call
from farebox.core.instant import BootMs, DurationMs, UtcMs
from farebox.core.leases import HoldId
from farebox.core.money import Nanos
from farebox.core.policy import Policy
from farebox.core.reasons import Reason
from farebox.core.routing import Plan
from farebox.core.tiers import Model
from farebox.runtime.clock import Clock
from farebox.runtime.tasks import Jobs
from sidecar import responses
from sidecar.commands import (
    CloseUpstream,
    Command,
    Drain,
    Expire,
    Finish,
    Forward,
    HoldMoney,
    Refuse,
    SendChunk,
    SendEnd,
    SendHead,
    SendWhole,
    Settle,
    Void,
)
from sidecar.dialects.openai_chat import ENDPOINT
from sidecar.events import (
    CallerGone,
    Event,
    HoldLapsed,
    MoneyHeld,
    MoneyRefused,
    Phase,
    Stopped,
    TimedOut,
    UpstreamData,
    UpstreamEnded,
    UpstreamFailed,
    UpstreamHead,
)
from sidecar.exchange import Commands, Exchange
from sidecar.receipts import Receipt
from sidecar.upstream.connection import BrokenError, ConnectFailedError, Connection, SilentError
from sidecar.upstream.origin import OriginError, target_of
from sidecar.upstream.pool import Pool
from sidecar.upstream.request import forwardable, post
from sidecar.upstream.watchdog import Watchdog


class Money(Protocol):
    """Who holds and settles money; see `sidecar.cashier`.

    `hold` may be cancelled at any time and then leaves nothing held.
    """

    def hold_now(
        self, plan: Plan, call: Call, policy: Policy, *, tried: frozenset[str], cap: Nanos | None
    ) -> MoneyHeld | MoneyRefused | None: ...

    async def hold(
        self, plan: Plan, call: Call, policy: Policy, *, tried: frozenset[str], cap: Nanos | None
    ) -> MoneyHeld | MoneyRefused: ...

    def settle(self, hold_id: HoldId, cost: Nanos, reason: Reason) -> None: ...

    def void(self, hold_id: HoldId, reason: Reason) -> None: ...

    def expire(self, hold_id: HoldId, reason: Reason) -> None: ...

    def may_send(self, hold_id: HoldId) -> bool: ...


class MissingSecretError(Exception):
    """The credential that a model is configured with is not there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Waits:
    """How long is waited for what, in milliseconds."""

    head_ms_max: int
    body_ms_max: int
    send_ms_max: int
    drain_ms_max: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What every run needs, made once.

    `secret` gives the value of an environment variable, "" when it is not set; `finished` takes the
    receipt.
    """

    money: Money
    pool: Pool
    jobs: Jobs
    clock: Clock
    waits: Waits
    secret: Callable[[str], str]
    finished: Callable[[Receipt], None]


class Arrival(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """How a call came in. `provider` is the one that the caller's path names."""

    request: web.BaseRequest
    call_id: str
    provider: str
    at: UtcMs
    since: BootMs


class Run:
    """One exchange under way."""

    __slots__ = (
        "_around",
        "_arrival",
        "_authorization",
        "_connection",
        "_exchange",
        "_head_read",
        "_left_to_job",
        "_lines",
        "_response",
        "_send_watchdog",
        "_sent",
    )

    def __init__(self, exchange: Exchange, arrival: Arrival, around: Surroundings) -> None:
        self._exchange = exchange
        self._arrival = arrival
        self._around = around
        self._lines, self._authorization = forwardable(arrival.request.raw_headers)
        self._connection: Connection | None = None
        self._sent = False
        self._head_read = False
        self._left_to_job = False
        self._response: web.StreamResponse | None = None
        self._send_watchdog: Watchdog | None = None

    async def serve(self) -> web.StreamResponse:
        """Live the exchange through; returns the answer for the caller."""
        try:
            await self._live(self._exchange.start())
        except asyncio.CancelledError:
            # The caller has closed its connection, or the server is being stopped.
            self._carry_out_now(self._exchange.handle(CallerGone()))
            raise
        finally:
            if not self._left_to_job:
                self._stop()
        return self._response or web.Response(status=499)

    async def _live(self, commands: Commands) -> None:
        exchange = self._exchange
        while True:
            event = await self._carry_out(commands) if commands else None
            if event is None:
                if self._left_to_job or not exchange.reading:
                    return
                event = await self._next_fact()
            commands = exchange.handle(event)

    async def _drain(self) -> None:
        """Read on without a caller; this runs as a job, when `serve` has returned."""
        self._left_to_job = False
        try:
            async with asyncio.timeout(self._around.waits.drain_ms_max / 1000):
                await self._live(())
        except TimeoutError:
            self._carry_out_now(self._exchange.handle(TimedOut(Phase.DRAIN)))
        finally:
            self._stop()

    def _stop(self) -> None:
        """Let go of everything; an exchange that is not over yet is told that it ends here."""
        self._carry_out_now(self._exchange.handle(Stopped()))
        self._release()
        if self._send_watchdog is not None:
            self._send_watchdog.close()

    # ------------------------------------------------------------------------------ carrying out

    async def _carry_out(self, commands: Commands) -> Event | None:
        event = None
        for command in commands:
            at_once = self._AT_ONCE.get(type(command))
            if at_once is not None:
                at_once(self, command)
            else:
                event = await self._WAITING[type(command)](self, command)
        return event

    def _carry_out_now(self, commands: Commands) -> None:
        """Carry out orders that need no waiting: all that there are once the caller has gone."""
        for command in commands:
            self._AT_ONCE[type(command)](self, command)

    async def _hold(self, command: HoldMoney) -> Event:
        money, exchange = self._around.money, self._exchange
        held = money.hold_now(
            command.plan, exchange.call, exchange.policy, tried=command.tried, cap=command.cap
        )
        if held is not None:
            return held
        return await money.hold(
            command.plan, exchange.call, exchange.policy, tried=command.tried, cap=command.cap
        )

    async def _forward(self, command: Forward) -> Event | None:
        self._release()
        self._sent = self._head_read = False
        try:
            lines = self._lines + self._credential(command.model)
            target = target_of(command.model.base_url)
            self._connection = await self._around.pool.acquire(target.origin)
            if not self._around.money.may_send(command.hold):
                # A connection can take seconds; a window that ended meanwhile must not be charged
                # for what the provider will see in the next.
                self._release()
                return HoldLapsed()
            self._connection.send(post(target, ENDPOINT, header_lines=lines, body=command.body))
        except (ConnectFailedError, OriginError, MissingSecretError) as error:
            self._release()
            return UpstreamFailed(sent=False, why=str(error))
        self._sent = True
        return None

    def _credential(self, model: Model) -> bytes:
        if model.secret_env:
            secret = self._around.secret(model.secret_env)
            if not secret or not secret.isprintable():
                raise MissingSecretError(f"{model.secret_env} is not set to a key in the sidecar")
            return b"authorization: Bearer " + secret.encode() + b"\r\n"
        # A caller's own key is meant for the provider that it called, and for no other.
        return self._authorization if model.provider == self._arrival.provider else b""

    async def _send_head(self, command: SendHead) -> Event | None:
        self._response = responses.begun(command.status, command.headers)
        loop = asyncio.get_running_loop()
        self._send_watchdog = Watchdog(loop, self._caller_stalled)
        try:
            await self._response.prepare(self._arrival.request)
        except ConnectionError:
            return CallerGone()
        return None

    async def _send_chunk(self, command: SendChunk) -> Event | None:
        assert self._response is not None
        assert self._send_watchdog is not None
        self._send_watchdog.arm(self._around.waits.send_ms_max)
        try:
            await self._response.write(command.data)
        except ConnectionError:
            return CallerGone()
        finally:
            self._send_watchdog.lift()
        return None

    async def _send_end(self, _: SendEnd) -> Event | None:
        assert self._response is not None
        try:
            await self._response.write_eof()
        except ConnectionError:
            return CallerGone()
        return None

    def _caller_stalled(self) -> None:
        """The caller takes nothing any more: closing its connection cancels this run."""
        transport = self._arrival.request.transport
        if transport is not None:
            transport.abort()

    def _settle(self, command: Settle) -> None:
        self._around.money.settle(command.hold, command.cost, command.reason)

    def _void(self, command: Void) -> None:
        self._around.money.void(command.hold, command.reason)

    def _expire(self, command: Expire) -> None:
        self._around.money.expire(command.hold, command.reason)

    def _finish(self, command: Finish) -> None:
        arrival, clock = self._arrival, self._around.clock
        duration = DurationMs(clock.boot() - arrival.since)
        self._around.finished(Receipt(at=arrival.at, duration=duration, outcome=command.outcome))

    def _send_whole(self, command: SendWhole) -> None:
        self._response = responses.whole(
            self._arrival.request, command.status, command.headers, command.body
        )

    def _refuse(self, command: Refuse) -> None:
        self._response = responses.refusal(command.detail, self._arrival.call_id)

    def _close_upstream(self, _: CloseUpstream) -> None:
        self._release()

    def _begin_drain(self, _: Drain) -> None:
        if not self._sent:
            why = "the caller left before it was sent"
            self._carry_out_now(self._exchange.handle(UpstreamFailed(sent=False, why=why)))
            return
        self._left_to_job = True
        try:
            self._around.jobs.start(f"drain {self._arrival.call_id}", self._drain())
        except RuntimeError:
            # As many jobs as may run do so already: what this call cost will not be known.
            self._left_to_job = False

    # ----------------------------------------------------------------------------- bringing facts

    async def _next_fact(self) -> Event:
        connection, waits = self._connection, self._around.waits
        assert connection is not None
        try:
            if not self._head_read:
                status, headers = await connection.head(ms_max=waits.head_ms_max)
                self._head_read = True
                return UpstreamHead(status, headers)
            data = await connection.body(ms_max=waits.body_ms_max)
        except BrokenError as error:
            self._release()
            if self._head_read:
                return UpstreamEnded(complete=False)
            return UpstreamFailed(sent=True, why=str(error))
        except SilentError:
            return TimedOut(Phase.BODY if self._head_read else Phase.HEAD)
        if data:
            return UpstreamData(data)
        self._release()
        return UpstreamEnded(complete=True)

    def _release(self) -> None:
        if self._connection is not None:
            self._around.pool.give_back(self._connection)
            self._connection = None

    _AT_ONCE: ClassVar[Mapping[type[Command], Callable[[Any, Any], None]]] = {
        Settle: _settle,
        Void: _void,
        Expire: _expire,
        Finish: _finish,
        SendWhole: _send_whole,
        Refuse: _refuse,
        CloseUpstream: _close_upstream,
        Drain: _begin_drain,
    }
    _WAITING: ClassVar[Mapping[type[Command], Callable[[Any, Any], Awaitable[Event | None]]]] = {
        HoldMoney: _hold,
        Forward: _forward,
        SendHead: _send_head,
        SendChunk: _send_chunk,
        SendEnd: _send_end,
    }
