"""Calls that a pool defers: they wait in its line until it is their turn and there is money.

The one rule: only the head of a line looks for money, and whoever leaves, served or not, passes the
turn on. This module must not know leases or why money is short.
"""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from farebox.core.budgets import Charge
from farebox.core.instant import DurationMs
from farebox.runtime.clock import Clock
from sidecar.events import MoneyHeld
from sidecar.waiting_line import Ticket, WaitingLines

LOOK_MS: Final = DurationMs(1_000)
"""The head of a line looks again so often: a window begins without a message."""


class LineFullError(Exception):
    """As many calls wait as may."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """What an attempt at the head of a line came to: money, no hope, or another line."""

    held: MoneyHeld | None = None
    hopeless: bool = False
    elsewhere: Charge | None = None


class Deferral:
    """The lines of all (sub-)pools, and the calls that wait in them, `calls` in all."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lines = WaitingLines()
        self._turns: dict[int, asyncio.Future[None]] = {}
        self.calls = 0

    def any_of(self, charges: Iterable[Charge]) -> bool:
        """Whether calls wait for money of one of these (sub-)pools."""
        return self._lines.any_of(charges)

    async def wait(
        self, charge: Charge, ticket: Ticket, attempt: Callable[[], Tried | None]
    ) -> Tried:
        """Wait in the line of a (sub-)pool until an attempt at its head comes to something.

        Raises LineFullError. A call that is cancelled leaves the line, and nothing behind.
        """
        if not self._lines.join(charge, ticket):
            raise LineFullError
        self.calls += 1
        served = False
        try:
            while True:
                first = self._lines.head(charge, self._clock.boot()) is ticket
                tried = attempt() if first else None
                if tried is not None:
                    served = tried.held is not None
                    return tried
                await self._turn(ticket.number, LOOK_MS if first else None)
        finally:
            self.calls -= 1
            self._lines.leave(charge, ticket.number, served=served)
            self.notify((charge,))

    def notify(self, charges: Iterable[Charge]) -> None:
        """Something has changed for these (sub-)pools: the head of each line looks again."""
        for charge in charges:
            head = self._lines.head(charge, self._clock.boot())
            turn = None if head is None else self._turns.get(head.number)
            if turn is not None and not turn.done():
                turn.set_result(None)

    async def _turn(self, number: int, within: DurationMs | None) -> None:
        turn = self._turns[number] = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(None if within is None else within / 1000):
                await turn
        except TimeoutError:
            pass
        finally:
            del self._turns[number]
