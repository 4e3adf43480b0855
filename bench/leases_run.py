"""One run of the lease benchmark: a load, a policy, a seed.

The one rule: what differs between two runs of one load and seed is the policy alone. This module
must not know how figures are shown.
"""

from dataclasses import dataclass
from typing import Protocol

from bench.leases_load import Load, Source, Work, sources
from bench.leases_product import Product
from bench.leases_rivals import Policy, Rival
from bench.leases_tally import Tally
from bench.leases_timeline import Timeline
from controller.terms import Terms


class Fleet(Protocol):
    """What a policy is to the load."""

    def call(self, sidecar: int, work: Work) -> None:
        """A call comes in."""

    def crash(self, sidecar: int) -> None:
        """A sidecar is gone, another takes its place."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ours:
    """The product, on these terms."""

    name: str
    terms: Terms


def run(load: Load, policy: Policy | Ours, seed: int) -> Tally:
    """Let a fleet work until its pool is spent or the time is over."""
    timeline, tally = Timeline(), Tally(limit=load.limit)
    fleet: Fleet
    if isinstance(policy, Ours):
        fleet = Product(load.sidecars, policy.terms, timeline, tally)
    else:
        fleet = Rival(policy, load.sidecars, timeline, tally)
    for number, source in enumerate(sources(load, seed)):
        _calls(timeline, tally, fleet, number, source)
    if load.crash_every_ms is not None:
        _crashes(timeline, fleet, load, load.crash_every_ms)
    timeline.run(load.horizon_ms)
    tally.ended_ms = timeline.now
    return tally


def _calls(timeline: Timeline, tally: Tally, fleet: Fleet, number: int, source: Source) -> None:
    def arrive() -> None:
        work = source.next()
        tally.calls += 1
        fleet.call(number, work)
        if tally.spent_out:
            timeline.over = True
        timeline.after(work.next_ms, arrive)

    timeline.after(source.pause_ms(), arrive)


def _crashes(timeline: Timeline, fleet: Fleet, load: Load, every_ms: int) -> None:
    # One after the other, in an order that meets busy and quiet sidecars alike.
    step = 7 if load.sidecars % 7 else 11
    victim = 0

    def crash() -> None:
        nonlocal victim
        fleet.crash(victim)
        victim = (victim + step) % load.sidecars
        timeline.after(every_ms, crash)

    timeline.after(every_ms, crash)
