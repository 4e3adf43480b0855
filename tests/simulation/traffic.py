"""Calls: what a workload asks of its sidecar, from the hold to the end of the hold.

It stands for the data plane: classify, plan, hold, check once more, send, settle by the answer. The
one rule: where the provider's answer does not come, the hold expires and is never voided. This
module must not know lines, stores or faults.
"""

import asyncio
import random
from collections import Counter
from typing import TYPE_CHECKING, Final

from farebox.core.budgets import Keys, Priority
from farebox.core.call import Call, Identity
from farebox.core.classify import classify
from farebox.core.money import Nanos
from farebox.core.policy import Policy
from farebox.core.reasons import Reason
from farebox.core.routing import Plan, plan
from farebox.core.tasks import AUTO_MODEL
from sidecar.events import MoneyHeld, MoneyRefused
from tests.simulation.provider import Answer, Attempt

if TYPE_CHECKING:
    from tests.simulation.sidecars import Sidecar

ANSWER_S_MAX: Final = 3.0
"""So long a caller waits for the provider."""

POLICY_S: Final = 0.1
RETRY_S: Final = 0.1
"""How long a caller waits at least before it tries again."""

SENDS_MAX: Final = 2
"""How often a call holds money anew when what it held lapsed before it could leave."""

HIGH_SHARE: Final = 0.2
"""Of the calls, that may use what others must leave."""

_SIZES: Final = ((200, 40), (400, 100), (400, 400), (1_000, 200), (2_000, 1_000), (6_000, 2_000))
_TASKS: Final = ("classification", "classification", "rag", "")


def make_call(rng: random.Random, users: int) -> Call:
    """A call of a random size by one of `users` people."""
    body, output = rng.choice(_SIZES)
    priority = Priority.HIGH if rng.random() < HIGH_SHARE else Priority.NORMAL
    return Call(
        path="/v1/chat/completions",
        model=AUTO_MODEL,
        identity=Identity(
            keys=Keys(user=f"user-{rng.randrange(users)}"),
            task=rng.choice(_TASKS),
            priority=priority,
        ),
        body_bytes=body,
        output_tokens=output,
    )


class Planner:
    """Plans by policy and shape of the call, each worked out once."""

    def __init__(self) -> None:
        self._plans: dict[tuple[int, str, int, int | None], Plan] = {}
        self._policies: list[Policy] = []

    def plan(self, call: Call, policy: Policy) -> Plan:
        """The candidates of a call under a policy."""
        if not self._policies or self._policies[-1] is not policy:
            self._policies.append(policy)
            self._plans.clear()
        key = (len(self._policies), call.identity.task, call.body_bytes, call.output_tokens)
        found = self._plans.get(key)
        if found is None:
            found = self._plans[key] = plan(call, classify(call, policy), policy)
        return found


class Traffic:
    """The calls of one pod."""

    def __init__(self, sidecar: "Sidecar", rng: random.Random, *, pause: float, users: int) -> None:
        self._sidecar = sidecar
        self._rng = rng
        self._pause = pause
        self._users = users
        self.on = True

    async def run(self) -> None:
        """Make calls for ever, in bursts and pauses; each runs beside the others."""
        rng = self._rng
        while True:
            await asyncio.sleep(rng.expovariate(1 / self._pause))
            for _ in range(rng.choice((1, 1, 1, 1, 2, 5))):
                if self.on:
                    self._sidecar.process.start(
                        self._sidecar.make_call(make_call(rng, self._users))
                    )


async def carry_out(sidecar: "Sidecar", call: Call, counts: Counter[str]) -> Reason | None:
    """Serve one call. Returns why it was refused, None when it was sent."""
    for _ in range(SENDS_MAX):
        policy = sidecar.policies.current
        if policy is None:
            counts["refused: no policy"] += 1
            await asyncio.sleep(POLICY_S)
            return Reason.BUDGET_UNVERIFIABLE
        held = await _hold(sidecar, call, policy)
        if isinstance(held, MoneyRefused):
            counts[f"refused: {held.detail.reason}"] += 1
            sidecar.check_refusal(held, call, policy)
            await asyncio.sleep(RETRY_S)
            return held.detail.reason
        attempt = sidecar.attempt(held, call, policy)
        if sidecar.cashier.may_send(held.hold):
            await _send(sidecar, held, attempt, call, counts)
            return None
        counts["lapsed before it left"] += 1
        sidecar.cashier.void(held.hold, Reason.NOTHING_SENT)
        sidecar.ended(held.hold, 0)
    return Reason.HOLD_PENDING


async def _hold(sidecar: "Sidecar", call: Call, policy: Policy) -> MoneyHeld | MoneyRefused:
    planned = sidecar.planner.plan(call, policy)
    found = sidecar.cashier.hold_now(planned, call, policy)
    if found is None:
        began = sidecar.world.loop.now
        found = await sidecar.cashier.hold(planned, call, policy)
        sidecar.check_wait(call, policy, sidecar.world.loop.now - began)
    return found


async def _send(
    sidecar: "Sidecar", held: MoneyHeld, attempt: Attempt, call: Call, counts: Counter[str]
) -> None:
    answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()

    def come(found: Answer) -> None:
        if not answer.done():
            answer.set_result(found)

    counts["call sent"] += 1
    counts["call of high priority sent"] += call.identity.priority is Priority.HIGH
    sidecar.dispatch(attempt, come)
    try:
        async with asyncio.timeout(ANSWER_S_MAX):
            cost = (await answer).cost
    except TimeoutError:
        counts["outcome unknown"] += 1
        sidecar.cashier.expire(held.hold, Reason.OUTCOME_UNKNOWN)
        sidecar.ended(held.hold, None)
        return
    if cost is None:
        sidecar.cashier.void(held.hold, Reason.PROVIDER_REFUSED)
    else:
        sidecar.cashier.settle(held.hold, Nanos(cost), Reason.USAGE_REPORTED)
    sidecar.ended(held.hold, cost or 0)
