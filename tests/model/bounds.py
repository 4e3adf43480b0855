"""The small worlds that are explored to the end: how much money, how many calls, which faults.

The one rule: every bound of an exploration stands here and is printed with its result. This module
must not know how anything is explored.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from controller.terms import Terms
from farebox.core.budgets import Pool, PoolUid
from farebox.core.instant import DurationMs, UtcMs
from farebox.core.money import Nanos
from farebox.core.windows import LIFETIME, WindowSpec, WindowType
from farebox.manifests.resources import Resources

ORG: Final = PoolUid("acme/org")
TEAM: Final = PoolUid("acme/team")

START: Final = UtcMs(1_790_000_040_000)
"""A whole minute: windows of a minute start here."""

MINUTE: Final = WindowSpec(type=WindowType.FIXED, period=DurationMs(60_000))
TERMS: Final = Terms(forget_after=DurationMs(600_000))


class Fault(StrEnum):
    """What may go wrong. Reordering needs no fault: messages under way have no order."""

    CRASH = "crash"
    LOSS = "journal loss"
    DUPLICATE = "duplicate"
    DROP = "drop"
    FAILOVER = "failover"
    CUT = "cut stream"


@dataclass(frozen=True, slots=True)
class Call:
    """A call that holds so much and then costs one of these."""

    hold: int
    costs: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """One small world.

    `calls`: what each sidecar sends, in order; one without any is not there. `faults`: how many of
    each kind at most, and `faults_max` of all kinds together. `up_max`, `down_max`: messages under
    way from and to each sidecar, `under_way_max` in all. `whole`: what one step says to a sidecar
    travels together; else each message by itself. `moments`: the instants, in ms from the start,
    that the controller's clock goes through, and those of each sidecar's; nothing makes them agree.
    `lowered`: the limits that a change of the resources brings in once.
    """

    name: str
    limits: Mapping[PoolUid, int]
    calls: tuple[tuple[Call, ...], tuple[Call, ...]]
    faults: Mapping[Fault, int]
    faults_max: int
    up_max: int = 1
    down_max: int = 1
    under_way_max: int = 2
    whole: bool = True
    window: WindowSpec = LIFETIME
    moments: tuple[tuple[int, ...], tuple[int, ...]] = ((0,), (0,))
    lowered: Mapping[PoolUid, int] | None = None

    def limits_now(self, *, lowered: bool) -> Mapping[PoolUid, int]:
        """The limits before or after they were lowered."""
        return self.lowered if lowered and self.lowered is not None else self.limits

    def resources(self, *, lowered: bool = False) -> Resources:
        """The pools: the team's is a child of the organisation's."""
        pools = [self._pool(uid, limit) for uid, limit in self.limits_now(lowered=lowered).items()]
        return Resources(pools={pool.uid: pool for pool in pools})

    def _pool(self, uid: PoolUid, limit: int) -> Pool:
        return Pool(
            uid=uid,
            namespace="acme",
            name=uid.removeprefix("acme/"),
            generation=1,
            limit=Nanos(limit),
            window=self.window,
            selector={} if uid == TEAM else None,
            parent=ORG if uid == TEAM else None,
        )

    def told(self) -> str:
        """The bounds in words."""
        limits = ", ".join(f"{uid} {limit}" for uid, limit in self.limits.items())
        calls = " and ".join(
            ", ".join(f"{call.hold} (costs {_any_of(call.costs)})" for call in own)
            for own in self.calls
            if own
        )
        sidecars = sum(map(bool, self.calls))
        faults = ", ".join(f"{most} {fault}" for fault, most in self.faults.items() if most)
        return (
            f"{sidecars} sidecar{'s' * (sidecars > 1)}; limits {limits}; calls of {calls}; "
            f"{self._clocks()}; at most "
            f"{self.up_max} + {self.down_max} messages under way with each and "
            f"{self.under_way_max} in all{'' if self.whole else ', each by itself'}; "
            + (f"at most {self.faults_max} of: {faults}" if self.faults_max else "no faults")
        )

    def _clocks(self) -> str:
        controller, sidecar = self.moments
        lowered = "" if self.lowered is None else "; the limits fall once"
        if len(controller) == len(sidecar) == 1:
            return f"lifetime, no time passes{lowered}"
        own, theirs = ("/".join(f"{at // 1000}" for at in moments) for moments in self.moments)
        kind = "lifetime" if self.window == LIFETIME else "windows of a minute"
        return f"{kind}, the controller's clock at {own} s, each sidecar's at {theirs} s{lowered}"


def _any_of(costs: tuple[int, ...]) -> str:
    return " or ".join(map(str, costs))
