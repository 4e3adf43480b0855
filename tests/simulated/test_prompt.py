"""Everything that is billed as input is counted once. With bytes as tokens the sums are plain."""

from typing import Any

import msgspec
import pytest

from farebox.simulated.prompt import Prompt, measure
from farebox.simulated.request import Refused, parse_request
from farebox.simulated.tokens import TokenizerKind, make_tokenizer

BYTES = make_tokenizer(TokenizerKind.BYTES)
PER_MESSAGE = 3
PER_REPLY = 3


def measured(messages: list[dict[str, Any]], **fields: Any) -> Prompt:
    body = msgspec.json.encode({"model": "small", "messages": messages} | fields)
    return measure(parse_request(body), BYTES)


def user(content: Any, **fields: Any) -> dict[str, Any]:
    return {"role": "user", "content": content} | fields


IMAGE = {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}
LOW_IMAGE = {"type": "image_url", "image_url": {"url": "https://example.com/", "detail": "low"}}
CALL = {"id": "c", "type": "function", "function": {"name": "look", "arguments": "{}"}}


@pytest.mark.parametrize(
    ("messages", "want_tokens"),
    [
        pytest.param([user("hello")], 3 + 5, id="one message"),
        pytest.param([{"role": "system", "content": "ab"}, user("c")], 6 + 3, id="two messages"),
        pytest.param([user("€")], 3 + 3, id="a wide character"),
        pytest.param([user(None)], 3, id="no content"),
        pytest.param([user("a", name="ana")], 3 + 1 + 3 + 1, id="a name"),
        pytest.param(
            [user([{"type": "text", "text": "ab"}, {"type": "text", "text": "c"}])],
            3 + 3,
            id="text parts",
        ),
        pytest.param([user([IMAGE])], 3 + 765, id="an image"),
        pytest.param([user([LOW_IMAGE])], 3 + 85, id="a low image"),
        pytest.param(
            [{"role": "assistant", "content": None, "tool_calls": [CALL]}], 3 + 6, id="a tool call"
        ),
    ],
)
def test_messages_are_counted(messages: list[dict[str, Any]], want_tokens: int) -> None:
    assert measured(messages).tokens == want_tokens + PER_REPLY


def test_tools_and_schema_are_counted_as_compact_json() -> None:
    tools = [{"type": "function", "function": {"name": "look"}}]
    schema = {"name": "row", "schema": {"type": "object"}}
    plain = measured([user("hi")]).tokens
    assert measured([user("hi")], tools=tools).tokens == plain + len(msgspec.json.encode(tools))
    with_schema = measured(
        [user("hi")], response_format={"type": "json_schema", "json_schema": schema}
    )
    assert with_schema.tokens == plain + len(msgspec.json.encode(schema))


def test_the_digest_is_that_of_the_texts() -> None:
    assert measured([user("a")]).digest == measured([user("a")], max_tokens=9).digest
    assert measured([user("a")]).digest != measured([user("b")]).digest


def test_a_part_of_another_kind_is_refused() -> None:
    with pytest.raises(Refused, match=r"messages\[0\].content\[0\]"):
        measured([user([{"type": "video"}])])
