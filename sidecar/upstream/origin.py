"""Origins: where a model's API is reached.

The one rule: an origin is read from a model's `base_url` and from nothing that a caller says. This
module must not know sockets.
"""

import functools
import re
from typing import Final, NamedTuple
from urllib.parse import urlsplit

_PRINTABLE: Final = re.compile(r"[!-~]+")
_PORTS: Final = {"http": 80, "https": 443}
_ORIGINS_KEPT_MAX: Final = 256


class OriginError(ValueError):
    """A base URL cannot be reached by this client."""


class Origin(NamedTuple):
    """A host, a port, and whether TLS is spoken there. A tuple, because every call hashes it."""

    host: str
    port: int
    tls: bool

    @property
    def authority(self) -> str:
        """The value of a Host header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return (
            host if self.port == _PORTS["https" if self.tls else "http"] else f"{host}:{self.port}"
        )


class Target(NamedTuple):
    """An origin and the path below which its API lies, without a slash at the end."""

    origin: Origin
    path: str


@functools.lru_cache(maxsize=_ORIGINS_KEPT_MAX)
def target_of(base_url: str) -> Target:
    """Read a base URL such as "https://api.openai.com/v1". Raises OriginError with a sentence."""
    try:
        parts = urlsplit(base_url)
        port = parts.port
    except ValueError as error:
        raise OriginError(f"{base_url!r} is not a URL: {error}") from error
    if parts.scheme not in _PORTS or not parts.hostname or not _PRINTABLE.fullmatch(base_url):
        raise OriginError(f"{base_url!r} is not a URL: write http://HOST/PATH or https://HOST/PATH")
    origin = Origin(
        host=parts.hostname, port=port or _PORTS[parts.scheme], tls=parts.scheme == "https"
    )
    return Target(origin=origin, path=parts.path.rstrip("/"))
