"""results.jsonl: what was paid for, so that no later run pays for it again.

Before a call its line "begun" is on the disk with the money that is held for it; after it one of
"answered", "refused" (the provider did not bill it) or "lost" (nobody knows). A call that has begun
and never ended was lost to a kill. The one rule: whatever begun line has no other end counts as
spent in full. The file holds answers, hence prompts' echoes: it is readable by its owner only.
"""

import fcntl
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Self

import msgspec

from farebox.core.money import Nanos
from farebox.launch.problems import LaunchError

LINE_BYTES_MAX: Final = 8 << 20

BEGUN: Final = "begun"
ANSWERED: Final = "answered"
REFUSED: Final = "refused"
LOST: Final = "lost"


class ResultsError(LaunchError):
    """The file of results cannot be used; the text says why and what to do."""


class Line(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One event of one call. Money is in nano-dollars, latency in milliseconds.

    `key` names the call by its content; `text` is the answer and `usage` its token counts by kind.
    """

    event: str
    key: str
    model: str = ""
    held: int = 0
    cost: int = 0
    text: str = ""
    usage: dict[str, int] = {}
    latency_ms: int = 0
    finish: str = ""
    why: str = ""


class Results:
    """The open file and all that it says. Use as a context manager."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.answered: dict[str, Line] = {}
        self.lost: dict[str, Line] = {}
        self._begun: dict[str, Line] = {}
        self._spent = 0
        self._encoder = msgspec.json.Encoder()
        self._descriptor = -1

    def __enter__(self) -> Self:
        """Open, lock and read. Raises ResultsError."""
        try:
            self._descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        except OSError as error:
            raise ResultsError(f"{self.path} can't be opened: {error.strerror}.") from error
        try:
            self._lock()
            self._read()
        except ResultsError:
            os.close(self._descriptor)
            raise
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._descriptor)

    @property
    def spent(self) -> Nanos:
        """What all calls so far have cost; one without a known end counts with what was held."""
        return Nanos(self._spent + sum(line.held for line in self._begun.values()))

    def begin(self, key: str, *, model: str, held: Nanos) -> None:
        """Note that a call is about to be sent; it is on the disk when this returns."""
        self._add(Line(event=BEGUN, key=key, model=model, held=held))

    def end(self, line: Line) -> None:
        """Note how a call that had begun has ended; it is on the disk when this returns."""
        assert line.key in self._begun
        self._add(line)

    def _add(self, line: Line) -> None:
        content = memoryview(self._encoder.encode(line) + b"\n")
        while content:
            content = content[os.write(self._descriptor, content) :]
        os.fsync(self._descriptor)
        self._take(line)

    def _take(self, line: Line) -> None:
        begun = self._begun.pop(line.key, None)
        if line.event == BEGUN:
            # A call that was lost before is made again: what it may have cost stays spent.
            self._spent += begun.held if begun is not None else 0
            self._begun[line.key] = line
        elif line.event == ANSWERED:
            self.answered[line.key] = line
            self.lost.pop(line.key, None)
            self._spent += line.cost
        elif line.event == LOST:
            self.lost[line.key] = line
            self._spent += begun.held if begun is not None else line.held

    def _lock(self) -> None:
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ResultsError(
                f"Another run writes {self.path}: wait for it, or name another folder with --out."
            ) from None

    def _read(self) -> None:
        for number, content in enumerate(self._lines(), start=1):
            try:
                self._take(msgspec.json.decode(content, type=Line))
            except msgspec.DecodeError as error:
                raise ResultsError(
                    f"{self.path}:{number} is no result ({error}): the file was edited; put it "
                    "aside or name another folder with --out."
                ) from error
        # Whoever began these was killed before they ended.
        self.lost.update(self._begun)

    def _lines(self) -> Iterator[bytes]:
        """Whole lines. What a kill cut is taken off: its call was not sent, or stays begun."""
        whole = 0
        with self.path.open("rb") as file:
            while line := file.readline(LINE_BYTES_MAX):
                if not line.endswith(b"\n"):
                    break
                whole += len(line)
                yield line
        os.ftruncate(self._descriptor, whole)
