"""Where the ledger is kept, and how a controller comes to be the one that writes it.

A file belongs to the process that has it open; what lies in etcd belongs to whom the election there
says. The one rule: a store is made by whoever holds the ledger, and let go together with it. This
module must not know what the ledger says.
"""

import asyncio
import os
import random
import socket
from pathlib import Path
from typing import Protocol

from controller.etcd_options import EtcdOptions
from controller.leadership import TTL_S, Apart, Candidate, Election, Tenure
from controller.store.etcd import EtcdStore
from controller.store.etcd_layout import Keys
from controller.store.kv import Kv
from controller.store.protocol import Store
from controller.store.sqlite import SqliteStore
from farebox.runtime.clock import Clock


class Holding(Protocol):
    """The ledger while it is this controller's."""

    store: Store

    def may_speak(self) -> bool:
        """Whether it can't be another's yet."""

    async def keep(self) -> None:
        """Keep it for ever. Raises Fenced when it is lost."""

    async def let_go(self) -> None:
        """Leave it to the next."""


class Ledger(Protocol):
    """A ledger to be won. `shared`: another controller may win it, and it may be won again."""

    shared: bool

    async def win(self) -> Holding:
        """Wait until the ledger is this controller's."""

    def leader_address(self) -> str:
        """Where sidecars find who has it, as far as is known."""

    def leader_name(self) -> str:
        """What who has it is called, as far as is known."""

    async def close(self) -> None:
        """Let go of connections."""


class LocalHolding:
    """A SQLite file; its lock is taken when the store is opened."""

    def __init__(self, path: Path) -> None:
        self.store: Store = SqliteStore(path)

    def may_speak(self) -> bool:
        return True

    async def keep(self) -> None:
        await asyncio.Event().wait()

    async def let_go(self) -> None:
        await self.store.close()


class LocalLedger:
    """A SQLite file for one controller."""

    shared = False

    def __init__(self, path: Path) -> None:
        self._path = path

    async def win(self) -> Holding:
        return LocalHolding(self._path)

    def leader_address(self) -> str:
        return ""

    def leader_name(self) -> str:
        return ""

    async def close(self) -> None:
        """Nothing is open."""


class SharedHolding:
    """The ledger in etcd, for a won election."""

    def __init__(self, kv: Kv, keys: Keys, tenure: Tenure, election: Election) -> None:
        self._tenure = tenure
        self._election = election
        self.store: Store = EtcdStore(kv, keys, tenure.reign)

    def may_speak(self) -> bool:
        return self._tenure.may_speak()

    async def keep(self) -> None:
        await self._tenure.keep()

    async def let_go(self) -> None:
        # Sidecars that come before it has looked again must not be told to come here.
        self._election.leader = None
        await self.store.close()
        await self._tenure.resign()


class SharedLedger:
    """The ledger in etcd, for several controllers of which one leads."""

    shared = True

    def __init__(
        self,
        kv: Kv,
        keys: Keys,
        clock: Clock,
        candidate: Candidate,
        *,
        ttl_s: int = TTL_S,
        dice: random.Random | None = None,
        apart: Apart | None = None,
    ) -> None:
        """Stand by. The last three are those of the election."""
        self._kv = kv
        self._keys = keys
        self._election = Election(kv, keys, clock, candidate, ttl_s=ttl_s, dice=dice, apart=apart)

    async def win(self) -> Holding:
        tenure = await self._election.campaign()
        return SharedHolding(self._kv, self._keys, tenure, self._election)

    def leader_address(self) -> str:
        leader = self._election.leader
        return leader.address if leader else ""

    def leader_name(self) -> str:
        leader = self._election.leader
        return leader.name if leader else ""

    async def close(self) -> None:
        await self._kv.close()


def shared_ledger(options: EtcdOptions, clock: Clock, *, name: str, address: str) -> SharedLedger:
    """The ledger in the etcd that was configured. `address`: where sidecars find this process."""
    # Whoever keeps the ledger in a file needs neither the client nor the memory that it takes.
    from controller.store.etcd_client import Access, EtcdClient, EtcdRenewals

    access = Access(
        endpoints=options.endpoints,
        ca=options.ca,
        certificate=options.cert,
        key=options.key,
        user=options.user,
        password=options.password,
    )
    candidate = Candidate(name=name or f"{socket.gethostname()}-{os.getpid()}", address=address)
    return SharedLedger(
        EtcdClient(access),
        Keys(options.prefix),
        clock,
        candidate,
        apart=lambda: EtcdRenewals(access),
    )
