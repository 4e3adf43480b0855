"""Where a process listens, and how it says so.

The one rule: in standalone mode only loopback addresses are taken, because whoever reaches a port
may spend money; other addresses are for who asks every caller who he is, or shows probes alone.
This module must not know what is served there.
"""

import ipaddress
import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

PORT_MAX: Final = 65_535
_NAME: Final = re.compile(
    r"(?=.{1,253}\Z)[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
    r"(\.[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*"
)


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
    host, port = _parts(text, example="127.0.0.1")
    if host == "localhost":
        return Endpoint("127.0.0.1", port)
    address = _address(host)
    if address is None or not address.is_loopback:
        raise EndpointError(f'{text!r} is not on loopback: write "127.0.0.1:{port}"')
    return Endpoint(host, port)


def parse_address(text: str) -> Endpoint:
    """Read where to listen on any address: "0.0.0.0:80" or "[::]:80". Raises EndpointError."""
    host, port = _parts(text, example="0.0.0.0")
    if host == "localhost":
        return Endpoint("127.0.0.1", port)
    if _address(host) is None:
        raise EndpointError(f'{text!r} is not an IP address and a port: write "0.0.0.0:{port}"')
    return Endpoint(host, port)


def parse_host(text: str) -> Endpoint:
    """Read where another process is reached: "NAME:80" or an address. Raises EndpointError."""
    host, port = _parts(text, example="HOST", may_be_any=False)
    if port == 0 or (_address(host) is None and not _NAME.fullmatch(host)):
        raise EndpointError(f'{text!r} is not a host and its port: write "HOST:PORT"')
    return Endpoint(host, port)


def _parts(text: str, *, example: str, may_be_any: bool = True) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not colon or not port.isascii() or not port.isdigit() or int(port) > PORT_MAX:
        hint = " (port 0: any)" if may_be_any else ""
        raise EndpointError(f'{text!r} is not an address: write "{example}:PORT"{hint}')
    return host, int(port)


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def write_ready_file(path: Path, **facts: object) -> None:
    """Say in one JSON line that this process serves, with its `pid` and the given facts.

    Whoever waits for the file never sees half of it. Raises OSError when it can't be written.
    """
    draft = path.with_name(f"{path.name}.{os.getpid()}.draft")
    draft.write_text(json.dumps({**facts, "pid": os.getpid()}) + "\n")
    draft.replace(path)
