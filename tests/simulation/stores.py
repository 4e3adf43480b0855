"""The controllers' ledger, with what can go wrong between them and it.

The tables outlive every controller. The one rule: the oracle hears of a commit at the very moment
at which it is durable, whatever its caller is told. This module must not know what is written.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final

from controller.ledgers import Holding
from controller.store.memory import MemoryStore, Tables
from controller.store.protocol import Snapshot, Store, StoreError, Write
from tests.simulation.changes import Change, of_writes

COMMIT_S: Final = 0.002
SLOW_S_MAX: Final = 2.0

Committed = Callable[[list[Change]], None]


class OwnLedger:
    """A ledger that belongs to whichever controller opened it last, as a file does."""

    shared = False

    def __init__(self, store: "FlakyStore") -> None:
        self.store: Store = store

    async def win(self) -> Holding:
        return self

    def may_speak(self) -> bool:
        return True

    async def keep(self) -> None:
        await asyncio.Event().wait()

    async def let_go(self) -> None:
        await self.store.close()

    def leader_address(self) -> str:
        return ""

    def leader_name(self) -> str:
        return ""

    async def close(self) -> None:
        """Nothing is open."""


class FlakyStore(MemoryStore):
    """A store in memory that takes time, and may fail before or after it has committed."""

    def __init__(
        self,
        tables: Tables,
        rng: random.Random,
        counts: Counter[str],
        *,
        trouble: Callable[[], float],
        opened: Callable[[int], None],
        committed: Committed,
    ) -> None:
        """`trouble` is the present chance of each commit to meet some."""
        super().__init__(tables)
        self._rng = rng
        self._counts = counts
        self._trouble = trouble
        self._opened = opened
        self._committed = committed

    async def open(self) -> Snapshot:
        snapshot = await super().open()
        self._opened(snapshot.epoch)
        return snapshot

    async def commit(self, writes: Sequence[Write]) -> None:
        rng = self._rng
        await asyncio.sleep(rng.uniform(0.0, COMMIT_S))
        troubled = rng.random() < self._trouble()
        kind = rng.choice(("slow", "slow", "lost", "ambiguous")) if troubled else ""
        if kind == "slow":
            self._counts["commit slow"] += 1
            await asyncio.sleep(rng.uniform(0.0, SLOW_S_MAX))
        if kind == "lost":
            self._counts["commit failed"] += 1
            raise StoreError("the store did not commit")
        await super().commit(writes)
        self._committed(of_writes(writes, self._tables))
        if kind == "ambiguous":
            self._counts["commit done and reported failed"] += 1
            raise StoreError("the store did not answer")
        await asyncio.sleep(rng.uniform(0.0, COMMIT_S))
