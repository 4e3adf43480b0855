"""Child processes of the benchmark: start, talk to, stop by pid; CPU time and memory of a tree.

The one rule: whatever is started here is ended here, on errors too, and every wait has a bound.
It must not know what the processes do.
"""

import os
import select
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

REPOSITORY = Path(__file__).parent.parent
START_SECONDS_MAX = 20.0
STOP_SECONDS_MAX = 5.0
LINE_BYTES_MAX = 1 << 16
ERROR_CHARACTERS_MAX = 2000
_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


class BenchError(Exception):
    """The benchmark can't go on; the message is a sentence that says what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stat:
    """The fields of /proc/PID/stat that matter here.

    `cpu_ticks` is user plus system time of the process and of its children that it has waited
    for, in clock ticks (fields 14 to 17 of proc_pid_stat(5)).
    """

    pid: int
    parent_pid: int
    cpu_ticks: int


class Child:
    """A started process that speaks in lines on its stdout."""

    def __init__(self, name: str, process: subprocess.Popen[bytes], errors: IO[bytes]) -> None:
        self.name = name
        self.pid = process.pid
        self._process = process
        self._errors = errors
        self._buffer = bytearray()

    def ask(self, line: str, *, seconds_max: float) -> str:
        """Send one line and return the line that answers it. Raises BenchError."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(line.encode() + b"\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise self.error("has ended") from None
        return self.read_line(seconds_max=seconds_max)

    def read_line(self, *, seconds_max: float = START_SECONDS_MAX) -> str:
        """Return the next line of stdout. Raises BenchError when none comes in time."""
        assert self._process.stdout is not None
        descriptor = self._process.stdout.fileno()
        deadline = time.monotonic() + seconds_max
        while b"\n" not in self._buffer:
            if len(self._buffer) > LINE_BYTES_MAX:
                raise self.error(f"wrote a line of more than {LINE_BYTES_MAX} bytes")
            seconds_left = max(0.0, deadline - time.monotonic())
            if not select.select([descriptor], [], [], seconds_left)[0]:
                raise self.error(f"did not answer within {seconds_max:g} s")
            data = os.read(descriptor, 4096)
            if not data:
                raise self.error("ended without an answer")
            self._buffer += data
        line, _, rest = self._buffer.partition(b"\n")
        self._buffer = bytearray(rest)
        return line.decode()

    def has_ended(self) -> bool:
        """Say whether the process is gone."""
        return self._process.poll() is not None

    def error(self, what: str) -> BenchError:
        """Return an error that names this process and quotes the end of its stderr."""
        self._errors.seek(0)
        tail = self._errors.read().decode(errors="replace")[-ERROR_CHARACTERS_MAX:].strip()
        return BenchError(f"{self.name} {what}" + (f"; its last words:\n{tail}" if tail else ""))

    def stop(self) -> None:
        """End the process: stdin closes, then TERM, then KILL. Safe to call twice."""
        if self._process.stdin is not None:
            # An ended process can't read what was left unsent, and need not.
            with suppress(BrokenPipeError):
                self._process.stdin.close()
        for end in (self._process.terminate, self._process.kill):
            end()
            try:
                self._process.wait(STOP_SECONDS_MAX)
                break
            except subprocess.TimeoutExpired:
                continue
        if self._process.stdout is not None:
            self._process.stdout.close()


@contextmanager
def started(name: str, argv: list[str]) -> Iterator[Child]:
    """Run a command from the repository's root for the length of the `with` block."""
    with tempfile.TemporaryFile() as errors:
        pipe = subprocess.PIPE
        process = subprocess.Popen(argv, stdin=pipe, stdout=pipe, stderr=errors, cwd=REPOSITORY)
        child = Child(name, process, errors)
        try:
            yield child
        finally:
            child.stop()


@contextmanager
def started_module(module: str, *arguments: str) -> Iterator[Child]:
    """Run `python -m module` with this interpreter."""
    with started(module, [sys.executable, "-m", module, *arguments]) as child:
        yield child


def parse_stat(text: str) -> Stat:
    """Read one /proc/PID/stat. The command name may hold spaces and parentheses."""
    pid, _, rest = text.partition(" (")
    fields = rest.rpartition(") ")[2].split()
    return Stat(pid=int(pid), parent_pid=int(fields[1]), cpu_ticks=sum(map(int, fields[11:15])))


def tree(stats: Iterable[Stat], root_pids: Iterable[int]) -> list[Stat]:
    """Return the processes among `stats` that are one of the roots or descend from one."""
    children: dict[int, list[Stat]] = {}
    by_pid: dict[int, Stat] = {}
    for stat in stats:
        children.setdefault(stat.parent_pid, []).append(stat)
        by_pid[stat.pid] = stat
    found: dict[int, Stat] = {}
    waiting = [by_pid[pid] for pid in root_pids if pid in by_pid]
    while waiting:
        stat = waiting.pop()
        if stat.pid not in found:
            found[stat.pid] = stat
            waiting += children.get(stat.pid, [])
    return list(found.values())


def cpu_us(pids: tuple[int, ...]) -> int:
    """Return user plus system time of the trees below `pids`, in microseconds.

    The kernel tells it in clock ticks (usually 10 ms), so a difference is good to about one tick.
    Raises BenchError when one of the processes is gone, since its time would be lost.
    """
    stats = tree(_all_stats(), pids)
    _all_present(stats, pids)
    return sum(stat.cpu_ticks for stat in stats) * 1_000_000 // _TICKS_PER_SECOND


def resident_kib(pids: tuple[int, ...]) -> int:
    """Return the resident memory of the trees below `pids`, in KiB; shared pages count in each."""
    stats = tree(_all_stats(), pids)
    _all_present(stats, pids)
    return sum(_resident_kib(stat.pid) for stat in stats)


def parse_resident_kib(status: str) -> int:
    """Read VmRSS from the text of /proc/PID/status; 0 for a process that is ending."""
    for line in status.splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    return 0


def _resident_kib(pid: int) -> int:
    try:
        return parse_resident_kib(Path(f"/proc/{pid}/status").read_text())
    except (FileNotFoundError, ProcessLookupError):
        return 0  # It ended after it was listed.


def _all_present(stats: list[Stat], pids: tuple[int, ...]) -> None:
    gone = sorted(set(pids) - {stat.pid for stat in stats})
    if gone:
        message = f"process {gone[0]} under test has ended; run it by hand to see why"
        raise BenchError(message)


def _all_stats() -> Iterator[Stat]:
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                yield parse_stat((entry / "stat").read_text())
            except (FileNotFoundError, ProcessLookupError):
                continue  # It ended after it was listed.
