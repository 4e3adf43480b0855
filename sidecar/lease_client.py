"""The sidecar's end of the `Sync` stream: connects, says what `leasing` wants said, hands on
replies.

The one rule: no decision is made here, and every wait has a bound. Losing the stream is normal:
money that was lent is spent on until its deadline while this module connects again with growing,
jittered pauses, to each controller in turn, or to the one that another says leads if it is one of
them. It must not know calls or money.
"""

import asyncio
import logging
import random
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import replace
from typing import Any, Final, TypeAlias

import grpc
import grpc.aio

from farebox.core.budgets import Charge
from farebox.core.instant import BootMs
from farebox.core.policy import Policy
from farebox.runtime.clock import Clock
from farebox.runtime.tasks import first_of
from farebox.wire.codec import CodecError, decode_response, encode_request
from farebox.wire.messages import Grant, Report, ReportAck, Welcome
from farebox.wire.v1 import lease_pb2, lease_pb2_grpc
from sidecar.credentials import Credentials, CredentialsError
from sidecar.leasing import Leasing
from sidecar.tallies import TallyBook

_LOG = logging.getLogger(__name__)

BACKOFF_MS_MIN: Final = 100
BACKOFF_MS_MAX: Final = 5_000
STANDBY_MS_MAX: Final = 2_000
"""The longest pause after one that stands by has turned us away: there will be a leader soon."""

LEADER_KEY: Final = "farebox-leader"
"""Metadata of such a refusal: the address of the controller that leads, if known."""

SILENCE_MS_MIN: Final = 1_000
SILENCE_MS_MAX: Final = 10_000
"""A report must be answered within a third of the time to live, within these bounds."""

NO_REPORT: Final = 0
"""Stands for a report that was not made on this stream; the first has the number 1."""

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

_REFUSALS: Final = (grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED)

_TLS_ERRORS: Final = {
    "CERTIFICATE_VERIFY_FAILED": "its certificate is not by an authority in --controller-ca",
    "Hostname Verification": "its certificate is made out to other names than this one",
    "WRONG_VERSION_NUMBER": "it speaks no TLS",
}
"""What gRPC says of a handshake that failed, and what that means."""

_Call: TypeAlias = "grpc.aio.StreamStreamCall[Any, Any]"
_Metadata: TypeAlias = tuple[tuple[str, str], ...] | None


class LeaseClient:
    """Keeps one stream to the controller open for as long as the process lives."""

    def __init__(
        self,
        targets: str,
        leasing: Leasing,
        clock: Clock,
        *,
        on_policy: Callable[[Policy], None],
        notify: Callable[[Iterable[Charge]], None],
        tallies: TallyBook | None = None,
        credentials: Credentials | None = None,
    ) -> None:
        """`targets` are the controllers: HOST:PORT, or several of them separated by commas.

        `on_policy` swaps the policy in; `notify` wakes waiting calls; `tallies` go along with
        reports. Without `credentials` there is no TLS, and nobody asks who we are.
        """
        self.tried_all = False
        """Whether each controller was tried at least once."""
        self._targets = tuple(part.strip() for part in targets.split(","))
        self._target = self._targets[0]
        self._turned_away = False
        self._silent = ""
        self._leasing = leasing
        self._clock = clock
        self._on_policy = on_policy
        self._notify = notify
        self._tallies = tallies
        self._credentials = credentials
        self._wake = asyncio.Event()
        self._stopping = False
        self._unanswered: BootMs | None = None
        self._got_on = False
        self._asked_in = self._acked = NO_REPORT
        self._answered = asyncio.Event()

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
            # A welcome alone is no success: what follows it may be what we can't read.
            failures = 0 if self._got_on else failures + 1
            self.tried_all = self.tried_all or failures >= len(self._targets)
            self._turned_away = self._turned_away and not welcomed
            if not self._stopping:
                # The pauses grow with each round over all controllers.
                await self._pause(failures // len(self._targets))

    async def _pause(self, failures: int) -> None:
        longest = STANDBY_MS_MAX if self._turned_away else BACKOFF_MS_MAX
        ceiling = min(longest, BACKOFF_MS_MIN * 2 ** min(failures, 10))
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
        target = self._target
        self._got_on = False
        try:
            opened, metadata = self._open(target)
        except CredentialsError as error:
            _LOG.warning("no stream to the controller %s: %s", target, error)
            return False
        async with opened as channel:
            stub = lease_pb2_grpc.LeaseServiceStub(channel)
            call: _Call = stub.Sync(metadata=metadata)
            try:
                return await self._converse(call)
            except _STREAM_ENDED as error:
                level = logging.WARNING if _is_refusal(error) else logging.INFO
                _LOG.log(level, "the stream to the controller %s ended: %s", target, _told(error))
                if isinstance(error, TimeoutError):
                    self._silent = target
                self._heed(error)
                return self._leasing.connected
            finally:
                call.cancel()
                if self._target == target:
                    self._target = self._after(target)

    def _open(self, target: str) -> tuple[grpc.aio.Channel, _Metadata]:
        """A channel of its own for each stream: files may have changed since the last one."""
        if self._credentials is None:
            return grpc.aio.insecure_channel(target, options=_CHANNEL_OPTIONS), None
        return (
            grpc.aio.secure_channel(target, self._credentials.channel(), options=_CHANNEL_OPTIONS),
            self._credentials.metadata(),
        )

    def _heed(self, error: Exception) -> None:
        """Go where the leader is said to be, if that is one of the controllers we were given."""
        if not isinstance(error, grpc.aio.AioRpcError):
            return
        # What the call says of itself, and not a channel that found nobody there.
        told: Any = error.trailing_metadata()
        leader = told.get(LEADER_KEY) if told else None
        self._turned_away = self._turned_away or leader is not None
        # One that gave no answer may be said to lead until the others know better.
        if leader in self._targets and leader != self._silent:
            self._target = str(leader)

    def _after(self, target: str) -> str:
        return self._targets[(self._targets.index(target) + 1) % len(self._targets)]

    async def _converse(self, call: _Call) -> bool:
        self._asked_in = self._acked = NO_REPORT
        await call.write(encode_request(self._leasing.hello(self._clock.boot())))
        async with asyncio.timeout(WELCOME_MS_MAX / 1000):
            if not self._hear(await call.read()):
                return False
        self._unanswered, self._silent = None, ""
        if self._tallies is not None:
            self._tallies.begin()
        await first_of(self._listen(call), self._speak(call), self._watch())
        return True

    async def _watch(self) -> None:
        """End a stream on which reports get no answer: a machine that stands still keeps it open.

        Found before the leases run out, so that there is time to go to another controller.
        """
        silence_ms_max = min(max(SILENCE_MS_MIN, self._leasing.ttl // 3), SILENCE_MS_MAX)
        while True:
            await asyncio.sleep(silence_ms_max / 4_000)
            since = self._unanswered
            if since is not None and self._clock.boot() - since > silence_ms_max:
                raise TimeoutError(f"no answer to a report for {silence_ms_max} ms")

    async def _listen(self, call: _Call) -> None:
        while self._hear(await call.read()):
            pass

    async def _speak(self, call: _Call) -> None:
        while not self._stopping:
            now = self._clock.boot()
            if self._leasing.report_is_due or self._leasing.until_beat(now) == 0:
                await self._report(call, self._leasing.report(now))
            await self._sleep_until_due()
        await self._want_nothing(call)
        async with asyncio.timeout(GOODBYE_MS_MAX / 1000):
            now = self._clock.boot()
            last = None if self._tallies is None else self._tallies.last(now)
            await call.write(encode_request(replace(self._leasing.goodbye(now), tallies=last)))
            await call.done_writing()
        # The controller ends the stream once the goodbye is committed; then the listener ends
        # first.
        await asyncio.sleep(GOODBYE_MS_MAX / 1000)

    async def _report(self, call: _Call, report: Report) -> None:
        if self._leasing.awaits_answer:
            self._unanswered = self._unanswered or report.boot_ms
        if report.wants:
            self._asked_in = report.seq
        self._answered.clear()
        if self._tallies is not None:
            due = self._tallies.due(report.boot_ms, self._leasing.heartbeat)
            report = replace(report, tallies=due)
        await call.write(encode_request(report))

    async def _want_nothing(self, call: _Call) -> None:
        """Take back what is still wanted, and hear all that was granted before that.

        A grant that came after the goodbye would stay here, with nobody left to give it back.
        """
        with suppress(TimeoutError):
            async with asyncio.timeout(GOODBYE_MS_MAX / 1000):
                while self._acked <= self._asked_in:
                    await self._report(call, self._leasing.report(self._clock.boot(), last=True))
                    await self._answered.wait()

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
        message = decode_response(received)
        if isinstance(message, ReportAck | Grant):
            # A grant says all that an acknowledgement would, and comes in its place.
            self._answered.set()
        if isinstance(message, ReportAck):
            self._acked = message.seq
        heard = self._leasing.hear(message, self._clock.boot())
        if not self._leasing.awaits_answer:
            self._unanswered = None
        if heard.outdated:
            _LOG.warning("the controller is older than one heard before; looking for the newer one")
            return False
        if heard.refused:
            _LOG.error("the controller does not accept this holder: %s", heard.refused)
            try:
                self._leasing.start_over()
            except OSError as error:
                _LOG.error("the journal can't be begun anew, trying again: %s", error)
            return False
        if heard.policy is not None:
            self._on_policy(heard.policy)
        self._got_on = not isinstance(message, Welcome)
        self._notify(heard.changed)
        if self._leasing.report_is_due:
            # An answer that the controller waits for, or what was asked during the last report.
            self._wake.set()
        return True


def _is_refusal(error: Exception) -> bool:
    """Whether somebody has to do something before this can succeed."""
    if not isinstance(error, grpc.aio.AioRpcError):
        return False
    return error.code() in _REFUSALS or _told(error) in _TLS_ERRORS.values()


def _told(error: Exception) -> str:
    if isinstance(error, grpc.aio.AioRpcError):
        details = str(error.details())
        for sign, meaning in _TLS_ERRORS.items():
            if sign in details:
                return meaning
        return f"{error.code().name}: {details}"
    return str(error) or type(error).__name__
