"""Virtual time: an event loop without any I/O, and the processes that run on it.

Each callback belongs to the process whose context it was scheduled in, so a process can be stopped
(its callbacks wait while time passes), suspended with its machine, or killed (its callbacks never
run again). The one rule: what happens depends on the seed alone, never on the real clock, on memory
addresses or on the order of a set. This module must not know the product.
"""

import asyncio
import heapq
import itertools
from collections import deque
from collections.abc import Callable, Coroutine
from contextvars import Context, ContextVar, copy_context
from typing import Any, Final, TypeVar, cast

from tests.simulation.hosts import Host

_T = TypeVar("_T")

CURRENT: Final[ContextVar["Process | None"]] = ContextVar("process", default=None)
"""The simulated process that runs now; None for the simulation itself."""

CALLBACKS_MAX: Final = 400_000
"""A run that needs more is taken to be in a loop without end."""


_ALWAYS_DUE: Final = float("-inf")


class Stuck(Exception):
    """Callbacks go on and on while time stands still."""


class Killed(BaseException):
    """Ends the callback in which a process dies. Nothing of the process runs afterwards."""


class Handle:
    """One callback to come. asyncio only cancels it and asks whether it was."""

    __slots__ = ("args", "callback", "context", "due", "process")

    def __init__(
        self,
        callback: Callable[..., object] | None,
        args: tuple[Any, ...],
        context: Context,
        process: "Process | None",
        due: float,
    ) -> None:
        """`due` is on the clock of the process's machine, or global without a process."""
        self.callback = callback
        self.args = args
        self.context = context
        self.process = process
        self.due = due

    def cancel(self) -> None:
        self.callback, self.args = None, ()

    def cancelled(self) -> bool:
        return self.callback is None

    def when(self) -> float:
        return self.due


class SimTask(asyncio.Task[Any]):
    """A task with a hash of its own: sets of tasks must not be ordered by memory addresses."""

    _numbers = itertools.count(1)

    def __init__(self, coro: Coroutine[Any, Any, Any], **named: Any) -> None:
        self._number = next(SimTask._numbers)
        super().__init__(coro, **named)

    def __hash__(self) -> int:
        return self._number

    def __eq__(self, other: object) -> bool:
        return self is other


class Process:
    """One operating-system process: it can be stopped, continued and killed."""

    def __init__(self, name: str, host: Host, loop: "SimLoop") -> None:
        self.name = name
        self.host = host
        self.alive = True
        self.stopped = False
        self.ran: Callable[[], None] | None = None
        self.at_death: list[Callable[[], None]] = []
        self._loop = loop
        self._held: list[Handle] = []
        self._tasks: list[asyncio.Task[Any]] = []
        self.context = Context()
        self.context.run(CURRENT.set, self)

    def start(self, work: Coroutine[Any, Any, _T]) -> "asyncio.Task[_T]":
        """Run a coroutine in this process."""
        task = self._loop.create_task(work, context=self.context.copy())
        task.add_done_callback(self._ended, context=self.context)
        return task

    def _ended(self, task: "asyncio.Task[Any]") -> None:
        """What a process starts must not fail: whatever it is, it is a fault of somebody."""
        if not task.cancelled() and (error := task.exception()) is not None:
            self._loop.failures.append(error)

    def call(self, callback: Callable[..., object], *args: object) -> None:
        """Have a callback run in this process as soon as it may run at all."""
        self._loop.call_soon(callback, *args, context=self.context)

    def keep(self, task: asyncio.Task[Any]) -> None:
        """Hold a task until the run is over, so that none of a killed process is ever collected.

        Collecting one would run its `finally` blocks, which a kill does not.
        """
        self._tasks.append(task)

    def hold_back(self, handle: Handle) -> None:
        """Keep a callback until the process goes on."""
        if self.alive:
            self._held.append(handle)

    def stop(self) -> None:
        """As SIGSTOP does."""
        self.stopped = True

    def go_on(self) -> None:
        """As SIGCONT does."""
        self.stopped = False
        self._loop.make_ready(self._held)
        self._held = []

    def kill(self) -> None:
        """As SIGKILL does; the kernel then closes what the process had open."""
        if not self.alive:
            return
        self.alive = False
        self._held.clear()
        for work in self.at_death:
            work()

    def bury(self) -> list[asyncio.Task[Any]]:
        """Hand over the tasks at the end of a run."""
        tasks, self._tasks = self._tasks, []
        return tasks


class SimLoop:
    """Runs callbacks in the order of virtual time. `now` is the true time in seconds."""

    def __init__(self) -> None:
        self.now = 0.0
        self.failures: list[BaseException] = []
        self.callbacks = 0
        self._ready: deque[Handle] = deque()
        self._timers: list[tuple[float, int, Handle]] = []
        self._order = itertools.count()
        # This loop as asyncio names it; what is not written below, nobody here asks for.
        self._named = cast("asyncio.AbstractEventLoop", self)
        self._no_process = Context()

    # What asyncio asks of a loop.

    def time(self) -> float:
        process = CURRENT.get()
        return self.now if process is None else process.host.monotonic(self.now)

    def call_soon(
        self, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> Handle:
        context = copy_context() if context is None else context
        handle = Handle(callback, args, context, context.get(CURRENT), 0.0)
        self._ready.append(handle)
        return handle

    def call_later(
        self,
        delay: float,
        callback: Callable[..., object],
        *args: Any,
        context: Context | None = None,
    ) -> Handle:
        return self.call_at(self.time() + delay, callback, *args, context=context)

    def call_at(
        self,
        when: float,
        callback: Callable[..., object],
        *args: Any,
        context: Context | None = None,
    ) -> Handle:
        context = copy_context() if context is None else context
        handle = Handle(callback, args, context, context.get(CURRENT), when)
        self._push(handle)
        return handle

    def create_future(self) -> "asyncio.Future[Any]":
        return asyncio.Future(loop=self._named)

    def create_task(
        self,
        coro: Coroutine[Any, Any, _T],
        *,
        name: str | None = None,
        context: Context | None = None,
    ) -> "asyncio.Task[_T]":
        context = copy_context() if context is None else context
        task = SimTask(coro, loop=self._named, name=name, context=context)
        process = context.get(CURRENT)
        if process is not None:
            process.keep(task)
        return task

    get_debug = staticmethod(bool)
    """No, without a word of Python: every future that is made asks."""

    def is_running(self) -> bool:
        return True

    def is_closed(self) -> bool:
        return False

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """A failure that nobody awaits. What is only collected late says nothing."""

    def default_exception_handler(self, context: dict[str, Any]) -> None:
        """As above."""

    def add_signal_handler(self, sig: int, callback: Callable[..., object], *args: Any) -> None:
        """Nobody sends signals here."""

    def run_in_executor(
        self, executor: object, func: Callable[..., _T], *args: Any
    ) -> "asyncio.Future[_T]":
        future: asyncio.Future[_T] = self.create_future()
        try:
            future.set_result(func(*args))
        except Exception as error:  # noqa: BLE001  the awaiting side raises it
            future.set_exception(error)
        return future

    # What the simulation asks of it.

    def run_until(self, end: float) -> None:
        """Let time pass until `end`, whatever waits then. Raises Stuck."""
        asyncio._set_running_loop(self._named)
        try:
            self._work(end)
        finally:
            asyncio._set_running_loop(None)

    def after(self, delay: float, callback: Callable[[], object], process: Process | None) -> None:
        """Have a callback run in a process (None: outside all) after a true delay."""
        context = self._no_process if process is None else process.context
        # True time is due on every machine, also on one that sleeps.
        handle = Handle(callback, (), context, process, _ALWAYS_DUE)
        heapq.heappush(self._timers, (self.now + delay, next(self._order), handle))

    def make_ready(self, handles: list[Handle]) -> None:
        """Put callbacks back in line."""
        self._ready.extend(handles)

    def _push(self, handle: Handle) -> None:
        process = handle.process
        due = handle.due if process is None else process.host.true_time(handle.due, self.now)
        heapq.heappush(self._timers, (max(due, self.now), next(self._order), handle))

    def _work(self, end: float) -> None:
        timers, ready = self._timers, self._ready
        while True:
            if ready:
                self._run_ready()
            if not timers or timers[0][0] > end:
                self.now = end
                return
            at, _, handle = heapq.heappop(timers)
            if handle.callback is None:
                continue
            self.now, process = at, handle.process
            if process is not None and not process.host.is_due(handle.due, at):
                # The machine slept meanwhile, so its timers stood still.
                self._push(handle)
            else:
                ready.append(handle)

    def _run_ready(self) -> None:
        ready = self._ready
        while ready:
            handle = ready.popleft()
            callback, process = handle.callback, handle.process
            if callback is None:
                continue
            if process is None:
                handle.context.run(callback, *handle.args)
            elif process.stopped:
                process.hold_back(handle)
            elif process.alive:
                self._run(process, handle.context, callback, handle.args)

    def _run(
        self,
        process: Process,
        context: Context,
        callback: Callable[..., object],
        args: tuple[Any, ...],
    ) -> None:
        try:
            context.run(callback, *args)
        except Killed:
            return
        except Exception as error:  # noqa: BLE001  judged by whoever runs the simulation
            self.failures.append(error)
        if self.failures:
            raise self.failures[0]
        self.callbacks += 1
        if self.callbacks > CALLBACKS_MAX:
            raise Stuck(f"{CALLBACKS_MAX} callbacks by {self.now:.3f} s")
        if process.ran is not None and process.alive:
            process.ran()
