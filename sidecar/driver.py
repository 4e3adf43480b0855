"""Runs one exchange: carries its orders out, and brings it the facts.

The one rule: nothing is decided here, and no exchange is left before its money has ended: a caller
that goes leaves the exchange to a job that reads the answer to its end, and a process that stops
tells every exchange so. This module must not know what the orders mean for money.
"""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, ClassVar, Final

from farebox.core.instant import BootMs, DurationMs
from farebox.core.tiers import Model
from sidecar import responses
from sidecar.commands import (
    CloseUpstream,
    Command,
    Drain,
    Expire,
    Finish,
    Forward,
    HoldMoney,
    Judge,
    LimitTime,
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
    Judged,
    Phase,
    Stopped,
    TimedOut,
    UpstreamData,
    UpstreamEnded,
    UpstreamFailed,
    UpstreamHead,
)
from sidecar.exchange import READING, Commands, Exchange, State
from sidecar.receipts import Receipt
from sidecar.surroundings import Arrival, Surroundings
from sidecar.upstream.connection import ConnectFailedError, Connection, SilentError
from sidecar.upstream.origin import Origin, OriginError, target_of
from sidecar.upstream.request import post

_ENDED_WHOLE: Final = UpstreamEnded(complete=True)


class MissingSecretError(Exception):
    """The credential that a model is configured with is not there."""


class Run:
    """One exchange under way."""

    __slots__ = (
        "_around",
        "_arrival",
        "_caller",
        "_connection",
        "_exchange",
        "_head_read",
        "_left_to_job",
        "_pending",
        "_sent",
        "_until",
    )

    def __init__(self, exchange: Exchange, arrival: Arrival, around: Surroundings) -> None:
        self._exchange = exchange
        self._arrival = arrival
        self._around = around
        self._caller = arrival.caller
        self._connection: Connection | None = None
        self._pending: Coroutine[Any, Any, Event | None] | None = None
        self._sent = False
        self._head_read = False
        self._left_to_job = False
        self._until: BootMs | None = None

    async def serve(self) -> None:
        """Live the exchange through; its answer is written when this returns."""
        try:
            await self._live(self._exchange.start())
        except asyncio.CancelledError:
            # The caller has closed its connection, or the server is being stopped.
            self._carry_out(self._exchange.handle(CallerGone()))
            raise
        finally:
            if not self._left_to_job:
                self._stop()

    async def _live(self, commands: Commands) -> None:
        exchange, caller = self._exchange, self._caller
        while True:
            event = None
            if commands:
                event = self._carry_out(commands)
                if self._pending is not None:
                    pending, self._pending = self._pending, None
                    event = await (pending if self._until is None else self._in_time(pending))
                if caller.is_slow and not self._left_to_job:
                    await caller.taken(ms_max=self._around.waits.send_ms_max)
            commands = () if event is None else exchange.handle(event)
            while not commands:
                if self._left_to_job or exchange.state not in READING:
                    return
                while (event := self._fact_at_hand()) is None:
                    if self._until is None:
                        await self._news()
                    elif not await self._news_in_time():
                        event = TimedOut(Phase.GATES)
                        break
                commands = exchange.handle(event)

    async def _drain(self) -> None:
        """Read on without a caller; this runs as a job, when `serve` has returned."""
        self._left_to_job = False
        try:
            async with asyncio.timeout(self._around.waits.drain_ms_max / 1000):
                await self._live(())
        except TimeoutError:
            self._carry_out(self._exchange.handle(TimedOut(Phase.DRAIN)))
        finally:
            self._stop()

    def _stop(self) -> None:
        """Let go of everything; an exchange that is not over yet is told that it ends here."""
        if self._exchange.state is not State.DONE:
            self._carry_out(self._exchange.handle(Stopped()))
        if self._connection is not None:
            self._release()

    # ------------------------------------------------------------------------------ carrying out

    def _carry_out(self, commands: Commands) -> Event | None:
        """Carry orders out. What must be waited for is left in `_pending`, always by the last."""
        event = None
        for command in commands:
            event = self._ORDERS[type(command)](self, command)
        return event

    def _hold(self, command: HoldMoney) -> Event | None:
        if self._until is not None and self._time_left_s() <= 0:
            return TimedOut(Phase.GATES)
        money, policy = self._around.money, self._exchange.policy
        held = money.hold_now(
            command.plan, command.call, policy, tried=command.tried, cap=command.cap
        )
        if held is None:
            self._pending = money.hold(
                command.plan, command.call, policy, tried=command.tried, cap=command.cap
            )
        return held

    def _forward(self, command: Forward) -> Event | None:
        if self._connection is not None:
            self._release()
        self._sent = self._head_read = False
        try:
            lines = self._arrival.head.lines + self._credential(command.model)
            target = target_of(command.model.base_url)
            request = post(target, ENDPOINT, header_lines=lines, body=command.body)
            self._connection = self._around.pool.kept(target.origin)
            if self._connection is None:
                self._pending = self._connect_and_send(target.origin, command, request)
                return None
            return self._send(command, request)
        except (ConnectFailedError, OriginError, MissingSecretError) as error:
            return self._not_sent(error)

    async def _connect_and_send(
        self, origin: Origin, command: Forward, request: bytes
    ) -> Event | None:
        try:
            self._connection = await self._around.pool.acquire(origin)
            return self._send(command, request)
        except ConnectFailedError as error:
            return self._not_sent(error)

    def _send(self, command: Forward, request: bytes) -> Event | None:
        assert self._connection is not None
        if not self._around.money.may_send(command.hold):
            # A connection can take seconds; a window that ended meanwhile must not be charged for
            # what the provider will see in the next.
            self._release()
            return HoldLapsed()
        self._connection.send(request)
        self._sent = True
        return None

    def _not_sent(self, error: Exception) -> Event:
        self._release()
        return UpstreamFailed(sent=False, why=str(error))

    def _credential(self, model: Model) -> bytes:
        if model.secret_env:
            secret = self._around.secret(model.secret_env)
            if not secret or not secret.isprintable():
                raise MissingSecretError(f"{model.secret_env} is not set to a key in the sidecar")
            return b"authorization: Bearer " + secret.encode() + b"\r\n"
        # A caller's own key is meant for the provider that it called, and for no other.
        arrival = self._arrival
        return arrival.head.authorization if model.provider == arrival.provider else b""

    def _settle(self, command: Settle) -> None:
        self._around.money.settle(command.hold, command.cost, command.reason)

    def _void(self, command: Void) -> None:
        self._around.money.void(command.hold, command.reason)

    def _expire(self, command: Expire) -> None:
        self._around.money.expire(command.hold, command.reason)

    def _finish(self, command: Finish) -> None:
        arrival, clock = self._arrival, self._around.clock
        duration = DurationMs(clock.boot() - arrival.since)
        outcome = command.outcome
        prompt = self._around.prompt_kept(self._exchange.call, outcome)
        self._around.finished(
            Receipt(at=arrival.at, duration=duration, outcome=outcome, prompt=prompt)
        )

    def _send_whole(self, command: SendWhole) -> None:
        self._caller.tell(command.status, command.lines, command.body)

    def _send_head(self, command: SendHead) -> None:
        self._caller.begin(command.status, command.lines)

    def _send_chunk(self, command: SendChunk) -> None:
        self._caller.pass_on(command.data)

    def _send_end(self, _: SendEnd) -> None:
        self._caller.complete()

    def _refuse(self, command: Refuse) -> None:
        self._caller.tell(*responses.refusal(command.detail, self._arrival.call_id))

    def _close_upstream(self, _: CloseUpstream) -> None:
        self._release()

    def _begin_drain(self, _: Drain) -> None:
        if not self._sent:
            why = "the caller left before it was sent"
            self._carry_out(self._exchange.handle(UpstreamFailed(sent=False, why=why)))
            return
        self._left_to_job = True
        self._until = None
        try:
            self._around.jobs.start(f"drain {self._arrival.call_id}", self._drain())
        except RuntimeError:
            # As many jobs as may run do so already: what this call cost will not be known.
            self._left_to_job = False

    # --------------------------------------------------------------------- gates, and time for them

    def _limit_time(self, command: LimitTime) -> None:
        self._until = BootMs(self._around.clock.boot() + command.within)

    def _judge(self, command: Judge) -> None:
        self._pending = self._judged(command)

    async def _judged(self, command: Judge) -> Event:
        functions = self._around.functions
        return Judged(await functions.judge(command.gate, command.answer, command.case))

    def _time_left_s(self) -> float:
        assert self._until is not None
        return (self._until - self._around.clock.boot()) / 1000

    async def _in_time(self, pending: Coroutine[Any, Any, Event | None]) -> Event | None:
        """What is waited for, or that there is no time left for it."""
        try:
            async with asyncio.timeout(self._time_left_s()):
                return await pending
        except TimeoutError:
            if self._exchange.state is State.SENT:
                return self._not_sent(TimeoutError("no time was left to connect"))
            return TimedOut(Phase.GATES)

    async def _news_in_time(self) -> bool:
        """Wait for news; False when there is no time left."""
        try:
            async with asyncio.timeout(self._time_left_s()):
                await self._news()
        except TimeoutError:
            return False
        return True

    # ----------------------------------------------------------------------------- bringing facts

    def _news(self) -> asyncio.Future[None]:
        """To be awaited while there is no fact at hand."""
        assert self._connection is not None
        waits = self._around.waits
        return self._connection.news(
            ms_max=waits.body_ms_max if self._head_read else waits.head_ms_max
        )

    def _fact_at_hand(self) -> Event | None:
        """The next fact when it has come already, as most of an answer does with its head."""
        connection = self._connection
        assert connection is not None
        if self._head_read:
            data = connection.body_now()
            if data is not None:
                return UpstreamData(data) if data else self._ended()
        else:
            head = connection.head_now()
            if head is not None:
                self._head_read = True
                return UpstreamHead(*head)
        return self._failed(connection.fault) if connection.fault is not None else None

    def _failed(self, fault: Exception) -> Event:
        if isinstance(fault, SilentError):
            return TimedOut(Phase.BODY if self._head_read else Phase.HEAD)
        self._release()
        if self._head_read:
            return UpstreamEnded(complete=False)
        return UpstreamFailed(sent=True, why=str(fault))

    def _ended(self) -> Event:
        self._release()
        return _ENDED_WHOLE

    def _release(self) -> None:
        connection = self._connection
        if connection is not None:
            self._connection = None
            self._around.pool.give_back(connection)

    _ORDERS: ClassVar[Mapping[type[Command], Callable[[Any, Any], Event | None]]] = {
        HoldMoney: _hold,
        Forward: _forward,
        Settle: _settle,
        Void: _void,
        Expire: _expire,
        LimitTime: _limit_time,
        Judge: _judge,
        Finish: _finish,
        SendWhole: _send_whole,
        SendHead: _send_head,
        SendChunk: _send_chunk,
        SendEnd: _send_end,
        Refuse: _refuse,
        CloseUpstream: _close_upstream,
        Drain: _begin_drain,
    }
