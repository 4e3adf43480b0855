"""OpenAI's shapes of an answer: one JSON body, or the frames of a stream.

The one rule: bytes come out of here and nothing is decided. Field by field as in the reference of
`POST /v1/chat/completions`.
"""

from collections.abc import Sequence
from typing import Any

import msgspec

from farebox.simulated.answers import Choice

DONE = b"data: [DONE]\n\n"

_encode = msgspec.json.Encoder().encode
_fingerprint = "fp_simulated"


class Completion(msgspec.Struct, frozen=True, kw_only=True):
    """What all frames of one answer share."""

    completion_id: str
    created: int
    """UTC seconds since 1970."""
    model: str


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """Token counts of one call; `cached` is a part of `prompt`, `reasoning` of `completion`."""

    prompt: int
    cached: int
    completion: int
    reasoning: int

    def shape(self) -> dict[str, Any]:
        return {
            "prompt_tokens": self.prompt,
            "completion_tokens": self.completion,
            "total_tokens": self.prompt + self.completion,
            "prompt_tokens_details": {"cached_tokens": self.cached, "audio_tokens": 0},
            "completion_tokens_details": {
                "reasoning_tokens": self.reasoning,
                "audio_tokens": 0,
                "accepted_prediction_tokens": 0,
                "rejected_prediction_tokens": 0,
            },
        }


def completion_body(about: Completion, choices: Sequence[Choice], usage: Usage | None) -> bytes:
    """The body of a plain answer; without usage when there is none to report."""
    body: dict[str, Any] = {
        "id": about.completion_id,
        "object": "chat.completion",
        "created": about.created,
        "model": about.model,
        "choices": [
            {
                "index": index,
                "message": _message(about, index, choice),
                "logprobs": None,
                "finish_reason": choice.finish_reason,
            }
            for index, choice in enumerate(choices)
        ],
        "service_tier": "default",
        "system_fingerprint": _fingerprint,
    }
    if usage is not None:
        body["usage"] = usage.shape()
    return _encode(body)


def _message(about: Completion, index: int, choice: Choice) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": choice.text, "refusal": None}
    if choice.tool_name is not None:
        message["content"] = None
        message["tool_calls"] = [
            {
                "id": _tool_call_id(about, index),
                "type": "function",
                "function": {"name": choice.tool_name, "arguments": choice.text},
            }
        ]
    return message


def _tool_call_id(about: Completion, index: int) -> str:
    return f"call_{about.completion_id.removeprefix('chatcmpl-')}_{index}"


class StreamFrames:
    """The frames of one streamed answer. What is equal in all of them is encoded once."""

    def __init__(self, about: Completion, *, usage_wanted: bool) -> None:
        self._about = about
        head = _encode(
            {
                "id": about.completion_id,
                "object": "chat.completion.chunk",
                "created": about.created,
                "model": about.model,
                "service_tier": "default",
                "system_fingerprint": _fingerprint,
            }
        )
        self._head = b"data: " + head[:-1] + b',"choices":['
        # With a usage chunk to come, all other chunks say that theirs is null.
        self._tail = b'],"usage":null}\n\n' if usage_wanted else b"]}\n\n"

    def opening(self, index: int, choice: Choice) -> bytes:
        """The first frame of a choice: its role, and the name of the tool that it calls."""
        delta: dict[str, Any] = {"role": "assistant", "content": "", "refusal": None}
        if choice.tool_name is not None:
            delta["content"] = None
            delta["tool_calls"] = [
                {
                    "index": 0,
                    "id": _tool_call_id(self._about, index),
                    "type": "function",
                    "function": {"name": choice.tool_name, "arguments": ""},
                }
            ]
        return self._frame(index, _encode(delta), b"null")

    def piece(self, index: int, choice: Choice, piece: str) -> bytes:
        """The frame of one token."""
        if choice.tool_name is None:
            delta = b'{"content":%s}' % _encode(piece)
        else:
            delta = b'{"tool_calls":[{"index":0,"function":{"arguments":%s}}]}' % _encode(piece)
        return self._frame(index, delta, b"null")

    def ending(self, index: int, choice: Choice) -> bytes:
        return self._frame(index, b"{}", b'"%s"' % choice.finish_reason.encode())

    def usage(self, usage: Usage) -> bytes:
        """The last frame before the end, when the caller asked for it: no choices, all counts."""
        return b'%s],"usage":%s}\n\n' % (self._head, _encode(usage.shape()))

    def _frame(self, index: int, delta: bytes, reason: bytes) -> bytes:
        return b'%s{"index":%d,"delta":%s,"logprobs":null,"finish_reason":%s}%s' % (
            self._head,
            index,
            delta,
            reason,
            self._tail,
        )
