"""A simulated controller: the product's reigns, engine, committer and server in one process.

The one rule: everything between the ledger's rows and the stream is the product's own code. This
module must not know faults.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import controller.committer
import controller.reigns
from controller.engine import Engine
from controller.lease_server import LeaseServer
from controller.ledgers import Ledger
from controller.reigns import Reigns
from controller.store.protocol import StoreError
from controller.terms import Terms
from farebox.manifests.resources import Resources
from farebox.runtime.endpoints import Endpoint
from tests.simulation.hosts import HostClock
from tests.simulation.kernel import Process

if TYPE_CHECKING:
    from tests.simulation.world import World

LISTEN: Final = Endpoint("127.0.0.1", 1)


class NoTelemetry:
    """Counts nothing, which is cheap."""

    def __init__(self, *_: object) -> None:
        """Take what the real one takes."""

    def count(self, step: object) -> None:
        """Nothing."""

    def count_commit(self, *, writes: int, took_ms: int) -> None:
        """Nothing."""


class Controller:
    """One process of a controller, from its start to its death."""

    def __init__(
        self,
        world: "World",
        process: Process,
        ledger: Ledger,
        terms: Terms,
        resources: Resources,
    ) -> None:
        self.process = process
        self.resources = resources
        self._server = LeaseServer()
        self._reigns = Reigns(
            ledger, self._server, HostClock(process.host, world.loop), terms, lambda: self.resources
        )

    @property
    def engine(self) -> Engine | None:
        """The engine while this controller leads."""
        return self._reigns.engine

    def start(self, ended: Callable[["Controller", BaseException], None]) -> None:
        """Run for ever; `ended` is told of the failure of a ledger that nobody else can have."""

        async def run() -> None:
            await self._server.start(LISTEN)
            try:
                await self._reigns.run()
            except StoreError as error:
                ended(self, error)

        self.process.start(run())

    def change(self, resources: Resources) -> None:
        """Let this controller go by other resources from now on."""
        self.resources = resources
        self.process.start(self._reigns.change_resources(resources))


@contextmanager
def ticking(slower: int) -> Iterator[None]:
    """Let controllers look at their agendas less often, where everything takes longer."""
    module: Any = controller.committer
    kept = module.TICK_MS
    module.TICK_MS = kept * slower
    try:
        yield
    finally:
        module.TICK_MS = kept


@contextmanager
def without_telemetry() -> Iterator[None]:
    """Let no controller count anything for people."""
    module: Any = controller.reigns
    kept = module.Telemetry
    module.Telemetry = NoTelemetry
    try:
        yield
    finally:
        module.Telemetry = kept
