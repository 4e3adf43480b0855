"""One controller's life: win the ledger, lead, lose it, stand by, win it again.

The one rule: what belongs to one reign (the engine, the committer, every stream) ends with it, and
the next begins from what the ledger says and from resources that were read after the ledger was
won: a limit that the last leader took in is never raised again by what this one knew before. Who
can't read them leaves the ledger to others. This module must not know how a ledger is won.
"""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Iterable, Iterator
from typing import Final

from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from controller.committer import Committer
from controller.engine import Engine
from controller.events import ResourcesChanged
from controller.lease_server import LeaseServer
from controller.ledgers import Holding, Ledger
from controller.store.protocol import StoreError
from controller.telemetry import Telemetry
from controller.terms import Terms
from controller.watching import Watching
from farebox.manifests.resources import Resources
from farebox.runtime.clock import Clock
from farebox.runtime.tasks import first_of

_LOG = logging.getLogger(__name__)

REST_S_MIN: Final = 0.2
REST_S_MAX: Final = 1.0
"""Who has just lost the ledger waits so long before it tries again."""

OUT_OF_DATE_REST_S_MIN: Final = 2.0
OUT_OF_DATE_REST_S_MAX: Final = 4.0
"""Who has left it to others waits longer: long enough that all of them have looked."""


class OutOfDate(Exception):
    """What this controller knows of the resources may be old, with a sentence that says why."""


async def _nothing_to_renew() -> str:
    return ""


class Reigns:
    """Leads whenever it can. `engine` is there while it leads."""

    def __init__(
        self,
        ledger: Ledger,
        server: LeaseServer,
        clock: Clock,
        terms: Terms,
        resources: Callable[[], Resources],
        watching: Callable[[], Watching] = Watching,
        renewed: Callable[[], Awaitable[str]] = _nothing_to_renew,
    ) -> None:
        """Stand by. `resources` tells those in force, `watching` begins a watch over tasks.

        `renewed` brings the resources up to date within a bounded time, or tells why it can't.
        """
        self.engine: Engine | None = None
        self.leading = asyncio.Event()
        self.registry: CollectorRegistry | None = None
        self._ledger = ledger
        self._server = server
        self._clock = clock
        self._terms = terms
        self._resources = resources
        self._watching = watching
        self._renewed = renewed
        self._committer: Committer | None = None

    async def run(self) -> None:
        """For ever. Raises StoreError when a ledger fails that nobody else can take over."""
        while True:
            holding = await self._ledger.win()
            rest = (REST_S_MIN, REST_S_MAX)
            try:
                await first_of(holding.keep(), self._lead(holding))
            except OutOfDate as error:
                _LOG.warning("this controller leaves the lead to others: %s", error)
                rest = (OUT_OF_DATE_REST_S_MIN, OUT_OF_DATE_REST_S_MAX)
            except StoreError as error:
                if not self._ledger.shared:
                    raise
                _LOG.warning("this controller leads no more: %s", error)
            finally:
                self._step_down()
                await holding.let_go()
            await asyncio.sleep(random.uniform(*rest))  # noqa: S311

    async def change_resources(self, resources: Resources) -> None:
        """Have other resources in force; who does not lead takes them when it will."""
        if self._committer is not None:
            await self._committer.submit(ResourcesChanged(resources))

    def standing_by(self) -> str:
        """Why this controller serves no sidecars, "" while it does."""
        if self.engine is not None:
            return ""
        who, where = self._ledger.leader_name(), self._ledger.leader_address()
        return f"standing by; {who} at {where} leads" if who else "standing by; nobody leads yet"

    def role(self) -> dict[str, object]:
        """Who leads, as a JSON value."""
        engine = self.engine
        return {
            "role": "leader" if engine else "standby",
            "epoch": engine.world.epoch if engine else None,
            "leader": self._ledger.leader_name(),
            "address": self._ledger.leader_address(),
        }

    async def _lead(self, holding: Holding) -> None:
        # Whoever led before commits nothing more: what is read from now on is no older than what
        # it went by. What changes while the ledger is read is taken in with it.
        if said := await self._renewed():
            raise OutOfDate(f"what it knows of the resources may be old ({said})")
        store = holding.store
        snapshot = await store.open()
        _LOG.info(
            "the ledger is open", extra={"epoch": snapshot.epoch, "leases": len(snapshot.accounts)}
        )
        engine = Engine(
            snapshot,
            terms=self._terms,
            resources=self._resources(),
            now=self._clock.utc(),
            watching=self._watching(),
        )
        self.registry = CollectorRegistry()
        committer = Committer(
            engine,
            store,
            self._clock,
            Telemetry(self.registry, engine),
            may_speak=holding.may_speak,
        )
        self.engine, self._committer = engine, committer
        self._server.lead(committer)
        self.leading.set()
        await first_of(
            committer.run(deliver=self._server.deliver, end_stream=self._server.end_stream),
            committer.tick(),
        )

    def _step_down(self) -> None:
        self.leading.clear()
        self._server.stand_by()
        if self._committer is not None:
            self._committer.close()
        self.engine = self._committer = self.registry = None


class ReignMetrics(Collector):
    """The metrics of the present reign, and whether there is one. Counters begin anew with each."""

    def __init__(self, reigns: Reigns) -> None:
        self._reigns = reigns

    def describe(self) -> Iterable[Metric]:
        """Nothing ahead of time: the families are made with their values."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """Everything, at the time of asking."""
        leads = GaugeMetricFamily("farebox_controller_leads", "1 while this controller leads.")
        leads.add_metric([], 1 if self._reigns.engine else 0)
        yield leads
        if self._reigns.registry is not None:
            yield from self._reigns.registry.collect()
