"""The few operations of etcd that the ledger needs, as a protocol.

The one rule: a failure says whether the request may have been carried out. `KvUnclear` means that
it may have, or may yet be; whoever wrote must then read before writing again. Nothing here retries.
This module must not know what the keys mean or how etcd is reached.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


class KvError(Exception):
    """etcd did not answer as hoped, with a sentence."""


class KvUnclear(KvError):
    """Nobody knows whether it was carried out: no answer in time, connection lost, no space."""


class KvRefused(KvError):
    """It was refused, and certainly not carried out."""


class KvCompacted(KvRefused):
    """The revision that was to be read is compacted away."""


@dataclass(frozen=True, slots=True)
class CreatedAt:
    """Compares the revision at which a key was created; 0 means that it isn't there."""

    key: bytes
    revision: int


@dataclass(frozen=True, slots=True)
class ValueIs:
    """Compares the value of a key that is there."""

    key: bytes
    value: bytes


@dataclass(frozen=True, slots=True)
class Put:
    """Sets a key; with a `session` it goes when the session does."""

    key: bytes
    value: bytes
    session: int = 0


@dataclass(frozen=True, slots=True)
class Delete:
    """Removes a key, or with `end` all keys from `key` up to it."""

    key: bytes
    end: bytes | None = None


Compare = CreatedAt | ValueIs
Op = Put | Delete


@dataclass(frozen=True, slots=True)
class Row:
    """A key as it was read."""

    key: bytes
    value: bytes
    created: int


@dataclass(frozen=True, slots=True)
class Page:
    """Rows in the order of their keys, all as of `revision`; `more` follow after the last."""

    rows: tuple[Row, ...]
    revision: int
    more: bool = False


class Kv(Protocol):
    """A linearizable store of keys. Every method may raise KvError, and none waits for ever."""

    async def read(
        self, key: bytes, end: bytes | None = None, *, revision: int = 0, rows_max: int = 0
    ) -> Page:
        """Read a key, or all keys from `key` up to `end`; `revision` 0 is now, `rows_max` 0 all."""

    async def transact(self, compares: Sequence[Compare], ops: Sequence[Op]) -> bool:
        """Carry out all of `ops` if all of `compares` hold, else nothing. Says whether they did.

        No two of the ops may touch the same key.
        """

    async def open_session(self, ttl_s: int) -> int:
        """Open a session that ends by itself after `ttl_s` or more seconds; returns its number."""

    async def renew_session(self, session: int) -> int:
        """Begin the session's time anew; returns the seconds it now has, 0 when it is over."""

    async def end_session(self, session: int) -> None:
        """End a session, and with it the keys that were put with it."""

    async def close(self) -> None:
        """Let go of the connections."""


def end_of(prefix: bytes) -> bytes:
    """The first key after all those that begin with `prefix`, which must not be all 0xFF."""
    head = prefix.rstrip(b"\xff")
    return head[:-1] + bytes([head[-1] + 1])
