"""Several hosts on one machine: network namespaces, a router between them, and cuts in it.

The product listens on loopback only. So each place sends what goes to a port of another place on
127.0.0.1 to that place's own address (of 192.0.2.0/24, which is nobody's), where it comes out at
the loopback there. In between it crosses two veth pairs and the router, which drops what a test
cuts, by direction. The one rule: namespaces, interfaces and rules end with the block, however it
ends; nothing is made outside the namespaces. It must not know what runs in the places.

Needs root, and Debian's iproute2 and iptables, which `make e2e-ledger` installs.
"""

import os
import subprocess
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from typing import Final

from farebox.cli.processes import Program
from tests.support.doors import Doors

_ROUTER_ADDRESS: Final = "192.0.2.254"
_COMMAND_S_MAX: Final = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One host, and the ports that are its own, also on the test's loopback."""

    namespace: str
    address: str
    ports: tuple[int, ...]

    def command(self, *words: str) -> tuple[str, ...]:
        """A command as it runs here."""
        return ("ip", "netns", "exec", self.namespace, *words)

    def program(self, program: Program) -> Program:
        """A program as it runs here; it listens on this place's ports, in their order."""
        return replace(
            program,
            module="tests.support.inside",
            arguments=(self.namespace, program.module, *program.arguments),
            ports=tuple(
                replace(port, first=first)
                for port, first in zip(program.ports, self.ports, strict=True)
            ),
        )


class Network:
    """The places by name, and what is cut between them."""

    def __init__(self, router: str, places: Mapping[str, Place]) -> None:
        self.places = places
        self._router = router
        self._cuts: list[tuple[str, str]] = []

    def cut(self, senders: Iterable[str], receivers: Iterable[str]) -> None:
        """Drop from now on what the one send to the other; the way back stays open."""
        receivers = tuple(receivers)
        for sender in senders:
            for receiver in receivers:
                if sender != receiver:
                    self._rule("-I", sender, receiver)
                    self._cuts.append((sender, receiver))

    def heal(self) -> None:
        """Let everything through again."""
        while self._cuts:
            self._rule("-D", *self._cuts.pop())

    def _rule(self, verb: str, sender: str, receiver: str) -> None:
        ends = ("-s", self.places[sender].address, "-d", self.places[receiver].address)
        ip = ("ip", "netns", "exec", self._router, "iptables", "-w")
        _do(*ip, verb, "FORWARD", *ends, "-j", "DROP")


@asynccontextmanager
async def network(ports: Mapping[str, int]) -> AsyncIterator[Network]:
    """Places by name with so many ports each, for as long as the block lasts."""
    own = f"farebox-{os.getpid()}"
    async with AsyncExitStack() as stack:
        doors = {name: Doors() for name in ports}
        for name, count in ports.items():
            stack.push_async_callback(doors[name].close)
            await doors[name].listen(count)
        places = {
            name: Place(
                namespace=f"{own}-{name}", address=f"192.0.2.{number}", ports=doors[name].ports
            )
            for number, name in enumerate(ports, 1)
        }
        router = f"{own}-router"
        for namespace in (router, *(place.namespace for place in places.values())):
            _do("ip", "netns", "add", namespace)
            stack.callback(_do, "ip", "netns", "delete", namespace)
        _in(router, "echo 1 >/proc/sys/net/ipv4/ip_forward")
        for number, (name, place) in enumerate(places.items()):
            _connect(router, f"to{number}", place)
            _translate(place, [other for other in places.values() if other is not place])
            doors[name].open_into(place.namespace)
        yield Network(router, places)


def _connect(router: str, interface: str, place: Place) -> None:
    """A cable between the router and a place, and the routes at both of its ends."""
    here, there, home = ("ip", "-n", router), ("ip", "-n", place.namespace), place.address
    _do(*here, *f"link add {interface} type veth peer name eth0 netns".split(), place.namespace)
    _do(*here, "address", "add", _ROUTER_ADDRESS, "dev", interface)
    _do(*here, "link", "set", interface, "up")
    _do(*here, "route", "add", home, "dev", interface)
    _do(*there, "link", "set", "lo", "up")
    _do(*there, "address", "add", home, "dev", "eth0")
    _do(*there, "link", "set", "eth0", "up")
    _do(*there, "route", "add", _ROUTER_ADDRESS, "dev", "eth0", "src", home)
    _do(*there, "route", "add", "default", "via", _ROUTER_ADDRESS, "src", home)


def _translate(place: Place, others: Iterable[Place]) -> None:
    """Make the loopback ports of the other places lead there, and let theirs come in."""
    rules = [
        "*nat",
        "-A PREROUTING -i eth0 -p tcp -j DNAT --to-destination 127.0.0.1",
        f"-A POSTROUTING -o eth0 -s 127.0.0.1 -j SNAT --to-source {place.address}",
    ]
    for other in others:
        ports = ",".join(map(str, other.ports))
        rules.append(
            f"-A OUTPUT -d 127.0.0.1 -p tcp -m multiport --dports {ports}"
            f" -j DNAT --to-destination {other.address}"
        )
    _in(place.namespace, "echo 1 >/proc/sys/net/ipv4/conf/all/route_localnet")
    restore = place.command("iptables-restore", "-w")
    _do(*restore, told="\n".join([*rules, "COMMIT", ""]))


def _in(namespace: str, line: str) -> None:
    _do("ip", "netns", "exec", namespace, "sh", "-c", line)


def _do(*command: str, told: str = "") -> None:
    """Run one command; a failure says which, and what it needs."""
    done = subprocess.run(
        command, input=told, capture_output=True, text=True, timeout=_COMMAND_S_MAX, check=False
    )
    assert done.returncode == 0, (
        f"{' '.join(command)}: {done.stderr.strip()} (needs root, iproute2 and iptables)"
    )
