"""Replay against the policy that was in force: the same bill and the same refusals.

Real processes make receipts: calls one after another until the pool is spent, and beyond.
"""

from collections import Counter
from contextlib import suppress
from typing import Any

import openai
import pytest

from farebox.after.manifests import policy_of, read_offline
from farebox.after.past import case_of
from farebox.after.receipts import read_receipts
from farebox.after.rerun import Rerun
from farebox.cli import fleet
from farebox.cli.fleet import Pod
from farebox.core.budgets import Charge
from farebox.core.instant import UtcMs
from farebox.simulated.ledger import bill_nanos
from tests.integration.conftest import Fleet, pool_manifest

POD = Pod(name="pod-0")
USERS = ("ana", "ben", "cem")


@pytest.mark.parametrize("options", ["[Downgrade, Reject]", "[Reject]"])
async def test_the_policy_that_made_the_receipts_makes_the_same_bill(
    system: Fleet, options: str
) -> None:
    """Exact, since calls came one after another; beside others a lease can refuse early."""
    system.write(
        pool_manifest("team", "0.0030", f"onExhausted: {options}"),
        pool_manifest("each", "0.0012", "per: User", f"onExhausted: {options}"),
    )

    await system.until_limit("0.001200000")
    client = system.client(max_retries=0)
    for number in range(45):
        options_of_call: dict[str, Any] = {"max_tokens": 40 + 37 * (number % 7)}
        with suppress(openai.APIStatusError):
            await client.chat.completions.create(
                model="farebox/auto",
                messages=[{"role": "user", "content": f"Call {number}. " * (1 + number % 5)}],
                user=USERS[number % len(USERS)],
                **options_of_call,
            )
    await system.sidecar.stop()

    receipts = read_receipts([fleet.receipts_of(system.state, POD)])
    policy = policy_of(
        read_offline(system.manifests, now=receipts.last_at),
        namespace=POD.namespace,
        labels=POD.labels,
    )
    rerun = Rerun(policy)
    decisions = rerun.run([case_of(past, policy) for past in receipts.calls])

    assert receipts.unread == 0
    was = [(past.call, past.model, past.refused, past.refused_pool) for past in receipts.calls]
    would = [(one.id, one.model, one.refused, one.pool) for one in decisions]
    assert would == was
    assert sum(one.cost for one in decisions) == bill_nanos(system.billed())
    assert all(one.sure for one in decisions)
    refused = Counter(one.refused for one in decisions)
    assert refused[None] > 0
    assert sum(refused.values()) > refused[None]
    team = next(pool for pool in policy.pools if pool.name == "team")
    spent = rerun.ledger.settled(Charge(team.uid, ""), UtcMs(receipts.last_at + 60_000))
    assert spent == bill_nanos(system.billed()) <= team.limit
