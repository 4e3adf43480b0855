"""Money in memory for tests of the data plane: one amount, and how every hold ended."""

from dataclasses import dataclass

from farebox.core.call import Call
from farebox.core.leases import HoldEvent, HoldId
from farebox.core.money import ZERO, Nanos
from farebox.core.policy import Policy
from farebox.core.reasons import Reason
from farebox.core.routing import NoFit, Plan, Route, route
from sidecar.events import MoneyHeld, MoneyRefused
from sidecar.refusals import RefusalDetail

PLENTY = Nanos(10**15)


@dataclass(frozen=True, slots=True)
class EndedHold:
    """One hold that has ended."""

    event: HoldEvent
    held: Nanos
    cost: Nanos
    reason: Reason
    model: str


class Till:
    """Holds and settles out of `money`. `refusal` refuses every call; `slow` makes calls wait."""

    def __init__(self, money: Nanos = PLENTY) -> None:
        self.money = money
        self.refusal: RefusalDetail | None = None
        self.slow = False
        self.lapses = 0
        self.open: dict[HoldId, Route] = {}
        self.ended: list[EndedHold] = []
        self._next = 0

    @property
    def spent(self) -> Nanos:
        """What all ended holds cost together."""
        return Nanos(sum(one.cost for one in self.ended))

    def hold_now(
        self, plan: Plan, call: Call, policy: Policy, *, tried: frozenset[str], cap: Nanos | None
    ) -> MoneyHeld | MoneyRefused | None:
        return None if self.slow else self._hold(plan, call, tried, cap)

    async def hold(
        self, plan: Plan, call: Call, policy: Policy, *, tried: frozenset[str], cap: Nanos | None
    ) -> MoneyHeld | MoneyRefused:
        return self._hold(plan, call, tried, cap)

    def settle(self, hold_id: HoldId, cost: Nanos, reason: Reason) -> None:
        self._end(hold_id, HoldEvent.SETTLE, cost, reason)

    def void(self, hold_id: HoldId, reason: Reason) -> None:
        self._end(hold_id, HoldEvent.VOID, ZERO, reason)

    def expire(self, hold_id: HoldId, reason: Reason) -> None:
        self._end(hold_id, HoldEvent.EXPIRE, self.open[hold_id].hold, reason)

    def may_send(self, hold_id: HoldId) -> bool:
        """No for the first `lapses` holds."""
        self.lapses -= 1
        return hold_id in self.open and self.lapses < 0

    def _hold(
        self, plan: Plan, call: Call, tried: frozenset[str], cap: Nanos | None
    ) -> MoneyHeld | MoneyRefused:
        if self.refusal is not None:
            return MoneyRefused(detail=self.refusal)
        held = sum(one.hold for one in self.open.values())
        headroom = Nanos(self.money - self.spent - held)
        room = headroom if cap is None else Nanos(min(headroom, cap))
        choice = route(plan, call, headroom=room, may_downgrade=True, tried=tried)
        if isinstance(choice, NoFit):
            reason = Reason.POOL_EXHAUSTED if cap is None else Reason.REQUEST_TOO_LARGE
            return MoneyRefused(detail=_detail(reason, choice))
        self._next += 1
        self.open[HoldId(self._next)] = choice
        return MoneyHeld(route=choice, hold=HoldId(self._next), headroom=headroom)

    def _end(self, hold_id: HoldId, event: HoldEvent, cost: Nanos, reason: Reason) -> None:
        ending = self.open.pop(hold_id)
        model = ending.candidate.model.name
        self.ended.append(EndedHold(event, ending.hold, cost, reason, model))


def _detail(reason: Reason, choice: NoFit) -> RefusalDetail:
    return RefusalDetail(
        reason=reason,
        message="The till is empty.",
        pool="acme/till",
        window="Lifetime",
        estimated=choice.need,
        fits_max_tokens=choice.fits_max_tokens,
        cheaper_model=choice.cheaper_model,
        rejected=choice.rejected,
    )
