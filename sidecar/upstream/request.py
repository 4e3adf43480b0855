"""The bytes of a request to a provider.

The one rule: what concerns one connection only, and what is meant for Farebox itself, is never
forwarded; lengths and the host are written here from what is really sent. This module must not know
which provider is asked.
"""

import functools
from collections.abc import Iterable
from typing import Final

from sidecar.upstream.origin import Target

OWN_PREFIX: Final = b"x-farebox-"

_NOT_FORWARDED: Final = frozenset(
    {
        # These concern the connection of the caller to us (RFC 9110, section 7.6.1).
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
        # These are written anew.
        b"host",
        b"content-length",
        b"content-encoding",
        b"content-type",
        # The answer has to be readable, or its usage could not be metered.
        b"accept-encoding",
        # The body is here already.
        b"expect",
    }
)

_AUTHORIZATION: Final = b"authorization: "
_HEADS_KEPT_MAX: Final = 256
_NAMES_KEPT_MAX: Final = 1_024


@functools.lru_cache(maxsize=_HEADS_KEPT_MAX)
def _start(target: Target, endpoint: str) -> bytes:
    return (
        f"POST {target.path}{endpoint} HTTP/1.1\r\n"
        f"host: {target.origin.authority}\r\n"
        "content-type: application/json\r\n"
        "accept-encoding: identity\r\n"
    ).encode("ascii")


@functools.lru_cache(maxsize=_NAMES_KEPT_MAX)
def _line_begins(name: bytes) -> bytes:
    """How the line of a header begins that is forwarded; b"" for one that is not."""
    lower = name.lower()
    if lower in _NOT_FORWARDED or lower.startswith(OWN_PREFIX):
        return b""
    return _AUTHORIZATION if lower == b"authorization" else name + b": "


def forwardable(raw_headers: Iterable[tuple[bytes, bytes]]) -> tuple[bytes, bytes]:
    """The caller's headers as lines: (those to forward, its authorization)."""
    lines, authorization = [], b""
    for name, value in raw_headers:
        begins = _line_begins(name)
        if begins == _AUTHORIZATION:
            authorization = begins + value + b"\r\n"
        elif begins:
            lines.append(begins + value + b"\r\n")
    return b"".join(lines), authorization


def post(target: Target, endpoint: str, *, header_lines: bytes, body: bytes) -> bytes:
    """A whole POST request of a JSON body, ready to be written."""
    length = b"content-length: %d\r\n\r\n" % len(body)
    return b"".join((_start(target, endpoint), header_lines, length, body))
