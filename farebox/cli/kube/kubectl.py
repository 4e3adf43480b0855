"""kubectl as a child process: JSON from it, lines of a log, a port of a pod.

The one rule: every call has a bound in time and in bytes, and its failure is one sentence with what
kubectl said. This module must not know what is asked for.
"""

import asyncio
import json
import re
import shutil
import tempfile
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import IO, Any, Final

from farebox.cli.admin import AdminError

PROGRAM: Final = "kubectl"
ANSWER_S_MAX: Final = 30
FORWARD_S_MAX: Final = 15
END_S_MAX: Final = 5
ANSWER_BYTES_MAX: Final = 256 * 1024 * 1024
COMPLAINT_CHARS_MAX: Final = 600
_PIECE_BYTES: Final = 1 << 16
_FORWARDING: Final = re.compile(rb"^Forwarding from 127\.0\.0\.1:(\d+) -> ")


class KubectlError(AdminError):
    """kubectl could not do what it was asked to; the text is what a person needs to know."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kubectl:
    """The user's kubectl. `options` go with every call, such as --context NAME."""

    options: Sequence[str] = ()
    program: str = PROGRAM

    async def json(self, *words: str) -> Any:
        """What it prints with -o json. Raises KubectlError."""
        told = await self.output(*words, "--output=json")
        if not told.strip():
            return None
        try:
            return json.loads(told)
        except ValueError as error:
            raise KubectlError(f"kubectl {words[0]} printed no JSON: {error}.") from error

    async def output(self, *words: str) -> bytes:
        """What it prints. Raises KubectlError."""
        with tempfile.TemporaryFile() as complaint:
            process = await self._start(words, complaint)
            try:
                async with asyncio.timeout(ANSWER_S_MAX):
                    told = await _read(process, words[0])
                    status = await process.wait()
            except TimeoutError:
                raise KubectlError(
                    f"kubectl {words[0]} did not end within {ANSWER_S_MAX} s: does the cluster "
                    "answer? Try `kubectl version`."
                ) from None
            finally:
                await _end(process)
            if status:
                raise KubectlError(f"kubectl {words[0]} failed: {_said(complaint)}")
        return told

    @asynccontextmanager
    async def forward(self, namespace: str, pod: str, port: int) -> AsyncIterator[str]:
        """Reach a port of a pod's loopback; gives the URL here. Raises KubectlError."""
        words = ("port-forward", f"--namespace={namespace}", "--address=127.0.0.1", f"pod/{pod}")
        with tempfile.TemporaryFile() as complaint:
            process = await self._start((*words, f":{port}"), complaint)
            try:
                yield f"http://127.0.0.1:{await _local_port(process, complaint, pod, port)}"
            finally:
                await _end(process)

    async def _start(self, words: Sequence[str], complaint: IO[bytes]) -> Process:
        found = shutil.which(self.program)
        if found is None:
            raise KubectlError(f"There is no {self.program} on the PATH: install it first.")
        return await asyncio.create_subprocess_exec(
            found,
            *self.options,
            *words,
            stdin=DEVNULL,
            stdout=PIPE,
            stderr=complaint,
            # Ctrl-C reaches this program, which ends its child.
            process_group=0,
        )


async def _read(process: Process, verb: str) -> bytes:
    assert process.stdout is not None
    pieces: list[bytes] = []
    size = 0
    while piece := await process.stdout.read(_PIECE_BYTES):
        size += len(piece)
        if size > ANSWER_BYTES_MAX:
            raise KubectlError(
                f"kubectl {verb} printed more than {ANSWER_BYTES_MAX >> 20} MiB: ask for less, "
                "one namespace or one pod."
            )
        pieces.append(piece)
    return b"".join(pieces)


async def _local_port(process: Process, complaint: IO[bytes], pod: str, port: int) -> int:
    assert process.stdout is not None
    line = b""
    with suppress(TimeoutError):
        async with asyncio.timeout(FORWARD_S_MAX):
            line = await process.stdout.readline()
    if found := _FORWARDING.match(line):
        return int(found[1])
    await _end(process)
    raise KubectlError(
        f"Port {port} of pod {pod} can't be reached through kubectl port-forward: "
        f"{_said(complaint)} You need the right to create pods/portforward there."
    )


async def _end(process: Process) -> None:
    """End the child if it still runs."""
    for end in (process.terminate, process.kill):
        with suppress(ProcessLookupError, TimeoutError):
            if process.returncode is None:
                end()
            async with asyncio.timeout(END_S_MAX):
                await process.wait()


def _said(complaint: IO[bytes]) -> str:
    """What it wrote to standard error."""
    complaint.seek(0)
    told = " ".join(complaint.read(_PIECE_BYTES).decode(errors="replace").split())
    text = told[:COMPLAINT_CHARS_MAX] or "it said nothing"
    return text if text.endswith(".") else f"{text}."
