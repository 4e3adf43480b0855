"""Tasks: how both processes start, watch and end what runs at the same time.

Two kinds. A `Supervisor` runs what the process cannot live without: the first that fails ends all,
and its error comes out of the block. `Jobs` runs short work beside it: a failure is logged and the
process goes on. The one rule: no task is started anywhere else, so none is lost and none fails in
silence. This module must not know what the tasks do.
"""

import asyncio
import logging
import signal
from collections.abc import Coroutine
from types import TracebackType
from typing import Any, Final, Self

_LOG = logging.getLogger(__name__)

STOP_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)
JOBS_MAX: Final = 4_096
"""So many jobs at a time; the sidecar bounds its calls below this."""


class Supervisor:
    """A block of tasks that live and die together.

    The body starts them, awaits `stopped()`, and calls `cancel_all()` at the end of its orderly
    shutdown. When a task fails, the others are cancelled and the block raises an ExceptionGroup.
    """

    def __init__(self) -> None:
        self._group = asyncio.TaskGroup()
        self._tasks: list[asyncio.Task[Any]] = []
        self._stopping = asyncio.Event()

    async def __aenter__(self) -> Self:
        await self._group.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._group.__aexit__(kind, error, trace)

    def start(self, name: str, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Run `work` for as long as the process lives; its failure ends the block."""
        task = self._group.create_task(work, name=name)
        self._tasks.append(task)
        return task

    async def cancel_all(self) -> None:
        """End every task, the youngest first, and wait for each."""
        for task in reversed(self._tasks):
            task.cancel()
            await asyncio.wait([task])

    def stop(self) -> None:
        """Ask the process to end; `stopped` returns."""
        self._stopping.set()

    async def stopped(self) -> None:
        """Wait until the process is asked to end."""
        await self._stopping.wait()

    def stop_on_signals(self) -> None:
        """Let SIGTERM and SIGINT call `stop`. Only in the main thread."""
        loop = asyncio.get_running_loop()
        for number in STOP_SIGNALS:
            loop.add_signal_handler(number, self.stop)


class Jobs:
    """Short work that nobody waits for; bounded, and awaited at the end of the process."""

    def __init__(self, *, jobs_max: int = JOBS_MAX) -> None:
        self._jobs: set[asyncio.Task[Any]] = set()
        self._jobs_max = jobs_max

    def __len__(self) -> int:
        return len(self._jobs)

    def start(self, name: str, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Run `work` beside everything else. Raises RuntimeError beyond `jobs_max`."""
        if len(self._jobs) >= self._jobs_max:
            work.close()
            raise RuntimeError(f"{name}: {self._jobs_max} jobs run already")
        task = asyncio.create_task(work, name=name)
        self._jobs.add(task)
        task.add_done_callback(self._ended)
        return task

    async def finish(self, *, grace_s: float) -> int:
        """Wait for all jobs, cancel those that last longer than `grace_s`; returns how many."""
        late: set[asyncio.Task[Any]] = set()
        if self._jobs:
            _, late = await asyncio.wait(set(self._jobs), timeout=grace_s)
        for task in late:
            task.cancel()
        if late:
            await asyncio.wait(late)
        return len(late)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._jobs.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _LOG.error("%s failed: %s", task.get_name(), error, exc_info=error)


async def first_of(*works: Coroutine[Any, Any, Any]) -> None:
    """Run works side by side until the first ends; end the others, and raise what it raised."""
    tasks = [asyncio.create_task(work) for work in works]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        ended = [task for task in tasks if task.done()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    for task in ended:
        task.result()


class Beside:
    """Work for connections: as many tasks as there are connections, each of which bounds itself."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()

    def start(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Run `work`, which handles its own failures."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def finish(self, *, grace_s: float) -> None:
        """Wait for all tasks, and cancel those that last longer than `grace_s`."""
        if not self._tasks:
            return
        _, late = await asyncio.wait(set(self._tasks), timeout=grace_s)
        for task in late:
            task.cancel()
        if late:
            await asyncio.wait(late)
