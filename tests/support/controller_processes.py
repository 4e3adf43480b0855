"""The controller as a process of its own, and its admin views."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import aiohttp

PATIENCE_S = 60.0
POLL_S = 0.02


class ControllerProcess:
    """`python -m controller` on a folder: `manifests`, a ledger, and a ready file in it."""

    def __init__(self, folder: Path, *flags: str) -> None:
        self.folder = folder
        self._flags = flags
        self._process: subprocess.Popen[bytes] | None = None
        self.ports: dict[str, int] = {}

    async def start(self) -> None:
        """Start it and wait until it serves."""
        ready = self.folder / "ready"
        self._process = self._spawn(ready)
        async with asyncio.timeout(PATIENCE_S):
            while not ready.exists():
                assert self._process.poll() is None, self.log()
                await asyncio.sleep(POLL_S)
        facts = json.loads(ready.read_text())
        assert facts.pop("pid") == self._process.pid
        self.ports = facts

    def _spawn(self, ready: Path) -> subprocess.Popen[bytes]:
        ready.unlink(missing_ok=True)
        with (self.folder / "log").open("ab") as log:
            return subprocess.Popen(self._command(ready), stderr=log, env=_environment())

    def _command(self, ready: Path) -> list[str]:
        return [
            *(sys.executable, "-m", "controller"),
            *("--manifests", str(self.folder / "manifests")),
            *("--state", str(self.folder / "ledger.sqlite")),
            *("--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"),
            *("--ready-file", str(ready), "--poll-ms", "20"),
            *self._flags,
        ]

    def kill(self) -> None:
        """End it at once, as the kernel does when memory runs out."""
        self._end(signal.SIGKILL)

    def end(self) -> int:
        """Ask it to end; returns its exit status."""
        return self._end(signal.SIGTERM)

    def _end(self, number: signal.Signals) -> int:
        assert self._process is not None
        self._process.send_signal(number)
        status = self._process.wait(PATIENCE_S)
        self._process = None
        return status

    def wait(self) -> int:
        """Wait until it ends by itself; returns its exit status."""
        assert self._process is not None
        return self._process.wait(PATIENCE_S)

    def close(self) -> None:
        """End it if it still runs."""
        if self._process is not None:
            self.kill()

    def log(self) -> str:
        """What it has logged."""
        return (self.folder / "log").read_text()

    async def view(self, path: str) -> Any:
        """A JSON view of the admin server."""
        url = f"http://127.0.0.1:{self.ports['admin']}{path}"
        async with aiohttp.ClientSession() as session, session.get(url) as answer:
            return await answer.json()

    async def text(self, path: str) -> tuple[int, str]:
        """The status and text of an admin page."""
        url = f"http://127.0.0.1:{self.ports['admin']}{path}"
        async with aiohttp.ClientSession() as session, session.get(url) as answer:
            return answer.status, await answer.text()


def _environment() -> dict[str, str]:
    kept = {name: text for name, text in os.environ.items() if not name.startswith("FAREBOX_")}
    return {**kept, "PYTHONPATH": str(Path.cwd())}
