"""Metering a stream: what is passed on, what is counted, when it has crossed its hold."""

import itertools
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farebox.core.reasons import Reason
from farebox.core.usage import Usage
from sidecar.dialects.openai_answers import TOOL_CALL_TOKENS
from sidecar.dialects.openai_stream import StreamMeter, error_event, streamed
from sidecar.refusals import plainly
from tests.support.playbook import DONE, ROLE, STOP, USAGE, USAGE_CHUNK, answer, chunk, word

ENDING = STOP + USAGE_CHUNK + DONE


def meter(*, strip: bool = True, bound: int = 1_000) -> StreamMeter:
    """A meter of a stream whose hold pays for `bound` tokens."""
    return StreamMeter(strip_usage=strip, output_bound=bound)


@given(st.lists(st.integers(0, 10_000), max_size=12), st.booleans())
def test_what_is_metered_does_not_depend_on_where_the_stream_is_cut(
    places: list[int], strip: bool
) -> None:
    stream = ROLE + word(" h\u00e9") + b": ping\n\n" + word() * 3 + ENDING
    at = sorted({place % (len(stream) + 1) for place in places} | {0, len(stream)})
    seen = meter(strip=strip)
    passed = b"".join(seen.feed(stream[a:b]) for a, b in itertools.pairwise(at))
    passed += seen.end()
    assert passed == (stream.replace(USAGE_CHUNK, b"") if strip else stream)
    assert seen.usage == Usage(input=100, output=20, call=1)
    assert (seen.usage_final, seen.finished, seen.crossed) == (True, True, False)
    assert (seen.content_events, seen.output_tokens_max) == (4, 4 + 3 * 5)


def test_usage_that_comes_without_a_blank_line_at_the_end_is_seen() -> None:
    seen = meter()
    seen.feed(word())
    assert seen.feed(USAGE_CHUNK.rstrip()) == b""
    assert seen.end() == b""
    assert seen.usage is not None


def test_a_null_usage_is_none() -> None:
    seen = meter()
    plain = chunk({"content": "x"}, usage=None)
    assert seen.feed(plain) == plain
    assert seen.usage is None


@pytest.mark.parametrize(
    ("what", "delta", "events", "tokens"),
    [
        ("an empty beginning", {"role": "assistant", "content": ""}, 0, 0),
        ("text", {"content": "abc"}, 1, 3),
        ("thoughts", {"reasoning_content": "hm"}, 1, 2),
        ("a refusal", {"refusal": "no"}, 1, 2),
        (
            "the beginning of a tool call",
            {"tool_calls": [{"index": 0, "function": {"name": "f", "arguments": ""}}]},
            1,
            1 + TOOL_CALL_TOKENS,
        ),
        (
            "arguments of a tool call",
            {"tool_calls": [{"index": 0, "function": {"arguments": '{"a'}}]},
            1,
            3,
        ),
        ("nothing", {}, 0, 0),
    ],
)
def test_what_counts_as_content(
    what: str, delta: dict[str, object], events: int, tokens: int
) -> None:
    seen = meter()
    seen.feed(chunk(delta))
    assert (seen.content_events, seen.output_tokens_max) == (events, tokens)


@pytest.mark.parametrize("event", [b"data: not json\n\n", b'data: {"choices": 5}\n\n'])
def test_an_event_that_can_not_be_read_passes_and_is_counted_by_its_bytes(event: bytes) -> None:
    seen = meter(bound=1)
    assert seen.feed(event) == event
    assert not seen.crossed
    assert seen.output_tokens_max == len(event) - len(b"data: \n\n")


def test_exactly_what_the_hold_pays_for_is_not_beyond_it() -> None:
    seen = meter(bound=3)
    assert seen.feed(word() * 3 + ENDING) == word() * 3 + STOP + DONE
    assert not seen.crossed


def test_one_more_event_is_beyond_the_hold_and_not_passed_on() -> None:
    seen = meter(bound=3)
    assert seen.feed(word() * 5 + ENDING) == word() * 3
    assert seen.crossed


def test_more_bytes_than_the_longest_tokens_have_are_beyond_the_hold() -> None:
    seen = meter(bound=2)
    assert seen.feed(word("x" * 256))
    assert seen.feed(word("y")) == b""
    assert seen.crossed


def test_the_end_of_a_cut_stream_is_the_end_that_the_api_has() -> None:
    seen = meter(bound=1)
    seen.feed(chunk({"content": "a"}))
    events = seen.closing(usage_asked=True, input_tokens=7).split(b"\n\n")
    last, usage = (json.loads(event.removeprefix(b"data: ")) for event in events[:2])
    assert events[2:] == [b"data: [DONE]", b""]
    assert (last["id"], last["created"], last["model"]) == (
        "chatcmpl-1",
        7,
        "gpt-4o-mini-2024-07-18",
    )
    assert last["choices"][0]["finish_reason"] == "length"
    assert usage["choices"] == []
    assert usage["usage"] == {"prompt_tokens": 7, "completion_tokens": 1, "total_tokens": 8}


def test_a_cut_stream_ends_every_choice_that_was_begun() -> None:
    seen = meter()
    two = {"choices": [{"index": 1, "delta": {"content": "b"}}]}
    seen.feed(b"data: " + json.dumps(two).encode() + b"\n\n")
    ended = json.loads(seen.closing(usage_asked=False, input_tokens=1).split(b"\n\n")[0][6:])
    assert [choice["index"] for choice in ended["choices"]] == [0, 1]


def test_a_running_total_is_kept_but_is_not_final() -> None:
    seen = meter(strip=False)
    seen.feed(chunk({"content": "a"}, usage=USAGE))
    assert seen.usage is not None
    assert not seen.usage_final


def test_an_error_within_a_stream_has_the_form_of_the_api() -> None:
    event = error_event(plainly(Reason.PROVIDER_SILENT))
    assert event.endswith(b"\n\n")
    assert json.loads(event.removeprefix(b"data: "))["error"]["code"] == "provider_silent"


def events_of(stream: bytes) -> list[dict[str, Any]]:
    """The chunks of a stream that ends as it should."""
    *events, done, rest = stream.split(b"\n\n")
    assert (done, rest) == (b"data: [DONE]", b"")
    return [json.loads(event.removeprefix(b"data: ")) for event in events]


@pytest.mark.parametrize("usage_asked", [False, True])
def test_a_whole_answer_as_a_stream(usage_asked: bool) -> None:
    events = events_of(streamed(answer("yes"), usage_asked=usage_asked))
    said, ended = (event["choices"][0] for event in events[:2])
    assert said["delta"] == {"role": "assistant", "content": "yes"}
    assert (said["finish_reason"], ended["finish_reason"]) == (None, "stop")
    assert {event["object"] for event in events} == {"chat.completion.chunk"}
    assert {event["id"] for event in events} == {"chatcmpl-1"}
    assert [event.get("usage", "none") for event in events] == (
        [None, None, USAGE] if usage_asked else ["none", "none"]
    )
    again = meter(strip=False)
    assert again.feed(streamed(answer("yes"), usage_asked=True))
    assert again.finished
    assert again.usage_final


def test_tool_calls_and_several_choices_as_a_stream() -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    message = {"role": "assistant", "content": None, "tool_calls": [call, call]}
    choices = [
        {"index": 0, "message": message, "finish_reason": "tool_calls"},
        {"index": 1, "message": {"content": "b"}, "finish_reason": "length", "logprobs": {}},
    ]
    body = json.dumps({"id": "x", "choices": choices}).encode()
    events = [event["choices"][0] for event in events_of(streamed(body, usage_asked=False))]
    assert [event["index"] for event in events] == [0, 0, 1, 1]
    assert [event["finish_reason"] for event in events] == [None, "tool_calls", None, "length"]
    assert [one["index"] for one in events[0]["delta"]["tool_calls"]] == [0, 1]
    assert events[2]["logprobs"] == {}


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"[" * 10_000, b'{"choices": [7]}', b'{"choices": [{"message": 7}]}']
)
def test_what_is_no_answer_is_no_stream(body: bytes) -> None:
    assert streamed(body, usage_asked=True) == b""
