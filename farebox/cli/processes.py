"""Child processes: start, wait until ready, kill, start again on the same ports, end.

The one rule: whatever is started here is ended here, by its own id and on every way out, and no
wait is without a bound. This module must not know what the children do.
"""

import asyncio
import json
import signal
import sys
from collections.abc import Coroutine, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from farebox.core.instant import BootMs
from farebox.runtime.clock import SystemClock

START_S_MAX: Final = 30
STOP_GRACE_S_MAX: Final = 15
KILL_S_MAX: Final = 5
TAIL_LINES_MAX: Final = 12
TAIL_CHARS_MAX: Final = 2_000
_POLL_S: Final = 0.02
_WATCH_S: Final = 0.2
_END_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class ChildError(Exception):
    """A child did not do what it should; the text names it and quotes the end of its log."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Port:
    """A port that a program listens on: the flag that sets it and the ready file's name for it.

    `shape` is the flag's value with "{}" for the number; `first` is asked for at the first start
    (0: any), and whatever was got then is asked for at every later one.
    """

    flag: str
    fact: str
    shape: str = "127.0.0.1:{}"
    first: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """A Python module to run. It must take `--ready-file FILE` and write its ports there."""

    name: str
    module: str
    arguments: tuple[str, ...] = ()
    ports: tuple[Port, ...] = ()
    environment: Mapping[str, str] | None = field(default=None)


class Child:
    """One program as a process, possibly several times over."""

    def __init__(self, program: Program, folder: Path) -> None:
        self.program = program
        self.log = folder / f"{program.name}.log"
        self.facts: Mapping[str, Any] = {}
        self._ready = folder / f"{program.name}.ready"
        self._process: asyncio.subprocess.Process | None = None

    @property
    def name(self) -> str:
        return self.program.name

    @property
    def pid(self) -> int:
        """The process id, 0 when it does not run."""
        return self._process.pid if self._process is not None else 0

    @property
    def died(self) -> bool:
        """Whether the process has ended though nobody asked it to."""
        return self._process is not None and self._process.returncode is not None

    async def start(self) -> Mapping[str, Any]:
        """Start the process and wait until it says that it serves; returns what it says.

        Raises ChildError when it ends first or is not ready within `START_S_MAX`.
        """
        self._ready.unlink(missing_ok=True)
        with self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                *("-m", self.program.module, *self._arguments()),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                # Ctrl-C in a terminal reaches the command line only, which ends its children.
                process_group=0,
                env=self.program.environment,
            )
        try:
            async with asyncio.timeout(START_S_MAX):
                self.facts = await self._until_ready()
        except TimeoutError:
            raise self.error(f"was not ready within {START_S_MAX} s") from None
        return self.facts

    async def kill(self) -> None:
        """End the process with SIGKILL, as a crash would."""
        process, self._process = self._process, None
        if process is not None:
            await _end(process, signal.SIGKILL, KILL_S_MAX)

    async def stop(self) -> None:
        """End the process with SIGTERM, and with SIGKILL when its grace is over."""
        process, self._process = self._process, None
        if process is None:
            return
        try:
            await _end(process, signal.SIGTERM, STOP_GRACE_S_MAX)
        finally:
            # Also when this command itself is told to end while it waits.
            await _end(process, signal.SIGKILL, KILL_S_MAX)

    def error(self, what: str) -> ChildError:
        """An error that names this child and quotes the end of its log."""
        tail = tail_of(self.log)
        quoted = f"\n--- the end of {self.log} ---\n{tail}" if tail else f" ({self.log} is empty)"
        return ChildError(f"{self.name} {what}.{quoted}")

    def error_of_death(self) -> ChildError:
        """The error for a process that ended by itself."""
        code = self._process.returncode if self._process is not None else None
        return self.error(f"ended by itself with status {code}")

    def _arguments(self) -> list[str]:
        words = list(self.program.arguments)
        for port in self.program.ports:
            words += [port.flag, port.shape.format(self.facts.get(port.fact, port.first))]
        return [*words, "--ready-file", str(self._ready)]

    async def _until_ready(self) -> Mapping[str, Any]:
        while not self._ready.exists():
            if self.died:
                raise self.error_of_death()
            await asyncio.sleep(_POLL_S)
        facts = json.loads(self._ready.read_text())
        assert isinstance(facts, dict)
        return facts


async def _end(
    process: asyncio.subprocess.Process, number: signal.Signals, seconds_max: int
) -> None:
    """Send a signal and wait for the end, within a bound."""
    with suppress(ProcessLookupError):
        process.send_signal(number)
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds_max):
            await process.wait()


class Children:
    """All children of one command, ended in reverse order when the block is left."""

    def __init__(self, folder: Path) -> None:
        """`folder` gets a log and a ready file for each child; it is made when it is missing."""
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self._children: list[Child] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        while self._children:
            await self._children.pop().stop()

    async def start(self, program: Program) -> Child:
        """Start a program as a child of this block. Raises ChildError."""
        child = Child(program, self.folder)
        self._children.append(child)
        await child.start()
        return child

    def check(self) -> None:
        """Raise ChildError when a child has ended by itself."""
        for child in self._children:
            if child.died:
                raise child.error_of_death()

    async def watch(self) -> None:
        """Wait for ever; raises ChildError when a child ends by itself."""
        while True:
            self.check()
            await asyncio.sleep(_WATCH_S)


def tail_of(path: Path) -> str:
    """The last lines of a log file, "" when there is none."""
    try:
        with path.open("rb") as log:
            log.seek(max(0, path.stat().st_size - TAIL_CHARS_MAX))
            text = log.read().decode(errors="replace")
    except FileNotFoundError:
        return ""
    return "\n".join(text.strip().splitlines()[-TAIL_LINES_MAX:])


def run(work: Coroutine[Any, Any, int]) -> int:
    """Run a command to its exit status; SIGINT, SIGTERM and SIGHUP end it in good order.

    Also where they were ignored at the start, as SIGINT is in what a script runs beside itself.
    """
    ended_by = [signal.SIGTERM]

    async def watched() -> int:
        task = asyncio.current_task()
        assert task is not None

        def end(number: signal.Signals) -> None:
            ended_by.insert(0, number)
            task.cancel()

        for number in _END_SIGNALS:
            asyncio.get_running_loop().add_signal_handler(number, end, number)
        return await work

    try:
        return asyncio.run(watched())
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    except asyncio.CancelledError:
        return 128 + ended_by[0]


def elapsed_ms(since: BootMs) -> int:
    """Milliseconds since an earlier reading of the boot clock."""
    return now() - since


def now() -> BootMs:
    """The boot clock of this machine: how long things take, nothing else."""
    return SystemClock().boot()
