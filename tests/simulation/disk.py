"""The simulated disk under the journals: what survives a process, and what a machine loses.

Bytes live in memory and belong to the machine, not to the process that wrote them. The one rule: a
file is open in one living process at most; a dead one writes nothing more. This module must not
know what the bytes mean.
"""

import errno
import itertools
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from sidecar.journal_file import JournalInUseError
from tests.simulation.kernel import Killed, Process


@dataclass(slots=True)
class Inode:
    """A file on a disk."""

    number: int
    content: bytes = b""
    owner: Process | None = None


class Disk:
    """The files of all machines by name. `full` and `tears` are how writes fail now."""

    def __init__(self, counts: Counter[str]) -> None:
        self.full = False
        self._counts = counts
        self._inodes: dict[str, Inode] = {}
        self._numbers = itertools.count(1)
        self._tears: dict[str, int] = {}

    def open(self, name: str, process: Process) -> "SimFile":
        """Open a file, new if need be. Raises JournalInUseError."""
        inode = self._inodes.get(name)
        if inode is None:
            inode = self._inodes[name] = self.inode()
        if inode.owner is not None and inode.owner.alive:
            raise JournalInUseError(f"{name} is in use")
        inode.owner = process
        self._tears.pop(name, None)
        return SimFile(self, name, process)

    def inode(self, content: bytes = b"") -> Inode:
        """A new file, in no folder yet."""
        return Inode(next(self._numbers), content)

    def content(self, name: str) -> bytes:
        """What a file has in it; nothing when it isn't there."""
        inode = self._inodes.get(name)
        return b"" if inode is None else inode.content

    def restore(self, name: str, content: bytes, *, same_file: bool) -> None:
        """Put back what a file had in it: in place, or as another file of that name."""
        if same_file and name in self._inodes:
            self._inodes[name].content = content
        else:
            self._inodes[name] = self.inode(content)

    def tear_next(self, name: str, share: int) -> None:
        """Kill the process that appends next, after a part (0 to 99 %) of what it appends."""
        self._tears[name] = share

    def at(self, name: str) -> Inode:
        """The file of a name."""
        return self._inodes[name]

    def put(self, name: str, inode: Inode) -> None:
        """Rename a file to a name."""
        self._inodes[name] = inode

    def torn(self, name: str, data: bytes) -> bytes | None:
        """What of an append gets into the file if its process is to die now."""
        share = self._tears.pop(name, None)
        if share is None:
            return None
        self._counts["killed while it wrote"] += 1
        return data[: len(data) * share // 100]

    def calm_down(self) -> None:
        """Have space, and kill nobody any more."""
        self.full = False
        self._tears.clear()

    def check_space(self) -> None:
        """Raise OSError while the disk is full."""
        if self.full:
            self._counts["write refused by a full disk"] += 1
            raise OSError(errno.ENOSPC, "no space left on the disk")


class SimFile:
    """An open file, as `sidecar.journal_file.File` asks for it."""

    def __init__(self, disk: Disk, name: str, process: Process) -> None:
        self._disk = disk
        self._name = name
        self._process = process
        self.writes = 0

    def identity(self) -> int:
        return self._disk.at(self._name).number

    def read(self) -> bytes:
        return self._disk.at(self._name).content

    def append(self, data: bytes) -> None:
        self._begin()
        inode = self._disk.at(self._name)
        torn = self._disk.torn(self._name, data)
        if torn is not None:
            inode.content += torn
            self._process.kill()
            raise Killed
        inode.content += data

    def cut(self, length: int) -> None:
        self._begin(needs_space=False)
        inode = self._disk.at(self._name)
        inode.content = inode.content[:length]

    def replace(self, content: Callable[[int], bytes]) -> int:
        self._begin()
        inode = self._disk.inode()
        inode.owner = self._process
        inode.content = content(inode.number)
        self._disk.put(self._name, inode)
        return len(inode.content)

    def close(self) -> None:
        inode = self._disk.at(self._name)
        if inode.owner is self._process:
            inode.owner = None

    def _begin(self, *, needs_space: bool = True) -> None:
        if not self._process.alive:
            raise Killed
        if needs_space:
            self._disk.check_space()
        self.writes += 1
