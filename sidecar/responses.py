"""Answers that Farebox gives itself, as a caller's connection tells them.

The one rule: every answer names its call, and a refusal has the form of the API that was called.
This module must not know why an answer is what it is.
"""

from typing import Final, NamedTuple

from sidecar.dialects.openai_answers import failure_body, refusal_body
from sidecar.inbound.answer import lines_of
from sidecar.refusals import RefusalDetail, headers_of, status_of

CALL_HEADER: Final = "x-farebox-call"
_KIND: Final = ("content-type", "application/json")
_STATUS_OK: Final = 200
_STATUS_FAILED: Final = 500


class Whole(NamedTuple):
    """An answer in one piece; `lines` are its header fields but for the length."""

    status: int
    lines: bytes
    body: bytes


def refusal(detail: RefusalDetail, call_id: str) -> Whole:
    """A refusal of Farebox."""
    fields = (*headers_of(detail).items(), (CALL_HEADER, call_id), _KIND)
    return Whole(status_of(detail), lines_of(fields), refusal_body(detail))


def failure(call_id: str) -> Whole:
    """A fault in the program: said once, and not to be tried again."""
    fields = ((CALL_HEADER, call_id), ("x-should-retry", "false"), _KIND)
    return Whole(_STATUS_FAILED, lines_of(fields), failure_body())


def listing(body: bytes, call_id: str) -> Whole:
    """A JSON answer that costs nothing."""
    return Whole(_STATUS_OK, lines_of(((CALL_HEADER, call_id), _KIND)), body)
