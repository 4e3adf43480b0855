"""Asking a model for money: held before, remembered after, never asked the same twice.

The one rule: the order is hold, write "begun", send, write the end, settle. This module must not
know samples or gates.
"""

import asyncio
import hashlib
from typing import Final

from farebox.core.money import Nanos
from farebox.core.prices import cost as cost_of
from farebox.core.tiers import Model
from farebox.core.usage import Usage
from farebox.launch.provider import LostError, Provider, RefusedError
from farebox.launch.results import ANSWERED, LOST, REFUSED, Line, Results
from farebox.launch.till import CapReachedError, Till

TRIES_MAX: Final = 3
WAIT_S: Final = 1.0
"""Before a refused call is tried again; twice as long before the third time."""

KEY_CHARS: Final = 24


class Payer:
    """Asks models; what was paid for before is answered from the results."""

    def __init__(
        self, provider: Provider, results: Results, till: Till, *, repeat_lost: bool = False
    ) -> None:
        self._provider = provider
        self._results = results
        self._till = till
        self._repeat_lost = repeat_lost
        self._one_at_a_time: dict[str, asyncio.Lock] = {}
        self._settled = asyncio.Event()
        self._stopped = False
        self.paid = 0
        """Calls that this run has paid for."""

    async def ask(self, model: Model, body: bytes, *, worst: Nanos) -> Line:
        """One answer. `worst` is the most that it can cost.

        Raises:
            CapReachedError: when the worst case does not fit the cap; nothing was sent.
            RefusedError: when the provider did not answer; nothing is billed.
            LostError: when this call was or is lost; its worst case counts as spent.
        """
        key = key_of(model, body)
        # Of two that ask the same at a time the second waits for the first one's answer.
        async with self._one_at_a_time.setdefault(key, asyncio.Lock()):
            if (known := self._results.answered.get(key)) is not None:
                return known
            if key in self._results.lost and not self._repeat_lost:
                raise LostError("lost before; --repeat-lost pays for it again")
            return await self._pay(key, model, body, worst)

    def stop(self) -> None:
        """Wait for no more money: what does not fit at once is not asked."""
        self._stopped = True
        self._wake()

    async def _hold(self, worst: Nanos) -> None:
        """Hold money; as long as calls under way may cost less than they hold, wait for them."""
        while True:
            try:
                self._till.hold(worst)
            except CapReachedError:
                if self._stopped or not self._till.held:
                    raise
                await self._settled.wait()
            else:
                return

    def _wake(self) -> None:
        self._settled.set()
        self._settled = asyncio.Event()

    async def _pay(self, key: str, model: Model, body: bytes, worst: Nanos) -> Line:
        for number in range(1, TRIES_MAX + 1):
            try:
                return await self._send(key, model, body, worst)
            except RefusedError as error:
                if not error.again or number == TRIES_MAX or self._stopped:
                    raise
                wait_s = max(WAIT_S * number, error.wait_s)
            await asyncio.sleep(wait_s)
        raise AssertionError("the last try returns or raises")

    async def _send(self, key: str, model: Model, body: bytes, worst: Nanos) -> Line:
        await self._hold(worst)
        self._results.begin(key, model=model.name, held=worst)
        # Until the end is known the hold counts in full: also when this task is cancelled.
        end, cost = Line(event=LOST, key=key, held=worst, why="cancelled"), worst
        try:
            reply = await self._provider.ask(model, body)
            cost = worst if reply.usage is None else cost_of(model.price, reply.usage)
            end = Line(
                event=ANSWERED,
                key=key,
                model=model.name,
                cost=cost,
                text=reply.text,
                usage=_counts(reply.usage),
                latency_ms=reply.latency_ms,
                finish=reply.finish,
            )
        except RefusedError as error:
            end, cost = Line(event=REFUSED, key=key, why=str(error)), Nanos(0)
            raise
        except LostError as error:
            end = Line(event=LOST, key=key, held=worst, why=str(error))
            raise
        finally:
            self._results.end(end)
            self._till.settle(worst, cost)
            self._wake()
            self.paid += end.event == ANSWERED
        return end


def key_of(model: Model, body: bytes) -> str:
    """Names a call by what it is: the model and every byte that is sent."""
    return hashlib.sha256(model.name.encode() + b"\0" + body).hexdigest()[:KEY_CHARS]


def _counts(usage: Usage | None) -> dict[str, int]:
    if usage is None:
        return {}
    return {kind.value: count for kind, count in usage.counts().items()}
