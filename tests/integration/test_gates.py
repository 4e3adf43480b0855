"""Gates and escalation with real processes: the cap holds for all that a call has asked for."""

import asyncio
from typing import Any

import openai

from farebox.cli.admin import admin_url, get_json
from farebox.core.money import parse_dollars
from farebox.simulated.ledger import bill_nanos
from tests.integration.conftest import Fleet, pool_manifest, until

LIMIT = "0.004"
PROMPT: list[Any] = [{"role": "user", "content": "Is this a complaint? " * 5}]
STRONG = """
apiVersion: farebox.dev/v1alpha1
kind: ModelTier
metadata: {name: strong}
spec:
  rank: 2
  maxDifficulty: "1"
  models:
    - name: strong-model
      model: gpt-4o-mini
      provider: openai
      baseURL: ${FAREBOX_DEMO_PROVIDER}
      price: {input: "0.15", output: "0.60"}
      contextWindow: 128000
      maxOutputTokens: 16384
"""
TASK = """
apiVersion: farebox.dev/v1alpha1
kind: TaskProfile
metadata: {name: mails}
spec:
  defaultTier: small
  gates:
    - {name: never, kind: Regex, pattern: "^no answer is this$"}
"""


async def ask(client: openai.AsyncOpenAI) -> Any:
    """One call of the task; None when it was refused."""
    try:
        return await client.chat.completions.with_raw_response.create(
            model="farebox/auto",
            messages=PROMPT,
            max_tokens=100,
            extra_headers={"x-farebox-task": "mails"},
        )
    except openai.APIStatusError:
        return None


async def test_a_crowd_of_escalating_calls_never_overspends_its_pool(system: Fleet) -> None:
    (system.manifests / "tasks.yaml").write_text(f"{STRONG}---\n{TASK}")
    system.write(pool_manifest("team", LIMIT))
    await system.until_limit("0.004000000")
    client = system.client(max_retries=0)
    told: list[Any] = []

    async def escalates() -> bool:
        told.append(await ask(client))
        return told[-1] is not None and told[-1].headers.get("x-farebox-escalations") == "1"

    await until(escalates, "the task's gates to be in force")
    assert told[-1].headers["x-farebox-gate"] == "failed:never"
    assert told[-1].headers["x-farebox-model"] == "strong-model"

    async def is_spent() -> bool:
        told.extend(await asyncio.gather(*(ask(client) for _ in range(8))))
        return told[-8:] == [None] * 8

    await until(is_spent, "the pool to be spent")
    limit = parse_dollars(LIMIT)
    assert limit // 2 < bill_nanos(system.billed()) <= limit
    found = await get_json(admin_url(system.sidecar, "/v1/receipts?last=1000"))
    spent = sum(parse_dollars(one["cost_usd"]) for one in found["receipts"])
    assert spent == bill_nanos(system.billed())
    attempts = [len(one["attempts"]) for one in found["receipts"]]
    assert max(attempts) == 2
    assert system.billed()
