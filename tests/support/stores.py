"""Stores whose commits a test can hold up or break."""

import asyncio
from collections.abc import Sequence

from controller.store.memory import MemoryStore
from controller.store.protocol import StoreError, Write


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
