"""An estimate bounds what a provider may bill, and what is affordable is the most that fits."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farebox.core.call import Call
from farebox.core.estimate import (
    estimate,
    input_bound,
    input_bound_of_text,
    input_expected,
    output_affordable,
    with_overrun,
)
from farebox.core.money import Nanos
from farebox.core.prices import OUTPUT_TOKENS_MAX, cost
from farebox.core.tiers import Model
from tests.core.strategies import calls, models, usages
from tests.support.policies import SMALL, make_call

TEMPLATE_TOKENS_PER_MESSAGE = 4
TEMPLATE_TOKENS_PER_CALL = 3
"""What OpenAI publishes for its chat template."""

texts = st.text(max_size=60)
messages = st.lists(
    st.fixed_dictionaries(
        {"role": st.sampled_from(["system", "user", "assistant"]), "content": texts}
    ),
    min_size=1,
    max_size=6,
)


@given(messages, texts, st.booleans())
def test_the_input_bound_is_above_what_a_tokenizer_of_bytes_counts(
    said: list[dict[str, str]], description: str, ascii_only: bool
) -> None:
    """Each byte of text a token, and the template on top: no byte-level tokenizer makes more."""
    tools = [{"type": "function", "function": {"name": "f", "description": description}}]
    body = json.dumps(
        {"model": "m", "messages": said, "tools": tools},
        ensure_ascii=ascii_only,
        separators=(",", ":"),
    ).encode(errors="surrogatepass")
    call = make_call(body_bytes=len(body), turns=len(said), tools=len(tools))
    tokens = TEMPLATE_TOKENS_PER_CALL
    for message in said:
        tokens += TEMPLATE_TOKENS_PER_MESSAGE + len(message["role"])
        tokens += len(message["content"].encode(errors="surrogatepass"))
    tokens += len(json.dumps(tools[0], separators=(",", ":"), ensure_ascii=ascii_only).encode())
    assert tokens <= input_bound_of_text(call)


@pytest.mark.parametrize(
    ("case", "call", "tokens"),
    [
        ("bytes, one message, the call", make_call(body_bytes=400), 400 + 8 + 32),
        ("more messages", make_call(body_bytes=400, turns=5), 400 + 40 + 32),
        ("tools", make_call(body_bytes=400, tools=2), 400 + 8 + 64 + 32),
        ("more text than the model can read", make_call(body_bytes=10**7), 128_000),
        ("an image may be anything the model can read", make_call(images=1), 128_000),
    ],
)
def test_the_input_bound(case: str, call: Call, tokens: int) -> None:
    assert input_bound(call, SMALL) == tokens, case


@given(st.data(), calls(), models(), st.integers(0, 100_000))
def test_no_call_within_its_bounds_is_billed_more_than_its_worst_case(
    data: st.DataObject, call: Call, model: Model, asked: int
) -> None:
    found = estimate(call, model, output_asked=asked)
    billed = data.draw(usages(input_max=found.input_max, output_max=found.output_max))
    assert cost(model.price, billed) <= found.worst
    assert found.output_max >= asked * call.choices


@given(calls(), models(), st.integers(0, 100_000), st.integers(0, 5_000))
def test_without_images_the_expected_cost_lies_within_the_worst_case(
    call: Call, model: Model, asked: int, likely: int
) -> None:
    call = call._replace(images=0)
    found = estimate(call, model, output_asked=asked, output_expected=likely)
    assert input_expected(call) > model.context_window or found.expected <= found.worst


@pytest.mark.parametrize(
    ("percent", "asked", "really"),
    [(0, 100, 100), (25, 100, 125), (25, 1, 2), (25, 0, 0), (1, 101, 103), (100, 7, 14)],
)
def test_an_answer_may_overrun_by_whole_tokens(percent: int, asked: int, really: int) -> None:
    assert with_overrun(replace(SMALL, overrun_percent=percent), asked) == really


@given(calls(), models(), st.integers(0, 10**12).map(Nanos))
def test_what_is_affordable_is_the_highest_max_tokens_that_fits(
    call: Call, model: Model, money: Nanos
) -> None:
    most = output_affordable(call, model, money=money)
    if most < 0:
        assert estimate(call, model, output_asked=0).worst > money
        return
    assert estimate(call, model, output_asked=most).worst <= money
    more = estimate(call, model, output_asked=most + 1)
    assert more.worst > money or more.output_max > OUTPUT_TOKENS_MAX


@pytest.mark.parametrize(
    ("case", "call", "tokens"),
    [
        ("what the task expects", make_call(output_tokens=100), 12),
        ("never more than is asked for", make_call(output_tokens=5), 5),
        ("for each choice", make_call(output_tokens=100, choices=3), 36),
    ],
)
def test_the_expected_cost_counts_likely_output(case: str, call: Call, tokens: int) -> None:
    assert call.output_tokens is not None
    found = estimate(call, SMALL, output_asked=call.output_tokens, output_expected=12)
    assert found.expected == input_expected(call) * 150 + tokens * 600, case


def test_without_an_expectation_an_answer_is_of_usual_length() -> None:
    found = estimate(make_call(body_bytes=400), SMALL, output_asked=1_000)
    assert found.expected == 100 * 150 + 256 * 600
