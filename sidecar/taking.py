"""Taking money: from every pool of a call, or from all that may refuse.

A pool in shadow mode never refuses, nor does one that says `whenDisconnected: Allow` while the
controller is away. Where such a pool has not the money, the call is booked on it all the same and
says so. The one rule: no other pool is ever passed by. This module must not know what is tried
when there is not enough.
"""

from collections.abc import Callable

from farebox.core.budgets import Charge, Mode, Pool
from farebox.core.instant import BootMs
from farebox.core.ledger import Held
from farebox.core.money import ZERO, Nanos
from farebox.core.routing import Route
from farebox.runtime.clock import Clock
from sidecar.draws import Draw
from sidecar.events import MoneyHeld
from sidecar.leasing import Leasing
from sidecar.purse import Purse


class Taking:
    """Holds what a route takes, and knows which pools are short of it."""

    def __init__(
        self, purse: Purse, leasing: Leasing, clock: Clock, *, wake: Callable[[], None]
    ) -> None:
        """`wake` lets the lease client report."""
        self._purse = purse
        self._leasing = leasing
        self._clock = clock
        self._wake = wake

    def take(self, draw: Draw, chosen: Route) -> MoneyHeld | None:
        """Hold what a route takes; None when a pool that may refuse has not got it.

        Raises OSError when the journal can't be written.
        """
        now = self._clock.boot()
        held = self._purse.hold(draw.charges, chosen.hold, now)
        if not isinstance(held, Held):
            return self._pass_by(draw, chosen, now) if draw.lenient else None
        headroom = held.headroom
        if headroom is not None and self._leasing.note_hold(
            draw.charges, chosen.hold, headroom, now
        ):
            self._wake()
        shadow = self._overspent(draw) if draw.lenient else ()
        return MoneyHeld(route=chosen, hold=held.hold, headroom=headroom, shadow=shadow)

    def binding(self, draw: Draw) -> tuple[Charge, ...]:
        """The (sub-)pools of a call that may refuse now."""
        if not draw.lenient:
            return draw.charges
        return draw.binding(away=self._is_away(self._clock.boot()))

    def short(self, draw: Draw, amount: Nanos) -> list[tuple[Pool, Charge]]:
        """The (sub-)pools, leaves first, that may refuse and lack an amount now."""
        now, binding = self._clock.boot(), self.binding(draw)
        return [
            (pool, charge)
            for pool, charge in zip(draw.pools, draw.charges, strict=True)
            if charge in binding and self._lacks(charge, amount, now)
        ]

    def _lacks(self, charge: Charge, amount: Nanos, now: BootMs) -> bool:
        room = self._purse.room((charge,), now)
        return bool(room.missing) or room.money < amount

    def _is_away(self, now: BootMs) -> bool:
        """Whether the controller can't be reached, or has not been heard of for a time to live."""
        return not self._leasing.connected or now >= self._purse.book.deadline

    def _pass_by(self, draw: Draw, chosen: Route, now: BootMs) -> MoneyHeld | None:
        """Take the money, and book it unchecked where a pool that never refuses lacks it."""
        away = self._is_away(now)
        binding = draw.binding(away=away)
        passed = tuple(
            charge
            for charge in draw.charges
            if charge not in binding and self._lacks(charge, chosen.hold, now)
        )
        checked = tuple(charge for charge in draw.charges if charge not in passed)
        held = self._purse.hold(checked, chosen.hold, now, passed) if passed else None
        if not isinstance(held, Held):
            return None
        self._ask_for(draw, passed, chosen.hold, now)
        return MoneyHeld(
            route=chosen,
            hold=held.hold,
            headroom=held.headroom,
            shadow=self._overspent(draw, away=away),
            unverified=tuple(
                pool.title
                for pool, charge in zip(draw.pools, draw.charges, strict=True)
                if charge in passed and pool.mode is Mode.ENFORCE
            ),
        )

    def _ask_for(self, draw: Draw, passed: tuple[Charge, ...], amount: Nanos, now: BootMs) -> None:
        """Learn from the hold, and let the next report ask for what was lacking."""
        self._leasing.note_hold(draw.charges, amount, ZERO, now)
        for charge in passed:
            self._leasing.ask_again(charge)
        self._wake()

    def _overspent(self, draw: Draw, *, away: bool = False) -> tuple[str, ...]:
        """The pools in shadow mode that would have refused, as far as this pod can know.

        It knows what the controller denied, and what it has spent itself. A lease that is only on
        its way would have been waited for.
        """
        return tuple(
            pool.title
            for pool, charge in zip(draw.pools, draw.charges, strict=True)
            if pool.mode is Mode.SHADOW and (away or self._is_overspent(pool, charge))
        )

    def _is_overspent(self, pool: Pool, charge: Charge) -> bool:
        if charge in self._leasing.denials:
            return True
        lease = self._purse.lease_of(charge)
        return lease is not None and lease.spent + lease.reserved > pool.limit
