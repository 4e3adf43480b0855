"""What a prompt is made of: its token count, the text that is cached, and a digest of it.

The one rule: everything that the provider bills as input is counted here, once. It knows nothing
of prices. The figures of the chat template are those of OpenAI's cookbook ("How to count tokens
with tiktoken"): three tokens a message (which stand for its role too) and three that open the
answer; a `name` costs one more. Image figures are those of OpenAI's vision guide for a picture of
1024 x 1024.
"""

import zlib
from typing import Any

import msgspec

from farebox.simulated.request import ChatRequest, Message, Refused
from farebox.simulated.tokens import Tokenizer

message_overhead_tokens = 3
reply_overhead_tokens = 3
name_overhead_tokens = 1
image_low_tokens = 85
image_high_tokens = 765


class Prompt(msgspec.Struct, frozen=True, kw_only=True):
    tokens: int
    digest: int
    """A 32-bit digest of the messages' texts; the answer depends on it and on the seed."""
    texts: tuple[str, ...]
    """What a prompt cache compares, in its order: tools, schema, then role and text in turn."""


def measure(request: ChatRequest, tokenizer: Tokenizer) -> Prompt:
    """Count the whole prompt of a checked request.

    Raises:
        Refused: 400 for a content part that is neither text nor an image.
    """
    preamble = _preamble(request)
    tokens = reply_overhead_tokens + sum(tokenizer.count(text) for text in preamble)
    digest = 0
    texts = preamble
    for index, message in enumerate(request.messages):
        content, image_tokens = _content(message, index)
        tokens += message_overhead_tokens + image_tokens
        for text in content:
            tokens += tokenizer.count(text)
            digest = zlib.crc32(text.encode(), digest)
        if message.name is not None:
            tokens += name_overhead_tokens
        texts += [message.role, *content]
    return Prompt(tokens=tokens, digest=digest, texts=tuple(texts))


def _preamble(request: ChatRequest) -> list[str]:
    """Tools and schema as compact JSON: the model reads them before the messages."""
    parts: list[Any] = []
    if request.tools:
        parts.append(request.tools)
    if request.response_format is not None and "json_schema" in request.response_format:
        parts.append(request.response_format["json_schema"])
    return [msgspec.json.encode(part).decode() for part in parts]


def _content(message: Message, index: int) -> tuple[list[str], int]:
    """The texts of a message, and the tokens of its images."""
    texts: list[str] = [] if message.name is None else [message.name]
    image_tokens = 0
    match message.content:
        case str(text):
            texts.append(text)
        case list(parts):
            for number, part in enumerate(parts):
                text, tokens = _part(part, f"messages[{index}].content[{number}]")
                texts.append(text)
                image_tokens += tokens
        case _:
            pass
    for call in message.tool_calls or []:
        texts += [call.function.name, call.function.arguments]
    return texts, image_tokens


def _part(part: dict[str, Any], where: str) -> tuple[str, int]:
    match part:
        case {"type": "text", "text": str(text)} | {"type": "refusal", "refusal": str(text)}:
            return text, 0
        case {"type": "image_url", "image_url": {"url": str(), "detail": "low"}}:
            return "", image_low_tokens
        case {"type": "image_url", "image_url": {"url": str()}}:
            return "", image_high_tokens
        case _:
            message = f"Invalid content part: '{where}' must be text or image_url."
            raise Refused(400, message, param=where, code="invalid_value")
