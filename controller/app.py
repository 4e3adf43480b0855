"""Puts the controller together; the only module that does.

Reads in the order of a start: resources, ledger, the server that stands by, the reign, the admin
server. The one rule: no sidecar is served before the ledger is open. No decision is made here.
"""

import logging

from prometheus_client import CollectorRegistry

from controller.config import Config
from controller.etcd_options import EtcdOptions
from controller.lease_server import LeaseServer
from controller.ledgers import Ledger, LocalLedger, shared_ledger
from controller.reigns import ReignMetrics, Reigns
from controller.status import holders_view, pools_view, problems_view
from controller.task_status import tasks_view
from controller.terms import Terms
from controller.watch import Watch
from controller.watching import Watching
from farebox.runtime.clock import Clock, SystemClock
from farebox.runtime.endpoints import Endpoint, write_ready_file
from farebox.runtime.probes import AdminServer
from farebox.runtime.tasks import Supervisor

_LOG = logging.getLogger(__name__)


async def run(config: Config) -> None:
    """Be the controller until SIGTERM or SIGINT.

    Raises OSError when an address is taken, and an ExceptionGroup when something that must run has
    failed: a StoreError in it when a ledger that is not shared can't be used.
    """
    clock = SystemClock()
    watch = Watch(folder=config.manifests, clock=clock, variables=config.variables)
    watch.load()
    async with Supervisor() as tasks:
        tasks.stop_on_signals()
        server = LeaseServer()
        grpc_port = await server.start(config.listen)
        ledger = _ledger(config, clock, grpc_port)
        server.leader_address = ledger.leader_address
        reigns = Reigns(
            ledger,
            server,
            clock,
            _terms(config),
            lambda: watch.loaded.resources,
            lambda: Watching(config.watch_window, prices_days_max=config.prices_days_max),
        )
        admin = _admin(reigns, watch)
        tasks.start("reigns", reigns.run())
        tasks.start("watch", watch.follow(reigns.change_resources, interval=config.poll))
        try:
            if not ledger.shared:
                await reigns.leading.wait()
            admin_port = await admin.start(config.admin)
            if config.ready_file is not None:
                write_ready_file(config.ready_file, grpc=grpc_port, admin=admin_port)
            _LOG.info("serving", extra={"grpc": grpc_port, "admin": admin_port})
            await tasks.stopped()
            _LOG.info("ending as asked")
        finally:
            await server.stop()
            await admin.stop()
            await tasks.cancel_all()
            await ledger.close()


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
    address = config.advertise or Endpoint(config.listen.host, grpc_port)
    return shared_ledger(config.store, clock, name=config.name, address=str(address))


def _admin(reigns: Reigns, watch: Watch) -> AdminServer:
    registry = CollectorRegistry()
    registry.register(ReignMetrics(reigns))

    def pools(_: object) -> object:
        engine = reigns.engine
        return pools_view(engine.world, engine.now) if engine else {"pools": []}

    def holders(_: object) -> object:
        return holders_view(reigns.engine.world) if reigns.engine else []

    def tasks(_: object) -> object:
        return tasks_view(reigns.engine.watching if reigns.engine else Watching())

    return AdminServer(
        registry=registry,
        not_ready=reigns.standing_by,
        views={
            "/v1/pools": pools,
            "/v1/holders": holders,
            "/v1/tasks": tasks,
            "/v1/problems": lambda _: problems_view(watch.loaded.problems),
            "/v1/leader": lambda _: reigns.role(),
        },
    )
