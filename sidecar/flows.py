"""What calls take of their pools, followed at a cost that a call does not feel.

A call adds to the flow of all calls on the same pools. Only when one of its pools may have come to
its low-water mark, or something is to be told to the controller, do the demands of the pools learn
what the flow has gathered. The one rule: no pool gets to its low-water mark unseen. This module
must not know messages or what is done about a pool that runs low.
"""

from collections.abc import Sequence
from typing import Final

from farebox.core.budgets import Charge
from farebox.core.instant import BootMs, DurationMs
from farebox.core.leases import Lease
from farebox.core.money import ZERO, Nanos, divide_up
from sidecar.demand import LOW_WATER, NOTHING_KNOWN, Demand, after_beat, after_grant, after_look
from sidecar.purse import Purse

FLOWS_MAX: Final = 4_096
"""So many flows gather calls; then all of them are learned from."""


class _Flow:
    """Calls on the same pools that their demand has not learned of yet.

    While no call takes more than `amount_max`, and every lease has at least `headroom_min` before
    it, no pool can have come to its low-water mark: nothing has to be worked out for a call.
    """

    __slots__ = ("amount_max", "calls", "headroom_min", "held", "last")

    def __init__(self) -> None:
        self.held = 0
        self.calls = 0
        self.last = 0
        self.amount_max = -1
        self.headroom_min = 0


class Flows:
    """The demand of every (sub-)pool that calls have drawn on lately."""

    def __init__(self, purse: Purse) -> None:
        self._purse = purse
        self._demands: dict[Charge, Demand] = {}
        self._flows: dict[tuple[Charge, ...], _Flow] = {}
        self._target_max = 0

    def demand_of(self, charge: Charge) -> Demand | None:
        """What is known of a (sub-)pool's calls."""
        return self._demands.get(charge)

    def note(
        self, charges: tuple[Charge, ...], amount: Nanos, headroom: Nanos, horizon: DurationMs
    ) -> Sequence[Charge]:
        """Learn from a hold; returns the (sub-)pools that run low.

        `headroom`: the least that the leases of the call had left before the hold.
        """
        flow = self._flows.get(charges)
        if flow is None:
            if len(self._flows) >= FLOWS_MAX:
                self.learn()
            flow = self._flows[charges] = _Flow()
        flow.held += amount
        flow.calls += 1
        flow.last = amount
        if amount <= flow.amount_max and headroom >= flow.headroom_min:
            return ()
        return self._look_at(charges, flow, horizon)

    def _look_at(
        self, charges: tuple[Charge, ...], flow: _Flow, horizon: DurationMs
    ) -> Sequence[Charge]:
        """Work out the demand of every pool of a call; returns those that run low."""
        self._learn(charges, flow)
        low = []
        for charge in charges:
            demand = self._demands[charge]
            self._raise_target(demand.target(horizon))
            lease = self._purse.lease_of(charge)
            if lease is not None and demand.is_low(lease.headroom, horizon):
                low.append(charge)
        flow.amount_max = flow.last
        flow.headroom_min = flow.last + divide_up(self._target_max, LOW_WATER)
        return low

    def _raise_target(self, target: Nanos) -> None:
        """What is wanted of one pool has grown: other calls on it are to be looked at again."""
        if target > self._target_max:
            self._target_max = target
            for flow in self._flows.values():
                flow.amount_max = -1

    def learn(self) -> None:
        """Let all demands know of all calls; the next call of each flow is looked at anew."""
        for charges, flow in self._flows.items():
            self._learn(charges, flow)
        self._flows.clear()
        self._target_max = 0

    def look(self, charge: Charge, now: BootMs) -> None:
        """Find out at what rate the money of a (sub-)pool goes now."""
        demand = self._demands.get(charge)
        if demand is not None:
            used = _used(self._purse.lease_of(charge))
            self._demands[charge] = after_look(demand, *used, now)

    def granted(self, charge: Charge, horizon: DurationMs, now: BootMs) -> None:
        """Learn from what is free after a grant how much there is to be had."""
        lease = self._purse.lease_of(charge)
        if lease is not None:
            demand = self._demands.get(charge) or Demand(
                looked_at=now, spent=lease.spent, reserved=lease.reserved
            )
            self._demands[charge] = after_grant(demand, lease.headroom, horizon)

    def is_scarce(self, charge: Charge) -> bool:
        """Whether the last grant was so small that asking again at once is no use."""
        demand = self._demands.get(charge)
        return demand is not None and demand.scarce

    def _learn(self, charges: tuple[Charge, ...], flow: _Flow) -> None:
        if not flow.calls:
            return
        for charge in charges:
            demand = self._demands.get(charge, NOTHING_KNOWN)
            self._demands[charge] = demand._replace(
                held=Nanos(demand.held + flow.held),
                calls=demand.calls + flow.calls,
                last=Nanos(flow.last),
                idle_beats=0,
            )
        flow.held = flow.calls = 0

    def beat(self, now: BootMs) -> Sequence[tuple[Charge, Demand]]:
        """What a heartbeat makes of all demands; those without calls or money are forgotten."""
        self.learn()
        charges = {lease.id.charge for lease in self._purse.leases()} | self._demands.keys()
        for charge in charges:
            lease = self._purse.lease_of(charge)
            demand = after_beat(self._demands.get(charge, NOTHING_KNOWN), *_used(lease), now)
            if lease is None and not demand.rate:
                self._demands.pop(charge, None)
            else:
                self._demands[charge] = demand
        return tuple(self._demands.items())


def _used(lease: Lease | None) -> tuple[Nanos, Nanos]:
    """What is spent and what is held of a lease."""
    return (ZERO, ZERO) if lease is None else (lease.spent, lease.reserved)
