"""The bytes on both ends of the benchmark: requests, the canned answer, the canned stream.

The one rule: a request and its answer agree (completion tokens stay below `max_tokens`), so that
a proxy that meters money finds nothing odd. Must not know any proxy.
"""

import enum
import json
import re
from dataclasses import dataclass
from typing import Any

CHAT_PATH = "/v1/chat/completions"
MODEL = "gpt-4o-mini"
BODY_BYTES = 1024
"""Size of the request body and of the plain answer's body, exactly."""

STREAM_CHUNKS = 100
"""`chat.completion.chunk` objects per stream: role, content, finish reason and usage."""

STREAM_END = b"data: [DONE]\n\n"
_CONTENT_CHUNKS = STREAM_CHUNKS - 3
_PROMPT_TOKENS = 180
_ANSWER_TOKENS_MAX = 256
_STREAM_ASKED = re.compile(rb'"stream"\s*:\s*true')


class Kind(enum.StrEnum):
    """What one call asks for."""

    PLAIN = "plain"
    STREAM = "stream"


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """One row of the benchmark: `concurrency` connections that each repeat one kind of call."""

    name: str
    kind: Kind
    concurrency: int


WORKLOADS = (
    Workload(name="1 KB calls, 1 connection", kind=Kind.PLAIN, concurrency=1),
    Workload(name="1 KB calls, 32 connections", kind=Kind.PLAIN, concurrency=32),
    Workload(name="100-chunk streams, 32 connections", kind=Kind.STREAM, concurrency=32),
)


def compact_json(value: dict[str, Any]) -> bytes:
    """JSON without spaces, as SDKs send it."""
    return json.dumps(value, separators=(",", ":")).encode()


def request_body(kind: Kind) -> bytes:
    """Return a chat completion request of `BODY_BYTES` bytes, padded in the user's message."""
    message = {"role": "user", "content": "Summarise this report in three sentences. "}
    body: dict[str, Any] = {
        "model": MODEL,
        "user": "ana",
        "max_tokens": _ANSWER_TOKENS_MAX,
        "messages": [{"role": "system", "content": "You are a careful editor."}, message],
    }
    if kind is Kind.STREAM:
        body |= {"stream": True, "stream_options": {"include_usage": True}}
    message["content"] += _filler(BODY_BYTES - len(compact_json(body)))
    return compact_json(body)


def asks_for_stream(body: bytes) -> bool:
    """Say whether a request body asks for a stream, also after a proxy has re-encoded it."""
    return _STREAM_ASKED.search(body) is not None


def plain_answer() -> bytes:
    """Return the body of the canned chat completion, `BODY_BYTES` bytes with usage."""
    message = {"role": "assistant", "content": ""}
    body = {
        "id": "chatcmpl-bench",
        "object": "chat.completion",
        "created": 1_760_000_000,
        "model": MODEL,
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "usage": _usage(150),
    }
    message["content"] = _filler(BODY_BYTES - len(compact_json(body)))
    return compact_json(body)


def stream_events() -> tuple[bytes, ...]:
    """Return the server-sent events of the canned stream: `STREAM_CHUNKS` chunks and the end."""
    deltas = [{"role": "assistant", "content": ""}]
    deltas += [{"content": f" word{number}"} for number in range(_CONTENT_CHUNKS)]
    chunks = [_chunk([{"index": 0, "delta": delta, "finish_reason": None}]) for delta in deltas]
    chunks.append(_chunk([{"index": 0, "delta": {}, "finish_reason": "stop"}]))
    chunks.append(_chunk([]) | {"usage": _usage(_CONTENT_CHUNKS)})
    events = [b"data: %b\n\n" % compact_json(chunk) for chunk in chunks]
    return (*events, STREAM_END)


def _chunk(choices: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "id": "chatcmpl-bench",
        "object": "chat.completion.chunk",
        "created": 1_760_000_000,
        "model": MODEL,
        "choices": choices,
    }


def _usage(completion_tokens: int) -> dict[str, int]:
    return {
        "prompt_tokens": _PROMPT_TOKENS,
        "completion_tokens": completion_tokens,
        "total_tokens": _PROMPT_TOKENS + completion_tokens,
    }


def _filler(bytes_count: int) -> str:
    words = "the quarter closed with steady demand in every region while costs fell "
    return (words * (bytes_count // len(words) + 1))[:bytes_count]
