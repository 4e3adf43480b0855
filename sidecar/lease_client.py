"""The sidecar's end of the `Sync` stream: connects, says what `leasing` wants said, hands on
replies.

The one rule: no decision is made here, and every wait has a bound. Losing the stream is normal:
money that was lent is spent on until its deadline while this module connects again with growing,
jittered pauses. It must not know calls or money.
"""

import asyncio
import logging
import random
from collections.abc import Callable, Iterable
from typing import Any, Final, TypeAlias

import grpc
import grpc.aio

from farebox.core.budgets import Charge
from farebox.core.policy import Policy
from farebox.runtime.clock import Clock
from farebox.runtime.tasks import first_of
from farebox.wire.codec import CodecError, decode_response, encode_request
from farebox.wire.v1 import lease_pb2, lease_pb2_grpc
from sidecar.leasing import Leasing

_LOG = logging.getLogger(__name__)

BACKOFF_MS_MIN: Final = 100
BACKOFF_MS_MAX: Final = 5_000
GOODBYE_MS_MAX: Final = 2_000
WELCOME_MS_MAX: Final = 10_000
MESSAGE_BYTES_MAX: Final = 16 * 1024 * 1024

_CHANNEL_OPTIONS: Final = (
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.max_receive_message_length", MESSAGE_BYTES_MAX),
    ("grpc.max_send_message_length", MESSAGE_BYTES_MAX),
    ("grpc.enable_retries", 0),
)

_STREAM_ENDED: Final = (
    grpc.aio.AioRpcError,
    asyncio.InvalidStateError,
    CodecError,
    TimeoutError,
)

_Call: TypeAlias = "grpc.aio.StreamStreamCall[Any, Any]"


class LeaseClient:
    """Keeps one stream to the controller open for as long as the process lives."""

    def __init__(
        self,
        target: str,
        leasing: Leasing,
        clock: Clock,
        *,
        on_policy: Callable[[Policy], None],
        notify: Callable[[Iterable[Charge]], None],
    ) -> None:
        """`target` is host:port; `on_policy` swaps the policy in; `notify` wakes waiting calls."""
        self._target = target
        self._leasing = leasing
        self._clock = clock
        self._on_policy = on_policy
        self._notify = notify
        self._wake = asyncio.Event()
        self._stopping = False

    def wake(self) -> None:
        """There is something to report before the next heartbeat."""
        self._wake.set()

    def stop(self) -> None:
        """Say goodbye and end; `run` returns soon after."""
        self._stopping = True
        self._wake.set()

    async def run(self) -> None:
        """Connect again and again until stopped."""
        failures = 0
        while not self._stopping:
            welcomed = await self._connect()
            self._leasing.disconnected()
            failures = 0 if welcomed else failures + 1
            if not self._stopping:
                await self._pause(failures)

    async def _pause(self, failures: int) -> None:
        ceiling = min(BACKOFF_MS_MAX, BACKOFF_MS_MIN * 2 ** min(failures, 10))
        # Full jitter: a fleet that lost its controller must not come back in one instant.
        pause_ms = random.uniform(BACKOFF_MS_MIN / 2, ceiling)  # noqa: S311
        self._wake.clear()
        try:
            async with asyncio.timeout(pause_ms / 1000):
                while not self._stopping:
                    await self._wake.wait()
                    self._wake.clear()
        except TimeoutError:
            pass

    async def _connect(self) -> bool:
        """Run one stream until it ends. Says whether the controller accepted us."""
        async with grpc.aio.insecure_channel(self._target, options=_CHANNEL_OPTIONS) as channel:
            stub = lease_pb2_grpc.LeaseServiceStub(channel)
            call: _Call = stub.Sync()
            try:
                return await self._converse(call)
            except _STREAM_ENDED as error:
                _LOG.info("the stream to the controller ended: %s", _told(error))
                return self._leasing.connected
            finally:
                call.cancel()

    async def _converse(self, call: _Call) -> bool:
        await call.write(encode_request(self._leasing.hello(self._clock.boot())))
        async with asyncio.timeout(WELCOME_MS_MAX / 1000):
            if not self._hear(await call.read()):
                return False
        await first_of(self._listen(call), self._speak(call))
        return True

    async def _listen(self, call: _Call) -> None:
        while self._hear(await call.read()):
            pass

    async def _speak(self, call: _Call) -> None:
        while not self._stopping:
            if self._leasing.report_is_due or self._leasing.until_beat(self._clock.boot()) == 0:
                await call.write(encode_request(self._leasing.report(self._clock.boot())))
            await self._sleep_until_due()
        async with asyncio.timeout(GOODBYE_MS_MAX / 1000):
            await call.write(encode_request(self._leasing.goodbye(self._clock.boot())))
            await call.done_writing()
        # The controller ends the stream once the goodbye is committed; then the listener ends
        # first.
        await asyncio.sleep(GOODBYE_MS_MAX / 1000)

    async def _sleep_until_due(self) -> None:
        self._wake.clear()
        if self._leasing.report_is_due or self._stopping:
            return
        pause_ms = self._leasing.until_beat(self._clock.boot())
        try:
            async with asyncio.timeout(pause_ms / 1000):
                await self._wake.wait()
        except TimeoutError:
            pass

    def _hear(self, received: lease_pb2.SyncResponse | object) -> bool:
        """Hand one message on. Says whether the stream goes on."""
        if not isinstance(received, lease_pb2.SyncResponse):
            return False
        heard = self._leasing.hear(decode_response(received), self._clock.boot())
        if heard.outdated:
            _LOG.warning("the controller is older than one heard before; looking for the newer one")
            return False
        if heard.refused:
            _LOG.error("the controller does not accept this holder: %s", heard.refused)
            self._leasing.start_over()
            return False
        if heard.policy is not None:
            self._on_policy(heard.policy)
        self._notify(heard.changed)
        if self._leasing.report_is_due:
            # An answer that the controller waits for, or what was asked during the last report.
            self._wake.set()
        return True


def _told(error: Exception) -> str:
    if isinstance(error, grpc.aio.AioRpcError):
        return f"{error.code().name}: {error.details()}"
    return str(error) or type(error).__name__
