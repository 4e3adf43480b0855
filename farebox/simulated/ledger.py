"""The provider's own ledger: what it really billed, one JSON line per billed call.

The one rule: a record is in the file before the caller can see the end of the answer that it
bills, and no record is ever changed. Amounts are integers of pico-dollars. The file survives the
process: a restarted provider goes on after the last record.
"""

import fcntl
import os
from collections.abc import Iterable
from pathlib import Path

import msgspec

from farebox.simulated.pricing import PICO_PER_NANO

groups_max = 10_000
_OTHER = "(other)"


class LedgerError(ValueError):
    """The ledger cannot be trusted or not be written; the text is a sentence."""


class Entry(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One billed call. Tokens are counts, times are UTC milliseconds since 1970."""

    seq: int
    request_id: str
    """The `x-request-id` of the answer."""
    received_at_ms: int
    billed_at_ms: int
    model: str
    user: str | None
    """The body's `user` field."""
    key_tail: str | None
    """The last four characters of the bearer key; the key itself is never kept."""
    metadata: dict[str, str] | None
    input_tokens: int
    cached_tokens: int
    """The part of `input_tokens` that was billed at the cached rate."""
    output_tokens: int
    stream: bool
    fault: str | None
    billed_pico: int
    max_tokens_asked: int | None


class Totals(msgspec.Struct, kw_only=True, rename="camel"):
    """Sums over all records; the groups are pico-dollars by name, "" for an absent name."""

    calls: int = 0
    billed_pico: int = 0
    by_model: dict[str, int] = msgspec.field(default_factory=dict)
    by_user: dict[str, int] = msgspec.field(default_factory=dict)
    by_key_tail: dict[str, int] = msgspec.field(default_factory=dict)

    def add(self, entry: Entry) -> None:
        self.calls += 1
        self.billed_pico += entry.billed_pico
        _add_to_group(self.by_model, entry.model, entry.billed_pico)
        _add_to_group(self.by_user, entry.user or "", entry.billed_pico)
        _add_to_group(self.by_key_tail, entry.key_tail or "", entry.billed_pico)


def _add_to_group(groups: dict[str, int], name: str, pico: int) -> None:
    key = name if name in groups or len(groups) < groups_max else _OTHER
    groups[key] = groups.get(key, 0) + pico


class Ledger:
    """The open ledger of one provider; no second provider can open the same file."""

    def __init__(self, path: Path) -> None:
        """Open or create the file and sum up what it holds.

        Raises:
            LedgerError: when another provider holds the file or a line in it is no record.
        """
        self.path = path
        self.totals = Totals()
        self.seq_last = 0
        self._encoder = msgspec.json.Encoder()
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            self._lock()
            self._sum_up()
        except LedgerError:
            self.close()
            raise

    def append(self, entry: Entry) -> None:
        """Write one record; it has left the process when this returns."""
        assert entry.seq == self.seq_last + 1
        line = memoryview(self._encoder.encode(entry) + b"\n")
        while line:
            line = line[os.write(self._descriptor, line) :]
        self.seq_last = entry.seq
        self.totals.add(entry)

    def close(self) -> None:
        os.close(self._descriptor)

    def _lock(self) -> None:
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LedgerError(
                f"Another provider writes the ledger {self.path.name}; give each one its own file."
            ) from None

    def _sum_up(self) -> None:
        for entry in read_entries(self.path):
            self.totals.add(entry)
            self.seq_last = entry.seq


def read_entries(path: Path) -> list[Entry]:
    """All records of a ledger file, oldest first; also while a provider is writing it.

    Raises:
        LedgerError: when a line is no record, or the records are not numbered 1, 2, 3, ...
        FileNotFoundError: when there is no such file.
    """
    decoder = msgspec.json.Decoder(Entry)
    entries: list[Entry] = []
    with path.open("rb") as lines:
        for number, line in enumerate(lines, start=1):
            try:
                entry = decoder.decode(line)
            except msgspec.DecodeError as error:
                raise LedgerError(
                    f"Line {number} of the ledger {path.name} is no record: {error}."
                ) from error
            if entry.seq != number or not line.endswith(b"\n"):
                raise LedgerError(
                    f"Line {number} of the ledger {path.name} has the number {entry.seq} or no "
                    "end; the file was cut or edited."
                )
            entries.append(entry)
    return entries


def bill_nanos(entries: Iterable[Entry]) -> int:
    """The bill in nano-dollars: the exact sum in pico-dollars, rounded up once."""
    total_pico = sum(entry.billed_pico for entry in entries)
    return -(-total_pico // PICO_PER_NANO)
