"""The file on a real disk: whole appends, a lock, and a rewrite in one step."""

import errno
import os
from pathlib import Path

import pytest

from sidecar.journal_file import DiskFile, JournalInUseError


def test_what_is_appended_is_there_for_the_next_process(tmp_path: Path) -> None:
    file = DiskFile(tmp_path / "deep" / "journal")
    file.append(b"one ")
    file.append(b"two")
    file.close()
    again = DiskFile(tmp_path / "deep" / "journal")
    assert again.read() == b"one two"
    again.cut(4)
    again.append(b"three")
    assert again.read() == b"one three"


def test_only_one_process_has_it(tmp_path: Path) -> None:
    first = DiskFile(tmp_path / "journal")
    with pytest.raises(JournalInUseError, match="FAREBOX_JOURNAL"):
        DiskFile(tmp_path / "journal")
    first.close()
    DiskFile(tmp_path / "journal").close()


def test_only_its_owner_can_read_it(tmp_path: Path) -> None:
    file = DiskFile(tmp_path / "journal")
    modes = [(tmp_path / "journal").stat().st_mode & 0o077]
    file.replace(lambda _: b"anew")
    modes.append((tmp_path / "journal").stat().st_mode & 0o077)
    assert modes == [0, 0]


def test_a_copy_is_not_the_file(tmp_path: Path) -> None:
    file = DiskFile(tmp_path / "journal")
    file.append(b"money")
    (tmp_path / "copy").write_bytes(file.read())
    assert DiskFile(tmp_path / "copy").identity() != file.identity()


def test_a_rewrite_replaces_it_in_one_step_and_names_the_new_file(tmp_path: Path) -> None:
    file = DiskFile(tmp_path / "journal")
    file.append(b"a long story")
    named: list[int] = []

    def content(identity: int) -> bytes:
        named.append(identity)
        assert (tmp_path / "journal").read_bytes() == b"a long story", "the old one is still there"
        return b"short"

    assert file.replace(content) == 5
    assert named == [file.identity()] == [(tmp_path / "journal").stat().st_ino]
    file.append(b"er")
    assert file.read() == b"shorter"


def test_a_rewrite_that_fails_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = DiskFile(tmp_path / "journal")
    file.append(b"old")

    def full(_fd: int, _data: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "write", full)
        with pytest.raises(OSError, match="No space"):
            file.replace(lambda _: b"new")
        with pytest.raises(OSError, match="No space"):
            file.append(b"more")
    assert not (tmp_path / "journal.new").exists()
    file.append(b"er")
    assert file.read() == b"older"


def test_a_disk_that_takes_only_half_takes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = DiskFile(tmp_path / "journal")
    file.append(b"one ")
    write = os.write

    with monkeypatch.context() as patched:
        patched.setattr(os, "write", lambda fd, data: write(fd, data[:2]))
        with pytest.raises(OSError, match="took 2 of 3 bytes"):
            file.append(b"two")
    assert file.read() == b"one "
    file.append(b"three")
    assert file.read() == b"one three"
