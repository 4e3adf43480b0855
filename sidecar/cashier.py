"""The cashier: finds the money for a call, at once where it can, else by asking and waiting.

A call first takes what it would have with money in plenty. Only when its pools can't give that, and
the controller can't lend it in time, is it made smaller, and then what its pools say is tried in
their order: a lower tier, waiting in line, refusal. The one rule: what is returned as held is in
the journal. This module must not know HTTP or gRPC.
"""

import asyncio
import itertools
from collections.abc import Callable, Iterable
from functools import partial
from typing import Final

from farebox.core.budgets import Charge, OnExhausted, Pool
from farebox.core.call import Call, Priority
from farebox.core.instant import BootMs, DurationMs
from farebox.core.leases import HoldId
from farebox.core.money import Nanos
from farebox.core.policy import Policy
from farebox.core.reasons import Reason
from farebox.core.routing import NoFit, Plan, Route, route
from farebox.runtime.clock import Clock
from sidecar.asking import Ask, least_of, limit_of, options_of, target_of
from sidecar.deferral import Deferral, LineFullError, Tried
from sidecar.draws import Draw, Draws
from sidecar.events import MoneyHeld, MoneyRefused
from sidecar.leasing import Leasing
from sidecar.purse import Purse
from sidecar.refusals import plainly
from sidecar.shortage import Shortage, explain
from sidecar.taking import Taking
from sidecar.waiting_line import Ticket
from sidecar.wants import Waiting

DENIAL_FRESH_MS: Final = 1_000
"""For so long a terminal denial answers further calls without asking again."""

_TERMINAL: Final = frozenset({Reason.POOL_EXHAUSTED, Reason.REQUEST_TOO_LARGE})


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
        """`wake` lets the lease client report; `wait` bounds how long a call waits for a lease."""
        self._purse = purse
        self._leasing = leasing
        self._clock = clock
        self._wake = wake
        self._wait = wait
        self._numbers = itertools.count(1)
        self._draws = Draws()
        self._taking = Taking(purse, leasing, clock, wake=wake)
        self._deferral = Deferral(clock)
        self._sleepers: dict[Charge, dict[int, asyncio.Future[None]]] = {}

    def headroom(self, call: Call, policy: Policy) -> Nanos:
        """What the pools of a call have free now, in this pod."""
        charges = self._draws.of(policy, call.identity).charges
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
        """Hold money without waiting; None when only the controller or a line can tell."""
        target = target_of(plan, call, policy, tried, cap)
        if isinstance(target, MoneyRefused):
            return target
        draw = self._draws.of(policy, call.identity)
        try:
            if self._deferral.calls and self._is_behind(draw, call):
                return None
            held = self._taking.take(draw, target)
            if held is not None:
                return held
            ask = Ask(plan, call, tried, limit_of(cap), draw, target, 0)
            if self._is_hopeless(ask, BootMs(self._clock.boot() - DENIAL_FRESH_MS)):
                return self._make_do(ask)
        except OSError:
            return MoneyRefused(detail=plainly(Reason.JOURNAL_UNWRITABLE))
        return None

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
        target = target_of(plan, call, policy, tried, cap)
        if isinstance(target, MoneyRefused):
            return target
        draw, number = self._draws.of(policy, call.identity), next(self._numbers)
        ask = Ask(plan, call, tried, limit_of(cap), draw, target, number)
        try:
            if self._is_behind(draw, call) and self._may_line_up(ask):
                return await self._defer(ask)
            held = await self._wait_for(ask) or self._make_do(ask)
            return await self._defer(ask) if held is None else held
        except OSError:
            return MoneyRefused(detail=plainly(Reason.JOURNAL_UNWRITABLE))

    def settle(self, hold_id: HoldId, cost: Nanos, reason: Reason) -> None:
        """End a hold at its real cost; what is free again goes to calls that wait."""
        charges = self._charges_awaited(hold_id)
        self._purse.settle(hold_id, cost, reason)
        self.notify(charges)

    def void(self, hold_id: HoldId, reason: Reason) -> None:
        """End a hold of which nothing was billed."""
        charges = self._charges_awaited(hold_id)
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
        for charge in charges:
            for sleeper in self._sleepers.get(charge, {}).values():
                if not sleeper.done():
                    sleeper.set_result(None)
            self._deferral.notify((charge,))

    def _charges_awaited(self, hold_id: HoldId) -> tuple[Charge, ...]:
        if self._sleepers or self._deferral.calls:
            return self._purse.charges_held(hold_id)
        return ()

    def _is_behind(self, draw: Draw, call: Call) -> bool:
        """Whether others have waited for this money before. A call of high priority goes first."""
        normal = call.identity.priority is Priority.NORMAL
        return normal and self._deferral.any_of(draw.charges)

    # Asking the controller.

    async def _wait_for(self, ask: Ask) -> MoneyHeld | None:
        """Ask for what is lacking, and wait for it as long as a lease may take."""
        since, held = self._clock.boot(), None
        try:
            async with asyncio.timeout(self._wait / 1000):
                self._ask_for(ask)
                while (held := self._taking.take(ask.draw, ask.target)) is None:
                    if self._is_hopeless(ask, since):
                        break
                    await self._change(ask)
                    self._ask_for(ask)
        except TimeoutError:
            pass
        finally:
            self._stop_asking(ask)
        return held

    def _ask_for(self, ask: Ask) -> None:
        """Let the controller know what is lacking: at first, and after a grant was not enough."""
        asked = False
        for _, charge in self._short(ask, ask.target.hold):
            if ask.number not in self._leasing.waiting.get(charge, {}):
                waiting = Waiting(need=ask.target.hold, least=least_of(ask))
                self._leasing.ask(charge, ask.number, waiting)
                asked = True
            elif charge not in self._leasing.denials:
                asked = self._leasing.ask_again(charge) or asked
        if asked:
            self._wake()

    def _stop_asking(self, ask: Ask) -> None:
        for charge in ask.draw.charges:
            self._leasing.stop_waiting(charge, ask.number)

    def _short(self, ask: Ask, amount: Nanos) -> list[tuple[Pool, Charge]]:
        """The (sub-)pools, leaves first, that lack an amount and may refuse."""
        return self._taking.short(ask.draw, amount)

    def _is_hopeless(self, ask: Ask, since: BootMs) -> bool:
        """Whether the controller has said, since then, that a pool will not have the money."""
        for _, charge in self._short(ask, ask.target.hold):
            denial, at = self._leasing.denials.get(charge, (None, BootMs(0)))
            if denial is not None and at >= since and denial.reason in _TERMINAL:
                return True
        return False

    async def _change(self, ask: Ask) -> None:
        """Wait until something has changed in one of the (sub-)pools, or a window has begun."""
        sleeper = asyncio.get_running_loop().create_future()
        begins = self._purse.begins_in(self._clock.boot())
        for charge in ask.draw.charges:
            self._sleepers.setdefault(charge, {})[ask.number] = sleeper
        try:
            async with asyncio.timeout(None if begins is None else begins / 1000):
                await sleeper
        except TimeoutError:
            pass
        finally:
            for charge in ask.draw.charges:
                sleepers = self._sleepers.get(charge, {})
                sleepers.pop(ask.number, None)
                if not sleepers:
                    self._sleepers.pop(charge, None)

    # When there is not enough.

    def _options(self, ask: Ask) -> tuple[OnExhausted, ...]:
        pools = [pool for pool, _ in self._short(ask, ask.target.hold)]
        return options_of(pools, ask.call.identity.priority)

    def _make_do(self, ask: Ask) -> MoneyHeld | MoneyRefused | None:
        """Take less, as far as the pools' options allow before waiting in line; None: wait."""
        options = self._options(ask)
        if OnExhausted.DEFER not in options:
            return self._fit_or_refuse(ask, options)
        early = options[: options.index(OnExhausted.DEFER)]
        fitted = self._fit(ask, may_downgrade=OnExhausted.DOWNGRADE in early)
        return fitted if isinstance(fitted, MoneyHeld) else None

    def _fit(self, ask: Ask, *, may_downgrade: bool) -> MoneyHeld | Route | NoFit:
        """Choose again with the money that is there: smaller, or cheaper."""
        binding = self._taking.binding(ask.draw)
        room = self._purse.room(binding, self._clock.boot()).money
        choice = route(
            ask.plan,
            ask.call,
            headroom=Nanos(min(room, ask.cap)),
            may_downgrade=may_downgrade,
            tried=ask.tried,
        )
        held = self._taking.take(ask.draw, choice) if isinstance(choice, Route) else None
        return held or choice

    def _fit_or_refuse(
        self, ask: Ask, options: Iterable[OnExhausted], put_off: Reason | None = None
    ) -> MoneyHeld | MoneyRefused:
        """Take less, or refuse; `put_off` is why waiting in line was no use."""
        fitted = self._fit(ask, may_downgrade=OnExhausted.DOWNGRADE in options)
        if isinstance(fitted, MoneyHeld):
            return fitted
        return MoneyRefused(detail=explain(self._shortage(ask, fitted), put_off))

    def _shortage(self, ask: Ask, choice: Route | NoFit) -> Shortage:
        least = choice.least if isinstance(choice, NoFit) else choice.hold
        denials = self._leasing.denials
        return Shortage(
            short=tuple(
                (pool, denials[charge][0] if charge in denials else None)
                for pool, charge in self._short(ask, least)
            ),
            choice=choice,
            estimated=ask.target.hold,
            connected=self._leasing.connected,
        )

    # Waiting in line.

    def _may_line_up(self, ask: Ask) -> bool:
        """Whether every pool that is short itself lets the call wait."""
        short = self._short(ask, ask.target.hold)
        return not short or OnExhausted.DEFER in self._options(ask)

    async def _defer(self, ask: Ask) -> MoneyHeld | MoneyRefused:
        """Wait in line, for as long as the pools allow; then try what comes after that."""
        why = Reason.DEFERRED_TOO_LONG
        try:
            async with asyncio.timeout(ask.draw.defer_for / 1000):
                tried = await self._line_up(ask)
                if tried.held is not None:
                    return tried.held
        except TimeoutError:
            pass
        except LineFullError:
            why = Reason.WAITING_LINE_FULL
        finally:
            self._stop_asking(ask)
        return self._fit_or_refuse(ask, self._options(ask), why)

    async def _line_up(self, ask: Ask) -> Tried:
        """Wait in the line of the first pool that lacks the money, then in that of the next."""
        ticket = Ticket(
            number=ask.number,
            key=ask.caller,
            rank=0,
            amount=ask.target.hold,
            since=self._clock.boot(),
        )
        charge: Charge | None = self._first_line(ask)
        while charge is not None:
            attempt = partial(self._try_at_head, ask, charge)
            tried = await self._deferral.wait(charge, ticket, attempt)
            if tried.held is not None or tried.hopeless:
                return tried
            charge = tried.elsewhere
        return Tried(held=self._taking.take(ask.draw, ask.target))

    def _first_line(self, ask: Ask) -> Charge | None:
        """Where to line up: where money is short, or others wait for it."""
        short = {charge for _, charge in self._short(ask, ask.target.hold)}
        lines = (c for c in ask.draw.charges if c in short or self._deferral.any_of((c,)))
        return next(lines, None)

    def _try_at_head(self, ask: Ask, charge: Charge) -> Tried | None:
        """At the head of a line: take the money, or say which pool lacks it now; None: wait on."""
        held = self._taking.take(ask.draw, ask.target)
        if held is not None:
            return Tried(held=held)
        short = [one for _, one in self._short(ask, ask.target.hold)]
        denied = (self._leasing.denials.get(one) for one in short)
        if any(one is not None and one[0].reason is Reason.REQUEST_TOO_LARGE for one in denied):
            return Tried(hopeless=True)
        if short and charge not in short:
            return Tried(elsewhere=short[0])
        self._ask_for(ask)
        return None
