"""Samples as calls, as cases and as bodies."""

import json
from typing import Any

import pytest

from farebox.core.tiers import Capability
from farebox.launch.samples import (
    call_of,
    capabilities_needed,
    case_of,
    last_user_text,
    question_body,
    request_body,
    system_text,
)
from tests.support.launching import make_sample
from tests.support.policies import SMALL, make_model

SCHEMA = {"type": "object", "properties": {}}
FORMAT = {"type": "json_schema", "json_schema": {"name": "x", "schema": SCHEMA}}
PARTS = [{"type": "text", "text": "see"}, {"type": "image_url", "image_url": {"url": "x"}}]
TALK: list[dict[str, Any]] = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "first"},
    {"role": "assistant", "content": None},
    {"role": "developer", "content": "Be kind."},
    {"role": "user", "content": PARTS},
]


def test_a_sample_is_a_call() -> None:
    sample = make_sample(tag="label", body={"messages": TALK, "max_tokens": 9, "tools": [{}]})
    call = call_of(sample)
    assert (call.prompt, call.system, call.turns) == ("see", "Be brief.\nBe kind.", 5)
    assert (call.output_tokens, call.tools, call.images) == (9, 1, 1)
    assert call.identity.task == "label"
    assert call.body_bytes > len("".join(str(one["content"]) for one in TALK)) // 2


@pytest.mark.parametrize(
    ("body", "needs"),
    [
        ({}, set()),
        ({"tools": [{}]}, {Capability.TOOLS}),
        ({"response_format": FORMAT}, {Capability.JSON_SCHEMA}),
        ({"response_format": {"type": "json_object"}}, set()),
        ({"messages": TALK}, {Capability.VISION}),
    ],
)
def test_what_a_model_must_be_able_to_do(body: dict[str, Any], needs: set[Capability]) -> None:
    assert capabilities_needed(make_sample(body=body)) == needs


def test_what_is_expected_is_known_only_while_profiling() -> None:
    sample = make_sample(expected="yes", body={"response_format": FORMAT})
    assert case_of(sample, with_expected=True).expected == "yes"
    case = case_of(sample, with_expected=False)
    assert case.expected is None
    assert json.loads(case.schema) == SCHEMA


@pytest.mark.parametrize(
    ("body", "model", "field"),
    [
        ({}, SMALL, "max_tokens"),
        ({"max_completion_tokens": 9}, SMALL, "max_completion_tokens"),
        ({}, make_model("o", "1", "1", capabilities=frozenset({Capability.REASONING})),
         "max_completion_tokens"),
    ],
)  # fmt: skip
def test_the_limit_is_written_where_the_model_reads_it(
    body: dict[str, Any], model: Any, field: str
) -> None:
    sent = json.loads(request_body(make_sample(body=body), model, output_asked=7))
    assert sent[field] == 7
    assert sent["model"] == model.upstream_name
    assert json.loads(question_body(model, [], output=3))["model"] == model.upstream_name


def test_no_message_has_no_text() -> None:
    assert last_user_text([]) == system_text([]) == ""
