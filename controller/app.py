"""Puts the controller together; the only module that does.

Reads in the order of a start: resources, ledger, engine, committer, then the servers. The one rule:
nothing is served before the ledger is open. No decision is made here.
"""

import logging

from prometheus_client import CollectorRegistry

from controller.committer import Committer
from controller.config import Config
from controller.engine import Engine
from controller.events import ResourcesChanged
from controller.lease_server import LeaseServer
from controller.status import holders_view, pools_view, problems_view
from controller.store.protocol import Store
from controller.store.sqlite import SqliteStore
from controller.telemetry import Telemetry
from controller.terms import Terms
from controller.watch import Watch
from farebox.manifests.resources import Resources
from farebox.runtime.clock import Clock, SystemClock
from farebox.runtime.endpoints import write_ready_file
from farebox.runtime.probes import AdminServer
from farebox.runtime.tasks import Supervisor

_LOG = logging.getLogger(__name__)


async def run(config: Config) -> None:
    """Be the controller until SIGTERM or SIGINT.

    Raises StoreError when the ledger can't be used, OSError when an address is taken, and an
    ExceptionGroup when something that must run has failed.
    """
    clock = SystemClock()
    watch = Watch(folder=config.manifests, clock=clock, variables=config.variables)
    watch.load()
    store = SqliteStore(config.state)
    engine = await _open(store, config, clock, watch.loaded.resources)
    try:
        await _serve(config, engine, store, clock, watch)
    finally:
        await store.close()


async def _open(store: Store, config: Config, clock: Clock, resources: Resources) -> Engine:
    terms = Terms(
        heartbeat=config.heartbeat,
        ttl=config.ttl,
        recall_wait=config.recall_wait,
        forget_after=config.forget_after,
    )
    snapshot = await store.open()
    _LOG.info(
        "the ledger is open",
        extra={"epoch": snapshot.epoch, "leases": len(snapshot.accounts)},
    )
    return Engine(snapshot, terms=terms, resources=resources, now=clock.utc())


async def _serve(config: Config, engine: Engine, store: Store, clock: Clock, watch: Watch) -> None:
    registry = CollectorRegistry()
    committer = Committer(engine, store, clock, Telemetry(registry, engine))
    server = LeaseServer(committer)
    admin = AdminServer(
        registry=registry,
        not_ready=lambda: "",
        views={
            "/v1/pools": lambda _: pools_view(engine.world, engine.now),
            "/v1/holders": lambda _: holders_view(engine.world),
            "/v1/problems": lambda _: problems_view(watch.loaded.problems),
        },
    )

    async def changed(resources: Resources) -> None:
        await committer.submit(ResourcesChanged(resources))

    async with Supervisor() as tasks:
        tasks.stop_on_signals()
        tasks.start(
            "committer", committer.run(deliver=server.deliver, end_stream=server.end_stream)
        )
        tasks.start("tick", committer.tick())
        tasks.start("watch", watch.follow(changed, interval=config.poll))
        try:
            grpc_port = await server.start(config.listen)
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
