"""The network of a test's Kubernetes: one node with a bridge, and a namespace for each pod.

The node (192.0.2.1) has the control plane; pods and other places are at addresses of their own
behind its bridge, and reach the API server at its Service's address too. Names are in one file of
hosts that every place reads. The one rule: all of it is in network namespaces, which end with the
block, however it ends. This module must not know what runs anywhere.

Not as in a cluster: no DNS server, no cluster IP but that of the API server, no network policies.
"""

import asyncio
import os
import socket
import subprocess
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from tests.support.doors import Doors
from tests.support.inside import enter
from tests.support.kube_api import KUBERNETES_SERVICE, Home
from tests.support.network import Place

NODE: Final = "192.0.2.1"
_FIRST: Final = 10
_LAST: Final = 250
_COMMAND_S_MAX: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Spot:
    """One place behind the bridge."""

    namespace: str
    address: str


class KubeNetwork:
    """The node, and the places behind its bridge."""

    def __init__(self, folder: Path) -> None:
        self.node = f"farebox-{os.getpid()}-node"
        self.hosts = folder / "hosts"
        self._number = _FIRST
        self._names: dict[str, tuple[str, ...]] = {}
        self._made = ExitStack()
        self._hands = ThreadPoolExecutor(1)
        self.doors = Doors()

    @property
    def home(self) -> Home:
        """Where a control plane runs in this network."""
        (port,) = self.doors.ports
        prefix = ("ip", "netns", "exec", self.node)
        return Home(prefix=prefix, address="0.0.0.0", advertised=NODE, port=port)

    async def open(self) -> None:
        """Make the node."""
        await self.doors.listen(1)
        self._write_names()
        _do("ip", "netns", "add", self.node)
        self._made.callback(_do, "ip", "netns", "delete", self.node)
        in_node = ("ip", "-n", self.node)
        _do(*in_node, *"link set lo up".split())
        _do(*in_node, *f"address add {KUBERNETES_SERVICE}/32 dev lo".split())
        _do(*in_node, *"link add pods type bridge".split())
        _do(*in_node, *f"address add {NODE}/24 dev pods".split())
        _do(*in_node, *"link set pods up".split())
        (port,) = self.doors.ports
        to_service = f"-p tcp -d {KUBERNETES_SERVICE} --dport 443"
        for chain in ("PREROUTING", "OUTPUT"):
            rule = f"-A {chain} {to_service} -j REDIRECT --to-ports {port}"
            self._in_node("iptables", "-w", "-t", "nat", *rule.split())
        self.doors.open_into(self.node)
        self._hands = ThreadPoolExecutor(1, initializer=enter, initargs=(self.node,))

    async def close(self) -> None:
        """Take everything away again."""
        await self.doors.close()
        self._hands.shutdown()
        self._made.close()

    def add(self, name: str) -> Spot:
        """A new place behind the bridge, at an address that no other had."""
        assert self._number <= _LAST, "all addresses have been given away"
        number, self._number = self._number, self._number + 1
        namespace, address = f"farebox-{os.getpid()}-{number}", f"192.0.2.{number}"
        _do("ip", "netns", "add", namespace)
        # The far end of the cable goes with the namespace.
        cable = f"link add to{number} type veth peer name eth0 netns {namespace}"
        _do("ip", "-n", self.node, *cable.split())
        _do("ip", "-n", self.node, *f"link set to{number} master pods up".split())
        inside = ("ip", "-n", namespace)
        _do(*inside, *"link set lo up".split())
        _do(*inside, *f"address add {address}/24 dev eth0".split())
        _do(*inside, *"link set eth0 up".split())
        _do(*inside, *f"route add default via {NODE}".split())
        return Spot(namespace=namespace, address=address)

    def remove(self, spot: Spot) -> None:
        """Take a place away; what still runs in it is on its own."""
        self.forget(spot)
        _do("ip", "netns", "delete", spot.namespace)

    def call(self, spot: Spot, names: Sequence[str]) -> None:
        """Let a place be found by these names."""
        self._names[spot.address] = tuple(names)
        self._write_names()

    def forget(self, spot: Spot) -> None:
        """Let a place be found by no name any more."""
        if self._names.pop(spot.address, None) is not None:
            self._write_names()

    async def connect(
        self, address: str, port: int
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A connection from the node. Raises OSError."""
        loop = asyncio.get_running_loop()
        making = loop.run_in_executor(self._hands, socket.socket)
        try:
            made = await asyncio.shield(making)
        except asyncio.CancelledError:
            making.add_done_callback(lambda done: done.result().close())
            raise
        try:
            made.setblocking(False)
            await loop.sock_connect(made, (address, port))
            return await asyncio.open_connection(sock=made)
        except BaseException:
            made.close()
            raise

    def _in_node(self, *command: str) -> None:
        _do("ip", "netns", "exec", self.node, *command)

    def _write_names(self) -> None:
        lines = [
            "127.0.0.1 localhost",
            f"{KUBERNETES_SERVICE} kubernetes.default.svc kubernetes.default",
            *(f"{address} {' '.join(names)}" for address, names in self._names.items()),
        ]
        # In place: containers have this very file mounted.
        self.hosts.write_text("\n".join([*lines, ""]))


@asynccontextmanager
async def kube_network(folder: Path) -> AsyncIterator[KubeNetwork]:
    """A node without pods, for as long as the block lasts."""
    made = KubeNetwork(folder)
    try:
        await made.open()
        yield made
    finally:
        await made.close()


@asynccontextmanager
async def outpost(network: KubeNetwork, name: str) -> AsyncIterator[Place]:
    """A place for one process that listens on its loopback only; the test and the pods reach it.

    The pods by the place's address, the test by the same port of its own loopback.
    """
    doors, spot = Doors(), network.add(name)
    try:
        await doors.listen(1)
        doors.open_into(spot.namespace)
        within = partial(_do, "ip", "netns", "exec", spot.namespace)
        within("sh", "-c", "echo 1 >/proc/sys/net/ipv4/conf/all/route_localnet")
        rule = "PREROUTING -i eth0 -p tcp -j DNAT --to-destination 127.0.0.1"
        within("iptables", "-w", "-t", "nat", "-A", *rule.split())
        yield Place(namespace=spot.namespace, address=spot.address, ports=doors.ports)
    finally:
        await doors.close()
        network.remove(spot)


def _do(*command: str) -> None:
    """Run one command; a failure says which, and what it needs."""
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=_COMMAND_S_MAX, check=False
    )
    assert done.returncode == 0, (
        f"{' '.join(command)}: {done.stderr.strip()} (needs root, iproute2 and iptables)"
    )
