"""Usage out of answers, and the answers that Farebox gives itself."""

import json
from typing import Any

import msgspec
import pytest

from farebox.core.money import Nanos
from farebox.core.reasons import REFUSALS, Reason
from farebox.core.routing import Rejected
from farebox.core.usage import Usage
from sidecar.dialects.openai_answers import (
    TOOL_CALL_TOKENS,
    UsageReport,
    error_type,
    models_body,
    read_answer,
    refusal_body,
    usage_of,
)
from sidecar.refusals import RefusalDetail
from tests.support.playbook import answer


@pytest.mark.parametrize(
    ("what", "report", "usage"),
    [
        ("plain", {}, Usage(input=100, output=20, call=1)),
        (
            "cached input is not also input",
            {"prompt_tokens_details": {"cached_tokens": 64}},
            Usage(input=36, cached_input=64, output=20, call=1),
        ),
        (
            "reasoning is not also output",
            {"completion_tokens_details": {"reasoning_tokens": 12}},
            Usage(input=100, output=8, reasoning=12, call=1),
        ),
        (
            "sound, in and out",
            {
                "prompt_tokens_details": {"audio_tokens": 30},
                "completion_tokens_details": {"audio_tokens": 5},
            },
            Usage(input=70, input_audio=30, output=15, output_audio=5, call=1),
        ),
        (
            "cached sound is charged as sound",
            {"prompt_tokens_details": {"audio_tokens": 90, "cached_tokens": 50}},
            Usage(input=0, cached_input=10, input_audio=90, output=20, call=1),
        ),
        (
            "nulls",
            {
                "prompt_tokens_details": {"cached_tokens": None},
                "completion_tokens_details": None,
            },
            Usage(input=100, output=20, call=1),
        ),
        ("a part larger than the whole", {"prompt_tokens_details": {"cached_tokens": 101}}, None),
        ("more than any model writes", {"completion_tokens": 2**31}, None),
        ("negative", {"completion_tokens": -1}, None),
        ("negative in part", {"completion_tokens_details": {"reasoning_tokens": -1}}, None),
    ],
)
def test_usage_in_kinds_that_do_not_overlap(
    what: str, report: dict[str, Any], usage: Usage | None
) -> None:
    whole = {"prompt_tokens": 100, "completion_tokens": 20, **report}
    assert usage_of(msgspec.convert(whole, UsageReport)) == usage


def test_an_answer_with_usage_is_not_looked_into() -> None:
    read = read_answer(answer())
    assert read.usage == Usage(input=100, output=20, call=1)
    assert read.model == "gpt-4o-mini-2024-07-18"


def said(**message: Any) -> bytes:
    """An answer without usage."""
    return json.dumps({"choices": [{"message": {"role": "assistant", **message}}]}).encode()


TOOL = {"id": "1", "function": {"name": "find", "arguments": '{"a":1}'}}


@pytest.mark.parametrize(
    ("what", "body", "tokens"),
    [
        ("letters", said(content="abc"), 3),
        ("letters of several bytes", said(content="\u00e9\u6f22"), 5),
        ("a refusal and thoughts", said(refusal="no", reasoning_content="hm"), 4),
        ("a tool call", said(content=None, tool_calls=[TOOL]), 11 + TOOL_CALL_TOKENS),
        ("a call in the old form", said(function_call=TOOL["function"]), 11),
        ("nothing", said(content=""), 0),
        ("no choices", b"{}", 0),
        ("not JSON", b"<html>", None),
        ("of another shape", b'{"choices": 5}', None),
    ],
)
def test_without_usage_the_bytes_of_the_content_bound_its_tokens(
    what: str, body: bytes, tokens: int | None
) -> None:
    read = read_answer(body)
    assert (read.usage, read.output_tokens_max) == (None, tokens)


def test_a_refusal_has_the_form_of_the_api_and_the_figures_that_apply() -> None:
    detail = RefusalDetail(
        reason=Reason.POOL_EXHAUSTED,
        message="Spent.",
        pool="acme/team",
        limit=Nanos(5_000_000_000),
        rejected=(Rejected(model="gpt-4o", reason=Reason.DOES_NOT_FIT),),
    )
    assert json.loads(refusal_body(detail)) == {
        "error": {
            "message": "Spent.",
            "type": "budget_exceeded",
            "param": None,
            "code": "pool_exhausted",
            "pool": "acme/team",
            "limit_usd": "5.000000000",
            "rejected": [{"model": "gpt-4o", "reason": "does_not_fit"}],
        }
    }


@pytest.mark.parametrize("reason", list(REFUSALS))
def test_every_refusal_has_a_type(reason: Reason) -> None:
    kinds = {"budget_exceeded", "provider_error", "rate_limit_error", "invalid_request_error"}
    assert error_type(reason) in kinds


def test_a_listing_of_models() -> None:
    body = json.loads(models_body(["farebox/auto", "gpt-4o"]))
    assert body["object"] == "list"
    assert [model["id"] for model in body["data"]] == ["farebox/auto", "gpt-4o"]
