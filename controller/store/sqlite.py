"""The embedded ledger: one SQLite file, one process, one writing thread.

Write-ahead log with synchronous=FULL, so a commit that returned survives the loss of power. The one
rule: each commit compares the epoch inside its own transaction. This module must not know what the
rows mean beyond their columns.
"""

import asyncio
import fcntl
import json
import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final, TypeVar, assert_never

from controller.store.protocol import (
    CloseAccount,
    ClosedTotal,
    Fenced,
    ForgetHolder,
    ForgetWindow,
    PoisonHolder,
    PutAccount,
    PutBucket,
    PutHolder,
    Snapshot,
    StoreError,
    Write,
)
from farebox.core.budgets import Charge, PoolUid
from farebox.core.instant import UtcMs
from farebox.core.leases import LeaseId, LeaseState
from farebox.core.money import Nanos
from farebox.wire.messages import Workload

SCHEMA_VERSION: Final = 2
BUSY_WAIT_S_MAX: Final = 5.0
"""How long a commit waits for someone who reads the file with another tool."""

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS accounts (
    pool TEXT, key TEXT, window INTEGER, holder TEXT,
    granted INTEGER NOT NULL, returned INTEGER NOT NULL, spent INTEGER NOT NULL,
    state TEXT NOT NULL, window_ends INTEGER,
    PRIMARY KEY (pool, key, window, holder)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS closed (
    pool TEXT, key TEXT, window INTEGER, spent INTEGER NOT NULL, window_ends INTEGER,
    last INTEGER NOT NULL,
    PRIMARY KEY (pool, key, window)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS buckets (
    pool TEXT, key TEXT, level INTEGER NOT NULL, at INTEGER NOT NULL,
    PRIMARY KEY (pool, key)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS poisoned (holder TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS holders (
    holder TEXT PRIMARY KEY, boot_seq INTEGER NOT NULL,
    namespace TEXT NOT NULL, name TEXT NOT NULL, labels TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS pods (
    holder TEXT PRIMARY KEY, uid TEXT NOT NULL
) WITHOUT ROWID;
"""

_RAISE_META: Final = """
INSERT INTO meta VALUES (?, ?)
ON CONFLICT (name) DO UPDATE SET value = max(value, excluded.value)
"""
_RAISE_CLOSED: Final = """
INSERT INTO closed VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (pool, key, window) DO UPDATE SET
    spent = spent + excluded.spent,
    window_ends = max(window_ends, excluded.window_ends),
    last = max(last, excluded.last)
"""
_REMOVE_ACCOUNT: Final = (
    "DELETE FROM accounts WHERE pool = ? AND key = ? AND window = ? AND holder = ?"
)
_REMOVE_ACCOUNTS: Final = "DELETE FROM accounts WHERE pool = ? AND key = ? AND window = ?"
_REMOVE_TOTAL: Final = "DELETE FROM closed WHERE pool = ? AND key = ? AND window = ?"

_T = TypeVar("_T")


class SqliteStore:
    """A store in `path`; `path`.lock is held as long as it is open."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="ledger")
        self._database: sqlite3.Connection | None = None
        self._lock: int | None = None
        self._epoch = 0

    async def open(self) -> Snapshot:
        return await self._run(self._open)

    async def commit(self, writes: Sequence[Write]) -> None:
        await self._run(lambda: self._commit(writes))

    async def close(self) -> None:
        await self._run(self._close)
        self._thread.shutdown()

    async def _run(self, work: Callable[[], _T]) -> _T:
        """Do blocking work in the one thread, so that commits keep their order."""
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._thread, work)
        except (sqlite3.Error, OSError, OverflowError) as error:
            raise StoreError(f"the ledger {self._path} can't be used: {error}") from error

    def _open(self) -> Snapshot:
        try:
            return self._take_over()
        except BaseException:  # whatever it was: a store that did not open must not stay locked
            self._close()
            raise

    def _take_over(self) -> Snapshot:
        self._lock = _lock_file(self._path.with_name(self._path.name + ".lock"), self._path)
        database = sqlite3.connect(
            self._path, timeout=BUSY_WAIT_S_MAX, isolation_level=None, check_same_thread=False
        )
        self._database = database
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = FULL")
        _adopt_schema(database, self._path)
        database.execute("BEGIN IMMEDIATE")
        with database:
            self._epoch = _meta(database, "epoch") + 1
            database.execute(_RAISE_META, ("epoch", self._epoch))
            return _read(database, self._epoch)

    def _commit(self, writes: Sequence[Write]) -> None:
        if self._database is None:
            raise StoreError(f"the ledger {self._path} is closed")
        self._database.execute("BEGIN IMMEDIATE")
        with self._database:  # commits, or rolls back when anything below raises
            if _meta(self._database, "epoch") != self._epoch:
                raise Fenced(
                    f"another controller has taken the ledger {self._path} over; this one must end"
                )
            for write in writes:
                _apply(self._database, write)

    def _close(self) -> None:
        if self._database is not None:
            self._database.close()
            self._database = None
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


def _lock_file(path: Path, ledger: Path) -> int:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise StoreError(
            f"another controller is using the ledger {ledger}: stop it or name another file"
        ) from None
    return descriptor


def _adopt_schema(database: sqlite3.Connection, path: Path) -> None:
    database.executescript(_SCHEMA)
    database.execute("INSERT OR IGNORE INTO meta VALUES ('schema_version', ?)", (SCHEMA_VERSION,))
    found = _meta(database, "schema_version")
    if found != SCHEMA_VERSION:
        raise StoreError(
            f"the ledger {path} has schema version {found} and this controller reads "
            f"{SCHEMA_VERSION}: run the controller that wrote it, or name another file"
        )


def _meta(database: sqlite3.Connection, name: str) -> int:
    row = database.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
    return int(row[0]) if row else 0


def _read(database: sqlite3.Connection, epoch: int) -> Snapshot:
    return Snapshot(
        epoch=epoch,
        clock_floor=UtcMs(_meta(database, "clock_floor")),
        accounts=tuple(_read_accounts(database)),
        closed=tuple(_read_closed(database)),
        holders=tuple(_read_holders(database)),
        buckets=tuple(_read_buckets(database)),
        poisoned=tuple(
            name for (name,) in database.execute("SELECT holder FROM poisoned ORDER BY holder")
        ),
    )


def _read_accounts(database: sqlite3.Connection) -> Iterator[PutAccount]:
    rows = database.execute(
        "SELECT pool, key, window, holder, granted, returned, spent, state, window_ends "
        "FROM accounts"
    )
    for pool, key, window, holder, granted, returned, spent, state, ends in rows:
        yield PutAccount(
            lease=_lease(pool, key, window),
            holder=holder,
            granted=Nanos(granted),
            returned=Nanos(returned),
            spent=Nanos(spent),
            state=LeaseState(state),
            window_ends=_instant(ends),
        )


def _read_closed(database: sqlite3.Connection) -> Iterator[ClosedTotal]:
    for pool, key, window, spent, ends, last in database.execute(
        "SELECT pool, key, window, spent, window_ends, last FROM closed"
    ):
        lease = _lease(pool, key, window)
        yield ClosedTotal(lease=lease, spent=Nanos(spent), window_ends=_instant(ends), last=last)


def _read_holders(database: sqlite3.Connection) -> Iterator[PutHolder]:
    for holder, boot_seq, namespace, name, labels, uid in database.execute(
        "SELECT holder, boot_seq, namespace, name, labels, coalesce(uid, '') "
        "FROM holders LEFT JOIN pods USING (holder)"
    ):
        workload = Workload(namespace=namespace, name=name, labels=json.loads(labels), uid=uid)
        yield PutHolder(holder=holder, boot_seq=boot_seq, workload=workload)


def _read_buckets(database: sqlite3.Connection) -> Iterator[PutBucket]:
    for pool, key, level, at in database.execute("SELECT pool, key, level, at FROM buckets"):
        yield PutBucket(charge=Charge(PoolUid(pool), key), level=Nanos(level), at=UtcMs(at))


def _apply(database: sqlite3.Connection, write: Write) -> None:
    match write:
        case PutAccount():
            database.execute(
                "INSERT OR REPLACE INTO accounts VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    *_columns(write.lease),
                    write.holder,
                    write.granted,
                    write.returned,
                    write.spent,
                    write.state,
                    write.window_ends,
                ),
            )
        case CloseAccount():
            _close_account(database, write)
        case PutBucket(charge=charge):
            database.execute(
                "INSERT OR REPLACE INTO buckets VALUES (?, ?, ?, ?)",
                (charge.pool, charge.key, write.level, write.at),
            )
        case ForgetWindow():
            key = _columns(write.lease)
            database.execute(_REMOVE_ACCOUNTS, key)
            database.execute(_REMOVE_TOTAL, key)
            database.execute(_RAISE_META, ("clock_floor", write.window_ends))
        case PutHolder() | PoisonHolder() | ForgetHolder():
            _apply_to_holder(database, write)
        case _:
            assert_never(write)


def _close_account(database: sqlite3.Connection, write: CloseAccount) -> None:
    ends = write.window_ends
    last = write.lease.window if ends is None else 0
    database.execute(_REMOVE_ACCOUNT, (*_columns(write.lease), write.holder))
    database.execute(_RAISE_CLOSED, (*_columns(write.total), write.spent, ends, last))
    if ends is not None:
        database.execute(_RAISE_META, ("clock_floor", ends))


def _apply_to_holder(
    database: sqlite3.Connection, write: PutHolder | PoisonHolder | ForgetHolder
) -> None:
    match write:
        case PutHolder(workload=workload):
            labels = json.dumps(dict(workload.labels))
            database.execute(
                "INSERT OR REPLACE INTO holders VALUES (?, ?, ?, ?, ?)",
                (write.holder, write.boot_seq, workload.namespace, workload.name, labels),
            )
            if workload.uid:
                database.execute(
                    "INSERT OR REPLACE INTO pods VALUES (?, ?)", (write.holder, workload.uid)
                )
        case PoisonHolder():
            database.execute("INSERT OR IGNORE INTO poisoned VALUES (?)", (write.holder,))
        case ForgetHolder():
            database.execute("DELETE FROM holders WHERE holder = ?", (write.holder,))
            database.execute("DELETE FROM pods WHERE holder = ?", (write.holder,))
            database.execute("DELETE FROM poisoned WHERE holder = ?", (write.holder,))


def _instant(ms: int | None) -> UtcMs | None:
    return None if ms is None else UtcMs(ms)


def _lease(pool: str, key: str, window: int) -> LeaseId:
    return LeaseId(Charge(PoolUid(pool), key), window)


def _columns(lease: LeaseId) -> tuple[str, str, int]:
    return (lease.charge.pool, lease.charge.key, lease.window)
