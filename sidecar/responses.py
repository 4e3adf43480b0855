"""Answers to the caller as aiohttp sends them.

The one rule: every answer names its call, and a refusal has the form of the API that was called.
This module must not know why an answer is what it is.
"""

from typing import Final

from aiohttp import HttpVersion11, web
from aiohttp.abc import AbstractStreamWriter
from multidict import CIMultiDict

from sidecar.commands import TextHeaders
from sidecar.dialects.openai_answers import refusal_body
from sidecar.refusals import RefusalDetail, headers_of, status_of

CALL_HEADER: Final = "x-farebox-call"
_JSON: Final = "application/json"

AT_ONCE_BYTES_MAX: Final = 64 * 1024
"""A longer answer is waited for until the caller has taken it."""


class _WholeAnswer(web.StreamResponse):
    """An answer in one piece to a caller that keeps its connection.

    aiohttp's own response works out what is settled here already (kind, length, encoding), which
    for a short answer costs as much as the rest of the server.
    """

    def __init__(self, status: int, headers: TextHeaders, body: bytes) -> None:
        super().__init__(status=status)
        self._said = headers
        self._whole = body
        self._keep_alive = True
        self._writer: AbstractStreamWriter | None = None

    async def prepare(self, request: web.BaseRequest) -> None:
        """Write head and body at once."""
        if request.transport is None:
            raise ConnectionResetError("the caller has left")
        lines = "".join([f"{name}: {value}\r\n" for name, value in self._said])
        head = f"HTTP/1.1 {self.status} {self.reason}\r\n{lines}"
        length = b"content-length: %d\r\n\r\n" % len(self._whole)
        request.transport.write(head.encode("latin-1") + length + self._whole)
        self._writer = request.writer

    async def write_eof(self, _data: bytes = b"") -> None:
        """Wait until a long answer has gone."""
        if self._writer is not None and len(self._whole) > AT_ONCE_BYTES_MAX:
            await self._writer.drain()


def whole(
    request: web.BaseRequest, status: int, headers: TextHeaders, body: bytes
) -> web.StreamResponse:
    """An answer whose body is known."""
    if request.keep_alive and request.version == HttpVersion11:
        return _WholeAnswer(status, headers, body)
    return web.Response(status=status, headers=CIMultiDict(headers), body=body)


def begun(status: int, headers: TextHeaders) -> web.StreamResponse:
    """An answer whose body is yet to come."""
    return web.StreamResponse(status=status, headers=CIMultiDict(headers))


def refusal(detail: RefusalDetail, call_id: str) -> web.Response:
    """A refusal of Farebox."""
    headers = CIMultiDict(headers_of(detail))
    headers[CALL_HEADER] = call_id
    headers["content-type"] = _JSON
    return web.Response(status=status_of(detail), headers=headers, body=refusal_body(detail))


def listing(body: bytes) -> web.Response:
    """A JSON answer that costs nothing."""
    return web.Response(body=body, content_type=_JSON)
