"""What only files can do: be locked, be taken over, be of another version, survive a kill."""

import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from controller.store.protocol import Fenced, StoreError
from controller.store.sqlite import SCHEMA_VERSION, SqliteStore
from tests.controller.store.test_protocol import account, close

WRITER = """
import asyncio, sys
from pathlib import Path
from controller.store.sqlite import SqliteStore
from tests.controller.store.test_protocol import account

async def main() -> None:
    store = SqliteStore(Path(sys.argv[1]))
    await store.open()
    for number in range(1_000_000):
        await store.commit([account(holder=f"h{number}"), account(holder="last", granted=number)])
        sys.stdout.write(f"{number}\\n")
        sys.stdout.flush()

asyncio.run(main())
"""


async def test_a_second_controller_on_the_same_file_is_refused(tmp_path: Path) -> None:
    first, second = (SqliteStore(tmp_path / "ledger") for _ in range(2))
    await first.open()

    with pytest.raises(StoreError, match="another controller is using the ledger"):
        await second.open()

    await first.commit([account()])
    await first.close()
    assert (await second.open()).accounts == (account(),)
    await second.close()


async def test_a_controller_whose_ledger_was_taken_over_commits_nothing(tmp_path: Path) -> None:
    path = tmp_path / "ledger"
    store = SqliteStore(path)
    await store.open()
    _change(path, "UPDATE meta SET value = value + 1 WHERE name = 'epoch'")

    with pytest.raises(Fenced, match="has taken the ledger"):
        await store.commit([account()])

    await store.close()
    assert _rows(path, "SELECT * FROM accounts") == []


async def test_a_commit_that_fails_half_way_leaves_nothing_behind(tmp_path: Path) -> None:
    path = tmp_path / "ledger"
    store = SqliteStore(path)
    await store.open()

    with pytest.raises(StoreError, match="can't be used"):
        await store.commit([account(), account(holder="b", granted=2**63)])
    await store.commit([close("c", 1)])

    await store.close()
    assert _rows(path, "SELECT holder FROM accounts") == []
    assert _rows(path, "SELECT spent FROM closed") == [(1,)]


async def test_a_ledger_of_another_version_is_refused_and_let_go(tmp_path: Path) -> None:
    path = tmp_path / "ledger"
    store = SqliteStore(path)
    await store.open()
    await store.close()
    _change(path, "UPDATE meta SET value = 99 WHERE name = 'schema_version'")

    newer = SqliteStore(path)
    with pytest.raises(StoreError, match="has schema version 99 and this controller reads 2"):
        await newer.open()

    assert SCHEMA_VERSION == 2
    _change(path, "UPDATE meta SET value = 2 WHERE name = 'schema_version'")
    again = SqliteStore(path)
    assert (await again.open()).epoch == 2
    await again.close()
    await newer.close()


async def test_a_file_that_is_no_ledger_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "ledger"
    path.write_text("shopping list " * 100)
    store = SqliteStore(path)

    with pytest.raises(StoreError, match="can't be used"):
        await store.open()
    await store.close()


async def test_nothing_is_committed_after_closing(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "ledger")
    await store.open()
    await store.commit([account()])
    await store.close()

    with pytest.raises(RuntimeError):
        await store.commit([account()])


async def test_every_commit_waits_for_the_disk(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "ledger")
    await store.open()
    assert store._database is not None

    assert store._database.execute("PRAGMA synchronous").fetchone() == (2,)
    assert store._database.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    await store.close()


async def test_what_was_committed_survives_a_kill(tmp_path: Path) -> None:
    path = tmp_path / "ledger"
    told = _kill_a_writer_after(path, commits=25)

    store = SqliteStore(path)
    found = {row.holder: row for row in (await store.open()).accounts}
    await store.close()

    assert {f"h{number}" for number in range(told + 1)} <= found.keys()
    last = int(found["last"].granted)
    assert f"h{last}" in found, "a commit is there whole"
    assert f"h{last + 1}" not in found, "or not at all"


def _kill_a_writer_after(path: Path, *, commits: int) -> int:
    """Let another process write, kill it, and return the last commit that it told of."""
    environment = {**os.environ, "PYTHONPATH": str(Path.cwd())}
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, env=environment
    )
    with writer:
        assert writer.stdout is not None
        for _ in range(commits):
            told = int(writer.stdout.readline())
        writer.send_signal(signal.SIGKILL)
        rest = writer.stdout.read().splitlines()
    return int(rest[-1]) if rest else told


def _change(path: Path, statement: str) -> None:
    database = sqlite3.connect(path)
    database.execute(statement)
    database.commit()
    database.close()


def _rows(path: Path, query: str) -> list[tuple[object, ...]]:
    database = sqlite3.connect(path)
    rows = database.execute(query).fetchall()
    database.close()
    return rows
