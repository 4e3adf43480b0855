"""Streams with the real client: one chunk a token, every way to end, and the bill of each."""

import json
from typing import Any

import openai
import pytest
from openai import AsyncOpenAI
from openai.types.chat import ChatCompletionChunk

from tests.simulated.conftest import ClientMaker, EntriesReader, ProviderMaker

HELLO: dict[str, Any] = {
    "model": "small",
    "messages": [{"role": "user", "content": "hello"}],
    "stream": True,
}
WITH_USAGE = {"stream_options": {"include_usage": True}}
SCHEMA = {"type": "object", "required": ["city"], "properties": {"city": {"type": "string"}}}
TOOL = {"type": "function", "function": {"name": "find_flat", "parameters": SCHEMA}}


async def stream_all(client: AsyncOpenAI, **fields: Any) -> list[ChatCompletionChunk]:
    chunks: list[ChatCompletionChunk] = []
    await stream_into(chunks, client, **fields)
    return chunks


async def stream_into(
    chunks: list[ChatCompletionChunk], client: AsyncOpenAI, **fields: Any
) -> None:
    """Collects the chunks as they come, so that those before a failure are kept."""
    async with await client.chat.completions.create(**HELLO | fields) as stream:
        async for chunk in stream:
            chunks.append(chunk)  # noqa: PERF401 - a failure in between must not lose them


def texts(chunks: list[ChatCompletionChunk]) -> list[str]:
    return [
        chunk.choices[0].delta.content
        for chunk in chunks
        if chunk.choices and chunk.choices[0].delta.content
    ]


async def test_a_stream_is_one_chunk_a_token_and_says_what_it_cost(
    make_provider: ProviderMaker, make_client: ClientMaker, entries: EntriesReader
) -> None:
    async with make_provider() as provider, make_client(provider) as client:
        chunks = await stream_all(client, max_tokens=20, **WITH_USAGE)
        (entry,) = entries()
        plain = await client.chat.completions.create(**HELLO | {"stream": False}, max_tokens=20)
    role, *tokens, finish, usage = chunks
    assert role.choices[0].delta.role == "assistant"
    assert len(texts(tokens)) == len(tokens) == 20
    assert finish.choices[0].finish_reason == "length"
    assert usage.choices == []
    assert usage.usage == plain.usage
    assert "".join(texts(chunks)) == plain.choices[0].message.content
    assert (entry.output_tokens, entry.stream) == (20, True)
    assert entry.billed_pico == entries()[1].billed_pico


async def test_usage_comes_only_when_asked_for(
    make_provider: ProviderMaker, make_client: ClientMaker, entries: EntriesReader
) -> None:
    async with make_provider() as provider, make_client(provider) as client:
        chunks = await stream_all(client, max_tokens=5)
    assert [chunk.usage for chunk in chunks] == [None] * 7
    assert entries()[0].output_tokens == 5


async def test_a_tool_call_arrives_in_fragments(
    make_provider: ProviderMaker, make_client: ClientMaker, entries: EntriesReader
) -> None:
    async with make_provider() as provider, make_client(provider) as client:
        chunks = await stream_all(client, tools=[TOOL], **WITH_USAGE)
    calls = [chunk.choices[0].delta.tool_calls for chunk in chunks if chunk.choices]
    functions = [call[0].function for call in calls if call]
    names = [function.name for function in functions if function and function.name]
    arguments = [function.arguments or "" for function in functions if function]
    assert names == ["find_flat"]
    assert set(json.loads("".join(arguments))) == {"city"}
    assert len(arguments) > 3
    assert chunks[-2].choices[0].finish_reason == "tool_calls"
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.completion_tokens == entries()[0].output_tokens


async def test_n_answers_are_told_apart_by_their_index(
    make_provider: ProviderMaker, make_client: ClientMaker, entries: EntriesReader
) -> None:
    async with make_provider() as provider, make_client(provider) as client:
        chunks = await stream_all(client, n=2, max_tokens=6)
    finished = [c.choices[0].index for c in chunks if c.choices[0].finish_reason]
    assert finished == [0, 1]
    assert entries()[0].output_tokens == 12


async def test_hidden_reasoning_is_billed_in_a_stream(
    make_provider: ProviderMaker, make_client: ClientMaker, entries: EntriesReader
) -> None:
    async with make_provider() as provider, make_client(provider) as client:
        chunks = await stream_all(client, model="thinker", max_completion_tokens=70)
    assert len(texts(chunks)) == 6
    assert entries()[0].output_tokens == 70


@pytest.mark.parametrize(
    ("fault", "want_billed", "want_seen"),
    [
        pytest.param("cutStream", 20, 19, id="after half of the answer"),
        pytest.param("cutStream;after=7", 7, 6, id="after seven tokens"),
        pytest.param("cutStream;after=0", 1, 0, id="at once"),
        pytest.param("cutStream;after=900", 40, 40, id="before the end mark"),
    ],
)
async def test_a_cut_stream_is_billed_up_to_the_cut(
    make_provider: ProviderMaker,
    make_client: ClientMaker,
    entries: EntriesReader,
    fault: str,
    want_billed: int,
    want_seen: int,
) -> None:
    seen: list[ChatCompletionChunk] = []
    async with make_provider() as provider, make_client(provider, x_sim_fault=fault) as client:
        with pytest.raises(openai.APIConnectionError):
            await stream_into(seen, client, max_tokens=40, **WITH_USAGE)
    assert len(texts(seen)) == want_seen
    (entry,) = entries()
    assert (entry.output_tokens, entry.fault) == (want_billed, "cutStream")


async def test_a_hung_up_stream_is_billed_in_full(
    make_provider: ProviderMaker, make_client: ClientMaker, entries: EntriesReader
) -> None:
    async with make_provider() as provider, make_client(provider, x_sim_fault="hangUp") as client:
        with pytest.raises(openai.APIConnectionError):
            await stream_all(client, max_tokens=40)
    assert entries()[0].output_tokens == 40


async def test_missing_usage_ends_without_a_usage_chunk(
    make_provider: ProviderMaker, make_client: ClientMaker, entries: EntriesReader
) -> None:
    async with (
        make_provider() as provider,
        make_client(provider, x_sim_fault="missingUsage") as client,
    ):
        chunks = await stream_all(client, max_tokens=10, **WITH_USAGE)
    assert all(chunk.usage is None for chunk in chunks)
    assert entries()[0].output_tokens == 10


@pytest.mark.parametrize(
    ("fault", "want_tokens"), [("longAnswer", 50), ("slowBody;ms=1", 40), ("latency;ms=1", 40)]
)
async def test_other_faults_leave_the_stream_whole(
    make_provider: ProviderMaker,
    make_client: ClientMaker,
    entries: EntriesReader,
    fault: str,
    want_tokens: int,
) -> None:
    async with make_provider() as provider, make_client(provider, x_sim_fault=fault) as client:
        chunks = await stream_all(client, max_tokens=40, **WITH_USAGE)
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.completion_tokens == len(texts(chunks)) == want_tokens
    assert entries()[0].output_tokens == want_tokens


async def test_a_client_that_vanishes_pays_for_what_was_generated(
    make_provider: ProviderMaker, make_client: ClientMaker, entries_when: Any
) -> None:
    seen = 0
    async with make_provider() as provider, make_client(provider) as client:
        stream = await client.chat.completions.create(
            **HELLO | {"model": "paced"}, max_tokens=5_000
        )
        async for chunk in stream:
            seen += bool(texts([chunk]))
            if seen == 5:
                break
        await stream.close()
        (entry,) = await entries_when(1)
    assert 5 <= entry.output_tokens < 5_000
    assert entry.billed_pico == entry.input_tokens * 1_000_000 + entry.output_tokens * 2_000_000


async def test_a_provider_that_stops_bills_its_open_streams(
    make_provider: ProviderMaker, make_client: ClientMaker, entries: EntriesReader
) -> None:
    async with make_provider() as provider:
        client = make_client(provider)
        stream = await client.chat.completions.create(
            **HELLO | {"model": "paced"}, max_tokens=5_000
        )
        await anext(aiter(stream))
    (entry,) = entries()
    assert entry.output_tokens < 5_000
    await stream.close()
    await client.close()
