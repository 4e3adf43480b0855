"""What gates read and write of OpenAI's Chat Completions API.

An answer is judged by its text; one that only calls functions, by their arguments, since that is
what a program takes from it. The one rule: what can't be read is told apart from what is empty.
This module must not know gates, money or what becomes of a verdict.
"""

from typing import Any, Final

import msgspec
from msgspec import UNSET, Raw, UnsetType

from farebox.core.call import Call
from farebox.core.gates import Case
from farebox.core.tiers import Capability, Model
from farebox.gates.grading import GRADE_TOKENS_MAX, GRADE_TOKENS_MAX_THINKING, Messages
from sidecar.dialects.openai_chat import ChatRequest

CONTEXT_CHARS_MAX: Final = 1 << 18
"""So much of what was said before the last question is looked at."""

_WHOLE_LEAVES_OUT: Final = ("stream", "stream_options")


class _Part(msgspec.Struct):
    text: str | None = None


class _Function(msgspec.Struct):
    arguments: str | None = None


class _ToolCall(msgspec.Struct):
    function: _Function | None = None


class _Said(msgspec.Struct):
    content: str | list[_Part] | None = None
    tool_calls: list[_ToolCall] | None = None
    function_call: _Function | None = None


class _Choice(msgspec.Struct):
    message: _Said


class _Answer(msgspec.Struct):
    choices: list[_Choice]


class _Message(msgspec.Struct):
    role: str = ""
    content: Raw | UnsetType = UNSET


_answer_decoder: Final = msgspec.json.Decoder(_Answer)
_messages_decoder: Final = msgspec.json.Decoder(list[_Message])
_content_decoder: Final = msgspec.json.Decoder(str | list[_Part] | None)
_encode: Final = msgspec.json.Encoder().encode


def texts_of(body: bytes) -> tuple[str, ...]:
    """The text of each choice of a whole answer; () when it can't be read."""
    try:
        answer = _answer_decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ()
    return tuple(_text_of(choice.message) for choice in answer.choices)


def case_of(request: ChatRequest, call: Call) -> Case:
    """What was asked: the last question, all that was said before it, and the schema wanted."""
    said: list[str] = []
    messages = _messages_decoder.decode(request.fields["messages"])
    last = max((at for at, one in enumerate(messages) if one.role == "user"), default=-1)
    for at, message in enumerate(messages):
        if at != last and message.content is not UNSET:
            said.append(_joined(_content_decoder.decode(message.content)))
    before = "\n".join(filter(None, said))[:CONTEXT_CHARS_MAX]
    return Case(prompt=call.prompt, system=before, schema=call.schema)


def whole(request: ChatRequest) -> ChatRequest:
    """The same request for an answer in one piece."""
    if not request.stream:
        return request
    kept = {name: raw for name, raw in request.fields.items() if name not in _WHOLE_LEAVES_OUT}
    return msgspec.structs.replace(request, fields=kept, stream=False, usage_asked=False)


def single(request: ChatRequest) -> ChatRequest:
    """The same request for one choice only."""
    kept = {name: raw for name, raw in request.fields.items() if name != "n"}
    return msgspec.structs.replace(request, fields=kept, choices=1)


def grade_tokens(model: Model) -> int:
    """What a grading model may write: a number, and what it thinks before."""
    thinks = Capability.REASONING in model.capabilities
    return min(GRADE_TOKENS_MAX_THINKING if thinks else GRADE_TOKENS_MAX, model.max_output_tokens)


def grading_body(model: Model, messages: Messages) -> bytes:
    """A request to a grading model."""
    body: dict[str, object] = {"model": model.upstream_name, "messages": messages}
    if Capability.REASONING in model.capabilities:
        body["max_completion_tokens"] = grade_tokens(model)
    else:
        body |= {"max_tokens": grade_tokens(model), "temperature": 0}
    return _encode(body)


def _text_of(said: _Said) -> str:
    text = _joined(said.content)
    calls = [*(one.function for one in said.tool_calls or ()), said.function_call]
    return text or "\n".join(one.arguments for one in calls if one and one.arguments)


def _joined(content: Any) -> str:
    if isinstance(content, list):
        return "\n".join(part.text for part in content if part.text)
    return content or ""
