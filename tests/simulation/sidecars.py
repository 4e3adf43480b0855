"""A simulated sidecar: the product's journal, purse, leasing, lease client and cashier.

The one rule: everything between a call and the stream is the product's own code; after each of its
callbacks that wrote to the journal the oracle looks at its purse. This module must not know faults.
"""

import random
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from farebox.core.budgets import Charge, Per, Priority
from farebox.core.call import Call
from farebox.core.instant import DurationMs
from farebox.core.leases import HoldId, Lease, LeaseId
from farebox.core.policy import Policy
from farebox.core.reasons import Reason
from farebox.wire.messages import Workload
from sidecar.cashier import Cashier
from sidecar.events import MoneyHeld
from sidecar.journal import Journal
from sidecar.lease_client import LeaseClient
from sidecar.policy import PolicyHolder
from sidecar.purse import Purse
from tests.simulation.hosts import HostClock
from tests.simulation.kernel import Process
from tests.simulation.oracle import Said, Violation
from tests.simulation.orders import WatchedLeasing
from tests.simulation.provider import Answer, Attempt
from tests.simulation.traffic import Planner, Traffic, carry_out

if TYPE_CHECKING:
    from tests.simulation.world import World

MONEY_MS_MAX: Final = DurationMs(800)
NAMESPACE: Final = "acme"


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
        rng = random.Random(f"traffic-{options.seed}-{process.name}")
        self.traffic = Traffic(self, rng, pause=options.pause_s, users=options.users)
        self.open: dict[HoldId, tuple[str, Attempt]] = {}
        self._seen: dict[LeaseId, Said] = {}
        self._holder = ""
        self._written = -1
        process.at_death.append(self._end_all)
        process.ran = self._look
        self._look()

    def start(self) -> None:
        """Connect and take calls."""
        self.process.start(self.client.run())
        self.process.start(self.traffic.run())

    async def make_call(self, call: Call) -> Reason | None:
        """Serve one call. Returns why it was refused, None when it was sent."""
        self.world.calls += 1
        return await carry_out(self, call, self.world.counts)

    def attempt(self, held: MoneyHeld, call: Call, policy: Policy) -> Attempt:
        """What the provider will charge a held call to. Checks that nothing else is held."""
        world, user = self.world, call.identity.keys.user
        leases = leases_held(self.purse, held.hold)
        expected = {
            Charge(pool.uid, user if pool.per is Per.USER else "")
            for pool in policy.pools
            if pool.normal_of is None or call.identity.priority is Priority.NORMAL
        }
        if {lease.charge for lease in leases} != expected or len(leases) != len(expected):
            raise Violation(f"I10: a call on {sorted(expected)} is held on {leases}")
        world.check_policy(policy)
        worst = held.route.hold
        world.attempts += 1
        made = Attempt(
            number=world.attempts,
            sidecar=self.process.name,
            leases=leases,
            worst=worst,
            cost=world.provider.cost_of(worst),
            sent_at=world.loop.now,
        )
        self.open[held.hold] = self.purse.holder, made
        return made

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


def leases_held(purse: Purse, hold: HoldId) -> tuple[LeaseId, ...]:
    """The leases in which a hold has money."""
    return purse.book.holds[hold].leases
