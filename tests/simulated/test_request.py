"""Bodies that are refused, and what is read from those that are not."""

from typing import Any

import msgspec
import pytest

from farebox.simulated.request import ChatRequest, Refused, parse_request

USER = {"role": "user", "content": "hi"}
TOOLS = [
    {"type": "function", "function": {"name": name, "parameters": {"type": "object"}}}
    for name in ("look_up", "send")
]


def parse(**fields: Any) -> ChatRequest:
    return parse_request(msgspec.json.encode({"model": "small", "messages": [USER]} | fields))


@pytest.mark.parametrize(
    ("body", "want_param", "want_code"),
    [
        pytest.param(b"{", None, None, id="no JSON"),
        pytest.param(b'{"model": "\xff"}', None, None, id="no UTF-8"),
        pytest.param(b'{"model": "m"}', "messages", "missing_required_parameter", id="no messages"),
        pytest.param(b'{"messages": []}', "model", "missing_required_parameter", id="no model"),
        pytest.param(b"[]", None, "invalid_type", id="no object"),
    ],
)
def test_a_malformed_body_is_refused_in_the_shape_of_the_api(
    body: bytes, want_param: str | None, want_code: str | None
) -> None:
    with pytest.raises(Refused) as caught:
        parse_request(body)
    error = msgspec.json.decode(caught.value.body())["error"]
    assert caught.value.status == 400
    assert set(error) == {"message", "type", "param", "code"}
    assert (error["type"], error["param"], error["code"]) == (
        "invalid_request_error",
        want_param,
        want_code,
    )


@pytest.mark.parametrize(
    ("fields", "want_param"),
    [
        ({"messages": []}, "messages"),
        ({"messages": "hi"}, "messages"),
        ({"messages": [{"content": "hi"}]}, "messages[0].role"),
        ({"messages": [{"role": "king", "content": "hi"}]}, "messages[0].role"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"max_completion_tokens": -1}, "max_completion_tokens"),
        ({"max_tokens": "many"}, "max_tokens"),
        ({"max_tokens": 5, "max_completion_tokens": 5}, "max_tokens"),
        ({"n": 0}, "n"),
        ({"n": 129}, "n"),
        ({"tools": [{"type": "function"}]}, "tools[0].function.name"),
        ({"tools": [{"function": {"name": "ä"}}]}, "tools[0].function.name"),
        ({"tools": TOOLS * 65}, "tools"),
        ({"response_format": {"type": "poem"}}, "response_format.type"),
        ({"response_format": {"type": "json_schema"}}, "response_format.json_schema"),
        ({"metadata": {"a": 1}}, "metadata[...]"),
    ],
)
def test_a_bad_field_is_named(fields: dict[str, Any], want_param: str) -> None:
    with pytest.raises(Refused) as caught:
        parse(**fields)
    assert msgspec.json.decode(caught.value.body())["error"]["param"] == want_param


@pytest.mark.parametrize(
    ("fields", "want"),
    [({}, None), ({"max_tokens": 5}, 5), ({"max_completion_tokens": 6}, 6)],
)
def test_both_names_of_the_limit_are_known(fields: dict[str, Any], want: int | None) -> None:
    assert parse(**fields).max_tokens_asked == want


@pytest.mark.parametrize(
    ("fields", "want_tool"),
    [
        pytest.param({}, None, id="no tools"),
        pytest.param({"tools": []}, None, id="empty tools"),
        pytest.param({"tools": TOOLS}, "look_up", id="the first tool"),
        pytest.param({"tools": TOOLS, "tool_choice": "required"}, "look_up", id="required"),
        pytest.param({"tools": TOOLS, "tool_choice": "none"}, None, id="none"),
        pytest.param(
            {"tools": TOOLS, "tool_choice": {"type": "function", "function": {"name": "send"}}},
            "send",
            id="a named tool",
        ),
        pytest.param(
            {"tools": TOOLS, "messages": [USER, {"role": "tool", "content": "42"}]},
            None,
            id="after a tool's message",
        ),
    ],
)
def test_a_tool_is_called_on_a_users_turn(fields: dict[str, Any], want_tool: str | None) -> None:
    tool = parse(**fields).tool_wanted
    assert (None if tool is None else tool["name"]) == want_tool


def test_a_tool_choice_that_names_no_tool_is_refused() -> None:
    request = parse(tools=TOOLS, tool_choice={"type": "function", "function": {"name": "fly"}})
    with pytest.raises(Refused, match="lacks"):
        assert request.tool_wanted


@pytest.mark.parametrize(
    ("answer_format", "want"),
    [
        (None, None),
        ({"type": "text"}, None),
        ({"type": "json_object"}, {}),
        (
            {"type": "json_schema", "json_schema": {"schema": {"type": "object"}}},
            {"type": "object"},
        ),
        ({"type": "json_schema", "json_schema": {"name": "any"}}, {}),
    ],
)
def test_the_schema_of_the_answer(answer_format: Any, want: Any) -> None:
    assert parse(response_format=answer_format).answer_schema == want
