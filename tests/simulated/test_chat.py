"""Plain calls with the real client: answers, refusals, faults, and the exact bill of each."""

import asyncio
import json
from typing import Any

import openai
import pytest
from openai.types.chat import ChatCompletion

from tests.simulated.conftest import CONFIG, ClientMaker, EntriesReader, ProviderMaker
from tests.support.clocks import LoopClock
from tests.support.peers import eventually
from tests.support.tasks import beside

INPUT_PICO = 150_000
CACHED_PICO = 75_000
OUTPUT_PICO = 600_000
HELLO: dict[str, Any] = {"model": "small", "messages": [{"role": "user", "content": "hello"}]}
HELLO_TOKENS = 3 + 3 + 1
SCHEMA = {
    "type": "object",
    "required": ["city"],
    "properties": {"city": {"type": "string"}},
    "additionalProperties": False,
}
TOOL = {"type": "function", "function": {"name": "find_flat", "parameters": SCHEMA}}
SCHEMA_FORMAT: Any = {"type": "json_schema", "json_schema": {"name": "flat", "schema": SCHEMA}}


async def test_a_call_is_answered_and_billed_exactly(
    make_provider: ProviderMaker, make_client: ClientMaker, entries: EntriesReader
) -> None:
    async with make_provider() as provider, make_client(provider) as client:
        raw = await client.chat.completions.with_raw_response.create(
            **HELLO, max_tokens=20, user="ana", metadata={"team": "a"}
        )
        answer = raw.parse()
    (entry,) = entries()
    assert answer.usage is not None
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (HELLO_TOKENS, 20)
    assert answer.model == "small"
    assert answer.choices[0].finish_reason == "length"
    assert (entry.input_tokens, entry.cached_tokens, entry.output_tokens) == (HELLO_TOKENS, 0, 20)
    assert entry.billed_pico == HELLO_TOKENS * INPUT_PICO + 20 * OUTPUT_PICO
    assert (entry.user, entry.metadata, entry.key_tail) == ("ana", {"team": "a"}, "wxyz")
    assert (entry.model, entry.max_tokens_asked, entry.stream) == ("small", 20, False)
    assert entry.request_id == raw.headers["x-request-id"]
    assert entry.received_at_ms <= entry.billed_at_ms


async def test_without_a_limit_the_answer_is_as_long_as_configured(
    make_provider: ProviderMaker, make_client: ClientMaker
) -> None:
    async with make_provider() as provider, make_client(provider) as client:
        answer = await client.chat.completions.create(**HELLO)
        again = await client.chat.completions.create(**HELLO)
    assert answer.usage is not None
    assert 200 <= answer.usage.completion_tokens <= 400
    assert answer.choices[0].finish_reason == "stop"
    assert again.choices[0].message.content == answer.choices[0].message.content


async def test_each_of_n_answers_is_billed_and_the_prompt_once(
    make_provider: ProviderMaker, make_client: ClientMaker, entries: EntriesReader
) -> None:
    async with make_provider() as provider, make_client(provider) as client:
        answer = await client.chat.completions.create(**HELLO, n=3, max_tokens=10)
    assert len({choice.message.content for choice in answer.choices}) == 3
    (entry,) = entries()
    assert (entry.input_tokens, entry.output_tokens) == (HELLO_TOKENS, 30)


async def test_hidden_reasoning_is_billed_as_output_within_the_limit(
    make_provider: ProviderMaker, make_client: ClientMaker, entries: EntriesReader
) -> None:
    asked = HELLO | {"model": "thinker"}
    async with make_provider() as provider, make_client(provider) as client:
        wide = await client.chat.completions.create(**asked, max_completion_tokens=100)
        tight = await client.chat.completions.create(**asked, max_completion_tokens=40)
    assert reasoning_tokens(wide) == 64
    assert reasoning_tokens(tight) == 40
    assert tight.choices[0].message.content == ""
    assert [entry.output_tokens for entry in entries()] == [100, 40]
    assert entries()[0].billed_pico == HELLO_TOKENS * 2_500_000 + 100 * 10_000_000


def reasoning_tokens(answer: ChatCompletion) -> int | None:
    assert answer.usage is not None
    assert answer.usage.completion_tokens_details is not None
    return answer.usage.completion_tokens_details.reasoning_tokens


async def test_a_repeated_long_prefix_is_billed_as_cached(
    make_provider: ProviderMaker, make_client: ClientMaker, entries: EntriesReader
) -> None:
    rules = {"role": "system", "content": "Answer in one word. " * 400}
    asked = HELLO | {"messages": [rules, *HELLO["messages"]]}
    async with make_provider() as provider, make_client(provider) as client:
        await client.chat.completions.create(**asked, max_tokens=1)
        answer = await client.chat.completions.create(**asked, max_tokens=1)
    first, second = entries()
    assert first.cached_tokens == 0
    assert 1_024 <= second.cached_tokens <= second.input_tokens
    fresh_tokens = second.input_tokens - second.cached_tokens
    assert second.billed_pico == (
        fresh_tokens * INPUT_PICO + second.cached_tokens * CACHED_PICO + OUTPUT_PICO
    )
    assert answer.usage is not None
    assert answer.usage.prompt_tokens_details is not None
    assert answer.usage.prompt_tokens_details.cached_tokens == second.cached_tokens


async def test_a_tool_is_called_and_then_the_answer_is_text(
    make_provider: ProviderMaker, make_client: ClientMaker
) -> None:
    asked = HELLO | {"tools": [TOOL]}
    async with make_provider() as provider, make_client(provider) as client:
        call = await client.chat.completions.create(**asked)
        message = call.choices[0].message
        assert message.tool_calls is not None
        result = {"role": "tool", "tool_call_id": message.tool_calls[0].id, "content": "3 rooms"}
        history = [*asked["messages"], message.model_dump(exclude_none=True), result]
        text = await client.chat.completions.create(**asked | {"messages": history})
    assert call.choices[0].finish_reason == "tool_calls"
    assert message.tool_calls[0].type == "function"
    assert set(json.loads(message.tool_calls[0].function.arguments)) == {"city"}
    assert text.choices[0].message.content
    assert text.choices[0].message.tool_calls is None


async def test_a_schema_is_followed(make_provider: ProviderMaker, make_client: ClientMaker) -> None:
    async with make_provider() as provider, make_client(provider) as client:
        answer = await client.chat.completions.create(**HELLO, response_format=SCHEMA_FORMAT)
    assert set(json.loads(answer.choices[0].message.content or "")) == {"city"}


@pytest.mark.parametrize(
    ("changes", "want_status", "want_code"),
    [
        pytest.param({"model": "gpt-9"}, 404, "model_not_found", id="unknown model"),
        pytest.param({"messages": []}, 400, "invalid_value", id="no messages"),
        pytest.param(
            {"model": "thinker", "messages": [{"role": "user", "content": "far " * 2_000}]},
            400,
            "context_length_exceeded",
            id="prompt larger than the context",
        ),
    ],
)
async def test_a_refused_call_costs_nothing(
    make_provider: ProviderMaker,
    make_client: ClientMaker,
    entries: EntriesReader,
    changes: dict[str, Any],
    want_status: int,
    want_code: str,
) -> None:
    async with make_provider() as provider, make_client(provider) as client:
        with pytest.raises(openai.APIStatusError) as caught:
            await client.chat.completions.create(**HELLO | changes)
    assert (caught.value.status_code, caught.value.code) == (want_status, want_code)
    assert entries() == []


@pytest.mark.parametrize(
    ("fault", "want_status"), [("error429", 429), ("error500", 500), ("error503", 503)]
)
async def test_an_error_fault_costs_nothing(
    make_provider: ProviderMaker,
    make_client: ClientMaker,
    entries: EntriesReader,
    fault: str,
    want_status: int,
) -> None:
    async with make_provider() as provider, make_client(provider, x_sim_fault=fault) as client:
        with pytest.raises(openai.APIStatusError) as caught:
            await client.chat.completions.create(**HELLO)
    assert caught.value.status_code == want_status
    assert caught.value.response.headers.get("retry-after") == ("1" if want_status == 429 else None)
    assert entries() == []


@pytest.mark.parametrize("fault", ["hangUp", "cutStream"])
async def test_a_lost_answer_is_billed_in_full(
    make_provider: ProviderMaker, make_client: ClientMaker, entries: EntriesReader, fault: str
) -> None:
    async with make_provider() as provider, make_client(provider, x_sim_fault=fault) as client:
        with pytest.raises(openai.APIConnectionError):
            await client.chat.completions.create(**HELLO, max_tokens=30)
    (entry,) = entries()
    assert (entry.output_tokens, entry.fault) == (30, fault)


async def test_missing_usage_is_missing_only_for_the_caller(
    make_provider: ProviderMaker, make_client: ClientMaker, entries: EntriesReader
) -> None:
    async with (
        make_provider() as provider,
        make_client(provider, x_sim_fault="missingUsage") as client,
    ):
        answer = await client.chat.completions.create(**HELLO, max_tokens=30)
    assert answer.usage is None
    assert entries()[0].output_tokens == 30


async def test_a_long_answer_is_billed_past_the_limit(
    make_provider: ProviderMaker, make_client: ClientMaker, entries: EntriesReader
) -> None:
    async with (
        make_provider() as provider,
        make_client(provider, x_sim_fault="longAnswer") as client,
    ):
        answer = await client.chat.completions.create(**HELLO, max_tokens=100)
    assert answer.usage is not None
    assert answer.usage.completion_tokens == entries()[0].output_tokens == 125


@pytest.mark.parametrize("fault", ["slowBody;ms=1", "latency;ms=1"])
async def test_a_slow_answer_arrives_whole(
    make_provider: ProviderMaker, make_client: ClientMaker, entries: EntriesReader, fault: str
) -> None:
    async with make_provider() as provider, make_client(provider, x_sim_fault=fault) as client:
        answer = await client.chat.completions.create(**HELLO, max_tokens=100)
    assert answer.usage is not None
    assert answer.usage.completion_tokens == entries()[0].output_tokens == 100


async def test_a_plain_call_is_billed_though_its_caller_left(
    make_provider: ProviderMaker, make_client: ClientMaker, entries_when: Any
) -> None:
    clock, slow = LoopClock(), CONFIG["models"][2] | {"tokensPerSecond": 1}
    async with make_provider(models=[slow]) as provider, make_client(provider) as client:
        call = beside(client.chat.completions.create(**HELLO | {"model": "paced"}, max_tokens=50))
        await eventually(lambda: provider._chat.open_calls == 1)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        clock.advance(50_000)
        (entry,) = await entries_when(1)
    assert entry.output_tokens == 50


async def test_the_sum_of_many_calls_at_once_is_exact(
    make_provider: ProviderMaker, make_client: ClientMaker, entries: EntriesReader
) -> None:
    async with make_provider() as provider, make_client(provider) as client:
        answers = await asyncio.gather(
            *(client.chat.completions.create(**HELLO, max_tokens=size) for size in range(1, 41))
        )
    usages = [answer.usage for answer in answers if answer.usage is not None]
    want_pico = sum(
        usage.prompt_tokens * INPUT_PICO + usage.completion_tokens * OUTPUT_PICO for usage in usages
    )
    assert len(usages) == 40
    assert sum(entry.billed_pico for entry in entries()) == want_pico
