"""The sidecar's journal: every record of the ledger, appended before it counts.

An append is one `write` without fsync: it survives the death of the process. A reboot is noticed by
the kernel's boot id in the header; then the journal says LOST, and its money stays frozen at the
controller. The one rule: a record is in the file before anything acts on it. This module must not
know what a record means for a lease; `farebox.core.ledger.effect` does.

Layout: frames of length, CRC-32 and a MessagePack array whose first item names the kind.
"""

import fcntl
import os
import struct
import uuid
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import msgspec

from farebox.core.budgets import Charge, PoolUid
from farebox.core.instant import BootMs
from farebox.core.leases import Hold, HoldEvent, HoldId, Lease, LeaseId
from farebox.core.ledger import Closed, Ended, Granted, Held, Record, Returned
from farebox.core.money import Nanos
from farebox.core.reasons import Reason
from farebox.wire.messages import JournalState

FORMAT: Final = 1
CHECKPOINT_BYTES: Final = 4 * 1024 * 1024
"""A journal that has grown by this much is written anew with only what is still open."""

RECORD_BYTES_MAX: Final = 64 * 1024
BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")
_FRAME: Final = struct.Struct("<II")


class JournalInUseError(Exception):
    """Another process has this journal open."""


class _DamagedError(Exception):
    """A frame that is whole but wrong: the file is not what was written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovered:
    """What a journal knew: the holder it belongs to, its leases and the holds that were open.

    `leases` count open holds in `reserved`. `boot_seq` is that of this start; `epoch` the highest
    epoch of a controller ever seen; `next_hold` is above every hold id used before.
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

    def __init__(self, path: Path, *, boot_id: str | None = None) -> None:
        """Lock the file and read what it holds. Raises JournalInUseError."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._boot_id = boot_id if boot_id is not None else _read_boot_id()
        self._lock = _lock(path)
        self.recovered, end = _recover(path, self._boot_id)
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        os.ftruncate(self._fd, end)
        os.lseek(self._fd, end, os.SEEK_SET)
        self._size = end
        self._checkpointed = end
        self._write(_header(self.recovered, self._boot_id))

    def append(self, record: Record) -> None:
        """Write one record. Raises OSError when the disk refuses: then it does not count."""
        self._write(_encode(record))

    def note_epoch(self, epoch: int) -> None:
        """Remember the highest epoch seen: an older leader is not obeyed after a restart."""
        self._write(["E", epoch])

    @property
    def wants_checkpoint(self) -> bool:
        """Whether the file has grown enough to be written anew."""
        return self._size - self._checkpointed > CHECKPOINT_BYTES

    def checkpoint(
        self, *, leases: Iterable[Lease], holds: Iterable[Hold], epoch: int, next_hold: HoldId
    ) -> None:
        """Replace the file by one that holds only the open leases and holds, in one rename."""
        at = replace(self.recovered, epoch=epoch, next_hold=next_hold)
        frames = [_header(at, self._boot_id), ["E", epoch], ["N", next_hold]]
        frames += [_encode_balance(lease) for lease in leases]
        frames += [
            _encode(Held(hold=hold.id, leases=hold.leases, amount=hold.amount)) for hold in holds
        ]
        draft = self._path.with_suffix(".new")
        content = b"".join(_frame(frame) for frame in frames)
        draft.write_bytes(content)
        draft.chmod(0o600)
        draft.replace(self._path)
        os.close(self._fd)
        self._fd = os.open(self._path, os.O_RDWR | os.O_APPEND)
        self._size = self._checkpointed = len(content)

    def start_over(self) -> None:
        """Forget everything and belong to a new holder: the controller knows more than we."""
        self.recovered = _fresh(JournalState.LOST)
        os.ftruncate(self._fd, 0)
        os.lseek(self._fd, 0, os.SEEK_SET)
        self._size = self._checkpointed = 0
        self._write(_header(self.recovered, self._boot_id))

    def close(self) -> None:
        """Close the file and let another process have it."""
        os.close(self._fd)
        os.close(self._lock)

    def _write(self, frame: list[Any]) -> None:
        data = _frame(frame)
        written = os.write(self._fd, data)
        if written != len(data):
            # A half frame would end the journal for every later record: take it back.
            os.ftruncate(self._fd, self._size)
            os.lseek(self._fd, self._size, os.SEEK_SET)
            raise OSError(f"the journal {self._path.name} took {written} of {len(data)} bytes")
        self._size += written


def _read_boot_id() -> str:
    return BOOT_ID.read_text().strip() if BOOT_ID.exists() else "unknown"


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


def _recover(path: Path, boot_id: str) -> tuple[Recovered, int]:
    """Read a journal: what it knew and where its last whole frame ends."""
    content = path.read_bytes() if path.exists() else b""
    if not content:
        return _fresh(JournalState.NEW), 0
    try:
        frames, end = _read(content)
    except _DamagedError:
        return _fresh(JournalState.LOST), 0
    headers = [frame for frame in frames if frame[0] == "H"]
    if not headers or headers[-1][1] != FORMAT or headers[-1][4] != boot_id:
        return _fresh(JournalState.LOST), 0
    records = tuple(_decode(frame) for frame in frames if frame[0] in _DECODERS)
    held = [record.hold for record in records if isinstance(record, Held)]
    noted = [frame[1] for frame in frames if frame[0] == "N"]
    return Recovered(
        state=JournalState.OK,
        holder=headers[-1][2],
        boot_seq=headers[-1][3] + 1,
        epoch=max((frame[1] for frame in frames if frame[0] == "E"), default=0),
        next_hold=HoldId(max([0, *held, *(number - 1 for number in noted)]) + 1),
        records=records,
        balances=tuple(_decode_balance(frame) for frame in frames if frame[0] == "B"),
    ), end


def _fresh(state: JournalState) -> Recovered:
    return Recovered(state=state, holder=str(uuid.uuid4()), boot_seq=1, next_hold=HoldId(1))


def _read(content: bytes) -> tuple[list[list[Any]], int]:
    """All whole frames, and where they end. Raises _DamagedError for a whole, wrong one."""
    frames, position = [], 0
    for payload, end in _payloads(content):
        frames.append(msgspec.msgpack.decode(payload))
        position = end
    return frames, position


def _payloads(content: bytes) -> Iterator[tuple[bytes, int]]:
    position = 0
    while position + _FRAME.size <= len(content):
        length, checksum = _FRAME.unpack_from(content, position)
        start = position + _FRAME.size
        if length > RECORD_BYTES_MAX:
            raise _DamagedError
        if start + length > len(content):
            return
        payload = content[start : start + length]
        if zlib.crc32(payload) != checksum:
            raise _DamagedError
        position = start + length
        yield payload, position


def _frame(frame: list[Any]) -> bytes:
    payload = msgspec.msgpack.encode(frame)
    return _FRAME.pack(len(payload), zlib.crc32(payload)) + payload


def _header(recovered: Recovered, boot_id: str) -> list[Any]:
    return ["H", FORMAT, recovered.holder, recovered.boot_seq, boot_id]


def _lease_fields(lease: LeaseId) -> tuple[str, str, int]:
    return lease.charge.pool, lease.charge.key, lease.window


def _lease_id(fields: list[Any]) -> LeaseId:
    pool, key, window = fields
    return LeaseId(charge=Charge(pool=PoolUid(pool), key=key), window=window)


def _encode(record: Record) -> list[Any]:
    match record:
        case Granted():
            return ["g", _lease_fields(record.lease), record.granted, record.window_ends]
        case Returned():
            return ["r", _lease_fields(record.lease), record.returned]
        case Held():
            leases = [_lease_fields(lease) for lease in record.leases]
            return ["h", record.hold, leases, record.amount]
        case Ended():
            return ["e", record.hold, record.event, record.cost, record.reason]
        case Closed():
            return ["c", _lease_fields(record.lease)]


def _decode(frame: list[Any]) -> Record:
    return _DECODERS[frame[0]](frame)


def _decode_granted(frame: list[Any]) -> Granted:
    ends = None if frame[3] is None else BootMs(frame[3])
    return Granted(lease=_lease_id(frame[1]), granted=Nanos(frame[2]), window_ends=ends)


def _decode_returned(frame: list[Any]) -> Returned:
    return Returned(lease=_lease_id(frame[1]), returned=Nanos(frame[2]))


def _decode_held(frame: list[Any]) -> Held:
    leases = tuple(_lease_id(fields) for fields in frame[2])
    return Held(hold=HoldId(frame[1]), leases=leases, amount=Nanos(frame[3]))


def _decode_ended(frame: list[Any]) -> Ended:
    return Ended(
        hold=HoldId(frame[1]),
        event=HoldEvent(frame[2]),
        cost=Nanos(frame[3]),
        reason=Reason(frame[4]),
    )


def _decode_closed(frame: list[Any]) -> Closed:
    return Closed(lease=_lease_id(frame[1]))


_DECODERS: Final[dict[str, Callable[[list[Any]], Record]]] = {
    "g": _decode_granted,
    "r": _decode_returned,
    "h": _decode_held,
    "e": _decode_ended,
    "c": _decode_closed,
}


def _encode_balance(lease: Lease) -> list[Any]:
    """A lease at a checkpoint. What is reserved follows from the holds written after it."""
    amounts = [lease.granted, lease.returned, lease.spent]
    return ["B", _lease_fields(lease.id), *amounts, lease.window_ends]


def _decode_balance(frame: list[Any]) -> Lease:
    return Lease(
        id=_lease_id(frame[1]),
        granted=Nanos(frame[2]),
        returned=Nanos(frame[3]),
        spent=Nanos(frame[4]),
        window_ends=None if frame[5] is None else BootMs(frame[5]),
    )
