"""Answers: deterministic, as long as configured, never longer than allowed."""

import json
from functools import cache
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from farebox.simulated.answers import AnswerBook, Choice, Length
from farebox.simulated.config import AnswerConfig
from farebox.simulated.request import ChatRequest, Refused, parse_request
from farebox.simulated.tokens import TokenizerKind, make_tokenizer

SCHEMA = {
    "type": "object",
    "required": ["city", "rooms"],
    "properties": {"city": {"type": "string"}, "rooms": {"type": "integer"}},
}
SCHEMA_FORMAT = {"type": "json_schema", "json_schema": {"name": "flat", "schema": SCHEMA}}
TOOL = {"type": "function", "function": {"name": "find_flat", "parameters": SCHEMA}}
WIDE = 1_000_000
KINDS = st.sampled_from(TokenizerKind)


def make_request(**fields: Any) -> ChatRequest:
    messages = [{"role": "user", "content": "hi"}]
    return parse_request(msgspec.json.encode({"model": "small", "messages": messages} | fields))


@cache
def make_book(kind: TokenizerKind = TokenizerKind.PIECES, **config: Any) -> AnswerBook:
    return AnswerBook(AnswerConfig(**config), 7, make_tokenizer(kind))


def write(
    book: AnswerBook,
    request: ChatRequest,
    *,
    digest: int = 1,
    reasoning: int = 0,
    overrun_percent: int | None = None,
    context_room: int = WIDE,
) -> Choice:
    length = book.length(
        asked=request.max_tokens_asked, context_room=context_room, overrun_percent=overrun_percent
    )
    return book.choice(request, digest=digest, length=length, reasoning_tokens=reasoning)


@given(
    kind=KINDS,
    digest=st.integers(0, 2**32),
    tokens=st.sampled_from([1, 2, 17, 300, 9_999, 100_000]),
)
def test_a_text_counts_again_as_many_tokens_as_are_billed(
    kind: TokenizerKind, digest: int, tokens: int
) -> None:
    request = make_request(max_tokens=tokens)
    choice = write(make_book(kind, fill_max=True), request, digest=digest)
    assert make_tokenizer(kind).count(choice.text) == choice.output_tokens == tokens
    assert choice.text[0] != " "


@given(
    kind=KINDS,
    digest=st.integers(0, 2**32),
    asked=st.integers(1, 600),
    reasoning=st.integers(0, 100),
    fill_max=st.booleans(),
    fields=st.sampled_from(
        [
            {},
            {"tools": [TOOL]},
            {"response_format": SCHEMA_FORMAT},
            {"response_format": {"type": "json_object"}},
        ]
    ),
)
def test_no_answer_is_longer_than_the_caller_allows(
    kind: TokenizerKind,
    digest: int,
    asked: int,
    reasoning: int,
    fill_max: bool,
    fields: dict[str, Any],
) -> None:
    request = make_request(max_completion_tokens=asked, **fields)
    choice = write(make_book(kind, fill_max=fill_max), request, digest=digest, reasoning=reasoning)
    visible = make_tokenizer(kind).count(choice.text) + choice.head_tokens
    assert choice.output_tokens == choice.reasoning_tokens + visible <= asked
    assert choice.reasoning_tokens == min(reasoning, asked)
    if fill_max or (choice.finish_reason == "length" and not fields):
        assert choice.output_tokens == asked


def test_the_same_prompt_and_seed_give_the_same_answer() -> None:
    first, second = write(make_book(), make_request()), write(make_book(), make_request())
    assert first == second
    assert write(make_book(), make_request(), digest=2) != first


@pytest.mark.parametrize(
    ("fields", "overrun_percent", "want_tokens", "want_reason"),
    [
        pytest.param({"max_tokens": 100}, 25, 125, "stop", id="a quarter over the limit"),
        pytest.param({"max_tokens": 1}, 25, 2, "stop", id="at least one token over"),
        pytest.param({}, 25, 500, "stop", id="over the longest answer"),
        pytest.param({"max_tokens": 10}, None, 10, "length", id="cut by the limit"),
        pytest.param({"max_tokens": 100, "tools": [TOOL]}, 50, 150, "tool_calls", id="tool call"),
        pytest.param(
            {"max_tokens": 100, "response_format": SCHEMA_FORMAT}, 50, 150, "stop", id="JSON"
        ),
    ],
)
def test_a_long_answer_runs_past_the_limit(
    fields: dict[str, Any], overrun_percent: int | None, want_tokens: int, want_reason: str
) -> None:
    choice = write(make_book(), make_request(**fields), overrun_percent=overrun_percent)
    assert (choice.output_tokens, choice.finish_reason) == (want_tokens, want_reason)


def test_the_context_bounds_an_answer_without_a_limit() -> None:
    choice = write(make_book(), make_request(), context_room=50)
    assert (choice.output_tokens, choice.finish_reason) == (50, "length")
    filled = write(make_book(fill_max=True), make_request())
    assert (filled.output_tokens, filled.finish_reason) == (400, "stop")


@pytest.mark.parametrize("kind", TokenizerKind)
@pytest.mark.parametrize("fill_max", [False, True])
def test_structured_answers_are_valid_json(kind: TokenizerKind, fill_max: bool) -> None:
    book = make_book(kind, fill_max=fill_max)
    row = write(book, make_request(response_format=SCHEMA_FORMAT, max_tokens=200))
    assert set(json.loads(row.text)) == {"city", "rooms"}
    loose = write(book, make_request(response_format={"type": "json_object"}, max_tokens=90))
    assert list(json.loads(loose.text)) == ["answer"]
    assert loose.output_tokens == 90
    call = write(book, make_request(tools=[TOOL], max_tokens=200))
    assert set(json.loads(call.text)) == {"city", "rooms"}
    assert (call.tool_name, call.finish_reason) == ("find_flat", "tool_calls")


def test_a_tool_call_that_does_not_fit_its_name_shows_nothing() -> None:
    choice = write(make_book(TokenizerKind.BYTES), make_request(tools=[TOOL], max_tokens=4))
    assert choice.tool_name is None
    assert choice.text == ""
    assert (choice.output_tokens, choice.finish_reason) == (4, "length")


def test_a_malformed_schema_is_refused() -> None:
    broken = {"type": "json_schema", "json_schema": {"schema": {"$ref": "#/nowhere"}}}
    with pytest.raises(Refused, match="schema"):
        make_book().choice(
            make_request(response_format=broken),
            digest=1,
            length=Length(limit=100),
            reasoning_tokens=0,
        )
