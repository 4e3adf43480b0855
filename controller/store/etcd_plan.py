"""A commit cut into transactions, and the redo record that keeps a large one all or nothing.

etcd bounds the operations of one transaction. A commit that needs more is first written down whole
(`redo_parts`); the transaction with the last part decides it, what follows only carries it out, and
whoever finds the record at a start carries it out again. The one rule: operations say what a key
shall be, never by how much it changes, so doing them twice is doing them once. This module is pure:
it must not know how etcd is reached.
"""

from collections.abc import Mapping, Sequence
from typing import Final, TypeAlias

import msgspec

from controller.store.etcd_layout import Keys
from controller.store.etcd_rows import Render, touched, wiped
from controller.store.kv import Delete, Op, Put, end_of
from controller.store.memory import Tables, apply
from controller.store.protocol import Write

OPS_MAX: Final = 126
"""Operations of one transaction, below etcd's own default of 128 (`--max-txn-ops`)."""

DATA_OPS_MAX: Final = OPS_MAX - 2
"""What is left of them beside the batch number and the end of a redo record."""

REDO_BYTES_MAX: Final = 512 * 1024
"""Of one part of a redo record; etcd takes requests of 1.5 MiB."""

Ops: TypeAlias = tuple[Op, ...]
_RECORD: Final = msgspec.msgpack.Decoder(list[tuple[bytes, bytes | None, bytes | None]])


class _Draft:
    """The operations of one transaction in the making."""

    def __init__(self) -> None:
        self.renders: dict[bytes, Render] = {}
        self.wipes: list[bytes] = []

    def takes(self, renders: Mapping[bytes, Render], wipe: bytes | None) -> bool:
        """Whether more can be added: there is room, and no key would be touched twice."""
        fresh = sum(1 for key in renders if key not in self.renders) + (wipe is not None)
        if len(self.renders) + len(self.wipes) + fresh > DATA_OPS_MAX:
            return False
        return not any(key.startswith(old) for old in self.wipes for key in renders)

    def add(self, renders: Mapping[bytes, Render], wipe: bytes | None) -> None:
        if wipe is not None and wipe not in self.wipes:
            self.renders = {
                key: render for key, render in self.renders.items() if not key.startswith(wipe)
            }
            self.wipes.append(wipe)
        self.renders.update(renders)

    def ops(self, tables: Tables) -> Ops:
        values = ((key, render(tables)) for key, render in self.renders.items())
        return (
            *(Delete(prefix, end_of(prefix)) for prefix in self.wipes),
            *(Delete(key) if value is None else Put(key, value) for key, value in values),
        )


def plan(keys: Keys, tables: Tables, writes: Sequence[Write]) -> list[Ops]:
    """Apply the writes to the tables; returns what makes etcd follow, one tuple a transaction."""
    planned, draft = [], _Draft()
    for write in writes:
        renders, wipe = dict(touched(keys, write)), wiped(keys, write)
        if not draft.takes(renders, wipe):
            planned.append(draft.ops(tables))
            draft = _Draft()
        apply(tables, write)
        draft.add(renders, wipe)
    return [*planned, draft.ops(tables)]


def redo_parts(planned: Sequence[Ops]) -> list[bytes]:
    """The transactions of a commit written down, in parts that fit into a request each."""
    parts: list[list[bytes]] = [[]]
    size = 0
    for ops in planned:
        text = msgspec.msgpack.encode([_op_to_row(op) for op in ops])
        if parts[-1] and size + len(text) > REDO_BYTES_MAX:
            parts.append([])
            size = 0
        parts[-1].append(text)
        size += len(text)
    return [msgspec.msgpack.encode(part) for part in parts]


def read_redo(part: bytes) -> list[Ops]:
    """The transactions that a part has written down."""
    texts = msgspec.msgpack.decode(part, type=list[bytes])
    return [tuple(_row_to_op(*row) for row in _RECORD.decode(text)) for text in texts]


def carry_out(rows: dict[bytes, bytes], planned: Sequence[Ops]) -> None:
    """Do to rows that were read what the transactions would do in etcd."""
    for op in (op for ops in planned for op in ops):
        match op:
            case Put():
                rows[op.key] = op.value
            case Delete(end=None):
                rows.pop(op.key, None)
            case Delete(end=end):
                for key in [key for key in rows if end and op.key <= key < end]:
                    del rows[key]


def _op_to_row(op: Op) -> tuple[bytes, bytes | None, bytes | None]:
    return (op.key, op.value, None) if isinstance(op, Put) else (op.key, None, op.end)


def _row_to_op(key: bytes, value: bytes | None, end: bytes | None) -> Op:
    return Delete(key, end) if value is None else Put(key, value)
