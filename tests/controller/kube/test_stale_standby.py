"""A controller that stands by, cut off from the API server, while a limit is lowered there.

The leader takes the lower limit in and ends. Whoever leads next lends by the lower limit from its
first message on, however old what it knew was. Real reflectors on a fake API server, the real
engine and streams; etcd is simulated. See `tests/e2e/kube/test_stale_standby.py` for all of it.
"""

import asyncio
import contextlib
import enum
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from controller import reigns as reigns_module
from controller.kube import resources as resources_module
from controller.kube.client import open_client
from controller.kube.cluster import Cluster
from controller.kube.options import KubeOptions
from controller.leadership import Candidate
from controller.lease_server import LeaseServer
from controller.ledgers import SharedLedger
from controller.reigns import Reigns
from controller.terms import Terms
from farebox.core.budgets import PoolUid
from farebox.runtime.clock import SystemClock
from farebox.runtime.endpoints import Endpoint
from farebox.wire.messages import Denial, Grant
from tests.support.kube_fake import KubeFake, serving_kube
from tests.support.kv import SimulatedEtcd, SimulatedKv
from tests.support.lease_peers import lease_peer
from tests.support.peers import eventually
from tests.support.relay import relay
from tests.support.scenes import wants
from tests.support.stores import KEYS
from tests.support.tasks import beside

DOLLAR = 1_000_000_000
ORG = PoolUid("acme/org")


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resources_module, "QUIET_S_MAX", 1.0)
    monkeypatch.setattr(reigns_module, "OUT_OF_DATE_REST_S_MIN", 0.1)
    monkeypatch.setattr(reigns_module, "OUT_OF_DATE_REST_S_MAX", 0.2)


def set_limit(fake: KubeFake, limit: str) -> None:
    spec = {"limit": limit, "window": {"type": "Lifetime"}, "selector": {"matchLabels": {}}}
    fake.put("budgetpools", "org", {"spec": spec}, namespace="acme")


class Controller:
    """One that leads or stands by."""

    def __init__(self, cluster: Cluster, reigns: Reigns, port: int) -> None:
        self.cluster = cluster
        self.reigns = reigns
        self.port = port

    def dollars(self) -> int:
        """The limit that it knows."""
        return self.cluster.loaded.resources.pools[ORG].limit // DOLLAR

    async def until_it_leads(self) -> None:
        await eventually(self.reigns.leading.is_set)


@contextlib.asynccontextmanager
async def controller(
    name: str, etcd: SimulatedEtcd, options: KubeOptions
) -> AsyncIterator[Controller]:
    clock, server = SystemClock(), LeaseServer()
    port = await server.start(Endpoint("127.0.0.1", 0))
    ledger = SharedLedger(SimulatedKv(etcd), KEYS, clock, Candidate(name=name, address=name))
    async with open_client(options) as kube:
        cluster = Cluster(kube, options, clock, {})
        reigns = Reigns(
            ledger,
            server,
            clock,
            Terms(),
            lambda: cluster.loaded.resources,
            renewed=cluster.renewed,
        )
        works = [one.run() for one in cluster.watch.reflectors.values()]
        running = [beside(one) for one in (*works, cluster.follow(reigns.change_resources))]
        await cluster.watch.ready.wait()
        running.append(beside(reigns.run()))
        try:
            yield Controller(cluster, reigns, port)
        finally:
            await server.stop()
            for one in running:
                one.cancel()
            await asyncio.gather(*running, return_exceptions=True)


class Cut(enum.Enum):
    """What stands between the one that stands by and the API server."""

    WATCHES = "what connects anew gets through"
    WHOLLY = "nothing gets through"
    DOWN = "there is no API server for anybody"


class Scene(NamedTuple):
    """Who is to lead next, and what it takes to mend its way to the API server."""

    standby: Controller
    mend: Callable[[], Awaitable[None]]


@contextlib.asynccontextmanager
async def stale(folder: Path, cut: Cut) -> AsyncIterator[Scene]:
    """The leader has ended: of $10 were lent $4 before; $5 is the limit that it had taken in."""
    etcd = SimulatedEtcd()
    async with contextlib.AsyncExitStack() as kept:
        fake = await kept.enter_async_context(serving_kube())
        way = await kept.enter_async_context(relay(fake.port))
        set_limit(fake, "10.00")
        by_way = KubeOptions(
            kubeconfig=way.kubeconfig(fake.kubeconfig(folder), folder), own_namespace="farebox"
        )
        async with controller("former", etcd, fake.options(folder)) as former:
            await former.until_it_leads()
            standby = await kept.enter_async_context(controller("standby", etcd, by_way))
            await eventually(lambda: "former" in standby.reigns.standing_by())
            async with lease_peer(former.port) as peer:
                await peer.greet("a")
                await peer.report(want=(wants(4 * DOLLAR),))
                assert (await peer.next(Grant)).granted == 4 * DOLLAR
            way.cut()
            set_limit(fake, "5.00")
            await eventually(lambda: former.dollars() == 5)
            assert standby.dollars() == 10, "it has not heard of it"
            if cut is Cut.DOWN:
                await fake.stop()
            if cut is not Cut.WHOLLY:
                way.mend()

        async def mend() -> None:
            way.mend()
            if cut is Cut.DOWN:
                await fake.start()

        yield Scene(standby, mend)


async def lends_no_more_than_is_left(standby: Controller) -> None:
    await standby.until_it_leads()
    async with lease_peer(standby.port) as peer:
        await peer.greet("b")
        await peer.report(want=(wants(6 * DOLLAR),))
        assert (await peer.next(Denial)).remaining == DOLLAR


async def test_with_watches_that_were_cut_off_it_leads_by_the_lower_limit(tmp_path: Path) -> None:
    async with stale(tmp_path, Cut.WATCHES) as (standby, _):
        await lends_no_more_than_is_left(standby)


@pytest.mark.parametrize("cut", [Cut.WHOLLY, Cut.DOWN])
async def test_it_does_not_lead_before_it_reaches_the_api_server(
    tmp_path: Path, cut: Cut, caplog: pytest.LogCaptureFixture
) -> None:
    async with stale(tmp_path, cut) as (standby, mend):
        await eventually(lambda: caplog.text.count("leaves the lead to others") >= 2)
        assert not standby.reigns.leading.is_set()
        await mend()
        await lends_no_more_than_is_left(standby)
