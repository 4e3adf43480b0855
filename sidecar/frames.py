"""The bytes of a journal: frames, and what each says.

A frame is its length and the length's complement, the payload, and a CRC-32 of both. So a file that
ends within a frame was cut short there, and any other change of a byte is seen: a damaged length
never passes for a torn end. A payload is a letter for its kind and the fields. Leases are written
by a number that is given to them once, with the grant or balance that brings them into the file;
the records of every call are fixed binary layouts, all others MessagePack.

The one rule: a frame says the same for ever. This module must not know files, nor what a record
changes.
"""

import struct
import zlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, NamedTuple

import msgspec

from farebox.core.budgets import Charge, PoolUid
from farebox.core.instant import BootMs
from farebox.core.leases import HoldEvent, HoldId, Lease, LeaseId
from farebox.core.ledger import Closed, Ended, Granted, Held, Record, Returned
from farebox.core.money import Nanos
from farebox.core.reasons import Reason

FORMAT: Final = 2
PAYLOAD_BYTES_MAX: Final = 0xFFFF

_HEAD: Final = struct.Struct("<HH")
_CHECK: Final = struct.Struct("<I")
_ENDED: Final = struct.Struct("<HHcBQq")
_EVENTS: Final = tuple(HoldEvent)
_EVENT_NUMBERS: Final = {event: number for number, event in enumerate(_EVENTS)}
_REASONS: Final = {reason: reason.value.encode() for reason in Reason}


class DamagedError(Exception):
    """The file is not what was written."""


class Header(NamedTuple):
    """Who a journal belongs to. `boot` is the machine's start, `file` the file itself."""

    format: int
    holder: str
    boot_seq: int
    boot: str
    file: int


class Epoch(NamedTuple):
    """The highest epoch of a controller that was heard."""

    epoch: int


class NextHold(NamedTuple):
    """Every hold before this number was made."""

    hold: HoldId


Frame = Header | Epoch | NextHold | Lease | Record


class Encoder:
    """Makes the frames of one file. A lease must be granted or balanced before it is named."""

    __slots__ = ("_numbers",)

    def __init__(self) -> None:
        self._numbers: dict[LeaseId, int] = {}

    def encode(self, frame: Frame) -> bytes:
        """One frame. Raises ValueError for more than PAYLOAD_BYTES_MAX."""
        data = _ENCODERS[type(frame)](self._numbers, frame)
        return data + _CHECK.pack(zlib.crc32(data))

    def know(self, numbers: Mapping[LeaseId, int]) -> None:
        """Go on after what a file already says."""
        self._numbers.update(numbers)


class Content(NamedTuple):
    """What a file says, where its last whole frame ends, and the numbers of its leases."""

    frames: tuple[Frame, ...]
    end: int
    numbers: dict[LeaseId, int]


def decode(content: bytes) -> Content:
    """Read all whole frames. Raises DamagedError when a byte is not what was written."""
    named: dict[int, LeaseId] = {}
    frames, end = [], 0
    for payload, position in _payloads(content):
        try:
            frames.append(_DECODERS[payload[:1]](named, payload))
        except (LookupError, ValueError, struct.error, msgspec.MsgspecError) as error:
            raise DamagedError from error
        end = position
    return Content(tuple(frames), end, {lease: number for number, lease in named.items()})


def _payloads(content: bytes) -> Iterator[tuple[bytes, int]]:
    position = 0
    while position + _HEAD.size <= len(content):
        length, complement = _HEAD.unpack_from(content, position)
        if length ^ PAYLOAD_BYTES_MAX != complement:
            raise DamagedError
        start, check = position + _HEAD.size, position + _HEAD.size + length
        if check + _CHECK.size > len(content):
            return
        if zlib.crc32(content[position:check]) != _CHECK.unpack_from(content, check)[0]:
            raise DamagedError
        position = check + _CHECK.size
        yield content[start:check], position


# -------------------------------------------------------------------------------- what calls write

_HeldShape = tuple[Callable[..., bytes], int, int]
_HELD_FIELDS: Final = "<cHHQq"
_held_shapes: Final[dict[int, _HeldShape]] = {}
"""How a hold in so many leases is packed, with the two words of its length."""


def _held_shape(count: int) -> _HeldShape:
    layout = struct.Struct(f"<HH{_HELD_FIELDS[1:]}{count}I")
    length = layout.size - _HEAD.size
    if length > PAYLOAD_BYTES_MAX:
        raise ValueError(f"a call can't draw on {count} pools")
    _held_shapes[count] = shape = (layout.pack, length, length ^ PAYLOAD_BYTES_MAX)
    return shape


def _encode_held(numbers: Mapping[LeaseId, int], record: Held) -> bytes:
    hold, leases, amount, _, unchecked = record
    named = leases + unchecked
    count = len(named)
    pack, length, complement = _held_shapes.get(count) or _held_shape(count)
    checked = len(leases)
    return pack(
        length, complement, b"h", count, checked, hold, amount, *map(numbers.__getitem__, named)
    )


def _decode_held(named: dict[int, LeaseId], payload: bytes) -> Held:
    _, count, checked, hold, amount = struct.unpack_from(_HELD_FIELDS, payload)
    numbers = struct.unpack_from(f"<{count}I", payload, struct.calcsize(_HELD_FIELDS))
    leases = tuple(named[number] for number in numbers)
    return Held(HoldId(hold), leases[:checked], Nanos(amount), unchecked=leases[checked:])


def _encode_ended(_: Mapping[LeaseId, int], record: Ended) -> bytes:
    hold, event, cost, reason = record
    why = _REASONS[reason]
    length = _ENDED.size - _HEAD.size + len(why)
    complement = length ^ PAYLOAD_BYTES_MAX
    return _ENDED.pack(length, complement, b"e", _EVENT_NUMBERS[event], hold, cost) + why


def _decode_ended(_: dict[int, LeaseId], payload: bytes) -> Ended:
    __, event, hold, cost = struct.unpack_from("<cBQq", payload)
    why = payload[struct.calcsize("<cBQq") :].decode()
    return Ended(HoldId(hold), _EVENTS[event], Nanos(cost), Reason(why))


# ------------------------------------------------------------------------------- what is rare


def _packed(kind: bytes, fields: tuple[Any, ...]) -> bytes:
    payload = kind + msgspec.msgpack.encode(fields)
    if len(payload) > PAYLOAD_BYTES_MAX:
        raise ValueError(f"a frame of {len(payload)} bytes is too long for a journal")
    return _HEAD.pack(len(payload), len(payload) ^ PAYLOAD_BYTES_MAX) + payload


def _fields(payload: bytes) -> list[Any]:
    fields = msgspec.msgpack.decode(payload[1:], type=list)
    return [*fields]


def _naming(numbers: dict[LeaseId, int], lease: LeaseId) -> tuple[int, str, str, int]:
    """A lease by number and names, for the frames that bring it into the file."""
    last = next(reversed(numbers.values()), -1)
    number = numbers.setdefault(lease, last + 1)
    return number, lease.charge.pool, lease.charge.key, lease.window


def _named(named: dict[int, LeaseId], fields: list[Any]) -> LeaseId:
    number, pool, key, window = fields
    lease = LeaseId(charge=Charge(pool=PoolUid(pool), key=key), window=window)
    if named.setdefault(number, lease) != lease:
        raise ValueError(f"two leases have the number {number}")
    return lease


def _instant(value: int | None) -> BootMs | None:
    return None if value is None else BootMs(value)


def _encode_granted(numbers: dict[LeaseId, int], record: Granted) -> bytes:
    return _packed(
        b"g",
        (_naming(numbers, record.lease), record.granted, record.window_ends, record.starts),
    )


def _decode_granted(named: dict[int, LeaseId], payload: bytes) -> Granted:
    lease, granted, ends, starts = _fields(payload)
    return Granted(
        lease=_named(named, lease),
        granted=Nanos(granted),
        window_ends=_instant(ends),
        starts=_instant(starts),
    )


def _encode_balance(numbers: dict[LeaseId, int], lease: Lease) -> bytes:
    """A lease at a checkpoint. What is reserved follows from the holds written after it."""
    _, granted, returned, spent, _, ends, starts = lease
    return _packed(b"B", (_naming(numbers, lease.id), granted, returned, spent, ends, starts))


def _decode_balance(named: dict[int, LeaseId], payload: bytes) -> Lease:
    lease, granted, returned, spent, ends, starts = _fields(payload)
    return Lease(
        id=_named(named, lease),
        granted=Nanos(granted),
        returned=Nanos(returned),
        spent=Nanos(spent),
        window_ends=_instant(ends),
        starts=_instant(starts),
    )


def _encode_returned(numbers: dict[LeaseId, int], record: Returned) -> bytes:
    return _packed(b"r", (numbers[record.lease], record.returned))


def _decode_returned(named: dict[int, LeaseId], payload: bytes) -> Returned:
    number, returned = _fields(payload)
    return Returned(lease=named[number], returned=Nanos(returned))


def _encode_closed(numbers: dict[LeaseId, int], record: Closed) -> bytes:
    return _packed(b"c", _naming(numbers, record.lease))


def _decode_closed(named: dict[int, LeaseId], payload: bytes) -> Closed:
    return Closed(lease=_named(named, _fields(payload)))


_ENCODERS: Final[Mapping[type[Frame], Callable[[Any, Any], bytes]]] = {
    Held: _encode_held,
    Ended: _encode_ended,
    Granted: _encode_granted,
    Returned: _encode_returned,
    Closed: _encode_closed,
    Lease: _encode_balance,
    Header: lambda _, header: _packed(b"H", header),
    Epoch: lambda _, epoch: _packed(b"E", epoch),
    NextHold: lambda _, next_hold: _packed(b"N", next_hold),
}

_DECODERS: Final[Mapping[bytes, Callable[[dict[int, LeaseId], bytes], Frame]]] = {
    b"h": _decode_held,
    b"e": _decode_ended,
    b"g": _decode_granted,
    b"r": _decode_returned,
    b"c": _decode_closed,
    b"B": _decode_balance,
    b"H": lambda _, payload: msgspec.convert(_fields(payload), Header),
    b"E": lambda _, payload: Epoch(*_fields(payload)),
    b"N": lambda _, payload: NextHold(*_fields(payload)),
}
