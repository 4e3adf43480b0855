"""A caller's request as it came over the wire.

The one rule: the head is kept as it was sent, so that what is forwarded is what was said. This
module must not know paths, models or money.
"""

from typing import NamedTuple

from sidecar.upstream.request import forwardable

RawHeaders = tuple[tuple[bytes, bytes], ...]


class Head:
    """Header fields, read once for all requests of a connection that send the same ones.

    `fields`: by name in lower case, of a repeated field the first. `lines` are those to forward,
    `authorization` the caller's own key as a line, b"" without one. `noted` is for whoever reads
    the fields to keep what it found, so that it reads them only once too.
    """

    __slots__ = ("authorization", "fields", "lines", "noted")

    def __init__(self, raw: RawHeaders) -> None:
        self.lines, self.authorization = forwardable(raw)
        self.noted: object = None
        self.fields: dict[str, str] = {}
        for name, value in raw:
            # Later fields do not replace earlier ones: a proxy in front may have set the first.
            self.fields.setdefault(
                name.decode("latin-1").lower(), value.decode("utf-8", "surrogateescape")
            )


class Request(NamedTuple):
    """One whole request. `target` is the path with its query, as sent."""

    method: bytes
    target: str
    head: Head
    body: bytes
