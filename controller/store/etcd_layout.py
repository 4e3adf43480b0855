"""Where the ledger lies in etcd: its keys, and the proof of leadership.

Under one prefix: `leader` (who leads, on a session), `epoch`, `batch` (the number of the last
transaction), `format`, `floor`, `acct/POOL/KEY/WINDOW/HOLDER`, `closed/POOL/KEY/WINDOW`,
`bucket/POOL/KEY`, `holder/HOLDER`, `poison/HOLDER`, and `redo/` for a commit that is too large for
one transaction. The one rule: a key is an address and is never parsed; what it is about stands in
the value. This module is pure: it must not know values or how etcd is reached.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Final
from urllib.parse import quote

from controller.store.kv import CreatedAt
from farebox.core.budgets import Charge
from farebox.core.leases import LeaseId

FORMAT: Final = b"1"
PARTS_CACHED_MAX: Final = 65_536


@dataclass(frozen=True, slots=True, kw_only=True)
class Reign:
    """The proof of leadership that every transaction compares: when my leader key was created."""

    epoch: int
    leader: bytes
    created: int
    session: int

    def compare(self) -> CreatedAt:
        """Holds as long as nobody else has become leader since, and never again afterwards."""
        return CreatedAt(self.leader, self.created)


class Keys:
    """The keys under a prefix such as "/farebox"."""

    def __init__(self, prefix: str) -> None:
        """Name the single keys and the folders of the others."""
        self.root: Final = prefix.rstrip("/").encode() + b"/"
        self.leader: Final = self.root + b"leader"
        self.epoch: Final = self.root + b"epoch"
        self.batch: Final = self.root + b"batch"
        self.format: Final = self.root + b"format"
        self.floor: Final = self.root + b"floor"
        self.accounts: Final = self.root + b"acct/"
        self.closed: Final = self.root + b"closed/"
        self.buckets: Final = self.root + b"bucket/"
        self.holders: Final = self.root + b"holder/"
        self.poisoned: Final = self.root + b"poison/"
        self.redo: Final = self.root + b"redo/"
        self.redo_count: Final = self.redo + b"count"

    def charge(self, folder: bytes, charge: Charge) -> bytes:
        """A (sub-)pool."""
        return folder + _part(charge.pool) + b"/" + _part(charge.key)

    def lease(self, folder: bytes, lease: LeaseId) -> bytes:
        """A (sub-)pool in one window."""
        return self.charge(folder, lease.charge) + b"/%d" % lease.window

    def account(self, lease: LeaseId, holder: str) -> bytes:
        """One holder's open lease."""
        return self.accounts_of(lease) + _part(holder)

    def accounts_of(self, lease: LeaseId) -> bytes:
        """What the keys of all open leases of a (sub-)pool in one window begin with."""
        return self.lease(self.accounts, lease) + b"/"

    def holder(self, folder: bytes, holder: str) -> bytes:
        """A holder."""
        return folder + _part(holder)

    def redo_part(self, number: int) -> bytes:
        """One part of a redo record."""
        return self.redo + b"part/%06d" % number


@lru_cache(PARTS_CACHED_MAX)
def _part(text: str) -> bytes:
    """A name as one part of a key: without slashes, and readable in etcdctl."""
    return quote(text, safe=":@+,=").encode()
