"""Ports for processes that a test starts, and starts again."""

import random
import socket
from contextlib import ExitStack
from typing import Final

_PORTS: Final = range(20_000, 32_000)
"""Below those that the system gives to outgoing connections, which would take the port of a process
while it is down."""

_TRIES_MAX: Final = 1_000


def free_ports(count: int) -> list[int]:
    """So many ports that nothing listens on now, all different."""
    found: list[int] = []
    with ExitStack() as stack:
        for port in random.sample(_PORTS, _TRIES_MAX):
            made = stack.enter_context(socket.socket())
            try:
                made.bind(("127.0.0.1", port))
            except OSError:
                continue
            found.append(port)
            if len(found) == count:
                return found
    raise AssertionError(f"of {_TRIES_MAX} ports {len(found)} are free")
