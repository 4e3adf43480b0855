"""Stores whose commits a test can hold up or break, and one that wins its election first."""

import asyncio
from collections.abc import Sequence

from controller.leadership import Candidate, Election, Tenure
from controller.store.etcd import EtcdStore
from controller.store.etcd_layout import Keys
from controller.store.kv import Kv
from controller.store.memory import MemoryStore
from controller.store.protocol import Snapshot, StoreError, Write
from farebox.runtime.clock import Clock, SystemClock


class HeldStore(MemoryStore):
    """A ledger in memory whose commits wait for `gate` and fail when `broken`."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = asyncio.Event()
        self.broken = False
        self.waiting = asyncio.Event()
        self.commits: list[tuple[Write, ...]] = []

    async def commit(self, writes: Sequence[Write]) -> None:
        self.waiting.set()
        await self.gate.wait()
        if self.broken:
            raise StoreError("the disk is full")
        await super().commit(writes)
        self.commits.append(tuple(writes))


KEYS = Keys("/test")
UNRENEWED_S = 600
"""No test takes so long, and nobody renews the session of an elected store."""


class ElectedStore:
    """A ledger in etcd that wins its election when it is opened and gives up when it is closed."""

    def __init__(self, kv: Kv, clock: Clock | None = None, *, keys: Keys = KEYS) -> None:
        self._kv = kv
        self._keys = keys
        me = Candidate(name="test", address="127.0.0.1:1")
        self._election = Election(kv, keys, clock or SystemClock(), me, ttl_s=UNRENEWED_S)
        self.tenure: Tenure | None = None
        self.store: EtcdStore | None = None

    async def open(self) -> Snapshot:
        self.tenure = await self._election.campaign()
        self.store = EtcdStore(self._kv, self._keys, self.tenure.reign)
        return await self.store.open()

    async def commit(self, writes: Sequence[Write]) -> None:
        assert self.store is not None
        await self.store.commit(writes)

    async def close(self) -> None:
        assert self.store is not None
        assert self.tenure is not None
        await self.store.close()
        await self.tenure.resign()
