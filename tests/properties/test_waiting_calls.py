"""Calls that come, wait, are put in line, cancelled and served in any order: no money goes astray.

After every step no lease holds more than was lent, and what is held is exactly what the served
calls hold, once in each pool (I2, I10). When all have gone, nothing is left of them.
"""

import asyncio
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from farebox.core.budgets import Charge, Keys, OnExhausted
from farebox.core.call import Identity, Priority
from farebox.core.instant import DurationMs
from farebox.core.money import Nanos
from farebox.core.reasons import Reason
from sidecar.events import MoneyHeld, MoneyRefused
from tests.support.desks import NEED, Desk
from tests.support.money import ORG, TEAM
from tests.support.policies import ORG_POOL, TEAM_POOL, make_call, make_policy
from tests.support.tasks import beside

OPTIONS = (OnExhausted.DOWNGRADE, OnExhausted.DEFER, OnExhausted.REJECT)
POLICY = make_policy(
    *(
        replace(pool, on_exhausted=OPTIONS, defer_for=DurationMs(60_000))
        for pool in (TEAM_POOL, ORG_POOL)
    )
)
CALLS = tuple(
    make_call(identity=Identity(keys=Keys(user=user), task=task, priority=priority))
    for user, task, priority in (
        ("ana", "classification", Priority.NORMAL),
        ("ben", "classification", Priority.NORMAL),
        ("ben", "rag", Priority.NORMAL),
        ("cem", "classification", Priority.HIGH),
    )
)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("call"), st.integers(0, len(CALLS) - 1)),
        st.tuples(st.sampled_from(["lend org", "lend team"]), st.integers(0, 3 * NEED)),
        st.tuples(st.sampled_from(["settle", "cancel", "void"]), st.integers(0, 9)),
        st.tuples(st.sampled_from(["deny", "disk full", "disk free"]), st.just(0)),
    ),
    max_size=40,
)


class Pod:
    """One desk and its calls."""

    def __init__(self) -> None:
        self.desk = Desk(org=NEED, team=NEED)
        self.lent: dict[Charge, int] = {ORG: NEED, TEAM: NEED}
        self.waiting: list[asyncio.Task[MoneyHeld | MoneyRefused]] = []
        self.served: list[MoneyHeld] = []

    async def step(self, what: str, amount: int) -> None:
        """Do one thing, and let all that can go on go on."""
        match what:
            case "call":
                self.waiting.append(beside(self._call(amount)))
            case "lend org" | "lend team":
                self._lend(ORG if what == "lend org" else TEAM, amount)
            case "settle" | "void" if self.served:
                self._end(what, amount)
            case "cancel" if self.waiting:
                self.waiting.pop(amount % len(self.waiting)).cancel()
            case "deny":
                self.desk.deny(ORG, Reason.POOL_EXHAUSTED)
                self.desk.deny(TEAM, Reason.POOL_EXHAUSTED)
            case "disk full" | "disk free":
                self.desk.disk.room = 30 if what == "disk full" else None
        for _ in range(30):
            await asyncio.sleep(0)
        self._check()

    def _lend(self, charge: Charge, more: int) -> None:
        self.lent[charge] += more
        self.desk.grant(charge, self.lent[charge])

    def _end(self, how: str, number: int) -> None:
        held = self.served.pop(number % len(self.served))
        if how == "void":
            self.desk.cashier.void(held.hold, Reason.NOTHING_SENT)
        else:
            cost = Nanos(held.route.hold // (1 + number))
            self.desk.cashier.settle(held.hold, cost, Reason.USAGE_REPORTED)

    async def _call(self, number: int) -> MoneyHeld | MoneyRefused:
        call = CALLS[number]
        answer = self.desk.now(call, POLICY) or await self.desk.later(call, POLICY)
        assert isinstance(answer, MoneyHeld | MoneyRefused)
        if isinstance(answer, MoneyHeld):
            self.served.append(answer)
        return answer

    def _check(self) -> None:
        desk = self.desk
        for lease in desk.purse.leases():
            assert lease.granted <= self.lent[lease.id.charge]
            assert lease.spent + lease.reserved <= lease.granted - lease.returned
        if desk.disk.room is None:
            desk.purse.write_again()
            held = sum(one.route.hold for one in self.served)
            for lease in desk.purse.leases():
                assert lease.reserved == held
        for one in self.served:
            assert sorted(desk.purse.charges_held(one.hold)) == sorted((ORG, TEAM))

    async def go_home(self) -> None:
        """End everything; nothing may be left."""
        await self.step("disk free", 0)
        for task in self.waiting:
            task.cancel()
        while self.served:
            await self.step("settle", 0)
        for _ in range(30):
            await asyncio.sleep(0)
        cashier = self.desk.cashier
        assert not self.desk.leasing.waiting
        assert not cashier._sleepers
        assert not cashier._deferral.calls
        assert not cashier._deferral._turns
        assert not cashier._deferral._lines._lines
        assert not self.desk.purse._holds
        assert all(task.done() for task in self.waiting)


@settings(max_examples=120, deadline=None)
@given(script=steps)
def test_no_money_goes_astray(script: list[tuple[str, int]]) -> None:
    async def live() -> None:
        pod = Pod()
        for what, amount in script:
            await pod.step(what, amount)
        await pod.go_home()

    asyncio.run(live())
