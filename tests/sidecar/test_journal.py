"""The journal: what is written survives the process, whatever happens to the last bytes."""

from pathlib import Path

import pytest

from farebox.core.instant import BootMs
from farebox.core.leases import Hold, HoldEvent, HoldId, Lease
from farebox.core.ledger import Closed, Ended, Granted, Held, Record, Returned
from farebox.core.money import Nanos
from farebox.core.reasons import Reason
from farebox.wire.messages import JournalState
from sidecar import journal as journal_module
from sidecar.frames import FORMAT, Encoder, Header
from sidecar.journal import Journal
from sidecar.journal_file import JournalInUseError
from tests.support.disks import MemoryFile
from tests.support.money import ORG, TEAM, granted, lease_id

BOOT = "boot-1"

RECORDS: tuple[Record, ...] = (
    granted(ORG, 1_000),
    Granted(lease=lease_id(TEAM), granted=Nanos(500), window_ends=BootMs(77)),
    Held(hold=HoldId(1), leases=(lease_id(ORG), lease_id(TEAM)), amount=Nanos(20)),
    Ended(hold=HoldId(1), event=HoldEvent.SETTLE, cost=Nanos(7), reason=Reason.USAGE_REPORTED),
    Returned(lease=lease_id(ORG), returned=Nanos(900)),
    Closed(lease=lease_id(TEAM)),
)


def written(path: Path, records: tuple[Record, ...] = RECORDS, boot: str = BOOT) -> str:
    """Write records to a journal and close it; returns the holder it belongs to."""
    journal = Journal(path, boot_id=boot)
    for record in records:
        journal.append(record)
    journal.close()
    return journal.recovered.holder


def test_a_new_journal_makes_a_new_holder(tmp_path: Path) -> None:
    one = Journal(tmp_path / "one", boot_id=BOOT).recovered
    other = Journal(tmp_path / "other", boot_id=BOOT).recovered
    assert one.state is other.state is JournalState.NEW
    assert one.holder != other.holder
    assert one.boot_seq == 1


def test_every_kind_of_record_comes_back_as_it_was(tmp_path: Path) -> None:
    holder = written(tmp_path / "j")
    again = Journal(tmp_path / "j", boot_id=BOOT).recovered
    assert again.state is JournalState.OK
    assert again.holder == holder
    assert again.records == RECORDS
    assert again.boot_seq == 2
    assert again.next_hold == 2


def test_the_journal_belongs_to_one_process_at_a_time(tmp_path: Path) -> None:
    first = Journal(tmp_path / "j", boot_id=BOOT)
    with pytest.raises(JournalInUseError, match="FAREBOX_JOURNAL"):
        Journal(tmp_path / "j", boot_id=BOOT)
    first.close()
    assert Journal(tmp_path / "j", boot_id=BOOT).recovered.boot_seq == 2


def test_a_process_killed_at_any_byte_loses_at_most_the_record_it_was_writing(
    tmp_path: Path,
) -> None:
    holder = written(tmp_path / "j")
    whole = (tmp_path / "j").read_bytes()
    seen = set()
    for length in range(1, len(whole)):
        (tmp_path / "j").write_bytes(whole[:length])
        torn = Journal(tmp_path / "j", boot_id=BOOT)
        torn.close()
        recovered = torn.recovered
        assert recovered.records == RECORDS[: len(recovered.records)]
        if recovered.state is JournalState.OK:
            assert recovered.holder == holder
            seen.add(len(recovered.records))
    assert seen == set(range(len(RECORDS)))


def test_after_a_torn_tail_new_records_follow_the_last_whole_one(tmp_path: Path) -> None:
    written(tmp_path / "j")
    whole = (tmp_path / "j").read_bytes()
    (tmp_path / "j").write_bytes(whole[:-3])
    journal = Journal(tmp_path / "j", boot_id=BOOT)
    journal.append(RECORDS[-1])
    journal.close()
    assert Journal(tmp_path / "j", boot_id=BOOT).recovered.records == RECORDS


@pytest.mark.parametrize("spoil", ["first header", "a middle record"])
def test_a_changed_byte_makes_the_journal_lost(tmp_path: Path, spoil: str) -> None:
    holder = written(tmp_path / "j")
    content = bytearray((tmp_path / "j").read_bytes())
    content[12 if spoil == "first header" else len(content) // 2] ^= 0xFF
    (tmp_path / "j").write_bytes(content)
    recovered = Journal(tmp_path / "j", boot_id=BOOT).recovered
    assert recovered.state is JournalState.LOST
    assert recovered.holder != holder
    assert recovered.records == ()


def test_a_reboot_makes_the_journal_lost(tmp_path: Path) -> None:
    """Appends are not synced, so after a power cut the last ones may be missing."""
    holder = written(tmp_path / "j")
    recovered = Journal(tmp_path / "j", boot_id="boot-2").recovered
    assert recovered.state is JournalState.LOST
    assert recovered.holder != holder


def test_a_checkpoint_keeps_what_is_open_and_shrinks_the_file(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j", boot_id=BOOT)
    for number in range(1, 2_000):
        journal.append(granted(ORG, number))
    before = (tmp_path / "j").stat().st_size
    lease = Lease(
        id=lease_id(ORG), granted=Nanos(9), returned=Nanos(1), spent=Nanos(2), reserved=Nanos(3)
    )
    open_hold = Hold(id=HoldId(41), leases=(lease_id(ORG),), amount=Nanos(3))
    journal.checkpoint(leases=[lease], holds=[open_hold], epoch=5, next_hold=HoldId(50))
    journal.append(RECORDS[4])
    journal.close()
    recovered = Journal(tmp_path / "j", boot_id=BOOT).recovered
    assert (tmp_path / "j").stat().st_size < before / 10
    assert recovered.holder == journal.recovered.holder
    assert [balance.granted for balance in recovered.balances] == [9]
    assert recovered.balances[0].reserved == 0, "the hold written after it brings this back"
    assert recovered.records == (
        Held(hold=HoldId(41), leases=(lease_id(ORG),), amount=Nanos(3)),
        RECORDS[4],
    )
    assert recovered.epoch == 5
    assert recovered.next_hold == 50


def test_growth_asks_for_a_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_module, "CHECKPOINT_BYTES", 500)
    journal = Journal(tmp_path / "j", boot_id=BOOT)
    asked = [journal.wants_checkpoint]
    for number in range(1, 20):
        journal.append(granted(ORG, number))
    asked.append(journal.wants_checkpoint)
    journal.checkpoint(leases=[], holds=[], epoch=0, next_hold=HoldId(1))
    asked.append(journal.wants_checkpoint)
    assert asked == [False, True, False]


def test_starting_over_forgets_everything(tmp_path: Path) -> None:
    holder = written(tmp_path / "j")
    journal = Journal(tmp_path / "j", boot_id=BOOT)
    journal.start_over()
    journal.append(RECORDS[0])
    journal.close()
    recovered = Journal(tmp_path / "j", boot_id=BOOT).recovered
    assert recovered.holder == journal.recovered.holder != holder
    assert recovered.records == RECORDS[:1]


def test_a_copy_of_a_journal_is_lost(tmp_path: Path) -> None:
    """Its holder may run on elsewhere: the money must not be there twice."""
    holder = written(tmp_path / "j")
    (tmp_path / "copy").write_bytes((tmp_path / "j").read_bytes())
    recovered = Journal(tmp_path / "copy", boot_id=BOOT).recovered
    assert recovered.state is JournalState.LOST
    assert recovered.holder != holder
    assert Journal(tmp_path / "j", boot_id=BOOT).recovered.state is JournalState.OK


def test_an_older_copy_put_back_in_place_tells_less_than_the_controller_has_heard() -> None:
    file = MemoryFile()
    journal = Journal(file, boot_id=BOOT)
    journal.append(RECORDS[0])
    before = bytes(file.content)
    for _ in range(2):
        journal = Journal(file, boot_id=BOOT)
    journal.append(RECORDS[4])
    file.content = bytearray(before)
    again = Journal(file, boot_id=BOOT).recovered
    assert again.boot_seq < journal.recovered.boot_seq
    assert again.records == RECORDS[:1]


def test_another_format_is_lost() -> None:
    file = MemoryFile()
    header = Header(FORMAT + 1, "holder-1", 1, BOOT, file.identity())
    file.append(Encoder().encode(header))
    assert Journal(file, boot_id=BOOT).recovered.state is JournalState.LOST


def test_a_full_disk_takes_no_record_and_then_takes_them_again() -> None:
    file = MemoryFile()
    journal = Journal(file, boot_id=BOOT)
    journal.append(RECORDS[0])
    file.room = 10
    with pytest.raises(OSError, match="No space"):
        journal.append(RECORDS[1])
    file.room = None
    journal.append(RECORDS[1])
    journal.append(RECORDS[2])
    assert Journal(file, boot_id=BOOT).recovered.records == RECORDS[:3]


def test_a_checkpoint_that_finds_no_room_leaves_the_journal_as_it_was() -> None:
    file = MemoryFile()
    journal = Journal(file, boot_id=BOOT)
    journal.append(RECORDS[0])
    file.room = 10
    journal.checkpoint(leases=[], holds=[], epoch=0, next_hold=HoldId(1))
    file.room = None
    journal.append(RECORDS[4])
    assert Journal(file, boot_id=BOOT).recovered.records == (RECORDS[0], RECORDS[4])


def test_a_journal_that_can_not_be_written_anew_stops_at_its_bound(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(journal_module, "JOURNAL_BYTES_MAX", 1_000)
    file = MemoryFile()
    journal = Journal(file, boot_id=BOOT)

    def fill() -> None:
        for number in range(1, 100):
            journal.append(granted(ORG, number))

    with pytest.raises(OSError, match="longer than 1000 bytes"):
        fill()
    assert len(file.content) < 1_100
    journal.checkpoint(leases=[], holds=[], epoch=0, next_hold=HoldId(1))
    journal.append(granted(ORG, 1))
