"""What became durable, row by row, whichever store keeps it.

The one rule: a change says what a row is now, as the store itself has it, so that a store that
writes something else than it was told is seen. This module must not know what is judged.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from urllib.parse import unquote

import msgspec

from controller.store.etcd_layout import Keys
from controller.store.etcd_plan import read_redo
from controller.store.kv import Delete, Op, Put
from controller.store.memory import Tables
from controller.store.protocol import CloseAccount, ForgetWindow, PutAccount, PutBucket, Write
from farebox.core.budgets import Charge, PoolUid
from farebox.core.leases import LeaseId


@dataclass(frozen=True, slots=True)
class RowIs:
    """An open lease of a holder. `ends`: when its window does; None, never."""

    lease: LeaseId
    holder: str
    granted: int
    returned: int
    spent: int
    ends: int | None = None


@dataclass(frozen=True, slots=True)
class RowGone:
    """A lease is open no more."""

    lease: LeaseId
    holder: str


@dataclass(frozen=True, slots=True)
class TotalIs:
    """What the closed leases of a window spent together."""

    lease: LeaseId
    spent: int


@dataclass(frozen=True, slots=True)
class TotalGone:
    """A window is forgotten."""

    lease: LeaseId


@dataclass(frozen=True, slots=True)
class LevelIs:
    """What a token bucket can lend; `lease` is the one for ever."""

    lease: LeaseId
    level: int


Change = RowIs | RowGone | TotalIs | TotalGone | LevelIs


def of_writes(writes: Sequence[Write], tables: Tables) -> list[Change]:
    """The changes of writes that `tables` have by now."""
    changes: list[Change] = []
    for write in writes:
        match write:
            case PutAccount():
                money = write.granted, write.returned, write.spent
                changes.append(RowIs(write.lease, write.holder, *money, write.window_ends))
            case CloseAccount():
                changes.append(RowGone(write.lease, write.holder))
                changes.append(TotalIs(write.total, tables.closed[write.total].spent))
            case ForgetWindow():
                changes.append(TotalGone(write.lease))
            case PutBucket():
                changes.append(LevelIs(LeaseId(write.charge, 0), write.level))
            case _:
                pass
    return changes


class EtcdReader:
    """Reads changes off transactions; remembers which row lies under which key."""

    def __init__(self, keys: Keys) -> None:
        self._keys = keys
        self._rows: dict[bytes, RowGone | TotalGone] = {}
        self._redo: dict[bytes, bytes] = {}
        self._redone: set[bytes] = set()

    def of_ops(self, ops: Iterable[Op]) -> list[Change]:
        """The changes of a transaction, with those that a redo record in it has decided."""
        changes: list[Change] = []
        for op in ops:
            match op:
                case Put():
                    changes += self._put(op)
                case Delete(end=None):
                    gone = self._rows.pop(op.key, None) or self._never_there(op.key)
                    changes += [] if gone is None else [gone]
                case Delete(end=end):
                    for key in [key for key in self._rows if end and op.key <= key < end]:
                        gone = self._rows.pop(key)
                        # Only a window that is forgotten loses all its leases at once.
                        changes += [gone, TotalGone(gone.lease)]
        return changes

    def epoch_in(self, ops: Iterable[Op]) -> int | None:
        """The epoch that a transaction begins; None when it begins none."""
        begun = [op for op in ops if isinstance(op, Put) and op.key == self._keys.epoch]
        return int(begun[0].value) if begun else None

    def _never_there(self, key: bytes) -> RowGone | None:
        """The lease of a row that was opened and closed in one commit, by its key alone.

        What a redo record has decided was counted with it, and is carried out afterwards.
        """
        if key in self._redone or not key.startswith(self._keys.accounts):
            return None
        parts = key.removeprefix(self._keys.accounts).decode().split("/")
        pool, name, window, holder = map(unquote, parts)
        return RowGone(LeaseId(Charge(PoolUid(pool), name), int(window)), holder)

    def _put(self, put: Put) -> list[Change]:
        keys = self._keys
        if put.key.startswith(keys.accounts):
            row = msgspec.json.decode(put.value)
            lease = _lease(row)
            self._rows[put.key] = RowGone(lease, row["holder"])
            money = row["granted"], row["returned"], row["spent"]
            return [RowIs(lease, row["holder"], *money, row["window_ends"])]
        if put.key.startswith(keys.closed):
            row = msgspec.json.decode(put.value)
            self._rows[put.key] = TotalGone(_lease(row))
            return [TotalIs(_lease(row), row["spent"])]
        if put.key.startswith(keys.buckets):
            row = msgspec.json.decode(put.value)
            return [LevelIs(_lease(row | {"window": 0}), row["level"])]
        if put.key == keys.redo_count:
            parts = sorted(self._redo)
            decided = [ops for part in parts for ops in read_redo(self._redo[part])]
            self._redo.clear()
            changes = [change for ops in decided for change in self.of_ops(ops)]
            self._redone = {op.key for ops in decided for op in ops if isinstance(op, Delete)}
            return changes
        if put.key.startswith(keys.redo):
            self._redo[put.key] = put.value
        return []


def _lease(row: dict[str, object]) -> LeaseId:
    pool, key, window = row["pool"], row["key"], row["window"]
    assert isinstance(pool, str)
    assert isinstance(key, str)
    assert isinstance(window, int)
    return LeaseId(Charge(PoolUid(pool), key), window)
