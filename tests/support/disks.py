"""A simulated disk under a journal: it fills up, tears the last write, and goes back in time."""

import errno
from collections.abc import Callable


class MemoryFile:
    """A file that outlives the process that wrote it.

    `room` is how many more bytes the disk takes, None for any number. `identity_now` names the
    file; a copy and a restored file have another one.
    """

    def __init__(self, content: bytes = b"", identity: int = 1) -> None:
        self.content = bytearray(content)
        self.identity_now = identity
        self.room: int | None = None
        self.writes = 0
        self.rewrites = 0

    def identity(self) -> int:
        return self.identity_now

    def read(self) -> bytes:
        return bytes(self.content)

    def append(self, data: bytes) -> None:
        self._take(len(data))
        self.writes += 1
        self.content += data

    def cut(self, length: int) -> None:
        del self.content[length:]

    def replace(self, content: Callable[[int], bytes]) -> int:
        whole = content(self.identity_now + 1)
        # For a moment both files are there.
        self._take(len(whole))
        if self.room is not None:
            self.room += len(self.content)
        self.identity_now += 1
        self.rewrites += 1
        self.content = bytearray(whole)
        return len(whole)

    def close(self) -> None:
        pass

    def _take(self, count: int) -> None:
        if self.room is None:
            return
        if count > self.room:
            raise OSError(errno.ENOSPC, "No space left on device")
        self.room -= count
