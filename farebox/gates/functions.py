"""Gates that are the user's own Python: each function lives in a process of its own.

A function is `module:function`, takes the answer and the `farebox.core.gates.Case`, and returns
True or False. Its process is started when it is first needed, gets one JSON line for each question
and answers with one; when it is late, dies or says something else it is ended, and started anew for
the next question. It sees none of this process's environment but where Python finds its modules.
The one rule: whatever the function does, a verdict comes in bounded time. This module must not know
who asks.
"""

import asyncio
import json
import os
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Mapping
from typing import Final

from farebox.core.gates import Case, Gate, Verdict

ANSWER_MS_MAX: Final = 5_000
"""A function that takes longer has not run."""

START_MS_MAX: Final = 20_000
"""A process may take so long until its module is imported."""

FUNCTIONS_MAX: Final = 16
"""Processes at a time, one for each function; the one not asked for longest makes room."""

QUESTION_CHARS_MAX: Final = 1 << 20
REPLY_BYTES_MAX: Final = 4_096

_PASSED_ON: Final = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "VIRTUAL_ENV", "SYSTEMROOT")
"""The variables that a function sees: keys of providers are none of its business."""


class FaultError(Exception):
    """The function gave no verdict; the text says how, without what it was asked."""


class Functions:
    """All functions in use. Lives on one event loop; `close` ends their processes."""

    def __init__(
        self, *, answer_ms_max: int = ANSWER_MS_MAX, start_ms_max: int = START_MS_MAX
    ) -> None:
        self._answer_s_max = answer_ms_max / 1000
        self._start_s_max = start_ms_max / 1000
        self._workers: dict[str, _Worker] = {}

    async def judge(self, gate: Gate, answer: str, case: Case) -> Verdict:
        """Ask a gate's function about an answer. May be cancelled at any time."""
        try:
            passed = await self._ask(gate.function, _question(answer, case))
        except FaultError as fault:
            return Verdict(gate.name, passed=False, why=f"the function {fault}", ran=False)
        return Verdict(gate.name, passed=passed, why="" if passed else "the function says no")

    async def close(self) -> None:
        """End all processes."""
        workers, self._workers = self._workers, {}
        for worker in workers.values():
            await worker.end()

    async def _ask(self, function: str, question: bytes) -> bool:
        worker = self._workers.pop(function, None)
        leaving = None
        if worker is None:
            leaving = self._in_the_way()
            worker = _Worker(
                function, answer_s_max=self._answer_s_max, start_s_max=self._start_s_max
            )
        self._workers[function] = worker
        try:
            # Nothing is awaited before this, so that no other question can end an idle worker
            # that is about to be asked.
            async with asyncio.timeout(self._start_s_max + self._answer_s_max):
                return _verdict(await worker.ask(question))
        except TimeoutError:
            raise FaultError("gave no verdict in time") from None
        finally:
            if leaving is not None:
                await leaving.end()

    def _in_the_way(self) -> "_Worker | None":
        """The process that was not asked for longest, when there are as many as may be."""
        if len(self._workers) < FUNCTIONS_MAX:
            return None
        idle = next((name for name, one in self._workers.items() if not one.is_busy), None)
        if idle is None:
            raise FaultError(f"is one too many: {FUNCTIONS_MAX} are being asked")
        return self._workers.pop(idle)


class _Worker:
    """One function's process: asked one question at a time, in their order."""

    def __init__(self, function: str, *, answer_s_max: float, start_s_max: float) -> None:
        self._function = function
        self._answer_s_max = answer_s_max
        self._start_s_max = start_s_max
        self._process: Process | None = None
        self._turn = asyncio.Lock()

    @property
    def is_busy(self) -> bool:
        """Whether it is being asked."""
        return self._turn.locked()

    async def ask(self, question: bytes) -> bytes:
        """The line that answers a question. Raises FaultError, TimeoutError."""
        async with self._turn:
            try:
                if self._process is None:
                    async with asyncio.timeout(self._start_s_max):
                        self._process = await _started(self._function)
                        await _line_from(self._process)
                async with asyncio.timeout(self._answer_s_max):
                    return await _exchange(self._process, question)
            except BaseException:
                # Whatever it was, also a cancellation: an answer that comes later is not to be
                # taken for that to the next question.
                await asyncio.shield(self.end())
                raise

    async def end(self) -> None:
        """End the process and wait until it is gone."""
        process, self._process = self._process, None
        if process is None:
            return
        if process.returncode is None:
            process.kill()
        assert process.stdin is not None
        process.stdin.close()
        await process.wait()


async def _exchange(process: Process, question: bytes) -> bytes:
    assert process.stdin is not None
    try:
        process.stdin.write(question)
        await process.stdin.drain()
    except OSError as error:
        raise FaultError("ended its process") from error
    return await _line_from(process)


async def _line_from(process: Process) -> bytes:
    assert process.stdout is not None
    try:
        line = await process.stdout.readline()
    except ValueError as error:
        # The line is longer than REPLY_BYTES_MAX.
        raise FaultError("gave no verdict") from error
    if not line.endswith(b"\n"):
        raise FaultError("ended its process")
    return line


async def _started(function: str) -> Process:
    try:
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "farebox.gates.worker", function),
            stdin=PIPE,
            stdout=PIPE,
            stderr=DEVNULL,
            env=_environment(os.environ),
            limit=REPLY_BYTES_MAX,
        )
    except OSError as error:
        raise FaultError("could not be started") from error


def _environment(ours: Mapping[str, str]) -> dict[str, str]:
    kept = {name: ours[name] for name in _PASSED_ON if name in ours}
    return {**kept, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}


def _question(answer: str, case: Case) -> bytes:
    question = {"answer": answer, "case": case._asdict()}
    if len(answer) + sum(len(part or "") for part in case) > QUESTION_CHARS_MAX:
        raise FaultError(f"takes no more than {QUESTION_CHARS_MAX} characters")
    return json.dumps(question).encode() + b"\n"


def _verdict(reply: bytes) -> bool:
    try:
        said = json.loads(reply)
    except ValueError:
        raise FaultError("gave no verdict") from None
    if isinstance(said, dict):
        if isinstance(said.get("passed"), bool):
            return bool(said["passed"])
        if isinstance(fault := said.get("fault"), str) and fault.isprintable():
            raise FaultError(fault[:REPLY_BYTES_MAX])
    raise FaultError("gave no verdict")
