"""Puts the controller together; the only module that does.

Reads in the order of a start: the ground it stands on (resources, identities), the server that
stands by, the ledger, the reign, the admin server. The one rule: no sidecar is served before the
ledger is open. No decision is made here.
"""

import contextlib
import logging
from collections.abc import AsyncIterator

from prometheus_client import CollectorRegistry

from controller.config import Config
from controller.etcd_options import EtcdOptions
from controller.grounds import Ground, folder
from controller.lease_server import LeaseServer
from controller.ledgers import Ledger, LocalLedger, shared_ledger
from controller.reigns import ReignMetrics, Reigns
from controller.status import holders_view, pools_view, problems_view
from controller.task_status import tasks_view
from controller.terms import Terms
from controller.watching import Watching
from farebox.runtime.clock import Clock, SystemClock
from farebox.runtime.endpoints import Endpoint, write_ready_file
from farebox.runtime.probes import AdminServer
from farebox.runtime.tasks import Supervisor, first_of

_LOG = logging.getLogger(__name__)


async def run(config: Config) -> None:
    """Be the controller until SIGTERM or SIGINT.

    Raises OSError when an address is taken, KubeError when an API server's address can't be read,
    and an ExceptionGroup when something that must run has failed: a StoreError in it when a ledger
    that is not shared can't be used.
    """
    clock = SystemClock()
    async with _ground(config, clock) as ground, Supervisor() as tasks:
        tasks.stop_on_signals()
        controller = _Controller(config, clock, ground, tasks)
        try:
            # Whoever waits for an API server or a ledger can be told to end all the same.
            await first_of(controller.start(), tasks.stopped())
            await tasks.stopped()
            _LOG.info("ending as asked")
        finally:
            await controller.stop()


class _Controller:
    """All parts, as far as they have been started."""

    def __init__(self, config: Config, clock: Clock, ground: Ground, tasks: Supervisor) -> None:
        self._config = config
        self._clock = clock
        self._ground = ground
        self._tasks = tasks
        self._registry = CollectorRegistry()
        self._server = LeaseServer(authenticate=ground.authenticate)
        self._ledger: Ledger | None = None
        self._admin: AdminServer | None = None

    async def start(self) -> None:
        """Serve: when this returns, everything is up."""
        config, ground, tasks = self._config, self._ground, self._tasks
        await ground.start(tasks, self._registry, self._server)
        grpc_port = await self._server.start(config.listen, await ground.secured())
        ledger = self._ledger = _ledger(config, self._clock, grpc_port)
        self._server.leader_address = ledger.leader_address
        reigns = Reigns(
            ledger,
            self._server,
            self._clock,
            _terms(config),
            lambda: ground.loaded.resources,
            lambda: Watching(config.watch_window, prices_days_max=config.prices_days_max),
            renewed=ground.renewed,
        )
        self._registry.register(ReignMetrics(reigns))
        self._admin = _admin(reigns, ground, self._registry)
        tasks.start("reigns", _reign(reigns, ground))
        tasks.start("watch", ground.follow(reigns.change_resources))
        await ground.attend(tasks, reigns)
        if not ledger.shared:
            await reigns.leading.wait()
        admin_port = await self._admin.start(config.admin)
        if config.ready_file is not None:
            write_ready_file(config.ready_file, grpc=grpc_port, admin=admin_port)
        _LOG.info("serving", extra={"grpc": grpc_port, "admin": admin_port})

    async def stop(self) -> None:
        """End whatever was started."""
        await self._server.stop()
        if self._admin is not None:
            await self._admin.stop()
        await self._tasks.cancel_all()
        if self._ledger is not None:
            await self._ledger.close()
        await self._ground.stop()


@contextlib.asynccontextmanager
async def _ground(config: Config, clock: Clock) -> AsyncIterator[Ground]:
    """The API server of a cluster, or a folder."""
    if config.kube is not None:
        # The client of an API server is large: only who needs it has it.
        from controller.kube.cluster import open_cluster

        async with open_cluster(config.kube, clock, config.variables) as cluster:
            yield cluster
    else:
        assert config.manifests is not None, "checked by the configuration"
        yield folder(config.manifests, clock, variables=config.variables, interval=config.poll)


async def _reign(reigns: Reigns, ground: Ground) -> None:
    await ground.ready()
    await reigns.run()


def _terms(config: Config) -> Terms:
    return Terms(
        heartbeat=config.heartbeat,
        heartbeat_max=config.heartbeat_max,
        ttl=config.ttl,
        recall_wait=config.recall_wait,
        forget_after=config.forget_after,
    )


def _ledger(config: Config, clock: Clock, grpc_port: int) -> Ledger:
    if not isinstance(config.store, EtcdOptions):
        return LocalLedger(config.store)
    host = config.listen.host if config.kube is None else config.kube.own_name()
    address = config.advertise or Endpoint(host, grpc_port)
    return shared_ledger(config.store, clock, name=config.name, address=str(address))


def _admin(reigns: Reigns, ground: Ground, registry: CollectorRegistry) -> AdminServer:

    def pools(_: object) -> object:
        engine = reigns.engine
        return pools_view(engine.world, engine.now) if engine else {"pools": []}

    def holders(_: object) -> object:
        return holders_view(reigns.engine.world) if reigns.engine else []

    def tasks(_: object) -> object:
        return tasks_view(reigns.engine.watching if reigns.engine else Watching())

    return AdminServer(
        registry=registry,
        not_ready=lambda: ground.missing() or reigns.standing_by(),
        views={
            "/v1/pools": pools,
            "/v1/holders": holders,
            "/v1/tasks": tasks,
            "/v1/problems": lambda _: problems_view(ground.loaded.problems),
            "/v1/leader": lambda _: reigns.role(),
        },
    )
