"""What gates read of requests and answers, and what a grader is sent."""

import json
from typing import Any

import pytest

from farebox.core.call import Identity
from farebox.core.tiers import Capability
from sidecar.dialects.openai_chat import call_of, parse
from sidecar.dialects.openai_gates import (
    CONTEXT_CHARS_MAX,
    case_of,
    grading_body,
    single,
    texts_of,
    whole,
)
from tests.support.playbook import answer, request_body
from tests.support.policies import SMALL, make_model

CALL = {"function": {"name": "f", "arguments": '{"a": 1}'}}
THINKER = make_model("thinker", "1", "2", capabilities=frozenset({Capability.REASONING}))


def body(*messages: Any) -> bytes:
    """A whole answer with these messages as its choices."""
    return json.dumps({"choices": [{"message": message} for message in messages]}).encode()


@pytest.mark.parametrize(
    ("what", "said", "texts"),
    [
        ("a text", answer("yes"), ("yes",)),
        ("several choices", body({"content": "a"}, {"content": "b"}), ("a", "b")),
        ("parts", body({"content": [{"type": "text", "text": "a"}, {"text": "b"}]}), ("a\nb",)),
        ("a function call", body({"content": None, "tool_calls": [CALL]}), ('{"a": 1}',)),
        ("an old function call", body({"function_call": CALL["function"]}), ('{"a": 1}',)),
        ("a text beside calls", body({"content": "a", "tool_calls": [CALL]}), ("a",)),
        ("a refusal", body({"content": None, "refusal": "No."}), ("",)),
        ("nothing", b"", ()),
        ("no object", b"[]", ()),
        ("no message", b'{"choices": [{}]}', ()),
        ("no text", body({"content": 7}), ()),
        ("depth", b'{"choices":' + b"[" * 10_000, ()),
        ("compressed", b"\x1f\x8b\x08", ()),
    ],
)
def test_the_texts_of_an_answer(what: str, said: bytes, texts: tuple[str, ...]) -> None:
    assert texts_of(said) == texts


def test_the_case_is_the_last_question_and_all_that_was_said_before() -> None:
    schema = {"type": "object"}
    request = parse(
        request_body(
            messages=[
                {"role": "system", "content": "Sort."},
                {"role": "user", "content": [{"type": "text", "text": "First?"}]},
                {"role": "assistant", "content": None},
                {"role": "tool", "content": "[1] A source."},
                {"role": "user", "content": "Last?"},
                {"role": "assistant"},
            ],
            response_format={"type": "json_schema", "json_schema": {"schema": schema}},
        )
    )
    case = case_of(request, call_of(request, path="/", identity=Identity()))
    assert (case.prompt, case.system) == ("Last?", "Sort.\nFirst?\n[1] A source.")
    assert json.loads(case.schema) == schema
    assert case.expected is None


def test_what_was_said_before_is_bounded() -> None:
    said = [{"role": "system", "content": "x" * 10**6}, {"role": "user", "content": "?"}]
    request = parse(request_body(messages=said))
    case = case_of(request, call_of(request, path="/", identity=Identity()))
    assert len(case.system) == CONTEXT_CHARS_MAX


def test_a_stream_is_asked_for_as_a_whole() -> None:
    request = parse(request_body(stream=True, stream_options={"include_usage": True}, seed=7))
    asked = whole(request)
    assert not {"stream", "stream_options"} & asked.fields.keys()
    assert "seed" in asked.fields
    assert (asked.stream, asked.usage_asked, request.stream) == (False, False, True)
    plain = parse(request_body())
    assert whole(plain) is plain


def test_a_second_answer_is_one_choice() -> None:
    asked = single(parse(request_body(n=5)))
    assert "n" not in asked.fields
    assert asked.choices == 1


def test_a_grader_is_kept_short_and_one_that_thinks_may_think() -> None:
    messages = ({"role": "user", "content": "Grade."},)
    short, long = (json.loads(grading_body(model, messages)) for model in (SMALL, THINKER))
    assert (short["max_tokens"], short["temperature"]) == (16, 0)
    assert long["max_completion_tokens"] == 4_096
    assert "temperature" not in long
    assert short["messages"] == list(messages)
