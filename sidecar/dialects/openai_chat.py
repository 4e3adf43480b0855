"""Requests of OpenAI's Chat Completions API: JSON in, facts out, rewritten JSON for the provider.

The one rule: what is forwarded is encoded anew from the very fields that were checked, so that a
field given twice cannot mean one thing here and another there; fields unknown here pass untouched.
What costs money that no bound covers is refused. This module must not know routing or sockets.
"""

import functools
from typing import Annotated, Final

import msgspec
from msgspec import UNSET, Raw, UnsetType

from farebox.core.call import Call, Identity
from farebox.core.gates import SCHEMA_CHARS_MAX
from farebox.core.tiers import Capability, Model

ENDPOINT: Final = "/chat/completions"
"""The path below a model's base URL."""

CHOICES_MAX: Final = 128
OUTPUT_TOKENS_MAX: Final = 100_000_000

_QUOTE: Final = ord('"')
_SCHEMA_FORMAT: Final = "json_schema"
_TEXT_PARTS: Final = frozenset({"text", "refusal"})
_SYSTEM_ROLES: Final = frozenset({"system", "developer"})

_LIMITS: Final = ("max_tokens", "max_completion_tokens")
_NAMES_KEPT_MAX: Final = 256

_UNBOUNDED: Final = {
    "audio": "spoken answers are billed at a rate of their own, which no tier states",
    "prediction": "rejected prediction tokens are billed beyond max_tokens",
    "web_search_options": "searches are billed by the search, at a price that no tier states",
}
"""Fields whose cost has no bound that could be held before the call."""

_SERVICE_TIERS: Final = frozenset({"auto", "default", "flex"})
"""Service tiers that cost no more than the published price."""

_Count = Annotated[int, msgspec.Meta(ge=1, le=OUTPUT_TOKENS_MAX)]
_Choices = Annotated[int, msgspec.Meta(ge=1, le=CHOICES_MAX)]


_new: Final = tuple.__new__
"""Makes a NamedTuple of all its fields in half the time; every call makes one."""


class BadRequestError(ValueError):
    """The body is not a request of this API; the text is one sentence for the caller."""


class _Message(msgspec.Struct):
    role: str = ""
    content: Raw | UnsetType = UNSET


class _Part(msgspec.Struct):
    type: str = "text"
    text: str | None = None
    image_url: Raw | UnsetType = UNSET
    input_audio: Raw | UnsetType = UNSET
    file: Raw | UnsetType = UNSET

    @property
    def is_text(self) -> bool:
        return self.type in _TEXT_PARTS and (
            self.image_url is self.input_audio is self.file is UNSET
        )


class _StreamOptions(msgspec.Struct):
    include_usage: bool | None = None


class _Format(msgspec.Struct):
    type: str = ""
    json_schema: Raw | UnsetType = UNSET


class _Named(msgspec.Struct):
    """What `json_schema` holds: the schema itself, beside its name."""

    schema: Raw | UnsetType = UNSET


class _Body(msgspec.Struct):
    model: str
    messages: Annotated[list[_Message], msgspec.Meta(min_length=1)]
    max_tokens: _Count | None = None
    max_completion_tokens: _Count | None = None
    n: _Choices | None = None
    stream: bool | None = None
    stream_options: _StreamOptions | None = None
    tools: list[Raw] | None = None
    functions: list[Raw] | None = None
    response_format: _Format | None = None
    service_tier: str | None = None
    user: str | None = None


class ChatRequest(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A checked request. `fields` are its top-level fields as raw JSON, in their order."""

    fields: dict[str, Raw]
    body_bytes: int
    model: str
    user: str
    prompt: str
    system: str
    turns: int
    output_tokens: int | None
    choices: int
    stream: bool
    usage_asked: bool
    tools: int
    images: int
    json_schema: bool
    schema: str


_fields_decoder: Final = msgspec.json.Decoder(dict[str, Raw])
_body_decoder: Final = msgspec.json.Decoder(_Body)
_text_decoder: Final = msgspec.json.Decoder(str)
_parts_decoder: Final = msgspec.json.Decoder(list[_Part] | None)
_named_decoder: Final = msgspec.json.Decoder(_Named)
_options_decoder: Final = msgspec.json.Decoder(dict[str, Raw] | None)
_encode: Final = msgspec.json.Encoder().encode


def parse(body: bytes) -> ChatRequest:
    """Read and check a request body. Raises BadRequestError."""
    try:
        fields = _fields_decoder.decode(body)
        asked = _body_decoder.decode(body)
        said = _read_messages(asked.messages)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadRequestError(f"The body is not a chat completion request: {error}.") from error
    _refuse_unbounded(fields, asked.service_tier)
    limit, other, options = asked.max_tokens, asked.max_completion_tokens, asked.stream_options
    if limit is None or (other is not None and other < limit):
        limit = other
    return ChatRequest(
        fields=fields,
        body_bytes=len(body),
        model=asked.model,
        user=asked.user or "",
        prompt=said.prompt,
        system=said.system,
        turns=len(asked.messages),
        output_tokens=limit,
        choices=asked.n or 1,
        stream=bool(asked.stream),
        usage_asked=options is not None and bool(options.include_usage),
        tools=len(asked.tools or ()) + len(asked.functions or ()),
        images=said.images,
        json_schema=asked.response_format is not None
        and asked.response_format.type == _SCHEMA_FORMAT,
        schema="" if asked.response_format is None else _schema_of(asked.response_format),
    )


def call_of(request: ChatRequest, *, path: str, identity: Identity) -> Call:
    """The request as the core knows it."""
    # By position, in the order of the fields: by name it takes three times as long.
    call = (
        path,
        request.model,
        identity,
        request.body_bytes,
        request.prompt,
        request.system,
        request.turns,
        request.output_tokens,
        request.choices,
        request.stream,
        request.usage_asked,
        request.tools,
        request.images,
        request.json_schema,
        request.schema,
    )
    return _new(Call, call)


def rewrite(request: ChatRequest, *, model: Model, output_asked: int) -> bytes:
    """The body for a provider: its model name, the limit that is paid for, usage switched on.

    The limit goes into the field that the caller used; else into the one that the model knows.
    """
    fields = dict(request.fields)
    fields["model"] = _as_json(model.upstream_name)
    limit = Raw(b"%d" % output_asked)
    used = False
    for name in _LIMITS:
        if _given(fields, name):
            fields[name], used = limit, True
    if not used:
        reasons = Capability.REASONING in model.capabilities
        fields["max_completion_tokens" if reasons else "max_tokens"] = limit
    if request.stream and not request.usage_asked:
        fields["stream_options"] = _with_usage(fields.get("stream_options"))
    return _encode(fields)


@functools.lru_cache(maxsize=_NAMES_KEPT_MAX)
def _as_json(name: str) -> Raw:
    return Raw(_encode(name))


def _schema_of(format_: _Format) -> str:
    """The schema that the answer is asked to have, as JSON text; "" where a gate can't use it.

    Whether it is a schema at all is the provider's to say.
    """
    if format_.type != _SCHEMA_FORMAT or format_.json_schema is UNSET:
        return ""
    try:
        schema = _named_decoder.decode(format_.json_schema).schema
    except msgspec.DecodeError:
        return ""
    if schema is UNSET or len(memoryview(schema)) > SCHEMA_CHARS_MAX:
        return ""
    return bytes(schema).decode(errors="replace")


class _Said(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What the messages say: the last user message, the system text, parts that are not text."""

    prompt: str
    system: str
    images: int


def _read_messages(messages: list[_Message]) -> _Said:
    last_user = len(messages) - 1
    while last_user >= 0 and messages[last_user].role != "user":
        last_user -= 1
    prompt, system, images = "", [], 0
    for at, message in enumerate(messages):
        content = message.content
        if content is UNSET:
            continue
        wanted = at == last_user or message.role in _SYSTEM_ROLES
        if memoryview(content)[0] == _QUOTE:
            text = _text_decoder.decode(content) if wanted else ""
        else:
            text, others = _read_parts(content, wanted=wanted)
            images += others
        if at == last_user:
            prompt = text
        elif wanted and text:
            system.append(text)
    return _Said(prompt=prompt, system="\n".join(system), images=images)


def _read_parts(content: Raw, *, wanted: bool) -> tuple[str, int]:
    """The text of a message's parts when it is wanted, and how many of them are not text."""
    parts = _parts_decoder.decode(content) or []
    if any(part.type == "input_audio" or part.input_audio is not UNSET for part in parts):
        raise BadRequestError(
            "Recorded sound is billed at a rate of its own, which no tier states; send text."
        )
    text = "\n".join(part.text for part in parts if part.text) if wanted else ""
    return text, sum(not part.is_text for part in parts)


def _refuse_unbounded(fields: dict[str, Raw], service_tier: str | None) -> None:
    if not _UNBOUNDED.keys().isdisjoint(fields):
        for name, why in _UNBOUNDED.items():
            if _given(fields, name):
                raise BadRequestError(f"{name} can't be held before the call: {why}; leave it out.")
    if service_tier is not None and service_tier not in _SERVICE_TIERS:
        raise BadRequestError(
            f"service_tier {service_tier!r} may cost more than the price that is held; leave it "
            'out or write "default" or "flex".'
        )


def _given(fields: dict[str, Raw], name: str) -> bool:
    return name in fields and bytes(fields[name]) != b"null"


def _with_usage(options: Raw | None) -> Raw:
    merged = (_options_decoder.decode(options) if options is not None else None) or {}
    return Raw(_encode({**merged, "include_usage": Raw(b"true")}))
