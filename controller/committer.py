"""The one writer: takes events, decides them, commits, and only then lets anything out.

Events gather while a commit is under way, so that one commit serves many holders. The one rule:
nothing is sent before its commit has returned, nor by a controller that may have been deposed, and
a commit that fails ends all; the ledger is then read anew by whoever leads next. This module must
not know what an event means.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from controller.engine import Engine
from controller.events import Event, Send, Step, StreamClosed, StreamId, Tick
from controller.store.protocol import Fenced, Store, Write
from controller.telemetry import Telemetry
from farebox.runtime.clock import Clock

_LOG = logging.getLogger(__name__)

EVENTS_WAITING_MAX: Final = 4_096
"""Streams that bring more are read no further until some are done."""

BATCH_EVENTS_MAX: Final = 126
BATCH_WAIT_MS: Final = 2
"""How long the first event of a batch waits for others."""

COMMIT_WRITES_MAX: Final = 124
"""A commit ends before the step that would make it larger: one transaction of etcd, mostly."""

TICK_MS: Final = 100

Deliver = Callable[[Send], None]
EndStream = Callable[[StreamId], None]


class Committer:
    """The loop around an engine and its store.

    `may_speak` says whether no other controller can lead yet.
    """

    def __init__(
        self,
        engine: Engine,
        store: Store,
        clock: Clock,
        telemetry: Telemetry,
        *,
        may_speak: Callable[[], bool] = lambda: True,
    ) -> None:
        self.may_speak = may_speak
        self._engine = engine
        self._store = store
        self._clock = clock
        self._telemetry = telemetry
        self._events: asyncio.Queue[Event] = asyncio.Queue()
        self._room = asyncio.Semaphore(EVENTS_WAITING_MAX)
        self._closed = False

    def close(self) -> None:
        """Decide nothing any more; what is submitted from now on is dropped."""
        self._closed = True
        self._room.release()

    async def submit(self, event: Event) -> None:
        """Have an event decided; waits while too many wait already."""
        await self._room.acquire()
        if self._closed:
            self._room.release()  # for the next who waits
            return
        self._events.put_nowait(event)

    def submit_end(self, event: StreamClosed) -> None:
        """Have the end of a stream decided. Never waits: there is one for each stream at most."""
        self._events.put_nowait(event)

    async def run(self, *, deliver: Deliver, end_stream: EndStream) -> None:
        """Work for ever. `deliver` must not block.

        Raises StoreError when a commit fails, Fenced when another controller may lead by now.
        """
        while True:
            steps: list[Step] = []
            writes = 0
            for event in await self._gather():
                step = self._step(event)
                if steps and writes + len(step.writes) > COMMIT_WRITES_MAX:
                    await self._finish(steps, deliver, end_stream)
                    steps, writes = [], 0
                steps.append(step)
                writes += len(step.writes)
            await self._finish(steps, deliver, end_stream)

    async def tick(self) -> None:
        """Tell the engine for ever that time passes."""
        while True:
            await asyncio.sleep(TICK_MS / 1000)
            await self.submit(Tick())

    async def _gather(self) -> list[Event]:
        """The next events, in their order: one, and what comes within BATCH_WAIT_MS."""
        events = [await self._events.get()]
        if not isinstance(events[0], Tick):
            await asyncio.sleep(BATCH_WAIT_MS / 1000)
        while len(events) < BATCH_EVENTS_MAX and not self._events.empty():
            events.append(self._events.get_nowait())
        for event in events:
            if not isinstance(event, StreamClosed):
                self._room.release()
        return events

    def _step(self, event: Event) -> Step:
        step = self._engine.step(event, self._clock.utc())
        for warning in step.warnings:
            _LOG.warning("%s", warning)
        return step

    async def _finish(self, steps: list[Step], deliver: Deliver, end_stream: EndStream) -> None:
        """Commit what the steps write; then let out what they send."""
        await self._commit([write for step in steps for write in step.writes])
        if not self.may_speak():
            raise Fenced("this controller could not show in time that it still leads")
        for step in steps:
            for send in step.sends:
                deliver(send)
            for stream in step.ended:
                end_stream(stream)
            self._telemetry.count(step)

    async def _commit(self, writes: list[Write]) -> None:
        if not writes:
            return
        started = self._clock.boot()
        await self._store.commit(writes)
        self._telemetry.count_commit(writes=len(writes), took_ms=self._clock.boot() - started)
