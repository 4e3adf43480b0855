"""A container of an image that was just made, run by runc as an engine would.

The one rule: a read-only root, the user of the Dockerfile, no capability at all, and no network but
this machine's loopback. This module must not know what runs.
"""

import json
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from farebox.cli.processes import tail_of
from tests.support.dockerfiles import Dockerfile

COMMAND_S_MAX: Final = 60
STOP_S_MAX: Final = 20
STATE: Final = "/var/lib/farebox"
_NAMESPACES: Final = ("pid", "mount", "ipc", "uts")


@dataclass(slots=True, kw_only=True)
class ImageContainer:
    """One container. `folder` is its own; `state` is what is at /var/lib/farebox."""

    name: str
    root: Path
    dockerfile: Dockerfile
    folder: Path
    arguments: Sequence[str] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None

    @property
    def state(self) -> Path:
        return self.folder / "state"

    @property
    def output(self) -> Path:
        """What it writes to standard output."""
        return self.folder / "output"

    @property
    def log(self) -> Path:
        """What it writes to standard error."""
        return self.folder / "log"

    def start(self, *command: str) -> None:
        """Start the image's program, or another command in its place."""
        self.state.mkdir(parents=True, exist_ok=True)
        self.state.chmod(0o1777)
        words = command or (*self.dockerfile.entrypoint, *self.arguments)
        (self.folder / "config.json").write_text(json.dumps(self._config(words)))
        with self.output.open("wb") as output, self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [*self._runc, "run", "--bundle", str(self.folder), self.name],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=log,
            )

    def run(self, *command: str) -> str:
        """Run a command to its end in a container of its own; gives what it wrote."""
        self.start(*command)
        assert self.process is not None
        status = self.process.wait(COMMAND_S_MAX)
        assert status == 0, f"{command} ended with {status}: {tail_of(self.log)}"
        return self.output.read_text()

    def inside(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a command beside the program, as its user."""
        return subprocess.run(
            [*self._runc, "exec", self.name, *command],
            capture_output=True,
            text=True,
            timeout=COMMAND_S_MAX,
            check=False,
        )

    def stop(self) -> int:
        """Ask it to end, and wait; gives its exit status. Raises TimeoutExpired."""
        assert self.process is not None
        subprocess.run(
            [*self._runc, "kill", self.name, "SIGTERM"], check=True, timeout=COMMAND_S_MAX
        )
        return self.process.wait(STOP_S_MAX)

    def remove(self) -> None:
        """End it whatever it does, and have runc forget it."""
        forget = [*self._runc, "delete", "--force", self.name]
        subprocess.run(forget, capture_output=True, timeout=COMMAND_S_MAX, check=False)
        if self.process is not None:
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(COMMAND_S_MAX)

    @property
    def _runc(self) -> tuple[str, ...]:
        return ("runc", "--root", str(self.folder / "runc"))

    def _config(self, words: Sequence[str]) -> dict[str, Any]:
        user, group = map(int, self.dockerfile.user.split(":"))
        environment = {**self.dockerfile.environment, **self.environment}
        none: list[str] = []
        kinds = ("bounding", "effective", "permitted", "inheritable", "ambient")
        return {
            "ociVersion": "1.0.2",
            "root": {"path": str(self.root), "readonly": True},
            "process": {
                "user": {"uid": user, "gid": group},
                "args": list(words),
                "env": [f"{name}={value}" for name, value in environment.items()],
                "cwd": STATE,
                "capabilities": dict.fromkeys(kinds, none),
                "noNewPrivileges": True,
            },
            "mounts": [
                {"destination": "/proc", "type": "proc", "source": "proc"},
                _temporary("/dev", "mode=755"),
                {
                    "destination": STATE,
                    "type": "bind",
                    "source": str(self.state),
                    "options": ["bind", "rw"],
                },
            ],
            "linux": {"namespaces": [{"type": kind} for kind in _NAMESPACES]},
        }


def _temporary(path: str, mode: str) -> dict[str, Any]:
    options = ["nosuid", mode, "size=1m"]
    return {"destination": path, "type": "tmpfs", "source": "tmpfs", "options": options}
