"""The values of the ledger's keys in etcd: JSON that says all there is to know of a row.

The one rule: a value is rendered from `Tables` after the write was applied to them, so that this
store and the one in memory can't differ in what a write means. This module is pure: it must not
know transactions or how etcd is reached.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Final, assert_never

import msgspec

from controller.store.etcd_layout import FORMAT, Keys
from controller.store.memory import Tables, apply
from controller.store.protocol import (
    CloseAccount,
    ClosedTotal,
    ForgetHolder,
    ForgetWindow,
    PoisonHolder,
    PutAccount,
    PutBucket,
    PutHolder,
    StoreError,
    Write,
)
from farebox.core.budgets import Charge, PoolUid
from farebox.core.instant import UtcMs
from farebox.core.leases import LeaseId, LeaseState
from farebox.core.money import Nanos
from farebox.wire.messages import Workload

Render = Callable[[Tables], bytes | None]
"""The value of one key as the tables have it now; None when there is none."""


class _Account(msgspec.Struct, frozen=True):
    pool: str
    key: str
    window: int
    holder: str
    granted: int
    returned: int
    spent: int
    state: LeaseState
    window_ends: int | None


class _Closed(msgspec.Struct, frozen=True):
    pool: str
    key: str
    window: int
    spent: int
    window_ends: int | None
    last: int = 0


class _Holder(msgspec.Struct, frozen=True, omit_defaults=True):
    holder: str
    boot_seq: int
    namespace: str
    name: str
    labels: dict[str, str]
    uid: str = ""


class _Bucket(msgspec.Struct, frozen=True):
    pool: str
    key: str
    level: int
    at: int


class _Poisoned(msgspec.Struct, frozen=True):
    holder: str


_encode: Final = msgspec.json.Encoder().encode
_account: Final = msgspec.json.Decoder(_Account).decode
_closed: Final = msgspec.json.Decoder(_Closed).decode
_holder: Final = msgspec.json.Decoder(_Holder).decode
_bucket: Final = msgspec.json.Decoder(_Bucket).decode
_poisoned: Final = msgspec.json.Decoder(_Poisoned).decode


def touched(keys: Keys, write: Write) -> Iterator[tuple[bytes, Render]]:
    """The single keys that a write may change, each with what makes its value."""
    match write:
        case PutAccount():
            yield keys.account(write.lease, write.holder), partial(_render_account, write)
        case CloseAccount():
            yield keys.account(write.lease, write.holder), partial(_render_account, write)
            yield from _touched_totals(keys, write.total)
        case ForgetWindow():
            yield from _touched_totals(keys, write.lease)
        case PutBucket():
            yield keys.charge(keys.buckets, write.charge), partial(_render_bucket, write.charge)
        case PutHolder():
            yield keys.holder(keys.holders, write.holder), partial(_render_holder, write.holder)
        case PoisonHolder():
            yield keys.holder(keys.poisoned, write.holder), partial(_render_poison, write.holder)
        case ForgetHolder():
            yield keys.holder(keys.holders, write.holder), partial(_render_holder, write.holder)
            yield keys.holder(keys.poisoned, write.holder), partial(_render_poison, write.holder)
        case _:
            assert_never(write)


def _touched_totals(keys: Keys, lease: LeaseId) -> Iterator[tuple[bytes, Render]]:
    yield keys.lease(keys.closed, lease), partial(_render_closed, lease)
    yield keys.floor, _render_floor


def wiped(keys: Keys, write: Write) -> bytes | None:
    """The beginning of all keys that a write removes, known or not; None when there is none."""
    return keys.accounts_of(write.lease) if isinstance(write, ForgetWindow) else None


def _render_account(of: PutAccount | CloseAccount, tables: Tables) -> bytes | None:
    row = tables.accounts.get((of.lease, of.holder))
    if row is None:
        return None
    return _encode(
        _Account(
            pool=row.lease.charge.pool,
            key=row.lease.charge.key,
            window=row.lease.window,
            holder=row.holder,
            granted=row.granted,
            returned=row.returned,
            spent=row.spent,
            state=row.state,
            window_ends=row.window_ends,
        )
    )


def _render_closed(lease: LeaseId, tables: Tables) -> bytes | None:
    row = tables.closed.get(lease)
    if row is None:
        return None
    return _encode(
        _Closed(
            pool=lease.charge.pool,
            key=lease.charge.key,
            window=lease.window,
            spent=row.spent,
            window_ends=row.window_ends,
            last=row.last,
        )
    )


def _render_holder(holder: str, tables: Tables) -> bytes | None:
    row = tables.holders.get(holder)
    if row is None:
        return None
    workload = row.workload
    return _encode(
        _Holder(
            holder=holder,
            boot_seq=row.boot_seq,
            namespace=workload.namespace,
            name=workload.name,
            labels=dict(workload.labels),
            uid=workload.uid,
        )
    )


def _render_bucket(charge: Charge, tables: Tables) -> bytes | None:
    row = tables.buckets.get(charge)
    if row is None:
        return None
    return _encode(_Bucket(pool=charge.pool, key=charge.key, level=row.level, at=row.at))


def _render_poison(holder: str, tables: Tables) -> bytes | None:
    return _encode(_Poisoned(holder=holder)) if holder in tables.poisoned else None


def _render_floor(tables: Tables) -> bytes:
    return b"%d" % tables.clock_floor


def read_tables(keys: Keys, rows: Mapping[bytes, bytes], epoch: int) -> Tables:
    """The tables that rows (all of them, of one revision) stand for. Raises StoreError."""
    found = rows.get(keys.format, FORMAT)
    if found != FORMAT:
        raise StoreError(
            f"the ledger under {keys.root.decode()} has format {found.decode()} and this "
            f"controller reads {FORMAT.decode()}: run the controller that wrote it, or choose "
            "another prefix"
        )
    tables = Tables(epoch=epoch, clock_floor=UtcMs(int(rows.get(keys.floor, b"0"))))
    readers: dict[bytes, Callable[[Tables, bytes], None]] = {
        keys.accounts: _read_account,
        keys.closed: _read_closed,
        keys.holders: _read_holder,
        keys.buckets: _read_bucket,
        keys.poisoned: _read_poison,
    }
    for key, value in rows.items():
        folder = key[: key.find(b"/", len(keys.root)) + 1]
        reader = readers.get(folder)
        if reader is not None:
            try:
                reader(tables, value)
            except (msgspec.MsgspecError, ValueError) as error:
                raise StoreError(f"{key.decode()} can't be read: {error}") from error
    return tables


def _read_account(tables: Tables, value: bytes) -> None:
    row = _account(value)
    lease = LeaseId(Charge(PoolUid(row.pool), row.key), row.window)
    account = PutAccount(
        lease=lease,
        holder=row.holder,
        granted=Nanos(row.granted),
        returned=Nanos(row.returned),
        spent=Nanos(row.spent),
        state=row.state,
        window_ends=_instant(row.window_ends),
    )
    apply(tables, account)


def _read_closed(tables: Tables, value: bytes) -> None:
    row = _closed(value)
    lease = LeaseId(Charge(PoolUid(row.pool), row.key), row.window)
    tables.closed[lease] = ClosedTotal(
        lease=lease, spent=Nanos(row.spent), window_ends=_instant(row.window_ends), last=row.last
    )


def _read_holder(tables: Tables, value: bytes) -> None:
    row = _holder(value)
    workload = Workload(namespace=row.namespace, name=row.name, labels=row.labels, uid=row.uid)
    tables.holders[row.holder] = PutHolder(
        holder=row.holder, boot_seq=row.boot_seq, workload=workload
    )


def _read_bucket(tables: Tables, value: bytes) -> None:
    row = _bucket(value)
    charge = Charge(PoolUid(row.pool), row.key)
    tables.buckets[charge] = PutBucket(charge=charge, level=Nanos(row.level), at=UtcMs(row.at))


def _read_poison(tables: Tables, value: bytes) -> None:
    tables.poisoned.add(_poisoned(value).holder)


def _instant(ms: int | None) -> UtcMs | None:
    return None if ms is None else UtcMs(ms)
