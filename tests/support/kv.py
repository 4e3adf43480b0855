"""A simulated etcd: linearizable keys with revisions, sessions and compaction, all in memory.

`SimulatedEtcd` is the cluster, `SimulatedKv` one client of it; a client can be given faults. Time
is the running loop's, so that it stands still or leaps where the loop's does. Faults are decided
by `plan`, called once for each request with its name; what really happened is counted.
"""

import asyncio
import enum
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final, TypeVar

from controller.store.kv import (
    Compare,
    CreatedAt,
    Delete,
    KvCompacted,
    KvError,
    KvRefused,
    KvUnclear,
    Op,
    Page,
    Put,
    Row,
)

_T = TypeVar("_T")

OPS_MAX: Final = 128
"""As etcd's own `--max-txn-ops`."""

VERSIONS_MAX: Final = 10_000
"""So many changes are kept for reading at an older revision, as if all others were compacted."""


class Fault(enum.StrEnum):
    """What can happen to one request."""

    NONE = "none"
    UNREACHABLE = "unreachable"
    """The request is lost; the client hears so at once."""

    REQUEST_LOST = "request lost"
    """The request is lost; the client waits in vain."""

    ANSWER_LOST = "answer lost"
    """It is carried out; the client waits in vain."""

    ANSWER_BROKEN = "answer broken"
    """It is carried out; the client hears at once that the connection broke."""

    LATE = "late"
    """The client gives up waiting; it is carried out afterwards."""

    NO_SPACE = "no space"
    """Refused for want of space (only what writes; what else, goes through)."""

    SPACE_AFTER_ALL = "space after all"
    """Carried out, and answered with "no space", as etcd may."""


Plan = Callable[[str], Fault]
"""Decides the fault of a request by its name: read, transact, open, renew or end."""


@dataclass(slots=True)
class _Key:
    value: bytes
    created: int
    session: int


@dataclass(slots=True)
class _Session:
    ttl_s: int
    ends: float


@dataclass(slots=True)
class SimulatedEtcd:
    """The cluster.

    `delay_s` is how long each way of a request takes, `timeout_s` how long a client waits for an
    answer that never comes (as the real one does), `late_s` how long a late request is on its way.
    """

    timeout_s: float = 2.0
    late_s: float = 3.0
    delay_s: Callable[[], float] = lambda: 0.0
    revision: int = 1
    compacted: int = 0
    keys: dict[bytes, _Key] = field(default_factory=dict)
    sessions: dict[int, _Session] = field(default_factory=dict)
    happened: Counter[str] = field(default_factory=Counter)
    _versions: list[tuple[int, bytes, Row | None]] = field(default_factory=list)
    """Each change: its revision, its key, and what the key was before."""

    _next_session: int = 1

    # What a fault does to the cluster.

    def elect_leader(self) -> None:
        """Another member leads: every session gets its whole time anew, as in etcd."""
        now = self._now()
        for session in self.sessions.values():
            session.ends = max(session.ends, now + session.ttl_s)

    def drop_session(self, number: int) -> None:
        """End a session before its time, as a member does that has been stopped for long."""
        self.expire()
        if self.sessions.pop(number, None) is not None:
            gone = [key for key, kept in self.keys.items() if kept.session == number]
            if gone:
                self.revision += 1
                for key in gone:
                    self._change(key, None)

    def compact(self) -> None:
        """Forget all revisions before the present one."""
        self.compacted = self.revision
        self._versions.clear()

    # What requests do.

    def expire(self) -> None:
        """End the sessions whose time is over."""
        now = self._now()
        over = [number for number, one in self.sessions.items() if one.ends <= now]
        for number in over:
            self.sessions[number].ends = float("inf")
        for number in over:
            self.drop_session(number)

    def read(self, key: bytes, end: bytes | None, *, revision: int, rows_max: int) -> Page:
        """Rows in the order of their keys."""
        self.expire()
        if revision and revision < self.compacted:
            raise KvCompacted(f"revision {revision} is compacted; {self.compacted} is the oldest")
        at = revision or self.revision
        if end is None and not revision:
            kept = self.keys.get(key)
            return Page((Row(key, kept.value, kept.created),) if kept else (), at)
        rows = self._rows_at(at)
        names = sorted(rows)
        first = bisect_left(names, key)
        last = bisect_left(names, end) if end is not None else first + (key in rows)
        found = [rows[name] for name in names[first:last]]
        more = bool(rows_max) and len(found) > rows_max
        return Page(tuple(found[:rows_max] if more else found), at, more)

    def transact(self, compares: Sequence[Compare], ops: Sequence[Op]) -> bool:
        """All of the ops or none."""
        self.expire()
        if max(len(compares), len(ops)) > OPS_MAX:
            raise KvRefused("too many operations in txn request")
        _refuse_overlaps(ops)
        for op in ops:
            if isinstance(op, Put) and op.session and op.session not in self.sessions:
                raise KvRefused("requested lease not found")
        if not all(self._holds(compare) for compare in compares):
            return False
        self.revision += 1
        for op in ops:
            match op:
                case Put():
                    self._change(op.key, op)
                case Delete(end=None):
                    self._change(op.key, None)
                case Delete(end=end):
                    for key in [key for key in self.keys if end and op.key <= key < end]:
                        self._change(key, None)
        return True

    def open_session(self, ttl_s: int) -> int:
        """Open a session."""
        number, self._next_session = self._next_session, self._next_session + 1
        self.sessions[number] = _Session(ttl_s, self._now() + ttl_s)
        return number

    def renew_session(self, number: int) -> int:
        """Begin a session's time anew."""
        self.expire()
        session = self.sessions.get(number)
        if session is None:
            return 0
        session.ends = self._now() + session.ttl_s
        return session.ttl_s

    def _holds(self, compare: Compare) -> bool:
        kept = self.keys.get(compare.key)
        match compare:
            case CreatedAt():
                return (kept.created if kept else 0) == compare.revision
            case _:
                return kept is not None and kept.value == compare.value

    def _change(self, key: bytes, put: Put | None) -> None:
        kept = self.keys.get(key)
        if kept is None and put is None:
            return
        before = None if kept is None else Row(key, kept.value, kept.created)
        self._versions.append((self.revision, key, before))
        if len(self._versions) > VERSIONS_MAX:
            oldest, *_ = self._versions[-VERSIONS_MAX // 2]
            self._versions = [one for one in self._versions if one[0] > oldest]
            self.compacted = oldest
        if put is None:
            del self.keys[key]
        else:
            self.keys[key] = _Key(put.value, kept.created if kept else self.revision, put.session)

    def _rows_at(self, revision: int) -> dict[bytes, Row]:
        rows = {key: Row(key, kept.value, kept.created) for key, kept in self.keys.items()}
        for changed, key, before in reversed(self._versions):
            if changed <= revision:
                break
            if before is None:
                rows.pop(key, None)
            else:
                rows[key] = before
        return rows

    def _now(self) -> float:
        return asyncio.get_running_loop().time()


class SimulatedKv:
    """One client; `plan` decides the faults of its requests."""

    def __init__(self, etcd: SimulatedEtcd, plan: Plan = lambda _: Fault.NONE) -> None:
        self.etcd = etcd
        self.plan = plan

    async def read(
        self, key: bytes, end: bytes | None = None, *, revision: int = 0, rows_max: int = 0
    ) -> Page:
        return await self._ask(
            "read", lambda: self.etcd.read(key, end, revision=revision, rows_max=rows_max)
        )

    async def transact(self, compares: Sequence[Compare], ops: Sequence[Op]) -> bool:
        return await self._ask("transact", lambda: self.etcd.transact(compares, ops))

    async def open_session(self, ttl_s: int) -> int:
        return await self._ask("open", lambda: self.etcd.open_session(ttl_s))

    async def renew_session(self, session: int) -> int:
        return await self._ask("renew", lambda: self.etcd.renew_session(session))

    async def end_session(self, session: int) -> None:
        await self._ask("end", lambda: self.etcd.drop_session(session))

    async def close(self) -> None:
        """Nothing is open."""

    async def _ask(self, name: str, carry_out: Callable[[], _T]) -> _T:
        fault = self.plan(name)
        self.etcd.happened[fault] += 1
        await asyncio.sleep(self.etcd.delay_s())
        if fault is Fault.UNREACHABLE:
            raise KvUnclear("no connection to etcd")
        if fault is Fault.NO_SPACE and name in {"transact", "open"}:
            raise KvUnclear("database space exceeded")
        if fault is Fault.LATE:
            asyncio.get_running_loop().call_later(self.etcd.late_s, _whatever_comes, carry_out)
        elif fault is not Fault.REQUEST_LOST:
            answer = carry_out()
            if fault in {Fault.NONE, Fault.NO_SPACE}:
                await asyncio.sleep(self.etcd.delay_s())
                return answer
        if fault is Fault.ANSWER_BROKEN:
            raise KvUnclear("the connection broke")
        if fault is Fault.SPACE_AFTER_ALL:
            raise KvUnclear("database space exceeded")
        await asyncio.sleep(self.etcd.timeout_s)
        raise KvUnclear(f"no answer within {self.etcd.timeout_s} s")


def _whatever_comes(carry_out: Callable[[], object]) -> None:
    with suppress(KvError):
        carry_out()


def _refuse_overlaps(ops: Sequence[Op]) -> None:
    """As etcd does: no key may be touched twice in one transaction."""
    single = [op.key for op in ops if isinstance(op, Put) or op.end is None]
    ranges = [(op.key, op.end) for op in ops if isinstance(op, Delete) and op.end is not None]
    puts = [op.key for op in ops if isinstance(op, Put)]
    if len(set(puts)) < len(puts) or any(
        start <= key < end for start, end in ranges for key in single
    ):
        raise KvRefused("duplicate key given in txn request")
