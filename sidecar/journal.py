"""The sidecar's journal: every record of the ledger, appended before it counts.

An append survives the death of the process. A reboot is noticed by the kernel's boot id, a copied
or restored file by its inode; then the journal says LOST, and its money stays frozen at the
controller. The one rule: a record is in the file before anything acts on it. This module must not
know what a record means for a lease; `farebox.core.ledger.effect` does.
"""

import logging
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, TypeVar

from farebox.core.leases import Hold, HoldId, Lease, LeaseId
from farebox.core.ledger import Closed, Ended, Granted, Held, Record, Returned
from farebox.wire.messages import JournalState
from sidecar.frames import (
    FORMAT,
    Content,
    DamagedError,
    Encoder,
    Epoch,
    Frame,
    Header,
    NextHold,
    decode,
)
from sidecar.journal_file import DiskFile, File

_LOG = logging.getLogger(__name__)

CHECKPOINT_BYTES: Final = 4 * 1024 * 1024
"""A journal that has grown by this much is written anew with only what is still open."""

JOURNAL_BYTES_MAX: Final = 64 * 1024 * 1024
"""A journal that can't be written anew grows to this size; then it takes no record any more."""

BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")

_Kind = TypeVar("_Kind", bound=Frame)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovered:
    """What a journal knew: the holder it belongs to, its leases and the holds that were open.

    `balances` are leases at the last checkpoint, `records` what came after. `boot_seq` is that of
    this start; `epoch` the highest epoch of a controller ever seen; `next_hold` is above every hold
    id used before.
    """

    state: JournalState
    holder: str
    boot_seq: int
    epoch: int = 0
    next_hold: HoldId
    records: tuple[Record, ...] = ()
    balances: tuple[Lease, ...] = ()


class Journal:
    """An open journal. Only one process has it at a time."""

    def __init__(self, file: File | Path, *, boot_id: str | None = None) -> None:
        """Lock the file and read what it holds. Raises JournalInUseError, OSError."""
        self._file = DiskFile(file) if isinstance(file, Path) else file
        self._boot_id = boot_id if boot_id is not None else _read_boot_id()
        self._encoder = Encoder()
        self._rewrite_failed = False
        self.recovered, self._size = self._recover()
        self._checkpoint_at = self._size + CHECKPOINT_BYTES
        self._file.cut(self._size)
        self._write(self._header(self._file.identity()))

    def append(self, record: Record) -> None:
        """Write one record. Raises OSError when the disk refuses: then it does not count."""
        data = self._encoder.encode(record)
        if self._size > JOURNAL_BYTES_MAX:
            raise OSError(f"the journal is longer than {JOURNAL_BYTES_MAX} bytes")
        self._file.append(data)
        self._size += len(data)

    def note_epoch(self, epoch: int) -> None:
        """Remember the highest epoch seen: an older leader is not obeyed after a restart."""
        self._write(Epoch(epoch))

    @property
    def wants_checkpoint(self) -> bool:
        """Whether the file has grown enough to be written anew."""
        return self._size > self._checkpoint_at

    def checkpoint(
        self,
        *,
        leases: Iterable[Lease],
        holds: Iterable[Hold],
        epoch: int,
        next_hold: HoldId,
        closed: Iterable[LeaseId] = (),
    ) -> None:
        """Replace the file by one that holds only the open leases and holds, in one rename.

        And the leases `closed` last, which no late message may bring back. Where the disk has no
        room for it, the file stays as it is and grows on.
        """
        encoder = Encoder()
        frames: list[Frame] = [Epoch(epoch), NextHold(next_hold), *leases]
        frames += [
            Held(hold.id, hold.leases, hold.amount, unchecked=hold.unchecked) for hold in holds
        ]
        frames += [Closed(lease=lease) for lease in closed]
        rest = b"".join([encoder.encode(frame) for frame in frames])
        try:
            self._size = self._file.replace(lambda file: encoder.encode(self._header(file)) + rest)
        except OSError as error:
            if not self._rewrite_failed:
                _LOG.warning("the journal could not be written anew, so it grows: %s", error)
            self._rewrite_failed = True
        else:
            self._rewrite_failed = False
            self._encoder = encoder
            self.recovered = replace(self.recovered, epoch=epoch, next_hold=next_hold)
        self._checkpoint_at = self._size + CHECKPOINT_BYTES

    def start_over(self) -> None:
        """Forget everything and belong to a new holder: the controller knows more than we.

        Raises OSError when the disk refuses; then nothing has changed.
        """
        fresh, encoder = _fresh(JournalState.LOST), Encoder()
        self._size = self._file.replace(lambda file: encoder.encode(self._header(file, fresh)))
        self.recovered, self._encoder = fresh, encoder
        self._checkpoint_at = CHECKPOINT_BYTES

    def close(self) -> None:
        """Close the file and let another process have it."""
        self._file.close()

    def _write(self, frame: Frame) -> None:
        data = self._encoder.encode(frame)
        self._file.append(data)
        self._size += len(data)

    def _header(self, file: int, of: Recovered | None = None) -> Header:
        known = of or self.recovered
        return Header(FORMAT, known.holder, known.boot_seq, self._boot_id, file)

    def _recover(self) -> tuple[Recovered, int]:
        """Read the file: what it knew, and where its last whole frame ends."""
        raw = self._file.read()
        if not raw:
            return _fresh(JournalState.NEW), 0
        try:
            content = decode(raw)
        except DamagedError:
            return _fresh(JournalState.LOST), 0
        headers = _all(content, Header)
        if not headers or not self._is_ours(headers[-1]):
            return _fresh(JournalState.LOST), 0
        self._encoder.know(content.numbers)
        return _recovered(headers[-1], content), content.end

    def _is_ours(self, header: Header) -> bool:
        """Whether this is the file that was written, on a machine that has run ever since."""
        file = self._file.identity()
        return (header.format, header.boot, header.file) == (FORMAT, self._boot_id, file)


def _read_boot_id() -> str:
    return BOOT_ID.read_text().strip() if BOOT_ID.exists() else "unknown"


def _fresh(state: JournalState) -> Recovered:
    return Recovered(state=state, holder=str(uuid.uuid4()), boot_seq=1, next_hold=HoldId(1))


def _all(content: Content, kind: type[_Kind]) -> Sequence[_Kind]:
    return [frame for frame in content.frames if isinstance(frame, kind)]


def _recovered(header: Header, content: Content) -> Recovered:
    records = [
        frame
        for frame in content.frames
        if isinstance(frame, Granted | Returned | Held | Ended | Closed)
    ]
    held = [record.hold + 1 for record in records if isinstance(record, Held)]
    noted = [noted.hold for noted in _all(content, NextHold)]
    return Recovered(
        state=JournalState.OK,
        holder=header.holder,
        boot_seq=header.boot_seq + 1,
        epoch=max((noted.epoch for noted in _all(content, Epoch)), default=0),
        next_hold=HoldId(max([1, *held, *noted])),
        records=tuple(records),
        balances=tuple(_all(content, Lease)),
    )
