"""Where a process listens, and how it says so.

The one rule: in standalone mode only loopback addresses are taken, because whoever reaches a port
may spend money. This module must not know what is served there.
"""

import ipaddress
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

PORT_MAX: Final = 65_535


class EndpointError(ValueError):
    """A text is not an address that a process may listen on or connect to."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An address; port 0 lets the system choose."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_loopback(text: str) -> Endpoint:
    """Read "127.0.0.1:8080", "localhost:0" or "[::1]:8080". Raises EndpointError for others."""
    host, colon, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not colon or not port.isascii() or not port.isdigit() or int(port) > PORT_MAX:
        raise EndpointError(f'{text!r} is not an address: write "127.0.0.1:PORT" (port 0: any)')
    if not _is_loopback(host):
        raise EndpointError(f'{text!r} is not on loopback: write "127.0.0.1:{port}"')
    return Endpoint("127.0.0.1" if host == "localhost" else host, int(port))


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def write_ready_file(path: Path, **facts: object) -> None:
    """Say in one JSON line that this process serves, with its `pid` and the given facts.

    Whoever waits for the file never sees half of it. Raises OSError when it can't be written.
    """
    draft = path.with_name(f"{path.name}.{os.getpid()}.draft")
    draft.write_text(json.dumps({**facts, "pid": os.getpid()}) + "\n")
    draft.replace(path)
