"""Frames: what is written comes back as it was, and nothing else passes for a frame."""

import struct
import zlib
from dataclasses import replace

import pytest

from farebox.core.budgets import Charge, PoolUid
from farebox.core.instant import BootMs
from farebox.core.leases import HoldEvent, HoldId, Lease, LeaseId
from farebox.core.ledger import Closed, Ended, Granted, Held, Returned
from farebox.core.money import Nanos
from farebox.core.reasons import Reason
from sidecar.frames import (
    FORMAT,
    PAYLOAD_BYTES_MAX,
    DamagedError,
    Encoder,
    Epoch,
    Frame,
    Header,
    NextHold,
    decode,
)
from tests.support.money import ANA, ORG, TEAM, granted, lease_id

HEADER = Header(FORMAT, "holder-1", 3, "boot-1", 77)
LEASES = (lease_id(ORG), lease_id(TEAM), lease_id(ANA))
FRAMES: tuple[Frame, ...] = (
    HEADER,
    Epoch(9),
    NextHold(HoldId(41)),
    Lease(
        id=lease_id(ANA),
        granted=Nanos(90),
        returned=Nanos(5),
        spent=Nanos(6),
        window_ends=BootMs(70),
        starts=BootMs(60),
    ),
    granted(ORG, 1_000),
    replace(granted(TEAM, 500, window_ends=77), starts=BootMs(50)),
    Held(HoldId(1), LEASES, Nanos(20)),
    Held(HoldId(2), LEASES[:1], Nanos(0), unchecked=LEASES[1:]),
    Held(HoldId(3), (), Nanos(5)),
    *(Ended(HoldId(1), event, Nanos(7), Reason.USAGE_REPORTED) for event in HoldEvent),
    *(Ended(HoldId(2), HoldEvent.VOID, Nanos(0), reason) for reason in Reason),
    Returned(lease=lease_id(ORG), returned=Nanos(900)),
    Closed(lease=lease_id(TEAM)),
)


def written(*frames: Frame) -> bytes:
    encoder = Encoder()
    return b"".join(encoder.encode(frame) for frame in frames)


def test_every_kind_of_frame_comes_back_as_it_was() -> None:
    raw = written(*FRAMES)
    content = decode(raw)
    assert content.frames == FRAMES
    assert content.end == len(raw)


def test_a_lease_is_named_once_and_then_only_numbered() -> None:
    pool = PoolUid("acme/" + "long" * 20)
    lease = LeaseId(Charge(pool, "ana"), 5)
    first = written(Granted(lease=lease, granted=Nanos(9), window_ends=None))
    both = written(
        Granted(lease=lease, granted=Nanos(9), window_ends=None),
        Held(HoldId(1), (lease,), Nanos(5)),
    )
    assert len(first) > len(pool)
    assert len(both) - len(first) < 40


def test_numbering_goes_on_where_a_file_ended() -> None:
    raw = written(granted(ORG, 1), granted(TEAM, 1))
    encoder = Encoder()
    # The grant of a second lease never got into the file, so that its number is not taken.
    encoder.know({lease_id(ORG): 0, lease_id(TEAM): 4})
    tail = encoder.encode(granted(ANA, 1)) + encoder.encode(Held(HoldId(1), LEASES[2:], Nanos(1)))
    assert decode(raw + tail).frames[-1] == Held(HoldId(1), LEASES[2:], Nanos(1))
    assert 5 in decode(raw + tail).numbers.values()


def test_a_lease_that_was_never_granted_has_no_number() -> None:
    with pytest.raises(KeyError):
        written(Held(HoldId(1), LEASES, Nanos(20)))


def test_a_file_that_ends_within_a_frame_was_cut_short_there() -> None:
    raw = written(*FRAMES)
    ends = [len(written(*FRAMES[:count])) for count in range(len(FRAMES) + 1)]
    for length in range(len(raw)):
        whole = sum(end <= length for end in ends) - 1
        content = decode(raw[:length])
        assert content.frames == FRAMES[:whole]
        assert content.end == ends[whole]


@pytest.mark.parametrize("flip", [0x01, 0x80, 0xFF])
def test_no_byte_can_change_unseen(flip: int) -> None:
    raw = written(*FRAMES)
    for position in range(len(raw)):
        damaged = bytearray(raw)
        damaged[position] ^= flip
        with pytest.raises(DamagedError):
            decode(bytes(damaged))


def sealed(payload: bytes) -> bytes:
    """A frame with a good checksum and a payload that nobody wrote."""
    head = struct.pack("<HH", len(payload), len(payload) ^ PAYLOAD_BYTES_MAX)
    return head + payload + struct.pack("<I", zlib.crc32(head + payload))


@pytest.mark.parametrize(
    "payload",
    [b"", b"?", b"g\xc1", b"h\x01", b"H\x90", b"r\x92\x07\x01", b"e\x09" + bytes(16) + b"why"],
    ids=["empty", "no kind", "no MessagePack", "short", "no fields", "no lease", "no event"],
)
def test_a_payload_of_another_program_is_damage(payload: bytes) -> None:
    with pytest.raises(DamagedError):
        decode(sealed(payload))


def test_two_leases_never_share_a_number() -> None:
    one, other = written(granted(ORG, 1)), written(granted(TEAM, 1))
    with pytest.raises(DamagedError):
        decode(one + other)


def test_what_is_too_long_for_a_frame_is_not_written() -> None:
    with pytest.raises(ValueError, match="too long for a journal"):
        written(Header(FORMAT, "h" * PAYLOAD_BYTES_MAX, 1, "", 1))
    with pytest.raises(ValueError, match="20000 pools"):
        written(granted(ORG, 1), Held(HoldId(1), LEASES[:1] * 20_000, Nanos(1)))
