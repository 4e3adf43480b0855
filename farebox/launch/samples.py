"""Samples: prompts to try on every tier, as calls and as cases for gates.

The one rule: a sample is what a caller would send, without a model: a profiling run chooses that.
This module must not know prices or how an answer is judged.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from farebox.core.call import Call, Identity
from farebox.core.gates import Case
from farebox.core.tasks import AUTO_MODEL
from farebox.core.tiers import Capability, Model

PATH: Final = "/v1/chat/completions"
LIMIT_FIELDS: Final[tuple[str, ...]] = ("max_tokens", "max_completion_tokens")
_SYSTEM_ROLES: Final = ("system", "developer")
_encode: Final = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One prompt. `body` has `messages` and what else was asked, but no model and no stream.

    `task` is "" when the file does not say; `tag` is what the application puts into the task
    header, "" for nothing. `expected` is the right answer where it is known.
    """

    id: str
    body: Mapping[str, Any]
    task: str = ""
    tag: str = ""
    model_asked: str = AUTO_MODEL
    expected: str | None = None

    @property
    def output_asked(self) -> int | None:
        """The caller's own limit of output tokens."""
        limits = [self.body.get(name) for name in LIMIT_FIELDS]
        return min([limit for limit in limits if limit is not None], default=None)

    @property
    def schema(self) -> str:
        """The JSON schema that the call itself asks for, as JSON text; "" for none."""
        wanted = self.body.get("response_format") or {}
        if wanted.get("type") != "json_schema":
            return ""
        return _encode(wanted["json_schema"].get("schema", {})).decode()


def call_of(sample: Sample) -> Call:
    """The sample as the core knows a call: what is classified, estimated and routed."""
    messages = sample.body["messages"]
    return Call(
        path=PATH,
        model=sample.model_asked,
        identity=Identity(task=sample.tag),
        body_bytes=len(_encode({**sample.body, "model": sample.model_asked})),
        prompt=last_user_text(messages),
        system=system_text(messages),
        turns=len(messages),
        output_tokens=sample.output_asked,
        tools=len(sample.body.get("tools") or ()),
        images=sum(_images(message.get("content")) for message in messages),
        json_schema=bool(sample.schema),
    )


def case_of(sample: Sample, *, with_expected: bool) -> Case:
    """The sample as gates see it; in production nobody knows what is expected."""
    messages = sample.body["messages"]
    return Case(
        prompt=last_user_text(messages),
        system=system_text(messages),
        schema=sample.schema,
        expected=sample.expected if with_expected else None,
    )


def request_body(sample: Sample, model: Model, *, output_asked: int) -> bytes:
    """What is sent to a model for a sample: a whole answer, of at most so many tokens."""
    body = {**sample.body, "model": model.upstream_name}
    used = [name for name in LIMIT_FIELDS if name in body]
    for name in used or [limit_field(model)]:
        body[name] = output_asked
    return _encode(body)


def question_body(model: Model, messages: Sequence[Mapping[str, str]], *, output: int) -> bytes:
    """What is sent to a model that a gate asks."""
    return _encode({"messages": messages, "model": model.upstream_name, limit_field(model): output})


def limit_field(model: Model) -> str:
    """The name that a model has for the limit of its output; models that reason have another."""
    reasons = Capability.REASONING in model.capabilities
    return "max_completion_tokens" if reasons else "max_tokens"


def capabilities_needed(sample: Sample) -> frozenset[Capability]:
    """What a model must be able to do for this sample."""
    call = call_of(sample)
    wanted = (
        (Capability.TOOLS, call.tools > 0),
        (Capability.VISION, call.images > 0),
        (Capability.JSON_SCHEMA, call.json_schema),
    )
    return frozenset(capability for capability, needed in wanted if needed)


def last_user_text(messages: Sequence[Mapping[str, Any]]) -> str:
    """The text of the last user message; "" when there is none."""
    said = [message.get("content") for message in messages if message.get("role") == "user"]
    return _text(said[-1]) if said else ""


def system_text(messages: Sequence[Mapping[str, Any]]) -> str:
    """The text of all system messages."""
    texts = [_text(one.get("content")) for one in messages if one.get("role") in _SYSTEM_ROLES]
    return "\n".join(text for text in texts if text)


def _text(content: Any) -> str:
    if isinstance(content, list):
        return "\n".join(str(part["text"]) for part in content if part.get("text"))
    return content or ""


def _images(content: Any) -> int:
    if not isinstance(content, list):
        return 0
    return sum(part.get("type") != "text" for part in content)
