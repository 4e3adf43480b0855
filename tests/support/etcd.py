"""A real etcd of one or three members on loopback, each a process that is ended by its pid.

The one rule: whatever a test did to a member (stopped, killed, filled), leaving the block ends it.
Needs the etcd binary (Debian's etcd-server), which `make e2e-ledger` installs.
"""

import asyncio
import os
import shutil
import signal
import subprocess
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Final

import etcd3aio
import grpc.aio

from controller.store.etcd_client import Access, EtcdClient
from controller.store.kv import KvError, Put
from tests.support.controller_processes import PATIENCE_S, POLL_S
from tests.support.network import Network, Place
from tests.support.ports import free_ports

_ETCD: Final = shutil.which("etcd")
OPTIONS: Final = (
    *("--auto-compaction-mode", "periodic", "--auto-compaction-retention", "5m"),
    *("--logger", "zap", "--log-level", "warn"),
)


class Member:
    """One member: its process, where clients connect, where its data lies."""

    def __init__(self, name: str, folder: Path, place: Place | None = None) -> None:
        """On this machine, or in a place of a network, with two ports of its own there."""
        self.name = name
        self.folder = folder / name
        self.folder.mkdir(parents=True)
        self._place = place
        self.client_port, self.peer_port = place.ports if place else free_ports(2)
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.client_port}"

    def start(self, members: Sequence["Member"], options: Sequence[str], scheme: str) -> None:
        """Start it, the first time or again."""
        assert _ETCD, "there is no etcd here: apt-get install etcd-server"
        command = [
            *(_ETCD, "--name", self.name, "--data-dir", str(self.folder / "data")),
            *("--listen-client-urls", f"{scheme}://{self.address}"),
            *("--advertise-client-urls", f"{scheme}://{self.address}"),
            *("--listen-peer-urls", f"http://127.0.0.1:{self.peer_port}"),
            *("--initial-advertise-peer-urls", f"http://127.0.0.1:{self.peer_port}"),
            "--initial-cluster",
            ",".join(f"{one.name}=http://127.0.0.1:{one.peer_port}" for one in members),
            *options,
        ]
        kept = {name: text for name, text in os.environ.items() if not name.startswith("ETCD_")}
        with (self.folder / "log").open("ab") as log:
            words = self._place.command(*command) if self._place else command
            self.process = subprocess.Popen(words, stdout=log, stderr=log, env=kept)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal: STOP, CONT, KILL or TERM."""
        assert self.process is not None
        self.process.send_signal(number)
        if number in {signal.SIGKILL, signal.SIGTERM}:
            self.process.wait(PATIENCE_S)
            self.process = None

    def end(self) -> None:
        """End it, whatever its state."""
        if self.process is not None:
            with suppress(ProcessLookupError):
                self.signal(signal.SIGKILL)


class Cluster:
    """All members, and a channel for each to what `Kv` has no words for."""

    def __init__(self, members: Sequence[Member], options: Sequence[str], scheme: str) -> None:
        self.members = tuple(members)
        self._options = options
        self._scheme = scheme

    @property
    def endpoints(self) -> tuple[str, ...]:
        return tuple(member.address for member in self.members)

    def start(self, *members: Member) -> None:
        """Start these members, or all."""
        for member in members or self.members:
            member.start(self.members, self._options, self._scheme)

    def access(self) -> Access:
        return Access(endpoints=self.endpoints)

    async def leader(self) -> Member:
        """The member that leads etcd."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                for member in self.members:
                    with suppress(etcd3aio.EtcdError, TimeoutError):
                        async with self.maintenance(member) as service:
                            told = await service.status(timeout=1.0)
                            if told.leader == told.header.member_id:
                                return member
                await asyncio.sleep(POLL_S)

    @asynccontextmanager
    async def maintenance(
        self, member: Member
    ) -> AsyncIterator[etcd3aio.maintenance.MaintenanceService]:
        """Status, alarms and defragmentation of one member."""
        async with grpc.aio.insecure_channel(member.address) as channel:
            yield etcd3aio.maintenance.MaintenanceService(channel, max_attempts=1)

    @asynccontextmanager
    async def keys(self, member: Member) -> AsyncIterator[etcd3aio.kv.KVService]:
        """Keys of the cluster, through one member."""
        async with grpc.aio.insecure_channel(member.address) as channel:
            yield etcd3aio.kv.KVService(channel, max_attempts=1)

    async def until_it_writes(self, access: Access | None = None) -> None:
        """Wait until a key can be written."""
        client = EtcdClient(access or self.access())
        try:
            async with asyncio.timeout(PATIENCE_S):
                while True:
                    with suppress(KvError):
                        await client.transact((), (Put(b"/test/ready", b""),))
                        return
                    await asyncio.sleep(POLL_S)
        finally:
            await client.close()


@asynccontextmanager
async def etcd_cluster(
    folder: Path,
    *,
    members: int = 3,
    options: Sequence[str] = (),
    scheme: str = "http",
    network: Network | None = None,
) -> AsyncIterator[Cluster]:
    """Run a cluster for as long as the block lasts; in a network, each member in its place."""
    names = [f"e{number}" for number in range(members)]
    made = [Member(name, folder, network.places[name] if network else None) for name in names]
    cluster = Cluster(made, (*OPTIONS, *options), scheme)
    cluster.start()
    try:
        if scheme == "http":
            await cluster.until_it_writes()
        yield cluster
    finally:
        for member in made:
            member.end()
