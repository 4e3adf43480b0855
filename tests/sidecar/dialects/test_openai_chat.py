"""Requests: what is read out of them, what goes to the provider, what is refused."""

import json
from typing import Any

import pytest

from farebox.core.call import Identity
from farebox.core.tiers import Capability
from sidecar.dialects.openai_chat import BadRequestError, call_of, parse, rewrite
from tests.support.playbook import request_body
from tests.support.policies import SMALL, make_model

USER = {"role": "user", "content": "Hello?"}
PICTURE = {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}


@pytest.mark.parametrize(
    ("what", "fields", "facts"),
    [
        ("a plain call", {}, {"model": "farebox/auto", "turns": 1, "output_tokens": 50}),
        ("no limit", {"max_tokens": None}, {"output_tokens": None}),
        (
            "the newer limit",
            {"max_tokens": None, "max_completion_tokens": 7},
            {"output_tokens": 7},
        ),
        ("the lower of two limits", {"max_completion_tokens": 7}, {"output_tokens": 7}),
        ("several choices", {"n": 3}, {"choices": 3}),
        ("a stream", {"stream": True}, {"stream": True, "usage_asked": False}),
        (
            "a stream with usage",
            {"stream": True, "stream_options": {"include_usage": True}},
            {"stream": True, "usage_asked": True},
        ),
        ("nulls are absences", {"n": None, "stop": None}, {"choices": 1, "stream": False}),
        (
            "tools, also in the old form",
            {"tools": [{"type": "function"}], "functions": [{"name": "f"}]},
            {"tools": 2},
        ),
        (
            "a schema",
            {"response_format": {"type": "json_schema", "json_schema": {}}},
            {"json_schema": True, "schema": ""},
        ),
        (
            "a schema that a gate can use",
            {
                "response_format": {
                    "type": "json_schema",
                    "json_schema": {"name": "x", "schema": {"type": "object"}},
                }
            },
            {"json_schema": True, "schema": '{"type": "object"}'},
        ),
        (
            "a schema that is none is the provider's to refuse",
            {"response_format": {"type": "json_schema", "json_schema": [1]}},
            {"json_schema": True, "schema": ""},
        ),
        (
            "a schema too long for a gate",
            {
                "response_format": {
                    "type": "json_schema",
                    "json_schema": {"schema": {"title": "x" * 70_000}},
                }
            },
            {"json_schema": True, "schema": ""},
        ),
        ("plain JSON", {"response_format": {"type": "json_object"}}, {"json_schema": False}),
        ("a user", {"user": "ana"}, {"user": "ana"}),
        (
            "the last message of a user, and all of the system's",
            {
                "messages": [
                    {"role": "system", "content": "Be brief."},
                    {"role": "user", "content": "First"},
                    {"role": "developer", "content": [{"type": "text", "text": "Be kind."}]},
                    {"role": "assistant", "content": None},
                    {"role": "user", "content": [{"type": "text", "text": "Caf\u00e9?"}]},
                    {"role": "assistant", "content": "…"},
                ]
            },
            {"prompt": "Caf\u00e9?", "system": "Be brief.\nBe kind.", "turns": 6, "images": 0},
        ),
        (
            "pictures wherever they are",
            {"messages": [{"role": "user", "content": [PICTURE, PICTURE]}, USER]},
            {"images": 2, "prompt": "Hello?"},
        ),
        (
            "a picture that calls itself text",
            {"messages": [{"role": "user", "content": [{**PICTURE, "type": "text"}]}]},
            {"images": 1},
        ),
        (
            "files, which no count of bytes bounds",
            {
                "messages": [
                    {
                        "role": "user",
                        "content": [{"type": "file", "file": {}}, {"type": "file"}],
                    }
                ]
            },
            {"images": 2},
        ),
    ],
)
def test_what_a_request_says(what: str, fields: dict[str, Any], facts: dict[str, Any]) -> None:
    request = parse(request_body(**fields))
    assert {name: getattr(request, name) for name in facts} == facts


@pytest.mark.parametrize(
    ("what", "body", "complaint"),
    [
        ("nothing", b"", "not a chat completion request"),
        ("no JSON", b"{", "not a chat completion request"),
        ("a list", b"[]", "not a chat completion request"),
        ("no messages", b'{"model": "m"}', "messages"),
        ("empty messages", request_body(messages=[]), "messages"),
        ("no model", request_body(model=None), "model"),
        ("a model that is no text", request_body(model=7), "model"),
        ("no output", request_body(max_tokens=0), "max_tokens"),
        ("negative output", request_body(max_tokens=-5), "max_tokens"),
        ("a limit in words", request_body(max_tokens="many"), "max_tokens"),
        ("no choices", request_body(n=0), r"\$.n"),
        ("too many choices", request_body(n=1_000), r"\$.n"),
        (
            "content that is a number",
            request_body(messages=[{"role": "user", "content": 5}]),
            "arr",
        ),
        ("nested without end", b'{"model":"m","messages":[' + b"[" * 100_000, "not a chat"),
        ("broken UTF-8", b'{"model": "\xff", "messages": []}', "not a chat completion"),
        ("a prediction", request_body(prediction={"type": "content"}), "prediction"),
        ("searches", request_body(web_search_options={}), "web_search_options"),
        ("a spoken answer", request_body(audio={"voice": "a", "format": "mp3"}), "audio"),
        (
            "recorded sound",
            request_body(
                messages=[{"role": "user", "content": [{"type": "input_audio", "input_audio": {}}]}]
            ),
            "sound",
        ),
        ("a dearer service", request_body(service_tier="priority"), "service_tier"),
    ],
)
def test_what_is_not_a_request_is_refused_in_a_sentence(
    what: str, body: bytes, complaint: str
) -> None:
    with pytest.raises(BadRequestError, match=complaint):
        parse(body)


@pytest.mark.parametrize("tier", ["auto", "default", "flex", None])
def test_service_tiers_that_cost_no_more_pass(tier: str | None) -> None:
    parse(request_body(service_tier=tier))


def rewritten(fields: dict[str, Any], model: Any = SMALL) -> dict[str, Any]:
    """The body that goes to the provider."""
    body = rewrite(parse(request_body(**fields)), model=model, output_asked=9)
    return dict(json.loads(body))


@pytest.mark.parametrize(
    ("what", "fields", "limits"),
    [
        ("the field that was used", {"max_tokens": 50}, {"max_tokens": 9}),
        (
            "the newer field that was used",
            {"max_tokens": None, "max_completion_tokens": 50},
            {"max_completion_tokens": 9},
        ),
        (
            "both fields",
            {"max_completion_tokens": 50},
            {"max_tokens": 9, "max_completion_tokens": 9},
        ),
        ("the usual field when none was used", {"max_tokens": None}, {"max_tokens": 9}),
    ],
)
def test_the_limit_goes_where_the_caller_put_it(
    what: str, fields: dict[str, Any], limits: dict[str, int]
) -> None:
    body = rewritten(fields)
    names = ("max_tokens", "max_completion_tokens")
    assert {name: body[name] for name in names if name in body} == limits


def test_a_reasoning_model_gets_the_field_that_it_knows() -> None:
    thinker = make_model("o1", "15", "60", capabilities=frozenset({Capability.REASONING}))
    body = rewritten({"max_tokens": None}, thinker)
    assert body["max_completion_tokens"] == 9
    assert "max_tokens" not in body


def test_unknown_fields_pass_untouched_and_in_order() -> None:
    fields = {"zeta": {"b": [1, 2.50, None]}, "alpha": "\u00fc"}
    body = rewritten(fields)
    assert {name: body[name] for name in fields} == fields
    assert list(body) == ["model", "messages", "max_tokens", "zeta", "alpha"]
    assert body["messages"] == json.loads(request_body())["messages"]


def test_the_model_goes_by_the_name_that_the_provider_knows() -> None:
    model = make_model("small", "1", "1", upstream_name="vendor/small-2026")
    assert rewritten({}, model)["model"] == "vendor/small-2026"


@pytest.mark.parametrize(
    ("what", "fields", "options"),
    [
        ("switched on", {"stream": True}, {"include_usage": True}),
        (
            "beside others",
            {"stream": True, "stream_options": {"x": 1}},
            {"x": 1, "include_usage": True},
        ),
        (
            "though declined",
            {"stream": True, "stream_options": {"include_usage": False}},
            {"include_usage": True},
        ),
        ("not for a whole answer", {}, None),
    ],
)
def test_usage_is_switched_on_for_streams(
    what: str, fields: dict[str, Any], options: dict[str, Any] | None
) -> None:
    assert rewritten(fields).get("stream_options") == options


def test_a_field_given_twice_means_one_thing() -> None:
    body = (
        b'{"model": "gpt-4o", "max_tokens": 9000, "messages": [{"role": "user", "content": "x"}],'
    )
    body += b'"model": "farebox/auto", "max_tokens": 5}'
    request = parse(body)
    assert (request.model, request.output_tokens) == ("farebox/auto", 5)
    sent = rewrite(request, model=SMALL, output_asked=5)
    assert sent.count(b'"model"') == sent.count(b'"max_tokens"') == 1


def test_the_call_has_the_facts_of_the_request() -> None:
    body = request_body(stream=True, tools=[{}], user="ana")
    call = call_of(parse(body), path="/v1/chat/completions", identity=Identity(task="rag"))
    assert call.body_bytes == len(body)
    assert (call.path, call.stream, call.tools) == ("/v1/chat/completions", True, 1)
    assert (call.identity.task, call.output_tokens, call.turns) == ("rag", 50, 1)
