"""The data plane without its money: listener, runs, upstream pool, receipts, metrics as one part.

The one rule: it starts and stops as a whole, and when it has stopped no hold is open. This module
must not know where money and policies come from.
"""

import itertools
import secrets
from collections.abc import Callable
from typing import Final

from prometheus_client import CollectorRegistry

from farebox.gates.functions import Functions
from farebox.runtime.clock import Clock
from farebox.runtime.endpoints import Endpoint
from farebox.runtime.tasks import Jobs
from sidecar.config import Config
from sidecar.inbound.server import Server
from sidecar.listener import Bounds, Listener
from sidecar.pacing import Pacing
from sidecar.policy import PolicyHolder
from sidecar.receipts import Receipt, Receipts, judged_prompt, no_prompt
from sidecar.surroundings import Money, Surroundings, Waits, unpaced
from sidecar.tallies import TallyBook
from sidecar.telemetry import Telemetry
from sidecar.upstream.pool import Bounds as PoolBounds
from sidecar.upstream.pool import Pool

CALL_ID_BYTES: Final = 6


class DataPlane:
    """Serves calls on one address. `secret` reads an environment variable, "" when it is unset."""

    def __init__(
        self,
        config: Config,
        *,
        clock: Clock,
        money: Money,
        policies: PolicyHolder,
        registry: CollectorRegistry,
        secret: Callable[[str], str],
        pacing: Pacing | None = None,
        tallies: TallyBook | None = None,
    ) -> None:
        self.receipts = Receipts(config.receipts, owner_only=config.keep_prompts)
        self._jobs = Jobs()
        self._functions = Functions()
        self._pacing = pacing
        self._tallies = tallies
        self._pool = Pool(
            PoolBounds(connections_max=config.calls_max, connect_ms_max=config.connect_ms_max)
        )
        self._telemetry = Telemetry(
            registry,
            calls_open=lambda: self._listener.calls_open,
            receipts_dropped=lambda: self.receipts.dropped,
        )
        self._listener = Listener(
            around=Surroundings(
                money=money,
                pool=self._pool,
                jobs=self._jobs,
                clock=clock,
                waits=_waits(config),
                secret=secret,
                finished=self._finished,
                functions=self._functions,
                pace=unpaced if pacing is None else pacing.pace,
                prompt_kept=judged_prompt if config.keep_prompts else no_prompt,
            ),
            policies=policies,
            bounds=_bounds(config),
            next_call_id=_call_ids(),
            refused_early=self._telemetry.refused_early,
        )
        self._server = Server(self._listener)

    async def start(self, endpoint: Endpoint) -> int:
        """Listen; returns the port. Raises OSError when the address is taken."""
        return await self._server.start(endpoint)

    async def stop(self, *, grace_ms_max: int) -> None:
        """Take no new calls, let the open ones end within the grace, then end them."""
        await self._server.stop(grace_s=grace_ms_max / 1000 / 2)
        await self._jobs.finish(grace_s=grace_ms_max / 1000 / 2)
        self._pool.close()
        await self._functions.close()

    def _finished(self, receipt: Receipt) -> None:
        self.receipts.add(receipt)
        self._telemetry.finished(receipt)
        if self._pacing is not None:
            self._pacing.finished(receipt.outcome)
        if self._tallies is not None:
            self._tallies.finished(receipt.outcome)


def _waits(config: Config) -> Waits:
    return Waits(
        head_ms_max=config.head_ms_max,
        body_ms_max=config.answer_ms_max,
        send_ms_max=config.send_ms_max,
        drain_ms_max=config.drain_ms_max,
    )


def _bounds(config: Config) -> Bounds:
    return Bounds(
        body_bytes_max=config.body_bytes_max,
        body_ms_max=config.body_ms_max,
        calls_max=config.calls_max,
    )


def _call_ids() -> Callable[[], str]:
    """Ids that no other sidecar gives: a random name of this process and a number."""
    process, numbers = secrets.token_hex(CALL_ID_BYTES), itertools.count(1)
    return lambda: f"{process}-{next(numbers):x}"
