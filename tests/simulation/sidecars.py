"""A simulated sidecar: the product's journal, purse, leasing, lease client and cashier.

The one rule: everything between a call and the stream is the product's own code; after each of its
callbacks that wrote to the journal the oracle looks at its purse. This module must not know faults.
"""

import asyncio
import random
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from farebox.core.budgets import (
    Charge,
    Mode,
    OnExhausted,
    Per,
    Pool,
    Priority,
    WhenDisconnected,
)
from farebox.core.call import Call
from farebox.core.instant import BootMs, DurationMs
from farebox.core.leases import HoldId, Lease, LeaseId
from farebox.core.policy import Policy
from farebox.core.reasons import Reason
from farebox.wire.messages import Workload
from sidecar.cashier import Cashier
from sidecar.events import MoneyHeld, MoneyRefused
from sidecar.journal import Journal
from sidecar.lease_client import LeaseClient
from sidecar.policy import PolicyHolder
from sidecar.purse import Purse
from tests.simulation.hosts import HostClock
from tests.simulation.kernel import Process
from tests.simulation.lines import WatchedDeferral
from tests.simulation.options import Fault
from tests.simulation.oracle import Said, Violation
from tests.simulation.orders import WatchedLeasing
from tests.simulation.provider import Answer, Attempt
from tests.simulation.traffic import Planner, Traffic, carry_out

if TYPE_CHECKING:
    from tests.simulation.world import World

MONEY_MS_MAX: Final = DurationMs(800)
NAMESPACE: Final = "acme"

LATE_MS: Final = 20
"""What clocks round, and a window that begins."""

DRAIN_LOOK_S: Final = 0.05
DRAIN_LOOKS_MAX: Final = 20
"""So often a sidecar that is to end looks whether its calls have ended; then it ends anyway."""

FOR_MONEY: Final = frozenset(
    {Reason.POOL_EXHAUSTED, Reason.HOLD_PENDING, Reason.BUDGET_UNVERIFIABLE}
)
AFTER_A_WAIT: Final = frozenset({Reason.DEFERRED_TOO_LONG, Reason.WAITING_LINE_FULL})


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy:
    """A journal as it was at some time, and what its holder knew then."""

    content: bytes
    holder: str
    leases: Mapping[LeaseId, Lease]


class Sidecar:
    """One process of a sidecar, from its start to its death, with the calls of its pod."""

    def __init__(self, world: "World", process: Process) -> None:
        options = world.options
        self.world = world
        self.process = process
        self._file = world.disk.open(process.name, process)
        self.purse = Purse(Journal(self._file, boot_id=process.host.boot_id))
        world.oracle.restarted(self.purse.holder, self.purse.leases())
        self.policies = PolicyHolder()
        self.planner = Planner()
        self._clock = HostClock(process.host, world.loop)
        workload = Workload(namespace=NAMESPACE, name=process.name)
        self.leasing = WatchedLeasing(self.purse, workload, world.counts)
        self.client = LeaseClient(
            world.targets,
            self.leasing,
            self._clock,
            on_policy=self.policies.replace,
            notify=self._notify,
        )
        self.cashier = Cashier(
            self.purse, self.leasing, self._clock, wake=self.client.wake, wait=MONEY_MS_MAX
        )
        self.lines = WatchedDeferral(self._clock, world.counts)
        self.cashier._deferral = self.lines
        rng = random.Random(f"traffic-{options.seed}-{process.name}")
        self.traffic = Traffic(self, rng, pause=options.pause_s, users=options.users)
        self.open: dict[HoldId, tuple[str, Attempt]] = {}
        self._seen: dict[LeaseId, Said] = {}
        self.leaving = False
        self._holder = ""
        self._written = -1
        process.at_death.append(self._end_all)
        process.ran = self._look
        self._look()

    def start(self) -> None:
        """Connect and take calls."""
        self.process.start(self._serve())
        self.process.start(self.traffic.run())

    async def _serve(self) -> None:
        await self.client.run()
        world, word = self.world, self.leasing.last_word
        if word is not None and self.process in world.network.ended_in_order:
            world.counts[Fault.GOODBYE] += 1
            if world.ends_tell_all:
                world.oracle.left(self.purse.holder, word)
        world.sidecar_left(self)

    def leave(self) -> None:
        """Have it end in order. While it is stopped it does nothing of that, but is to end."""
        self.leaving = True
        self.process.start(self._leave())

    async def _leave(self) -> None:
        """Take no calls, let those end that run, give everything back."""
        self.traffic.on = False
        for _ in range(DRAIN_LOOKS_MAX):
            if not self.open and not self.lines.waiting:
                break
            await asyncio.sleep(DRAIN_LOOK_S)
        self.client.stop()

    def now(self) -> BootMs:
        """What its machine's boot clock says."""
        return self._clock.boot()

    async def make_call(self, call: Call) -> Reason | None:
        """Serve one call. Returns why it was refused, None when it was sent."""
        self.world.calls += 1
        return await carry_out(self, call, self.world.counts)

    def attempt(self, held: MoneyHeld, call: Call, policy: Policy) -> Attempt:
        """What the provider will charge a held call to. Checks that nothing else is held."""
        world = self.world
        checked, unchecked = leases_held(self.purse, held.hold)
        leases, drawn = checked + unchecked, pools_drawn(call, policy)
        passed = drawn.keys() - {lease.charge for lease in checked}
        stray = {lease.charge for lease in leases} - drawn.keys()
        if stray or len({lease.charge for lease in leases}) != len(leases):
            raise Violation(f"I10: a call on {sorted(drawn)} is held on {leases}")
        for charge in sorted(passed):
            if not may_pass(drawn[charge], away=self.leasing.may_be_away(self.now())):
                raise Violation(f"I10: a call on {sorted(drawn)} is held on {leases}")
            shadow = drawn[charge].mode is Mode.SHADOW
            world.counts[Fault.SHADOW if shadow else Fault.ALLOW] += 1
        world.check_policy(policy)
        worst = held.route.hold
        world.attempts += 1
        made = Attempt(
            number=world.attempts,
            sidecar=self.process.name,
            leases=leases,
            passed=frozenset(passed),
            worst=worst,
            cost=world.provider.cost_of(worst),
            sent_at=world.loop.now,
        )
        self.open[held.hold] = self.purse.holder, made
        world.oracle.passes(made, self.purse.holder)
        return made

    def check_wait(self, call: Call, policy: Policy, waited_s: float) -> None:
        """A call waits for a lease, and in a line as long as its pools allow, and no longer."""
        drawn = pools_drawn(call, policy).values()
        deferring = [pool for pool in drawn if OnExhausted.DEFER in pool.on_exhausted]
        put_off = call.identity.priority is Priority.NORMAL and deferring
        waits = [pool.defer_for for pool in deferring if pool.defer_for is not None]
        most_ms = MONEY_MS_MAX + (min(waits) if put_off else 0)
        if waited_s * 1000 > most_ms + LATE_MS and not self.world.stands_still:
            raise Violation(f"D3: a call waited {waited_s:.3f} s for money, at most {most_ms} ms")

    def check_refusal(self, refused: MoneyRefused, call: Call, policy: Policy) -> None:
        """Only a pool that may refuse refuses, and only such a call waits as its pools let it."""
        reason, drawn = refused.detail.reason, pools_drawn(call, policy)
        away = self.leasing.is_away(self.now())
        strict = {pool.title for pool in drawn.values() if not may_pass(pool, away=away)}
        named = refused.detail.pool
        if reason in FOR_MONEY and (named not in strict if named else not strict):
            raise Violation(f"P1: {reason} by {named!r}, where only {strict} may refuse")
        if reason in AFTER_A_WAIT and (
            call.identity.priority is not Priority.NORMAL
            or all(OnExhausted.DEFER not in pool.on_exhausted for pool in drawn.values())
        ):
            raise Violation(f"D1: {reason} of a call that may not be put off")

    def ended(self, hold: HoldId, cost: int | None) -> None:
        """A call has ended at its cost; None, nobody knows at which."""
        holder, attempt = self.open.pop(hold)
        for lease in attempt.leases:
            self.world.truth[lease, holder] += attempt.worst if cost is None else cost

    def _end_all(self) -> None:
        for hold in tuple(self.open):
            self.ended(hold, None)

    def dispatch(self, attempt: Attempt, answer: Callable[[Answer], None]) -> None:
        """Send a call to the provider; its process may be stopped at this very point."""
        world = self.world
        late = world.gap(self)
        attempt.late = late > 0
        world.oracle.dispatched(attempt, world.loop.now, late=late > 0)
        world.provider.receive(attempt, self.process, answer, late=late)

    def copy(self) -> "Copy":
        """The journal as it is now."""
        leases = {lease.id: lease for lease in self.purse.leases()}
        content = self.world.disk.content(self.process.name)
        return Copy(content=content, holder=self.purse.holder, leases=leases)

    def _notify(self, charges: Iterable[Charge]) -> None:
        self.cashier.notify(charges)

    def _look(self) -> None:
        """Show the purse to the oracle when its journal has grown."""
        if self._file.writes == self._written:
            return
        self._written = self._file.writes
        if self.purse.holder != self._holder:
            self._holder = self.purse.holder
            self._seen.clear()
        self.world.oracle.look(
            self._holder, self.purse.leases(), overruns=self.world.has_overruns, since=self._seen
        )


def pools_drawn(call: Call, policy: Policy) -> dict[Charge, Pool]:
    """The (sub-)pools that a call draws on, as the simulation itself works them out."""
    user = call.identity.keys.user
    return {
        Charge(pool.uid, user if pool.per is Per.USER else ""): pool
        for pool in policy.pools
        if pool.normal_of is None or call.identity.priority is Priority.NORMAL
    }


def may_pass(pool: Pool, *, away: bool) -> bool:
    """Whether a pool lets calls pass for which it has no money."""
    allow = pool.when_disconnected is WhenDisconnected.ALLOW
    return pool.mode is Mode.SHADOW or (away and allow)


def leases_held(purse: Purse, hold: HoldId) -> tuple[tuple[LeaseId, ...], tuple[LeaseId, ...]]:
    """The leases in which a hold has money, and those where it is booked all the same."""
    found = purse.book.holds[hold]
    return found.leases, found.unchecked
