"""The file under a journal.

The one rule: an append is in the file whole, or not at all and says so. It is one `write` without
fsync, which survives the death of the process; what a power cut takes is found out by the journal.
This module must not know what the bytes mean.
"""

import fcntl
import os
from collections.abc import Callable
from pathlib import Path
from typing import Protocol


class JournalInUseError(Exception):
    """Another process has this journal open."""


class File(Protocol):
    """What a journal needs of its file. Only one process has it at a time.

    Every method that writes raises OSError when the disk refuses, and then has changed nothing.
    """

    def identity(self) -> int:
        """What no copy of this file has in common with it."""

    def read(self) -> bytes:
        """All that is in it."""

    def append(self, data: bytes) -> None:
        """Add to the end."""

    def cut(self, length: int) -> None:
        """Keep the first `length` bytes only."""

    def replace(self, content: Callable[[int], bytes]) -> int:
        """Replace all of it in one step by what `content` makes of the new identity.

        Returns the new length.
        """

    def close(self) -> None:
        """Let another process have it."""


class DiskFile:
    """A file on a disk, with a lock beside it."""

    def __init__(self, path: Path) -> None:
        """Lock and open it. Raises JournalInUseError, OSError."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._lock = _lock(path)
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)

    def identity(self) -> int:
        """Its inode: a copy, or a restored file, has another."""
        return os.fstat(self._fd).st_ino

    def read(self) -> bytes:
        """All that is in it."""
        return self._path.read_bytes()

    def append(self, data: bytes) -> None:
        """Add to the end. Raises OSError when the disk is full."""
        written = os.write(self._fd, data)
        if written != len(data):
            # Half a frame would end the journal for every later record: take it back.
            os.ftruncate(self._fd, os.fstat(self._fd).st_size - written)
            raise OSError(f"the journal {self._path.name} took {written} of {len(data)} bytes")

    def cut(self, length: int) -> None:
        """Keep the first `length` bytes only."""
        os.ftruncate(self._fd, length)

    def replace(self, content: Callable[[int], bytes]) -> int:
        """Write a draft and rename it. A process that dies in between leaves the old file."""
        draft = self._path.with_suffix(".new")
        fd = os.open(draft, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o600)
        try:
            length = _write_all(fd, content(os.fstat(fd).st_ino))
            draft.replace(self._path)
        except OSError:
            os.close(fd)
            draft.unlink(missing_ok=True)
            raise
        os.close(self._fd)
        self._fd = fd
        return length

    def close(self) -> None:
        """Close it and let another process have it."""
        os.close(self._fd)
        os.close(self._lock)


def _write_all(fd: int, content: bytes) -> int:
    rest = memoryview(content)
    while rest:
        rest = rest[os.write(fd, rest) :]
    return len(content)


def _lock(path: Path) -> int:
    lock = os.open(path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        raise JournalInUseError(
            f"the journal {path} is in use by another sidecar: give each its own FAREBOX_JOURNAL"
        ) from None
    return lock
