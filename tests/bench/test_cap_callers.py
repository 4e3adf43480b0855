"""The callers behave as SDKs do: retries where told so, none where refused for good."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

from aiohttp import web

from bench.cap_callers import Crowd, body_of
from bench.cap_judge import Account
from bench.cap_scenario import CALLERS, Order, exhaustion

ORDER = Order(
    user="user-3",
    model="farebox/auto",
    prompt="one two",
    max_tokens=40,
    stream=True,
    usage_wanted=True,
    pause_ms=0,
)
QUICK = replace(exhaustion(1), think_ms_max=0)


@asynccontextmanager
async def answering(*statuses: int) -> AsyncIterator[str]:
    """A server that answers each caller's requests with these statuses; the last one for ever."""
    seen: dict[str, int] = {}

    async def answer(request: web.Request) -> web.Response:
        caller = str(request.transport)
        count = seen[caller] = seen.get(caller, 0) + 1
        status = statuses[min(count, len(statuses)) - 1]
        body = json.loads(await request.read())
        assert request.headers["x-farebox-user"] == body["user"]
        headers = {"x-farebox-reason": "pool_exhausted", "x-farebox-pool": "default/people"}
        whole = b"data: [DONE]\n\n" if body.get("stream") else b"{}"
        return web.Response(status=status, body=whole, headers=headers if status != 200 else {})

    application = web.Application()
    application.router.add_post("/chat/completions", answer)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def test_the_user_stands_in_the_body_for_the_providers_ledger() -> None:
    body = json.loads(body_of(ORDER))
    assert body["user"] == "user-3"
    assert body["max_tokens"] == 40
    assert body["stream_options"] == {"include_usage": True}
    silent = json.loads(body_of(replace(ORDER, max_tokens=None, stream=False)))
    assert silent.keys() == {"model", "user", "messages"}


async def test_each_caller_goes_on_until_it_is_refused_for_good() -> None:
    async with answering(200, 402) as url, asyncio.timeout(60):
        crowd = Crowd(QUICK, (url, url))
        await crowd.run()
    tally = crowd.tally
    assert tally.requests["402 pool_exhausted"] == CALLERS
    assert tally.requests["200"] > 0
    assert sum(tally.exhausted.values()) == CALLERS
    assert {account.pool for account in tally.exhausted} == {"people"}
    assert Account("people", "user-1", 0) in tally.exhausted


async def test_a_crowd_that_is_stopped_ends_though_nobody_answers_well() -> None:
    async with answering(429) as url, asyncio.timeout(60):
        crowd = Crowd(QUICK, (url, url))
        crowd.stop()
        await crowd.run()
    assert crowd.tally.requests.total() == 0
