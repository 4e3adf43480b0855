"""A sidecar that dies while it writes its journal: `python -m tests.support.dying WRITE PART ...`.

It is the real sidecar with the flags that follow. Only `os.write` to its journal is counted: of the
write with the number WRITE (from 0) so much as PART says gets into the file, then the process kills
itself, as the kernel would. What it died in is told in a file beside the journal. The one rule: up
to that write nothing is different, except that a journal is written anew sooner.
"""

import enum
import os
import runpy
import signal
import sys
from pathlib import Path
from typing import Final

from sidecar import journal

CHECKPOINT_BYTES: Final = 300
"""So small that every run writes its journal anew."""

NEVER: Final = -1
REWRITE: Final = "rewrite"
_KIND: Final = slice(4, 5)
"""Where a frame has the letter of its kind."""


class Part(enum.StrEnum):
    """How much of the last write gets into the file."""

    NOTHING = "nothing"
    FIRST = "first"
    HALF = "half"
    WHOLE = "whole"

    def of(self, length: int) -> int:
        """So many of the bytes of a write."""
        parts = {
            Part.NOTHING: 0,
            Part.FIRST: 1,
            Part.HALF: length // 2,
            Part.WHOLE: length,
        }
        return parts[self]


def deaths_of(path: Path) -> Path:
    """Where it says what it died in: one line each, WRITE PART KIND."""
    return path.with_suffix(".deaths")


def die_at(number: int, part: Part, path: Path) -> None:
    """From now on, count the writes to a journal and die at one."""
    write, ahead = os.write, number
    names = {str(path): "", str(path.with_suffix(".new")): REWRITE}

    def counted(fd: int, data: bytes) -> int:
        nonlocal ahead
        name = Path(f"/proc/self/fd/{fd}").readlink()
        if str(name) not in names:
            return write(fd, data)
        if ahead == 0:
            kind = names[str(name)] or bytes(data[_KIND]).decode()
            with deaths_of(path).open("a") as told:
                told.write(f"{number} {part} {kind}\n")
            write(fd, data[: part.of(len(data))])
            os.kill(os.getpid(), signal.SIGKILL)
        ahead -= 1
        return write(fd, data)

    vars(os)["write"] = counted


def main() -> None:
    _, number, part, *arguments = sys.argv
    vars(journal)["CHECKPOINT_BYTES"] = CHECKPOINT_BYTES
    path = Path(arguments[arguments.index("--journal") + 1])
    die_at(int(number), Part(part), path)
    sys.argv = ["sidecar", *arguments]
    runpy.run_module("sidecar", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
