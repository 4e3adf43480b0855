"""The ledger in etcd: a commit is a transaction that compares who leads and what came before.

Each transaction compares when this controller's leader key was created, and the number of the
transaction before it, and raises that number. The one rule: nothing is written again before it was
read whether it is there already. When the outcome of a transaction is unclear, the leader key and
the number are read (linearizably); the same transaction may then go once more, because of the two
only one can find its number. This module must not know what the rows mean, or gRPC.
"""

import asyncio
import logging
from collections.abc import Iterator, Sequence
from typing import Final

from controller.store.etcd_layout import FORMAT, Keys, Reign
from controller.store.etcd_plan import Ops, carry_out, plan, read_redo, redo_parts
from controller.store.etcd_rows import read_tables
from controller.store.kv import (
    Compare,
    CreatedAt,
    Delete,
    Kv,
    KvCompacted,
    KvError,
    KvRefused,
    Page,
    Put,
    Row,
    ValueIs,
    end_of,
)
from controller.store.memory import Tables, snapshot_of
from controller.store.protocol import Fenced, Snapshot, StoreError, Write

_LOG = logging.getLogger(__name__)

PAGE_ROWS_MAX: Final = 5_000
READINGS_MAX: Final = 5
"""How often the whole ledger is read anew when etcd compacts what is being read."""

COMMIT_S_MAX: Final = 20.0
"""How long a commit may try to learn its outcome; the leader's session is over long before."""

OPEN_S_MAX: Final = 60.0
PAUSE_S_MIN: Final = 0.05
PAUSE_S_MAX: Final = 1.0
"""Between two attempts to learn how a transaction ended; each pause is twice the one before."""


class EtcdStore:
    """The ledger below `keys`, for as long as `reign` lasts."""

    def __init__(self, kv: Kv, keys: Keys, reign: Reign) -> None:
        """Take over nothing yet: winning the election was that."""
        self._kv = kv
        self._keys = keys
        self._reign = reign
        self._tables = Tables()
        self._batch = 0
        self._batch_is_there = False
        self._usable = False

    async def open(self) -> Snapshot:
        """Read everything as of one revision; carry out what a predecessor has decided."""
        try:
            async with asyncio.timeout(OPEN_S_MAX):
                return await self._open()
        except TimeoutError:
            raise StoreError("etcd did not let the ledger be read in time: see its logs") from None
        except KvError as error:
            raise StoreError(f"the ledger in etcd can't be read: {error}") from error

    async def commit(self, writes: Sequence[Write]) -> None:
        """Make the writes durable. After any failure the store must be opened anew."""
        if not self._usable:
            raise StoreError("the ledger in etcd is closed")
        if not writes:
            return
        # Not usable until it is known how this ended, whatever ends it.
        self._usable = False
        try:
            async with asyncio.timeout(COMMIT_S_MAX):
                await self._write(plan(self._keys, self._tables, writes))
        except TimeoutError:
            raise StoreError(
                f"etcd did not tell within {COMMIT_S_MAX:.0f} s whether a commit was made: "
                "see whether it has a leader and space"
            ) from None
        except OverflowError as error:
            raise StoreError(f"the ledger in etcd can't hold an amount: {error}") from error
        except KvError as error:
            raise StoreError(f"the ledger in etcd can't be read: {error}") from error
        self._usable = True

    async def close(self) -> None:
        """Commit nothing any more. The leadership is given up elsewhere."""
        self._usable = False

    async def _open(self) -> Snapshot:
        rows = await self._read_all()
        leader = rows.get(self._keys.leader)
        if leader is None or leader.created != self._reign.created:
            raise self._fenced()
        values = {key: row.value for key, row in rows.items()}
        batch = values.get(self._keys.batch)
        self._batch_is_there, self._batch = batch is not None, int(batch or 0)
        pending = _pending(self._keys, values)
        carry_out(values, pending)
        self._tables = read_tables(self._keys, values, self._reign.epoch)
        if self._keys.format not in values:
            await self._submit((Put(self._keys.format, FORMAT),))
        if pending or any(key.startswith(self._keys.redo) for key in values):
            await self._carry_out(pending)
        self._usable = True
        return snapshot_of(self._tables)

    async def _read_all(self) -> dict[bytes, Row]:
        for _ in range(READINGS_MAX):
            try:
                return await self._read_pages()
            except KvCompacted:
                _LOG.info("etcd compacted what was being read; reading the ledger again")
        raise StoreError(
            "etcd compacts faster than the ledger can be read: set "
            "--auto-compaction-retention to 5m or more"
        )

    async def _read_pages(self) -> dict[bytes, Row]:
        rows: dict[bytes, Row] = {}
        start, end, revision, more = self._keys.root, end_of(self._keys.root), 0, True
        while more:
            page = await self._read(start, end, revision=revision, rows_max=PAGE_ROWS_MAX)
            rows.update((row.key, row) for row in page.rows)
            revision, more = page.revision, page.more
            if more:
                start = page.rows[-1].key + b"\0"
        return rows

    async def _write(self, planned: list[Ops]) -> None:
        if len(planned) == 1:
            await self._submit(planned[0])
            return
        parts = redo_parts(planned)
        for number, part in enumerate(parts):
            written: Ops = (Put(self._keys.redo_part(number), part),)
            if number == len(parts) - 1:
                written += (Put(self._keys.redo_count, b"%d" % len(parts)),)
            await self._submit(written)
        await self._carry_out(planned)

    async def _carry_out(self, planned: list[Ops]) -> None:
        """Do what a redo record says, and remove it with the last of it."""
        redo = self._keys.redo
        for ops in planned[:-1]:
            await self._submit(ops)
        last = planned[-1] if planned else ()
        await self._submit((*last, Delete(redo, end_of(redo))))

    async def _submit(self, ops: Ops) -> None:
        """Make one transaction happen exactly once. Raises Fenced or StoreError."""
        before, number = self._batch, self._batch + 1
        batch = self._keys.batch
        compares: tuple[Compare, ...] = (
            self._reign.compare(),
            ValueIs(batch, b"%d" % before) if self._batch_is_there else CreatedAt(batch, 0),
        )
        for pause_s in _pauses():
            try:
                done = await self._kv.transact(compares, (Put(batch, b"%d" % number), *ops))
            except KvRefused as error:
                raise StoreError(f"etcd refused a commit: {error}") from error
            except KvError as error:
                _LOG.warning("the outcome of a commit is unclear and is read: %s", error)
                done = False
            if done or await self._is_there(number):
                self._batch, self._batch_is_there = number, True
                return
            await asyncio.sleep(pause_s)

    async def _is_there(self, number: int) -> bool:
        """Whether the transaction of this number was made. Raises Fenced, or StoreError."""
        found = int(await self._value(self._keys.batch) or 0)
        # Read after the number: who leads now has led all the time since, so the number is ours.
        page = await self._read(self._keys.leader)
        if not page.rows or page.rows[0].created != self._reign.created:
            raise self._fenced()
        if found not in {number - 1, number}:
            raise StoreError(
                f"{self._keys.batch.decode()} is {found} and should be {number - 1} or {number}: "
                "someone else writes to the ledger; stop that, then start this controller again"
            )
        return found == number

    async def _value(self, key: bytes) -> bytes | None:
        page = await self._read(key)
        return page.rows[0].value if page.rows else None

    async def _read(
        self, key: bytes, end: bytes | None = None, *, revision: int = 0, rows_max: int = 0
    ) -> Page:
        """Read, again and again while etcd does not answer: reading changes nothing."""
        for pause_s in _pauses():
            try:
                return await self._kv.read(key, end, revision=revision, rows_max=rows_max)
            except KvRefused:
                raise
            except KvError as error:
                _LOG.info("etcd does not answer; asking again: %s", error)
            await asyncio.sleep(pause_s)
        raise AssertionError("pauses never end")

    def _fenced(self) -> Fenced:
        return Fenced(
            f"another controller leads the ledger under {self._keys.root.decode()} now; "
            "this one must end"
        )


def _pauses() -> Iterator[float]:
    pause_s = PAUSE_S_MIN
    while True:
        yield pause_s
        pause_s = min(PAUSE_S_MAX, 2 * pause_s)


def _pending(keys: Keys, values: dict[bytes, bytes]) -> list[Ops]:
    """What a predecessor has decided and perhaps not carried out to the end."""
    parts = int(values.get(keys.redo_count, b"0"))
    return [ops for number in range(parts) for ops in read_redo(values[keys.redo_part(number)])]
