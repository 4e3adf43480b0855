"""The whole data plane between the real `openai` client and simulated providers.

What the providers' own ledger says that they billed is the truth that spending is compared with.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import openai
import pytest
from openai.types.chat import ChatCompletionToolParam

from farebox.core.leases import HoldEvent
from farebox.core.reasons import Reason
from farebox.runtime.endpoints import Endpoint
from farebox.simulated.ledger import bill_nanos, read_entries
from farebox.simulated.server import SimulatedProvider
from tests.support.clocks import LoopClock
from tests.support.peers import eventually
from tests.support.planes import ASK, RETRIES, Running, ask, policy_at, running, simulated
from tests.support.tasks import beside

TOOL: ChatCompletionToolParam = {
    "type": "function",
    "function": {
        "name": "look_up",
        "parameters": {
            "type": "object",
            "properties": {"order": {"type": "string"}},
            "required": ["order"],
        },
    },
}


@dataclass(kw_only=True)
class Stage:
    """A data plane before one simulated provider."""

    run: Running
    provider: SimulatedProvider

    @property
    def billed(self) -> int:
        """What the provider says that it billed, in n$."""
        return bill_nanos(read_entries(self.provider.ledger_path))

    @property
    def endings(self) -> list[tuple[HoldEvent, Reason]]:
        """How the holds ended, in their order."""
        return [(one.event, one.reason) for one in self.run.till.ended]


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    """A data plane before a simulated provider."""
    async with (
        simulated(tmp_path) as provider,
        running(tmp_path, policy_at(provider.base_url)) as run,
    ):
        yield Stage(run=run, provider=provider)


async def stream(run: Running, **fields: Any) -> list[openai.types.chat.ChatCompletionChunk]:
    """One streamed call, read to its end."""
    fields = {"model": "farebox/auto", "messages": ASK, "max_tokens": 40, **fields}
    return [
        chunk async for chunk in await run.client.chat.completions.create(stream=True, **fields)
    ]


# -------------------------------------------------------------------------------------- good calls


async def test_a_plain_call_costs_what_was_billed(stage: Stage) -> None:
    raw = await stage.run.client.chat.completions.with_raw_response.create(
        model="farebox/auto", messages=ASK, max_tokens=40
    )
    answer = raw.parse()
    assert answer.choices[0].message.content
    assert answer.model == "gpt-4o-mini"
    assert raw.headers["x-farebox-model"] == "gpt-4o-mini"
    assert raw.headers["x-farebox-tier"] == "small"
    assert raw.headers["x-farebox-route"] == "cheapest_sufficient; heuristic_matched=short-plain"
    assert "x-request-id" in raw.headers
    assert stage.run.till.spent == stage.billed > 0
    assert raw.headers["x-farebox-cost-usd"] == f"0.{stage.billed:09d}"


async def test_a_stream_costs_what_was_billed_and_has_no_chunk_that_was_not_asked_for(
    stage: Stage,
) -> None:
    chunks = await stream(stage.run)
    assert all(chunk.choices for chunk in chunks)
    assert chunks[-1].choices[0].finish_reason in {"stop", "length"}
    assert stage.run.till.spent == stage.billed > 0
    assert stage.endings == [(HoldEvent.SETTLE, Reason.USAGE_REPORTED)]


async def test_a_caller_that_asks_for_usage_gets_it(stage: Stage) -> None:
    chunks = await stream(stage.run, stream_options={"include_usage": True})
    assert chunks[-1].usage is not None
    assert not chunks[-1].choices
    assert stage.run.till.spent == stage.billed


@pytest.mark.parametrize("streamed", [False, True])
async def test_tools_work_and_are_paid_for(stage: Stage, streamed: bool) -> None:
    if streamed:
        chunks = await stream(stage.run, tools=[TOOL])
        parts = [call for one in chunks for call in one.choices[0].delta.tool_calls or ()]
        arguments = "".join(part.function.arguments or "" for part in parts if part.function)
    else:
        calls = (await ask(stage.run, tools=[TOOL])).choices[0].message.tool_calls
        assert calls
        assert calls[0].type == "function"
        arguments = calls[0].function.arguments
    assert "order" in json.loads(arguments)
    assert stage.run.till.spent == stage.billed > 0


async def test_several_choices_are_paid_for(stage: Stage) -> None:
    assert len((await ask(stage.run, n=3)).choices) == 3
    assert stage.run.till.spent == stage.billed


async def test_a_concrete_name_is_a_ceiling(stage: Stage) -> None:
    assert (await ask(stage.run, model="gpt-4o-mini")).model == "gpt-4o-mini"


async def test_the_models_are_listed(stage: Stage) -> None:
    names = [model.id async for model in stage.run.client.models.list()]
    assert names == ["farebox/auto", "gpt-4o-mini", "gpt-4o", "o1"]


async def test_a_receipt_tells_the_story_without_the_prompt(stage: Stage) -> None:
    await ask(stage.run, user="ana", extra_headers={"x-farebox-task": "classification"})
    (receipt,) = stage.run.plane.receipts.last(10)
    assert (receipt["user"], receipt["task"]) == ("ana", "classification")
    assert (receipt["model"], receipt["response_model"]) == ("gpt-4o-mini", "gpt-4o-mini")
    assert receipt["cost_usd"] == f"0.{stage.billed:09d}"
    text = json.dumps(receipt)
    assert "complaint" not in text
    assert "sk-caller" not in text


async def test_many_calls_at_once_cost_what_was_billed(stage: Stage) -> None:
    calls = [ask(stage.run) if number % 2 else stream(stage.run) for number in range(40)]
    await asyncio.gather(*calls)
    assert stage.run.till.spent == stage.billed
    assert len(stage.endings) == 40


# ----------------------------------------------------------------------------- providers that fail


async def test_usage_that_is_missing_is_counted_and_never_too_little(stage: Stage) -> None:
    for fields in ({}, {"tools": [TOOL]}):
        await ask(stage.run, extra_headers={"x-sim-fault": "missingUsage"}, **fields)
        await stream(stage.run, extra_headers={"x-sim-fault": "missingUsage"}, **fields)
    assert stage.endings == [(HoldEvent.SETTLE, Reason.USAGE_COUNTED)] * 4
    assert stage.run.till.spent >= stage.billed > 0


async def test_an_answer_lost_after_it_was_billed_is_not_asked_for_again(stage: Stage) -> None:
    with pytest.raises(openai.InternalServerError) as caught:
        await ask(stage.run, extra_headers={"x-sim-fault": "hangUp"})
    assert caught.value.status_code == 502
    assert stage.endings == [(HoldEvent.EXPIRE, Reason.OUTCOME_UNKNOWN)]
    assert stage.run.till.spent >= stage.billed > 0


async def test_a_stream_that_is_cut_counts_in_full_and_the_caller_is_told(stage: Stage) -> None:
    with pytest.raises(openai.APIError, match="broke off"):
        await stream(stage.run, extra_headers={"x-sim-fault": "cutStream"})
    assert stage.endings == [(HoldEvent.EXPIRE, Reason.OUTCOME_UNKNOWN)]
    assert stage.run.till.spent >= stage.billed > 0


async def test_a_plain_answer_that_is_cut_counts_in_full(stage: Stage) -> None:
    with pytest.raises(openai.InternalServerError):
        await ask(stage.run, extra_headers={"x-sim-fault": "cutStream"})
    assert stage.endings == [(HoldEvent.EXPIRE, Reason.OUTCOME_UNKNOWN)]
    assert stage.run.till.spent >= stage.billed > 0


async def test_a_stream_that_ignores_its_limit_is_cut_at_its_hold(stage: Stage) -> None:
    chunks = await stream(stage.run, extra_headers={"x-sim-fault": "longAnswer;percent=200"})
    assert chunks[-1].choices[0].finish_reason == "length"
    assert stage.endings == [(HoldEvent.EXPIRE, Reason.CUT_AT_HOLD)]


async def test_an_answer_beyond_its_limit_is_booked_in_full(stage: Stage) -> None:
    for _ in range(3):
        await ask(stage.run, extra_headers={"x-sim-fault": "longAnswer;percent=200"})
    assert stage.run.till.spent == stage.billed


async def test_a_slow_answer_is_waited_for(stage: Stage) -> None:
    await ask(stage.run, extra_headers={"x-sim-fault": "slowBody;ms=1"}, max_tokens=5)
    await stream(stage.run, extra_headers={"x-sim-fault": "slowBody;ms=1"}, max_tokens=5)
    assert stage.run.till.spent == stage.billed


@pytest.mark.parametrize("fault", ["error500", "error429", "error503"])
async def test_a_failing_provider_is_replaced_by_the_next(tmp_path: Path, fault: str) -> None:
    (tmp_path / "b").mkdir()
    async with (
        simulated(tmp_path, faults={"mix": {fault: 1.0}}) as failing,
        simulated(tmp_path / "b") as good,
    ):
        urls = {"gpt-4o-mini": failing.base_url, "gpt-4o": good.base_url, "o1": good.base_url}
        async with running(tmp_path, policy_at(urls)) as run:
            assert (await ask(run)).model == "gpt-4o"
            assert await stream(run)
        assert [one.event for one in run.till.ended] == [HoldEvent.VOID, HoldEvent.SETTLE] * 2
        assert bill_nanos(read_entries(failing.ledger_path)) == 0
        assert bill_nanos(read_entries(good.ledger_path)) == run.till.spent


async def test_a_provider_that_is_down_is_replaced_by_the_next(tmp_path: Path) -> None:
    async with simulated(tmp_path) as good:
        urls = {"gpt-4o-mini": "http://127.0.0.1:9/v1"}
        urls |= dict.fromkeys(("gpt-4o", "o1"), good.base_url)
        async with running(tmp_path, policy_at(urls)) as run:
            assert (await ask(run)).model == "gpt-4o"
        assert run.till.ended[0].reason is Reason.NOTHING_SENT


async def test_when_all_fail_the_last_answer_is_passed_on_and_clients_retry_as_ever(
    tmp_path: Path,
) -> None:
    async with (
        simulated(tmp_path, faults={"mix": {"error503": 1.0}}) as failing,
        running(tmp_path, policy_at(failing.base_url)) as run,
    ):
        with pytest.raises(openai.InternalServerError) as caught:
            await ask(run)
        assert caught.value.status_code == 503
        assert {one.event for one in run.till.ended} == {HoldEvent.VOID}
        assert len(run.till.ended) == 3 * (1 + RETRIES)
        assert run.till.spent == 0


async def test_a_silent_provider_is_given_up_and_the_call_is_not_repeated(tmp_path: Path) -> None:
    async with (
        simulated(tmp_path) as provider,
        running(tmp_path, policy_at(provider.base_url), head_ms_max=50) as run,
    ):
        with pytest.raises(openai.InternalServerError) as caught:
            await ask(run, extra_headers={"x-sim-fault": "latency;ms=2000"})
        assert caught.value.status_code == 504
        assert [one.event for one in run.till.ended] == [HoldEvent.EXPIRE]


# -------------------------------------------------------------------------------------- refusals


async def test_the_callers_own_cap_binds_a_single_call(stage: Stage) -> None:
    with pytest.raises(openai.APIStatusError) as caught:
        await ask(stage.run, extra_headers={"x-farebox-max-cost": "0.000000001"})
    assert caught.value.status_code == 413
    assert stage.billed == 0


async def test_money_that_lapsed_while_connecting_is_held_again(stage: Stage) -> None:
    stage.run.till.lapses = 1
    await ask(stage.run)
    assert [event for event, _ in stage.endings] == [HoldEvent.VOID, HoldEvent.SETTLE]
    assert stage.run.till.spent == stage.billed > 0


async def test_money_that_must_be_waited_for_is_waited_for(stage: Stage) -> None:
    stage.run.till.slow = True
    await ask(stage.run)
    assert stage.run.till.spent == stage.billed > 0


# ------------------------------------------------------------------------------ callers that leave


async def test_a_caller_that_leaves_a_stream_pays_for_all_that_was_written(tmp_path: Path) -> None:
    async with (
        simulated(tmp_path, answer={"fillMax": True}) as provider,
        running(tmp_path, policy_at(provider.base_url)) as run,
    ):
        answer = await run.client.chat.completions.create(
            model="farebox/auto",
            messages=ASK,
            max_tokens=60,
            stream=True,
            extra_headers={"x-sim-fault": "slowBody;ms=2"},
        )
        async for _ in answer:
            break
        await answer.close()
        await eventually(lambda: len(run.till.ended) == 1)
        assert run.till.ended[0].reason is Reason.USAGE_REPORTED
        assert run.till.spent == bill_nanos(read_entries(provider.ledger_path))
        (receipt,) = run.plane.receipts.last(1)
        assert (receipt["caller_gone"], receipt["status"]) == (True, 499)


async def leave(run: Running, provider: SimulatedProvider, *, latency_ms: int = 600_000) -> None:
    """A call whose caller leaves when the provider has it, long before the answer."""
    call = beside(ask(run, extra_headers={"x-sim-fault": f"latency;ms={latency_ms}"}))
    await eventually(lambda: provider._chat.open_calls == 1)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    await eventually(lambda: len(run.plane._jobs) == 1)


async def test_a_caller_that_leaves_before_the_answer_pays_for_it(stage: Stage) -> None:
    clock = LoopClock()
    await leave(stage.run, stage.provider, latency_ms=20_000)
    assert not stage.endings
    clock.advance(20_000)
    await eventually(lambda: len(stage.endings) == 1)
    assert stage.endings == [(HoldEvent.SETTLE, Reason.USAGE_REPORTED)]
    assert stage.run.till.spent == stage.billed > 0


async def test_reading_on_without_a_caller_is_bounded(tmp_path: Path) -> None:
    async with (
        simulated(tmp_path) as provider,
        running(tmp_path, policy_at(provider.base_url), drain_ms_max=60_000) as run,
    ):
        clock = LoopClock()
        await leave(run, provider)
        assert not run.till.ended
        clock.advance(60_000)
        await eventually(lambda: len(run.till.ended) == 1)
        assert run.till.ended[0].event is HoldEvent.EXPIRE


async def test_stopping_ends_the_money_of_calls_under_way(tmp_path: Path) -> None:
    async with simulated(tmp_path) as provider:
        async with running(tmp_path, policy_at(provider.base_url)) as run:
            await leave(run, provider)
            assert len(run.till.open) == 1
        assert [one.event for one in run.till.ended] == [HoldEvent.EXPIRE]


async def test_stopping_lets_a_call_under_way_end(tmp_path: Path) -> None:
    async with simulated(tmp_path) as provider:
        async with running(tmp_path, policy_at(provider.base_url)) as run:
            clock = LoopClock()
            call = beside(ask(run, extra_headers={"x-sim-fault": "latency;ms=60000"}))
            await eventually(lambda: provider._chat.open_calls == 1)
            socket = run.plane._server._socket
            assert socket is not None
            stopping = beside(run.plane.stop(grace_ms_max=600_000))
            await eventually(lambda: not socket.is_serving())
            clock.advance(60_000)
            assert (await call).choices
            await stopping
        assert run.till.ended[0].reason is Reason.USAGE_REPORTED


async def test_metrics_show_what_happened(stage: Stage) -> None:
    await ask(stage.run)
    value = stage.run.registry.get_sample_value(
        "farebox_calls_total",
        {"model": "gpt-4o-mini", "tier": "small", "task": "", "outcome": "served"},
    )
    assert value == 1
    assert stage.run.registry.get_sample_value("farebox_calls_open") == 0


async def test_a_second_plane_can_not_take_the_same_port(stage: Stage, tmp_path: Path) -> None:
    with pytest.raises(OSError, match="address already in use"):
        await stage.run.plane.start(Endpoint("127.0.0.1", stage.run.port))


async def test_plain_http_of_any_client_is_served(stage: Stage) -> None:
    body = {"model": "farebox/auto", "messages": ASK, "max_tokens": 5}
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{stage.run.url}/chat/completions", json=body, expect100=True) as answer,
    ):
        assert answer.status == 200
        assert (await answer.json())["usage"]["completion_tokens"] <= 5
