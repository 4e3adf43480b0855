"""The provider as a whole: paths, control endpoints, restart."""

import asyncio
from typing import Any

import aiohttp
import openai
import pytest

from farebox.simulated import server
from farebox.simulated.ledger import LedgerError, bill_nanos
from farebox.simulated.server import SimulatedProvider
from tests.simulated.conftest import ClientMaker, EntriesReader, ProviderMaker

HELLO: dict[str, Any] = {"model": "small", "messages": [{"role": "user", "content": "hello"}]}


async def get(provider: SimulatedProvider, path: str) -> Any:
    async with (
        aiohttp.ClientSession(f"http://127.0.0.1:{provider.port}") as session,
        session.get(path) as answer,
    ):
        return await answer.json()


async def post(provider: SimulatedProvider, path: str, body: Any) -> tuple[int, Any]:
    async with (
        aiohttp.ClientSession(f"http://127.0.0.1:{provider.port}") as session,
        session.post(path, json=body) as answer,
    ):
        return answer.status, await answer.json()


@pytest.mark.parametrize("prefix", ["", "/openai", "/a/b"])
async def test_calls_are_served_below_any_prefix(make_provider: ProviderMaker, prefix: str) -> None:
    async with make_provider() as provider:
        status, answer = await post(provider, f"{prefix}/v1/chat/completions", HELLO)
        models = await get(provider, f"{prefix}/v1/models")
    assert (status, answer["object"]) == (200, "chat.completion")
    assert [model["id"] for model in models["data"]] == ["small", "thinker", "paced"]


async def test_the_models_are_listed_for_the_client(
    make_provider: ProviderMaker, make_client: ClientMaker
) -> None:
    async with make_provider() as provider, make_client(provider) as client:
        models = await client.models.list()
    assert [model.id for model in models.data] == ["small", "thinker", "paced"]


async def test_other_paths_are_refused_in_the_shape_of_the_api(
    make_provider: ProviderMaker,
) -> None:
    async with make_provider() as provider:
        embeddings = await post(provider, "/v1/embeddings", HELLO)
        fetched = await get(provider, "/v1/chat/completions")
    assert embeddings[0] == 404
    assert embeddings[1]["error"]["code"] == "unknown_url"
    assert "GET" in fetched["error"]["message"]


async def test_every_call_is_counted_by_its_outcome(
    make_provider: ProviderMaker, make_client: ClientMaker
) -> None:
    async with make_provider() as provider:
        for fault, calls in {"none": 3, "error500": 2, "hangUp": 1}.items():
            async with make_client(provider, x_sim_fault=fault) as client:
                for _ in range(calls):
                    try:
                        await client.chat.completions.create(**HELLO)
                    except openai.APIError:
                        assert fault != "none"
        counted = await get(provider, "/_sim/calls")
    assert counted == {"received": 6, "byStatus": {"200": 3, "500": 2, "none": 1}}


async def test_the_ledger_is_summed_up(
    make_provider: ProviderMaker, make_client: ClientMaker, entries: EntriesReader
) -> None:
    async with make_provider() as provider, make_client(provider) as client:
        await client.chat.completions.create(**HELLO, user="ana", max_tokens=1)
        await client.chat.completions.create(**HELLO | {"model": "paced"}, max_tokens=1)
        totals = await get(provider, "/_sim/ledger")
        full = await get(provider, "/_sim/ledger?entries=1")
    first, second = entries()
    billed_pico = first.billed_pico + second.billed_pico
    assert totals == {
        "calls": 2,
        "billedPico": billed_pico,
        "byModel": {"small": first.billed_pico, "paced": second.billed_pico},
        "byUser": {"ana": first.billed_pico, "": second.billed_pico},
        "byKeyTail": {"wxyz": billed_pico},
        "open": 0,
    }
    assert [entry["seq"] for entry in full["entries"]] == [1, 2]
    assert bill_nanos(entries()) == -(-billed_pico // 1_000)


async def test_calls_under_way_are_shown(
    make_provider: ProviderMaker, make_client: ClientMaker
) -> None:
    async with make_provider() as provider, make_client(provider) as client:
        stream = await client.chat.completions.create(
            **HELLO | {"model": "paced"}, max_tokens=5_000, stream=True
        )
        assert (await get(provider, "/_sim/ledger"))["open"] == 1
        await stream.close()


async def test_faults_are_set_at_run_time(
    make_provider: ProviderMaker, make_client: ClientMaker
) -> None:
    async with make_provider() as provider, make_client(provider) as client:
        refused = await post(provider, "/_sim/faults", {"mix": {"hangUp": 3}})
        unknown = await post(provider, "/_sim/faults", {"hangUp": 1})
        await client.chat.completions.create(**HELLO)
        accepted = await post(provider, "/_sim/faults", {"mix": {"error503": 1}})
        with pytest.raises(openai.InternalServerError):
            await client.chat.completions.create(**HELLO)
        assert await get(provider, "/_sim/faults") == accepted[1]
    assert (refused[0], unknown[0], accepted[0]) == (400, 400, 200)
    assert accepted[1]["mix"] == {"error503": 1.0}


async def test_an_unknown_control_endpoint_is_refused(make_provider: ProviderMaker) -> None:
    async with make_provider() as provider:
        assert (await post(provider, "/_sim/money", {}))[0] == 404
        assert (await get(provider, "/_sim/calls"))["received"] == 0


async def test_a_restarted_provider_keeps_its_ledger(
    make_provider: ProviderMaker, make_client: ClientMaker, entries: EntriesReader
) -> None:
    for _ in range(2):
        async with make_provider() as provider, make_client(provider) as client:
            await client.chat.completions.create(**HELLO)
            totals = await get(provider, "/_sim/ledger")
    assert [entry.seq for entry in entries()] == [1, 2]
    assert totals["calls"] == 2


async def test_a_ledger_in_use_is_refused(make_provider: ProviderMaker) -> None:
    async with make_provider():
        with pytest.raises(LedgerError):
            await make_provider().__aenter__()


async def test_bytes_that_are_no_http_are_refused_and_counted(
    make_provider: ProviderMaker,
) -> None:
    async with make_provider() as provider:
        reader, writer = await asyncio.open_connection("127.0.0.1", provider.port)
        writer.write(b"hello?\r\n\r\n")
        answer = await reader.read()
        writer.close()
        await writer.wait_closed()
        counted = await get(provider, "/_sim/calls")
    assert answer.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert counted == {"received": 1, "byStatus": {"400": 1}}


async def test_connections_are_bounded(
    make_provider: ProviderMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "connections_max", 0)
    async with make_provider() as provider:
        with pytest.raises(aiohttp.ClientError):
            await get(provider, "/_sim/calls")
