"""The network: streams between processes that break, stall, and in the harsh mode lose messages.

Messages of one direction arrive in order, as TCP has it,
unless the `Line` is harsh. The one rule: a message is either delivered to a process that is alive
or counted as lost. This module must not know what a message says.
"""

import asyncio
import random
from collections import Counter, deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

import grpc
import grpc.aio

from tests.simulation.kernel import Process, SimLoop

END: Final[object] = vars(grpc.aio)["EOF"]
"""What a reader gets at the end of a stream; its stubs leave it out."""

KEEPALIVE_S: Final = 30.0
"""After so long without an answer an end gives its connection up, as the product's options say."""

Handler = Callable[["Stream"], Awaitable[None]]
"""Serves one stream in the process that listens."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """How the network behaves: delays in seconds, faults as probabilities for each message."""

    delay_min: float = 0.0005
    delay_max: float = 0.01
    stall: float = 0.0
    stall_max: float = 1.0
    drop: float = 0.0
    repeat: float = 0.0
    reorder: float = 0.0
    half_open: float = 0.0


class Network:
    """Who listens where, who can reach whom, and all open streams."""

    def __init__(self, loop: SimLoop, rng: random.Random, line: Line) -> None:
        self.loop = loop
        self.rng = rng
        self.line = line
        self.counts: Counter[str] = Counter()
        self.listeners: dict[str, tuple[Process, Handler]] = {}
        self.streams: list[Stream] = []
        self.heard: Callable[[Process], None] = lambda _: None
        self.ended_in_order: set[Process] = set()
        self._cut: set[tuple[str, str]] = set()
        self._unnoticed: list[Callable[[], None]] = []

    def cut(self, sender: str, receiver: str) -> None:
        """Let nothing through from one machine to another; the other direction is not touched."""
        self._cut.add((sender, receiver))

    def heal(self) -> None:
        """Let everything through again; what was on its way arrives, as TCP would have it."""
        self._cut.clear()
        for stream in tuple(self.streams):
            stream.resume()

    def calm_down(self) -> None:
        """End all faults: no partition, no lossy line, and every broken stream is noticed now."""
        self.line = Line()
        self.heal()
        unnoticed, self._unnoticed = self._unnoticed, []
        for notice in unnoticed:
            notice()
        for stream in tuple(self.streams):
            stream.reset()

    def notice_later(self, seconds: float, notice: Callable[[], None], process: Process) -> None:
        """Let a process hear of a broken stream, at the latest when all faults end."""
        self._unnoticed.append(lambda: process.call(notice))
        self.loop.after(seconds, notice, process)

    def is_cut(self, sender: Process, receiver: Process) -> bool:
        return self.is_cut_between(sender.host.name, receiver.host.name)

    def is_cut_between(self, sender: str, receiver: str) -> bool:
        """Whether nothing gets from one machine to another."""
        return (sender, receiver) in self._cut

    def resolve(self, target: str) -> tuple[Process, Handler] | None:
        """Who listens at MACHINE:PORT: there, or at any machine whose name begins so."""
        wanted = target.partition(":")[0]
        found = [
            one
            for address, one in sorted(self.listeners.items())
            if address.startswith(wanted) and one[0].alive
        ]
        return self.rng.choice(found) if found else None

    def break_streams(self, process: Process, *, silently: bool) -> None:
        """End all streams of a process that is gone; `silently`, the peer hears only much later."""
        for stream in tuple(self.streams):
            if process in {stream.client, stream.server}:
                stream.break_off(process, silently=silently)


class Pipe:
    """One direction of a stream."""

    def __init__(self, stream: "Stream", sender: Process, receiver: Process) -> None:
        self._stream = stream
        self._sender = sender
        self._receiver = receiver
        self._last = 0.0
        self._parked: list[Callable[[], None]] = []

    def send(self, deliver: Callable[[], None], *, exempt: bool) -> None:
        """Carry something to the other end; what is `exempt` is not lost, doubled or overtaken."""
        network, line = self._stream.network, self._stream.network.line
        rng, counts = network.rng, network.counts
        if not self._sender.alive:
            return
        if not exempt and rng.random() < line.drop:
            counts["message dropped"] += 1
            return
        arrives = self._arrival(in_order=exempt or rng.random() >= line.reorder)
        self._carry(deliver, arrives)
        if not exempt and rng.random() < line.repeat:
            counts["message repeated"] += 1
            self._carry(deliver, arrives + rng.uniform(0.0, 2.0))

    def _arrival(self, *, in_order: bool) -> float:
        network, line = self._stream.network, self._stream.network.line
        now, rng = network.loop.now, network.rng
        delay = rng.uniform(line.delay_min, line.delay_max)
        if rng.random() < line.stall:
            network.counts["message stalled"] += 1
            delay += rng.uniform(0.0, line.stall_max)
        if not in_order:
            network.counts["message reordered"] += 1
            return now + delay + rng.uniform(0.0, 0.5)
        self._last = max(self._last + 1e-6, now + delay)
        return self._last

    def _carry(self, deliver: Callable[[], None], arrives: float) -> None:
        loop = self._stream.network.loop
        loop.after(arrives - loop.now, lambda: self._arrive(deliver), None)

    def _arrive(self, deliver: Callable[[], None]) -> None:
        if self._stream.network.is_cut(self._sender, self._receiver):
            self._stream.network.counts["message held by a partition"] += 1
            self._parked.append(deliver)
        else:
            self._receiver.call(deliver)

    def resume(self) -> None:
        """Deliver what a partition held."""
        parked, self._parked = self._parked, []
        for deliver in parked:
            self._receiver.call(deliver)


class Inbox:
    """What has arrived at one end, and how the stream ended there."""

    def __init__(self, loop: SimLoop) -> None:
        self._loop = loop
        self._messages: deque[Any] = deque()
        self._waiter: asyncio.Future[None] | None = None
        self.end: BaseException | None = None
        self.over = False

    def put(self, message: Any) -> None:
        if not self.over:
            self._messages.append(message)
            self._wake()

    def finish(self, error: BaseException | None = None) -> None:
        """Nothing more comes; a reader sees EOF or the error after what is there."""
        if not self.over:
            self.over, self.end = True, error
            self._wake()

    async def get(self) -> Any:
        while not self._messages and not self.over:
            self._waiter = self._loop.create_future()
            await self._waiter
        if self._messages:
            return self._messages.popleft()
        if self.end is not None:
            raise self.end
        return END

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


class Stream:
    """One open stream between two processes."""

    def __init__(
        self, network: Network, client: Process, server: Process, client_inbox: Inbox
    ) -> None:
        self.network = network
        self.client = client
        self.server = server
        self.up = Pipe(self, client, server)
        self.down = Pipe(self, server, client)
        self.client_inbox = client_inbox
        self.server_inbox = Inbox(network.loop)
        self.task: asyncio.Task[None] | None = None
        network.streams.append(self)

    def accept(self, handler: Handler) -> None:
        """Begin to serve, in the server's process."""
        if self in self.network.streams:
            self.task = self.server.start(self._serve(handler))

    async def _serve(self, handler: Handler) -> None:
        error: BaseException | None = None
        try:
            await handler(self)
        except grpc.aio.AbortError as aborted:
            error = error_of(*aborted.args)
        except asyncio.CancelledError:
            error = error_of(grpc.StatusCode.CANCELLED, "the stream was cancelled")
        except Exception as failure:  # noqa: BLE001  gRPC tells the client the same
            self.network.loop.failures.append(failure)
            error = error_of(grpc.StatusCode.UNKNOWN, "the handler failed")
        self.down.send(lambda: self.client_inbox.finish(error), exempt=True)
        self.close()

    def cancel_by_client(self) -> None:
        """The client gives the stream up; the server's end is told unless the line is cut."""
        self.up.send(self._cancel_task, exempt=True)

    def _cancel_task(self) -> None:
        self.server_inbox.finish()
        if self.task is not None:
            self.task.cancel()
        self.close()

    def break_off(self, gone: Process, *, silently: bool) -> None:
        """One end is gone: the other hears of it soon, or at the end of its patience."""
        network = self.network
        wait = KEEPALIVE_S if silently else network.rng.uniform(0.0005, 0.02)
        network.counts["half-open stream" if silently else "stream broken"] += 1
        if gone is self.client:
            network.notice_later(wait, self._cancel_task, self.server)
        else:
            error = error_of(grpc.StatusCode.UNAVAILABLE, "the connection was lost")
            network.notice_later(wait, lambda: self.client_inbox.finish(error), self.client)
        self.close()

    def reset(self) -> None:
        """Break the connection between two ends that live."""
        self.network.counts["stream reset"] += 1
        error = error_of(grpc.StatusCode.UNAVAILABLE, "connection reset")
        self.network.loop.after(0.001, lambda: self.client_inbox.finish(error), self.client)
        self.network.loop.after(0.001, self._cancel_task, self.server)

    def resume(self) -> None:
        self.up.resume()
        self.down.resume()

    def close(self) -> None:
        if self in self.network.streams:
            self.network.streams.remove(self)


def error_of(
    code: grpc.StatusCode, details: str, trailing: tuple[tuple[str, str], ...] = ()
) -> grpc.aio.AioRpcError:
    """What a client's end of a stream raises."""
    initial, last = grpc.aio.Metadata(), grpc.aio.Metadata(*trailing)
    return grpc.aio.AioRpcError(code, initial, last, details=details, debug_error_string=None)
