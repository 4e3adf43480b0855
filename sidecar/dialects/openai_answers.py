"""Whole answers of OpenAI's Chat Completions API, and the answers that Farebox gives in its form.

The one rule: usage is read into kinds that do not overlap, and a report that cannot be true (a part
larger than the whole, a negative count) is no report. This module must not know prices.
"""

from collections.abc import Iterable
from typing import Final

import msgspec

from farebox.core.reasons import Reason
from farebox.core.usage import Usage
from sidecar.refusals import RefusalDetail, fields_of

REPORTED_TOKENS_MAX: Final = 2**31 - 1
"""No model reads or writes more; a report that says so cannot be true."""

TOOL_CALL_TOKENS: Final = 32
"""Bound on what a template adds around the name and the arguments of one tool call."""

_BUDGET: Final = frozenset(
    {
        Reason.POOL_EXHAUSTED,
        Reason.HOLD_PENDING,
        Reason.REQUEST_TOO_LARGE,
        Reason.BUDGET_UNVERIFIABLE,
    }
)
_PROVIDER: Final = frozenset(
    {Reason.PROVIDER_UNREACHABLE, Reason.PROVIDER_SILENT, Reason.GATE_FAILED}
)


class _InputDetails(msgspec.Struct):
    cached_tokens: int | None = None
    audio_tokens: int | None = None


class _OutputDetails(msgspec.Struct):
    reasoning_tokens: int | None = None
    audio_tokens: int | None = None


class UsageReport(msgspec.Struct):
    """The `usage` object of an answer or of a stream's last chunk."""

    prompt_tokens: int
    completion_tokens: int
    prompt_tokens_details: _InputDetails | None = None
    completion_tokens_details: _OutputDetails | None = None


class _Function(msgspec.Struct):
    name: str | None = None
    arguments: str | None = None


class ToolCall(msgspec.Struct):
    """A tool call, or a fragment of one."""

    function: _Function | None = None


class Said(msgspec.Struct):
    """The message of a choice, or a delta of it: everything in it that was generated."""

    content: str | None = None
    refusal: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    tool_calls: list[ToolCall] | None = None
    function_call: _Function | None = None

    def generated_bytes(self) -> int:
        """The UTF-8 length of what was generated."""
        total = 0
        for text in (self.content, self.refusal, self.reasoning_content, self.reasoning):
            if text:
                total += _utf8_bytes(text)
        for call in self.tool_calls or ():
            total += _function_bytes(call.function)
        return total + _function_bytes(self.function_call)


class _Choice(msgspec.Struct):
    message: Said | None = None


class _Answer(msgspec.Struct):
    usage: UsageReport | None = None
    model: str | None = None


class _Choices(msgspec.Struct):
    choices: list[_Choice] = []


class Answer(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What is known of a whole answer. `usage` is None when it has no usable report.

    `output_tokens_max` bounds what can be seen of the output; it is 0 when usage is known, and None
    when the body cannot be read at all.
    """

    usage: Usage | None
    output_tokens_max: int | None
    model: str


_answer_decoder: Final = msgspec.json.Decoder(_Answer)
_choices_decoder: Final = msgspec.json.Decoder(_Choices)
_encode: Final = msgspec.json.Encoder().encode


def read_answer(body: bytes) -> Answer:
    """Read the usage of a whole answer; only where it lacks, the content is looked at."""
    try:
        answer = _answer_decoder.decode(body)
        usage = usage_of(answer.usage) if answer.usage is not None else None
        seen = 0 if usage is not None else _output_tokens_max(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return Answer(usage=None, output_tokens_max=None, model="")
    return Answer(usage=usage, output_tokens_max=seen, model=answer.model or "")


def usage_of(report: UsageReport) -> Usage | None:
    """A usage report in kinds that do not overlap; None when it cannot be true."""
    if max(report.prompt_tokens, report.completion_tokens) > REPORTED_TOKENS_MAX:
        return None
    inputs, outputs = report.prompt_tokens_details, report.completion_tokens_details
    cached = heard = reasoning = spoken = 0
    if inputs is not None:
        cached, heard = inputs.cached_tokens or 0, inputs.audio_tokens or 0
    if outputs is not None:
        reasoning, spoken = outputs.reasoning_tokens or 0, outputs.audio_tokens or 0
    # Cached audio is counted in both details: then the dearer reading is that it was not cached.
    cached = min(cached, report.prompt_tokens - heard) if heard else cached
    try:
        return Usage(
            input=report.prompt_tokens - cached - heard,
            cached_input=cached,
            input_audio=heard,
            output=report.completion_tokens - reasoning - spoken,
            reasoning=reasoning,
            output_audio=spoken,
            call=1,
        )
    except ValueError:
        return None


def refusal_body(detail: RefusalDetail) -> bytes:
    """A refusal in the API's error shape, with Farebox's figures beside the usual fields."""
    error = {
        "message": detail.message,
        "type": error_type(detail.reason),
        "param": None,
        "code": detail.reason.value,
        **fields_of(detail),
    }
    return _encode({"error": error})


def failure_body() -> bytes:
    """A fault of the sidecar itself, in the API's error shape."""
    error = {
        "message": "The sidecar failed on this call; its log says why.",
        "type": "server_error",
        "param": None,
        "code": "internal_error",
    }
    return _encode({"error": error})


def error_type(reason: Reason) -> str:
    """The `type` of an error body."""
    if reason in _BUDGET:
        return "budget_exceeded"
    if reason in _PROVIDER:
        return "provider_error"
    return "rate_limit_error" if reason is Reason.TOO_MANY_CALLS else "invalid_request_error"


def models_body(names: Iterable[str]) -> bytes:
    """The answer to a listing of models."""
    models = [
        {"id": name, "object": "model", "created": 0, "owned_by": "farebox"} for name in names
    ]
    return _encode({"object": "list", "data": models})


def _output_tokens_max(body: bytes) -> int:
    said = [choice.message for choice in _choices_decoder.decode(body).choices if choice.message]
    around = sum(len(one.tool_calls or ()) for one in said) * TOOL_CALL_TOKENS
    return sum(one.generated_bytes() for one in said) + around


def _function_bytes(function: _Function | None) -> int:
    if function is None:
        return 0
    return _utf8_bytes(function.name or "") + _utf8_bytes(function.arguments or "")


def _utf8_bytes(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode())
