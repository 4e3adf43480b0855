"""A cashier at its desk: with a purse, a controller played by the test, and calls that pay."""

import asyncio
from pathlib import Path

from farebox.core.budgets import Charge
from farebox.core.call import Call
from farebox.core.instant import BootMs, DurationMs
from farebox.core.money import Nanos
from farebox.core.policy import Policy
from farebox.core.reasons import Reason
from farebox.wire.messages import Denial, Grant, Welcome, Workload
from sidecar.cashier import Cashier
from sidecar.events import MoneyHeld, MoneyRefused
from sidecar.journal import Journal
from sidecar.leasing import Leasing
from sidecar.purse import Purse
from tests.support.clocks import ManualClock
from tests.support.disks import MemoryFile
from tests.support.money import FOREVER, ORG, TEAM, granted, lease_id
from tests.support.policies import make_call, make_policy, planned

WAIT = DurationMs(60_000)
"""For money from the controller. Nobody waits for so long: a LoopClock lets it pass."""
TTL = DurationMs(15_000)
POLICY = make_policy()
CALL = make_call()
NEED = planned(CALL, POLICY).need


class Desk:
    """A cashier with its purse, and what it wanted reported."""

    def __init__(
        self,
        folder: Path | None = None,
        *,
        org: int = 0,
        team: int = 0,
        deadline: BootMs = FOREVER,
    ) -> None:
        """Money of window 1; without a folder the journal is on a simulated disk."""
        grants = [granted(charge, sum_) for charge, sum_ in ((ORG, org), (TEAM, team)) if sum_]
        self.clock = ManualClock()
        self.disk = MemoryFile()
        self.purse = Purse(Journal(folder / "journal" if folder else self.disk, boot_id="boot-1"))
        for grant in grants:
            self.purse.take_grant(grant)
        self.purse.renew(deadline)
        self.leasing = Leasing(self.purse, Workload(namespace="acme", name="pod-0"))
        self.wakes = 0
        self.cashier = Cashier(self.purse, self.leasing, self.clock, wake=self._woken, wait=WAIT)
        self._hello()

    def _woken(self) -> None:
        self.wakes += 1

    def _hello(self) -> None:
        now = self.clock.boot()
        self.leasing.hello(now)
        welcome = Welcome(epoch=1, accepted=True, heartbeat=DurationMs(5_000), ttl=TTL, drift_ppm=0)
        self.leasing.hear(welcome, now)

    def grant(
        self, charge: Charge, total: int, *, window: int = 1, starts_in: int | None = None
    ) -> None:
        """Let the controller lend, up to a total."""
        now = self.clock.boot()
        message = Grant(
            epoch=1,
            lease=lease_id(charge, window),
            granted=Nanos(total),
            ttl=TTL,
            echo_boot_ms=now,
            starts_in=None if starts_in is None else DurationMs(starts_in),
        )
        self.cashier.notify(self.leasing.hear(message, now).changed)

    def deny(self, charge: Charge, reason: Reason) -> None:
        """Let the controller deny."""
        message = Denial(
            epoch=1,
            lease=lease_id(charge),
            reason=reason,
            retry_after=DurationMs(700),
            limit=Nanos(5_000_000_000),
            settled=Nanos(4_900_000_000),
            held=Nanos(100_000_000),
            remaining=Nanos(0),
        )
        now = self.clock.boot()
        self.cashier.notify(self.leasing.hear(message, now).changed)

    def now(
        self,
        call: Call = CALL,
        policy: Policy = POLICY,
        *,
        tried: frozenset[str] = frozenset(),
        cap: Nanos | None = None,
    ) -> object:
        """Try without waiting."""
        return self.cashier.hold_now(planned(call, policy), call, policy, tried=tried, cap=cap)

    async def later(self, call: Call = CALL, policy: Policy = POLICY) -> MoneyHeld | MoneyRefused:
        """Ask and wait."""
        return await self.cashier.hold(planned(call, policy), call, policy)


def refusal(answer: object) -> MoneyRefused:
    """The answer, which must be a refusal."""
    assert isinstance(answer, MoneyRefused)
    return answer


def held(answer: object) -> MoneyHeld:
    """The answer, which must be money."""
    assert isinstance(answer, MoneyHeld)
    return answer


async def until_waiting(desk: Desk, charge: Charge, calls: int = 1) -> None:
    """Let the loop run until so many calls wait for money of a pool."""
    for _ in range(1_000):
        if len(desk.leasing.waiting.get(charge, {})) == calls:
            return
        await asyncio.sleep(0)
    raise AssertionError("the call did not wait")
