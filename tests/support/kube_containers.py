"""Containers as runc runs them, on a root file system made of this machine's own programs.

No registry serves images here, so an image is a name for a few commands: `farebox-sidecar` is this
repository's virtual environment run with `-m sidecar`, and so on. All else is as the spec of the
container says: command, arguments, environment, user, capabilities, read-only root, memory limit,
mounts, the network of its pod. The one rule: a container ends with its process and leaves nothing
mounted. This module must not know pods.
"""

import asyncio
import json
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tests.support.kube_tools import tools

REPOSITORY: Final = Path(__file__).parent.parent.parent
_COMMAND_S_MAX: Final = 30
_PATH: Final = "/opt/image:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_COMMANDS: Final[Mapping[str, str]] = {
    "farebox-controller": "/opt/farebox/.venv/bin/python -m controller",
    "farebox-sidecar": "/opt/farebox/.venv/bin/python -m sidecar",
    "python": "/opt/farebox/.venv/bin/python",
    "etcd": "/opt/kube/etcd",
}
_EMPTY: Final = ("etc", "proc", "dev", "sys", "tmp", "run", "var/lib", "var/tmp", "usr", "root")
_LINKS: Final = {name: f"usr/{name}" for name in ("bin", "sbin", "lib", "lib64")} | {
    "var/run": "../run"
}
_SETS: Final = ("bounding", "effective", "permitted")
_USUAL_CAPABILITIES: Final = (
    *("CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_SETGID", "CAP_SETUID"),
    *("CAP_NET_BIND_SERVICE", "CAP_KILL"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mount:
    """A folder or file of this machine, where it stands in the container."""

    source: Path
    target: str
    read_only: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerSpec:
    """What runs, as whom, with what."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    mounts: Sequence[Mount]
    namespace: str
    hostname: str
    user: int = 0
    group: int = 0
    groups: Sequence[int] = ()
    folder: str = "/"
    read_only: bool = False
    privileges_may_grow: bool = True
    capabilities: Sequence[str] = _USUAL_CAPABILITIES
    memory_bytes: int | None = None


def capabilities_of(context: Mapping[str, Any]) -> tuple[str, ...]:
    """What a security context leaves of the usual capabilities, and adds."""
    said = context.get("capabilities", {})
    dropped = {f"CAP_{one}" for one in said.get("drop", ())}
    kept = () if "CAP_ALL" in dropped else _USUAL_CAPABILITIES
    added = tuple(f"CAP_{one}" for one in said.get("add", ()))
    return (*(one for one in kept if one not in dropped), *added)


class Container:
    """One container, from its start to its end. `folder` is its own and empty."""

    def __init__(self, spec: ContainerSpec, folder: Path) -> None:
        self.spec = spec
        self.log = folder / "log"
        self._folder = folder
        # Its name is unique on this machine, whatever else runs there.
        place = "-".join(folder.parts[-3:])
        self._id = f"farebox-{os.getpid()}-{place}"
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Start it; it may end at once."""
        self._root()
        (self._folder / "config.json").write_text(json.dumps(self._config()))
        with self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *("runc", "--root", str(self._folder / "runc"), "run"),
                *("--bundle", str(self._folder), self._id),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                process_group=0,
            )

    @property
    def runs(self) -> bool:
        return self._process is not None and self._process.returncode is None

    async def wait(self) -> int:
        """Wait for its end; gives the exit status."""
        assert self._process is not None, "it was not started"
        return await self._process.wait()

    def signal(self, number: signal.Signals) -> None:
        """Send its first process a signal, if there is one."""
        if self.runs:
            self._runc("kill", self._id, number.name)

    def run_inside(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a command in it, as its user."""
        return self._runc("exec", self._id, *command)

    async def end(self, grace_s: float) -> None:
        """Ask it to end, and kill it when it does not."""
        self.signal(signal.SIGTERM)
        with suppress(TimeoutError):
            async with asyncio.timeout(grace_s):
                await self.wait()
        self.kill()
        if self._process is not None:
            await self._process.wait()

    def kill(self) -> None:
        """End it at once, and take away what runc knows of it."""
        self._runc("delete", "--force", self._id)

    def _runc(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["runc", "--root", str(self._folder / "runc"), *words],
            capture_output=True,
            text=True,
            timeout=_COMMAND_S_MAX,
            check=False,
        )

    def _root(self) -> None:
        root = self._folder / "root"
        if root.exists():
            return
        for name in _EMPTY:
            (root / name).mkdir(parents=True)
        for name, target in _LINKS.items():
            (root / name).symlink_to(target)
        for name in ("tmp", "var/tmp"):
            (root / name).chmod(0o1777)
        (root / "etc/passwd").write_text("root:x:0:0::/root:/bin/sh\n")
        (root / "etc/group").write_text("root:x:0:\n")
        (root / "etc/nsswitch.conf").write_text("hosts: files\n")
        (root / "etc/hosts").touch()
        (root / "opt/farebox").mkdir(parents=True)
        (root / "opt/kube").mkdir()
        (root / "opt/image").mkdir()
        for name, command in _COMMANDS.items():
            script = root / "opt/image" / name
            script.write_text(f'#!/bin/sh\nexec {command} "$@"\n')
            script.chmod(0o755)
        for mount in self._mounts():
            within = mount.target.removeprefix("/").replace("var/run/", "run/", 1)
            place = root / within
            place.parent.mkdir(parents=True, exist_ok=True)
            if mount.source.is_dir():
                place.mkdir(exist_ok=True)
            else:
                place.touch()

    def _mounts(self) -> list[Mount]:
        # The interpreter of the virtual environment is this machine's.
        own = [
            Mount(source=Path("/usr"), target="/usr"),
            Mount(source=REPOSITORY, target="/opt/farebox"),
            Mount(source=tools().etcd.parent, target="/opt/kube"),
        ]
        return [*own, *self.spec.mounts]

    def _config(self) -> dict[str, Any]:
        spec = self.spec
        environment = {"PATH": _PATH, "PYTHONPATH": "/opt/farebox", "HOSTNAME": spec.hostname}
        return {
            "ociVersion": "1.0.2",
            "hostname": spec.hostname,
            "root": {"path": "root", "readonly": spec.read_only},
            "process": {
                "user": {
                    "uid": spec.user,
                    "gid": spec.group,
                    "additionalGids": list(spec.groups),
                },
                "args": list(spec.command),
                "env": [
                    f"{name}={text}" for name, text in {**environment, **spec.environment}.items()
                ],
                "cwd": spec.folder,
                "noNewPrivileges": not spec.privileges_may_grow,
                "capabilities": {
                    key: list(spec.capabilities) for key in ("bounding", "effective", "permitted")
                },
            },
            "mounts": [*_KERNEL, *(_bound(mount) for mount in self._mounts())],
            "linux": self._linux(),
        }

    def _linux(self) -> dict[str, Any]:
        spec = self.spec
        network = {"type": "network", "path": f"/run/netns/{spec.namespace}"}
        own = [{"type": kind} for kind in ("pid", "ipc", "uts", "mount")]
        limit = {} if spec.memory_bytes is None else {"memory": {"limit": spec.memory_bytes}}
        return {
            "namespaces": [*own, network],
            "resources": limit,
            "cgroupsPath": f"/{self._id}",
            "maskedPaths": ["/proc/kcore", "/proc/keys", "/proc/timer_list"],
            "readonlyPaths": ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys"],
        }


def _bound(mount: Mount) -> dict[str, Any]:
    return {
        "destination": mount.target,
        "type": "bind",
        "source": str(mount.source),
        "options": [
            "rbind" if mount.source.is_dir() else "bind",
            "ro" if mount.read_only else "rw",
        ],
    }


_KERNEL: Final[Sequence[Mapping[str, Any]]] = (
    {"destination": "/proc", "type": "proc", "source": "proc"},
    {
        "destination": "/dev",
        "type": "tmpfs",
        "source": "tmpfs",
        "options": ["nosuid", "strictatime", "mode=755", "size=65536k"],
    },
    {
        "destination": "/dev/shm",  # noqa: S108  (it is the container's own)
        "type": "tmpfs",
        "source": "shm",
        "options": ["nosuid", "noexec", "nodev", "mode=1777", "size=65536k"],
    },
)
