"""The cap as a program sees it: the real package, real processes, a provider with its own bill."""

import asyncio
from typing import Any

import openai
import pytest

from farebox.cli.admin import until_ready
from farebox.simulated.ledger import bill_nanos
from tests.integration.conftest import PATIENCE_S, Fleet, pool_manifest, until
from tests.support.tasks import beside

PROMPT: list[Any] = [{"role": "user", "content": "Tell me about fares. " * 20}]
ONE_CALL_MAX = 0.0005


async def ask(client: openai.AsyncOpenAI, **more: Any) -> Any:
    """One call of 100 answer tokens; about 0.0001 dollars with what it may cost at most."""
    options: dict[str, Any] = {"model": "farebox/auto", "messages": PROMPT, "max_tokens": 100}
    return await client.chat.completions.create(**{**options, **more})


def error_of(raised: pytest.ExceptionInfo[openai.APIStatusError]) -> dict[str, Any]:
    """The error object of a refusal."""
    body = raised.value.body
    assert isinstance(body, dict)
    return body


async def test_a_spent_pool_refuses_for_good_until_its_limit_is_raised(system: Fleet) -> None:
    system.write(pool_manifest("team", "0.0003"))
    await system.until_limit("0.000300000")
    client = system.client()

    async def is_spent() -> bool:
        try:
            await ask(client)
        except openai.APIStatusError as error:
            return error.status_code == 402
        return False

    await until(is_spent, "the pool to be spent")
    assert bill_nanos(system.billed()) <= 300_000
    before = await system.received()
    with pytest.raises(openai.APIStatusError) as raised:
        await ask(client)
    refusal = error_of(raised)
    assert raised.value.status_code == 402
    assert raised.value.response.headers["x-should-retry"] == "false"
    assert "retry-after" not in raised.value.response.headers
    assert raised.value.response.headers["x-farebox-pool"] == "default/team"
    assert (refusal["code"], refusal["type"]) == ("pool_exhausted", "budget_exceeded")
    assert refusal["pool"] == "default/team"
    assert refusal["limit_usd"] == "0.000300000"
    assert float(refusal["settled_usd"]) <= 0.0003
    assert await system.received() == before, "a refused call never leaves the pod"

    system.write(pool_manifest("team", "0.01"))

    async def is_served() -> bool:
        try:
            await ask(client)
        except openai.APIStatusError:
            return False
        return True

    await until(is_served, "the raised limit to let a call pass")


async def test_a_mistake_in_a_manifest_is_named_and_the_old_limit_stands(system: Fleet) -> None:
    client = system.client()
    await ask(client)
    system.write(pool_manifest("team", "two dollars"))

    async def is_told() -> bool:
        return bool(await system.problems())

    await until(is_told, "the mistake to be reported")
    (problem,) = await system.problems()
    assert (problem["file"], problem["field"]) == ("pools.yaml", "spec.limit")
    assert problem["line"] == 5
    await ask(client)
    assert (await system.pools())["default/team"]["limit_usd"] == "1.000000000"


async def test_what_can_never_be_served_is_refused_once(system: Fleet) -> None:
    client = system.client()
    before = await system.received()
    with pytest.raises(openai.APIStatusError) as too_large:
        await ask(client, extra_headers={"x-farebox-max-cost": "0.000001"})
    with pytest.raises(openai.UnprocessableEntityError) as unpriced:
        await ask(client, model="a-model-that-nobody-knows")
    with pytest.raises(openai.BadRequestError):
        await ask(client, max_tokens=0)
    assert too_large.value.status_code == 413
    assert error_of(too_large)["fits_max_tokens"] == 0
    assert error_of(unpriced)["code"] == "unpriced_model"
    assert await system.received() == before


@pytest.mark.parametrize("money_ms", [2_000])
async def test_without_a_controller_lent_money_is_spent_and_nothing_else(system: Fleet) -> None:
    system.write(pool_manifest("people", "1.00", "per: User"))
    client = system.client(max_retries=0)

    before = 0

    async def knows_people() -> bool:
        nonlocal before
        before = len(system.billed())
        try:
            await ask(client, user="ana")
        except openai.APIStatusError:
            return False  # a busy machine: the new pool's first lease is not here yet
        lent = float((await system.pools()).get("default/people/ana", {}).get("leased_usd", 0))
        return lent > 2 * ONE_CALL_MAX

    await until(knows_people, "money lent for the next calls of ana")
    await system.controller.kill()
    await ask(client, user="ana")
    with pytest.raises(openai.InternalServerError) as raised:
        await ask(client, user="ben")
    assert raised.value.status_code == 503
    assert error_of(raised)["code"] == "budget_unverifiable"
    assert 1 <= int(raised.value.response.headers["retry-after"]) <= 30

    await system.controller.start()

    async def ben_is_served() -> bool:
        try:
            await ask(client, user="ben")
        except openai.APIStatusError:
            return False
        return True

    await until(ben_is_served, "a controller that knows everything again")
    settled = float((await system.pools())["default/people/ana"]["settled_usd"])
    billed = bill_nanos([entry for entry in system.billed()[before:] if entry.user == "ana"]) / 1e9

    async def is_settled() -> bool:
        found = float((await system.pools())["default/people/ana"]["settled_usd"])
        return found >= billed > 0

    await until(is_settled, f"the spend of ana, {billed}, to be known; it was {settled}")


async def test_a_killed_sidecar_comes_back_with_its_money_and_its_debts(system: Fleet) -> None:
    client = system.client(max_retries=0)
    await asyncio.gather(*(ask(client) for _ in range(8)))
    async with asyncio.timeout(PATIENCE_S):
        flying = [beside(ask(client)) for _ in range(8)]
        await asyncio.sleep(0)
        await system.sidecar.kill()
        await asyncio.gather(*flying, return_exceptions=True)
    await system.sidecar.start()
    await until_ready(system.sidecar)
    await ask(client)

    async def all_is_known() -> bool:
        team = (await system.pools())["default/team"]
        settled = round(float(team["settled_usd"]) * 1e9)
        return settled >= bill_nanos(system.billed()) and float(team["held_usd"]) == 0

    await until(all_is_known, "every billed dollar to be settled")
    team = (await system.pools())["default/team"]
    spent = round(float(team["settled_usd"]) * 1e9) - bill_nanos(system.billed())
    assert spent <= 8 * ONE_CALL_MAX * 1e9, "only calls under way at the kill count in full"


async def test_a_hundred_callers_at_once_stay_below_the_cap(system: Fleet) -> None:
    system.write(pool_manifest("team", "0.002"))

    await system.until_limit("0.002000000")
    client = system.client(max_retries=0)
    answers = await asyncio.gather(*(ask(client) for _ in range(100)), return_exceptions=True)
    served = [answer for answer in answers if not isinstance(answer, BaseException)]
    codes = {a.status_code for a in answers if isinstance(a, openai.APIStatusError)}
    assert served
    assert codes <= {402, 429}
    assert len(served) < 100
    assert bill_nanos(system.billed()) <= 2_000_000


async def test_no_secret_and_no_prompt_is_written_anywhere(system: Fleet) -> None:
    client = system.client()
    await ask(client, messages=[{"role": "user", "content": "the-quiet-part of this prompt"}])
    await ask(client, messages=[{"role": "user", "content": "the-quiet-part"}], stream=False)
    await system.sidecar.stop()
    await system.controller.stop()
    for path in system.state.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert b"sk-secret-of-a-test" not in content, path.name
            assert b"the-quiet-part" not in content, path.name
