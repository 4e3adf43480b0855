"""The cashier: finds the money for a call, at once where it can, else by asking and waiting.

A call first takes what it would have with money in plenty. Only when its pools can't give that, and
the controller can't lend it in time, is it made smaller, sent to a lower tier, or refused. The one
rule: what is returned as held is in the journal. This module must not know HTTP or gRPC.
"""

import asyncio
import itertools
from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

from farebox.core.budgets import Charge, OnExhausted, Pool, charges_of
from farebox.core.call import Call
from farebox.core.instant import BootMs, DurationMs
from farebox.core.leases import HoldId
from farebox.core.ledger import Shortfall
from farebox.core.money import ZERO, Nanos
from farebox.core.policy import Policy
from farebox.core.reasons import Reason
from farebox.core.routing import NoFit, Plan, Route, route
from farebox.runtime.clock import Clock
from sidecar.events import MoneyHeld, MoneyRefused
from sidecar.leasing import Leasing, Waiting
from sidecar.purse import UNBOUNDED, Purse
from sidecar.shortage import Shortage, explain, too_large

DENIAL_FRESH_MS: Final = 1_000
"""For so long a terminal denial answers further calls without asking again."""

_TERMINAL: Final = frozenset({Reason.POOL_EXHAUSTED, Reason.REQUEST_TOO_LARGE})


class _Ask(NamedTuple):
    """One call that needs money, with what never changes while it waits."""

    plan: Plan
    call: Call
    policy: Policy
    tried: frozenset[str]
    cap: Nanos
    charges: tuple[Charge, ...]
    target: Route


class Cashier:
    """Holds money for calls out of the purse. Lives on the event loop."""

    def __init__(
        self,
        purse: Purse,
        leasing: Leasing,
        clock: Clock,
        *,
        wake: Callable[[], None],
        wait: DurationMs,
    ) -> None:
        """`wake` lets the lease client report; `wait` bounds how long a call waits for money."""
        self._purse = purse
        self._leasing = leasing
        self._clock = clock
        self._wake = wake
        self._wait = wait
        self._numbers = itertools.count(1)
        self._sleepers: dict[Charge, dict[int, asyncio.Future[None]]] = {}

    def headroom(self, call: Call, policy: Policy) -> Nanos:
        """What the pools of a call have free now, in this pod."""
        charges = charges_of(policy.pools, call.identity.keys)
        return self._purse.room(charges, self._clock.boot()).money

    def hold_now(
        self,
        plan: Plan,
        call: Call,
        policy: Policy,
        *,
        tried: frozenset[str] = frozenset(),
        cap: Nanos | None = None,
    ) -> MoneyHeld | MoneyRefused | None:
        """Hold money without waiting; None when only the controller can tell."""
        ask = _ask(plan, call, policy, tried, cap)
        if isinstance(ask, MoneyRefused):
            return ask
        held = self._try(ask)
        if held is None and self._is_hopeless(ask, BootMs(self._clock.boot() - DENIAL_FRESH_MS)):
            return self._make_do(ask)
        return held

    async def hold(
        self,
        plan: Plan,
        call: Call,
        policy: Policy,
        *,
        tried: frozenset[str] = frozenset(),
        cap: Nanos | None = None,
    ) -> MoneyHeld | MoneyRefused:
        """Hold money, asking the controller and waiting within bounds where that can help."""
        ask = _ask(plan, call, policy, tried, cap)
        if isinstance(ask, MoneyRefused):
            return ask
        number, since = next(self._numbers), self._clock.boot()
        held = None
        try:
            async with asyncio.timeout(self._wait / 1000):
                self._ask_for(ask, number)
                while (held := self._try(ask)) is None and not self._is_hopeless(ask, since):
                    await self._change(ask.charges, number)
                    self._ask_for(ask, number)
        except TimeoutError:
            pass
        finally:
            for charge in ask.charges:
                self._leasing.stop_waiting(charge, number)
        return held or self._make_do(ask)

    def settle(self, hold_id: HoldId, cost: Nanos, reason: Reason) -> None:
        """End a hold at its real cost; what is free again goes to calls that wait."""
        charges = self._purse.charges_held(hold_id)
        self._purse.settle(hold_id, cost, reason)
        self.notify(charges)

    def void(self, hold_id: HoldId, reason: Reason) -> None:
        """End a hold of which nothing was billed."""
        charges = self._purse.charges_held(hold_id)
        self._purse.void(hold_id, reason)
        self.notify(charges)

    def expire(self, hold_id: HoldId, reason: Reason) -> None:
        """End a hold whose outcome is unknown."""
        self._purse.expire(hold_id, reason)

    def may_send(self, hold_id: HoldId) -> bool:
        """Whether what a hold is for may still be sent: all its windows and the lease go on."""
        return self._purse.is_current(hold_id, self._clock.boot())

    def notify(self, charges: Iterable[Charge]) -> None:
        """Let calls that wait for these (sub-)pools look again, in the order they came."""
        if not self._sleepers:
            return
        for charge in charges:
            for sleeper in self._sleepers.get(charge, {}).values():
                if not sleeper.done():
                    sleeper.set_result(None)

    def _try(self, ask: _Ask) -> MoneyHeld | None:
        """Hold what the call would have with money in plenty; None when that is not there."""
        room = self._purse.room(ask.charges, self._clock.boot())
        if room.missing or room.money < ask.target.hold:
            return None
        return self._take(ask, ask.target, room.money)

    def _take(self, ask: _Ask, chosen: Route, headroom: Nanos) -> MoneyHeld | None:
        now = self._clock.boot()
        hold_id = self._purse.hold(ask.charges, chosen.hold, now)
        if isinstance(hold_id, Shortfall):
            return None
        if self._leasing.note_hold(ask.charges, chosen.hold, now):
            self._wake()
        return MoneyHeld(route=chosen, hold=hold_id, headroom=headroom if ask.charges else None)

    def _ask_for(self, ask: _Ask, number: int) -> None:
        """Let the controller know what is lacking: at first, and after a grant was not enough."""
        now, asked = self._clock.boot(), False
        for charge in ask.charges:
            if self._purse.room((charge,), now).money >= ask.target.hold:
                continue
            if number not in self._leasing.waiting.get(charge, {}):
                waiting = Waiting(need=ask.target.hold, least=_least(ask))
                self._leasing.ask(charge, number, waiting)
                asked = True
            elif charge not in self._leasing.denials:
                asked = self._leasing.ask_again(charge) or asked
        if asked:
            self._wake()

    def _is_hopeless(self, ask: _Ask, since: BootMs) -> bool:
        """Whether the controller has said, since then, that a pool will not have the money."""
        now = self._clock.boot()
        for charge in ask.charges:
            denial, at = self._leasing.denials.get(charge, (None, BootMs(0)))
            if denial is None or at < since or denial.reason not in _TERMINAL:
                continue
            if self._purse.room((charge,), now).money < ask.target.hold:
                return True
        return False

    def _make_do(self, ask: _Ask) -> MoneyHeld | MoneyRefused:
        """Choose again with the money that is there: smaller, cheaper, or not at all."""
        room = self._purse.room(ask.charges, self._clock.boot())
        choice = route(
            ask.plan,
            ask.call,
            headroom=Nanos(min(room.money, ask.cap)),
            may_downgrade=self._may_downgrade(ask),
            tried=ask.tried,
        )
        if isinstance(choice, Route) and not room.missing:
            held = self._take(ask, choice, room.money)
            if held is not None:
                return held
        return MoneyRefused(detail=explain(self._shortage(ask, choice)))

    def _may_downgrade(self, ask: _Ask) -> bool:
        """Whether every pool that lacks the money allows a lower tier."""
        return all(
            OnExhausted.DOWNGRADE in pool.on_exhausted
            for pool, charge in _with_charges(ask)
            if self._purse.room((charge,), self._clock.boot()).money < ask.target.hold
        )

    def _shortage(self, ask: _Ask, choice: Route | NoFit) -> Shortage:
        now = self._clock.boot()
        least = choice.least if isinstance(choice, NoFit) else choice.hold
        short = [
            (pool, self._leasing.denials.get(charge, (None, now))[0])
            for pool, charge in _with_charges(ask)
            if self._purse.room((charge,), now).money < least
        ]
        return Shortage(
            short=tuple(short),
            choice=choice,
            estimated=ask.target.hold,
            connected=self._leasing.connected,
        )

    async def _change(self, charges: tuple[Charge, ...], number: int) -> None:
        """Wait until something has changed in one of the (sub-)pools."""
        sleeper = asyncio.get_running_loop().create_future()
        for charge in charges:
            self._sleepers.setdefault(charge, {})[number] = sleeper
        try:
            await sleeper
        finally:
            for charge in charges:
                sleepers = self._sleepers.get(charge, {})
                sleepers.pop(number, None)
                if not sleepers:
                    self._sleepers.pop(charge, None)


def _ask(
    plan: Plan, call: Call, policy: Policy, tried: frozenset[str], cap: Nanos | None
) -> _Ask | MoneyRefused:
    limit = UNBOUNDED if cap is None else cap
    capping = policy.request_cap
    lower = capping is not None and OnExhausted.DOWNGRADE in capping.on_exhausted
    target = route(plan, call, headroom=limit, may_downgrade=cap is not None and lower, tried=tried)
    if isinstance(target, NoFit):
        return MoneyRefused(detail=too_large(target, cap=limit, pool=capping))
    return _Ask(
        plan=plan,
        call=call,
        policy=policy,
        tried=tried,
        cap=limit,
        charges=charges_of(policy.pools, call.identity.keys),
        target=target,
    )


def _least(ask: _Ask) -> Nanos:
    """What the smallest form of the call would hold."""
    choice = route(ask.plan, ask.call, headroom=ZERO, may_downgrade=True, tried=ask.tried)
    return choice.least if isinstance(choice, NoFit) else choice.hold


def _with_charges(ask: _Ask) -> Iterable[tuple[Pool, Charge]]:
    pools = {pool.uid: pool for pool in ask.policy.pools}
    return ((pools[charge.pool], charge) for charge in ask.charges)
