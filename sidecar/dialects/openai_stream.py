"""Metering a stream of chat completion chunks while it passes.

Every event is looked at, none is changed; only a usage chunk that the caller did not ask for is
left out. The one rule: what is called crossed is proved, never guessed: each delta with content is
at least one token, and no token is longer than 128 bytes. This module must not know prices or
sockets.
"""

import enum
from typing import Any, Final

import msgspec

from farebox.core.usage import Usage
from sidecar.dialects.openai_answers import (
    TOOL_CALL_TOKENS,
    Said,
    UsageReport,
    refusal_body,
    usage_of,
)
from sidecar.dialects.sse import EventSplitter, data_of
from sidecar.refusals import RefusalDetail

TOKEN_BYTES_MAX: Final = 128
"""The longest token of the published byte-level vocabularies is a run of 128 spaces."""

CHOICES_MAX: Final = 128

DONE: Final = b"data: [DONE]\n\n"
STREAM_KIND: Final = b"text/event-stream; charset=utf-8"
"""The content type of a stream."""


class _Verdict(enum.Enum):
    """What becomes of an event."""

    PASS = enum.auto()
    DROP = enum.auto()
    CROSSED = enum.auto()


class _DeltaChoice(msgspec.Struct):
    index: int = 0
    delta: Said | None = None
    finish_reason: str | None = None


class _Chunk(msgspec.Struct):
    id: str | None = None
    created: int | None = None
    model: str | None = None
    choices: list[_DeltaChoice] | None = None
    usage: UsageReport | None = None


_chunk_decoder: Final = msgspec.json.Decoder(_Chunk)
_whole_decoder: Final = msgspec.json.Decoder(dict[str, Any])
_encode: Final = msgspec.json.Encoder().encode


class StreamMeter:
    """Reads what passes. `output_bound`: the output tokens that the hold pays for.

    `usage_final` says that the provider's last word on usage has come, not a running total.
    """

    def __init__(self, *, strip_usage: bool, output_bound: int) -> None:
        self.usage: Usage | None = None
        self.usage_final = False
        self.finished = False
        self.crossed = False
        self.model = ""
        self.content_events = 0
        self._content_bytes = 0
        self._unreadable_bytes = 0
        self._tool_calls = 0
        self._strip_usage = strip_usage
        self._output_bound = output_bound
        self._splitter = EventSplitter()
        self._open_choices = {0}
        self._id = ""
        self._created = 0

    def feed(self, data: bytes) -> bytes:
        """Take a piece of the stream; returns the bytes of whole events to pass on.

        Stops at the event that crosses the hold. Raises EventTooLargeError.
        """
        block = self._splitter.feed(data)
        for at, event in enumerate(block.events):
            verdict = self._meter(event)
            if verdict is not _Verdict.PASS:
                return self._sift(block.events, at, verdict)
        return block.whole

    def end(self) -> bytes:
        """The stream has ended; returns what is left to pass on."""
        rest = self._splitter.rest()
        return rest if rest and self._meter(rest) is _Verdict.PASS else b""

    @property
    def output_tokens_max(self) -> int:
        """A bound on the tokens of the output that was seen: no token is shorter than a byte."""
        around = self._tool_calls * TOOL_CALL_TOKENS
        return self._content_bytes + self._unreadable_bytes + around

    def closing(self, *, usage_asked: bool, input_tokens: int) -> bytes:
        """The end of a stream that is cut at its hold, as the API itself ends one at max_tokens."""
        choices = [
            {"index": index, "delta": {}, "finish_reason": "length"}
            for index in sorted(self._open_choices)
        ]
        events = [self._event(choices)]
        if usage_asked:
            written = max(self.content_events, self._output_bound)
            report = {
                "prompt_tokens": input_tokens,
                "completion_tokens": written,
                "total_tokens": input_tokens + written,
            }
            events.append(self._event([], usage=report))
        return b"".join((*events, DONE))

    def _sift(self, events: list[bytes], at: int, verdict: _Verdict) -> bytes:
        """The block without its usage chunk, and without anything from the crossing event on."""
        kept = events[:at]
        for event in events[at + 1 :]:
            if verdict is _Verdict.CROSSED:
                break
            verdict = self._meter(event)
            if verdict is _Verdict.PASS:
                kept.append(event)
        return b"".join(event + b"\n\n" for event in kept)

    def _meter(self, event: bytes) -> _Verdict:
        data = data_of(event)
        if not data:
            return _Verdict.PASS
        if data == b"[DONE]":
            self.finished = True
            return _Verdict.PASS
        try:
            chunk = _chunk_decoder.decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            self._unreadable_bytes += len(data)
            return _Verdict.PASS
        return self._read(chunk)

    def _read(self, chunk: _Chunk) -> _Verdict:
        if not self._id and chunk.id:
            self._id, self._created = chunk.id, chunk.created or 0
        if not self.model and chunk.model:
            self.model = chunk.model
        for choice in chunk.choices or ():
            self._read_choice(choice)
        if chunk.usage is not None:
            self.usage = usage_of(chunk.usage)
            self.usage_final = self.usage is not None and not chunk.choices
            if self._strip_usage and not chunk.choices:
                return _Verdict.DROP
        self.crossed = self.crossed or self._is_beyond_hold()
        return _Verdict.CROSSED if self.crossed else _Verdict.PASS

    def _read_choice(self, choice: _DeltaChoice) -> None:
        if len(self._open_choices) < CHOICES_MAX:
            self._open_choices.add(choice.index)
        if choice.finish_reason is not None:
            self.finished = True
        said = choice.delta
        if said is None:
            return
        generated = said.generated_bytes()
        if generated:
            self.content_events += 1
            self._content_bytes += generated
        if said.tool_calls:
            self._tool_calls += sum(
                call.function is not None and call.function.name is not None
                for call in said.tool_calls
            )

    def _is_beyond_hold(self) -> bool:
        bound = self._output_bound
        return self.content_events > bound or self._content_bytes > bound * TOKEN_BYTES_MAX

    def _event(self, choices: list[dict[str, object]], **more: object) -> bytes:
        chunk = {
            "id": self._id or "chatcmpl-farebox",
            "object": "chat.completion.chunk",
            "created": self._created,
            "model": self.model,
            "choices": choices,
            **more,
        }
        return b"data: " + _encode(chunk) + b"\n\n"


def streamed(body: bytes, *, usage_asked: bool) -> bytes:
    """A whole answer as the events of a stream; b"" when it can't be read.

    Each choice comes in one piece with whatever its message holds, then its end; `usage_asked` adds
    the chunk with the usage, as the API does.
    """
    try:
        answer = _whole_decoder.decode(body)
        choices = msgspec.convert(answer.pop("choices", []), list[dict[str, Any]])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return b""
    if not all(isinstance(choice.get("message"), dict) for choice in choices):
        return b""
    usage = answer.pop("usage", None)
    chunk = {**answer, "object": "chat.completion.chunk"}
    if usage_asked:
        chunk["usage"] = None
    events = [{**chunk, "choices": [part]} for choice in choices for part in _parts_of(choice)]
    if usage_asked:
        events.append({**chunk, "choices": [], "usage": usage})
    return b"".join((*(b"data: " + _encode(event) + b"\n\n" for event in events), DONE))


def _parts_of(choice: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """What a choice says as a delta, and its end."""
    delta = {name: value for name, value in choice["message"].items() if value is not None}
    if "tool_calls" in delta:
        delta["tool_calls"] = [{"index": at, **call} for at, call in enumerate(delta["tool_calls"])]
    index = choice.get("index", 0)
    said = {"index": index, "delta": delta, "finish_reason": None}
    if "logprobs" in choice:
        said["logprobs"] = choice["logprobs"]
    return said, {"index": index, "delta": {}, "finish_reason": choice.get("finish_reason", "stop")}


def error_event(detail: RefusalDetail) -> bytes:
    """An error within a stream, as SDKs of this API raise it."""
    return b"data: " + refusal_body(detail) + b"\n\n"
