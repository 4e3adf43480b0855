"""A standby that is cut off from a real API server leads by no limit that was lowered meanwhile.

Two controllers as processes, their ledger in an etcd of its own. The one that stands by reaches the
API server by a way that the test cuts; a person lowers a limit, the leader takes it in and is
killed. `tests/controller/kube/test_stale_standby.py` is the same in one process.
"""

import asyncio
import base64
import contextlib
import enum
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, Final

import grpc
import grpc.aio
import pytest
import pytest_asyncio

from controller.kube.client import path
from controller.kube.tls_secret import SECRET
from farebox.manifests.reading import API_VERSION
from farebox.manifests.resources import Kind
from farebox.wire.messages import Denial, Grant
from tests.deploy.crds import FOLDER
from tests.support.kube_api import KubeApi, Part, kube_api
from tests.support.kube_controllers import KubeControllerProcess, secured_peer
from tests.support.lease_peers import LeasePeer
from tests.support.ports import free_ports
from tests.support.relay import Relay, relay
from tests.support.scenes import wants

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(300)]

POOL: Final = f"{path(API_VERSION, 'budgetpools', 'acme')}/org"
DOLLAR: Final = 1_000_000_000
PATIENCE_S: Final = 90.0
POLL_S: Final = 0.1
LEFT: Final = "leaves the lead to others"


class Cut(enum.Enum):
    """What stands between the one that stands by and the API server."""

    WATCHES = "what connects anew gets through"
    WHOLLY = "nothing gets through"
    DOWN = "the API server is killed"


class Site:
    """A control plane with one pod and its pool, and an etcd for the ledger."""

    def __init__(self, api: KubeApi, folder: Path) -> None:
        self.api = api
        self.folder = folder
        self.token = ""
        client, peer = free_ports(2)
        self.endpoint = f"127.0.0.1:{client}"
        addresses = (f"http://{self.endpoint}", f"http://127.0.0.1:{peer}")
        command = (
            *(str(api.tools.etcd), "--name", "one", "--data-dir", str(folder / "ledger")),
            *("--listen-client-urls", addresses[0], "--advertise-client-urls", addresses[0]),
            *("--listen-peer-urls", addresses[1], "--initial-advertise-peer-urls", addresses[1]),
            *("--initial-cluster", f"one={addresses[1]}", "--log-level", "warn"),
        )
        self.ledger = Part("ledger", command, folder)

    async def fill(self) -> None:
        """A namespace with a pool, and a pod that draws on it, at the address of the test."""
        at = "/api/v1/namespaces"
        for name in ("farebox", "acme"):
            await self.api.post(at, {"metadata": {"name": name}})
        await self.api.post(f"{at}/acme/serviceaccounts", {"metadata": {"name": "app"}})
        spec = {"serviceAccountName": "app", "containers": [{"name": "app", "image": "app"}]}
        metadata = {"name": "buyer", "labels": {"team": "buyers"}}
        pod = await self.api.post(f"{at}/acme/pods", {"metadata": metadata, "spec": spec})
        status = {"phase": "Running", "podIP": "127.0.0.1", "podIPs": [{"ip": "127.0.0.1"}]}
        await self.api.patch(f"{at}/acme/pods/buyer/status", {"status": status})
        bound = {"kind": "Pod", "apiVersion": "v1", "name": "buyer", "uid": pod["metadata"]["uid"]}
        asked = {"audiences": ["farebox.dev"], "boundObjectRef": bound}
        answer = await self.api.post(f"{at}/acme/serviceaccounts/app/token", {"spec": asked})
        self.token = answer["status"]["token"]

    async def set_limit(self, limit: str) -> None:
        """Have this limit, and the pool when it isn't there."""
        selector = {"matchLabels": {"team": "buyers"}}
        body = {
            "apiVersion": API_VERSION,
            "kind": "BudgetPool",
            "metadata": {"name": "org", "namespace": "acme"},
            "spec": {"limit": limit, "window": {"type": "Lifetime"}, "selector": selector},
        }
        where = f"{POOL}?fieldManager=somebody&force=true"
        await self.api.patch(where, body, "application/apply-patch+yaml")

    def controller(self, name: str, cut: Cut, kubeconfig: Path) -> KubeControllerProcess:
        """One of two controllers; each case has a ledger of its own."""
        folder = self.folder / f"{name}-{cut.name}"
        folder.mkdir()
        where = ("--etcd-endpoints", self.endpoint, "--etcd-prefix", f"/{cut.name}")
        ledger = ("--store", "etcd", *where)
        return KubeControllerProcess(folder, kubeconfig, "--name", name, ledger=ledger)

    async def authorities(self) -> str:
        """What signs the controllers' certificate."""
        secret = await self.api.get(f"/api/v1/namespaces/farebox/secrets/{SECRET}")
        return base64.b64decode(secret["data"]["ca.crt"]).decode()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    """A control plane of these tests alone: they end parts of it."""
    folder = tmp_path_factory.mktemp("stale")
    async with kube_api(folder / "kube") as api:
        await api.kubectl("apply", "-f", str(FOLDER))
        await api.until_served(API_VERSION, len(Kind))
        made = Site(api, folder)
        made.ledger.start()
        try:
            await made.fill()
            yield made
        finally:
            made.ledger.kill()


@contextlib.asynccontextmanager
async def running(*processes: KubeControllerProcess) -> AsyncIterator[None]:
    """Controllers, of which the first leads."""
    try:
        for number, one in enumerate(processes):
            await one.start()
            leader = processes[0].folder.name.partition("-")[0]
            wanted = ("leader" if number == 0 else "standby", leader)
            await until(lambda one=one, wanted=wanted: says(one, wanted))  # type: ignore[misc]  # a lambda's default has no type
        yield
    finally:
        for one in processes:
            one.close()


async def says(process: KubeControllerProcess, wanted: tuple[str, str]) -> bool:
    """Whether a controller says of itself what is wanted: its role, and who leads."""
    told = await process.view("/v1/leader")
    return (told["role"], told["leader"]) == wanted


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    """Wait, bounded, until something holds."""
    async with asyncio.timeout(PATIENCE_S):
        while not await holds():  # noqa: ASYNC110  (processes are polled)
            await asyncio.sleep(POLL_S)


@contextlib.asynccontextmanager
async def sidecar(
    process: KubeControllerProcess, authorities: str, token: str, holder: str
) -> AsyncIterator[LeasePeer]:
    """One that was let in; while a controller can't ask whose token it is, it is to come again."""
    async with asyncio.timeout(PATIENCE_S), contextlib.AsyncExitStack() as kept:
        while True:
            peer = await kept.enter_async_context(
                secured_peer(process.ports["grpc"], authorities, token)
            )
            try:
                await peer.greet(holder)
                break
            except (grpc.aio.AioRpcError, asyncio.InvalidStateError):
                assert await peer.call.code() is grpc.StatusCode.UNAVAILABLE
        yield peer


async def limit_at(process: KubeControllerProcess) -> Any:
    (row,) = (await process.view("/v1/pools"))["pools"]
    return row["limit_usd"]


@pytest.mark.parametrize("cut", Cut)
async def test_the_first_that_it_lends_respects_the_lower_limit(
    site: Site, cut: Cut, tmp_path: Path
) -> None:
    await site.set_limit("10.00")
    async with relay(site.api.port) as way:
        former = site.controller("former", cut, site.api.kubeconfig)
        kubeconfig = way.kubeconfig(site.api.kubeconfig, tmp_path)
        standby = site.controller("standby", cut, kubeconfig)
        async with running(former, standby):
            authorities = await site.authorities()
            async with sidecar(former, authorities, site.token, "a") as peer:
                await peer.report(want=(wants(4 * DOLLAR),))
                assert (await peer.next(Grant)).granted == 4 * DOLLAR
            way.cut()
            await site.set_limit("5.00")
            await until(lambda: _has_taken_in(former, "5.000000000"))
            former.kill()
            await _come_back(site, way, standby, cut)
            await until(lambda: says(standby, ("leader", "standby")))
            async with sidecar(standby, authorities, site.token, "b") as peer:
                await peer.report(want=(wants(6 * DOLLAR),))
                assert (await peer.next(Denial)).remaining == DOLLAR
            assert await limit_at(standby) == "5.000000000"


async def _has_taken_in(process: KubeControllerProcess, limit: str) -> bool:
    return bool(await limit_at(process) == limit)


async def _come_back(site: Site, way: Relay, standby: KubeControllerProcess, cut: Cut) -> None:
    """Let the one that stands by reach the API server, after it has tried to lead without."""
    if cut is Cut.DOWN:
        site.api.apiserver.kill()
    if cut is not Cut.WHOLLY:
        way.mend()
    if cut is not Cut.WATCHES:
        await until(lambda: _has_left(standby))
        assert not await says(standby, ("leader", "standby"))
    way.mend()
    if cut is Cut.DOWN:
        site.api.apiserver.start()
        await site.api.until_ready()


async def _has_left(standby: KubeControllerProcess) -> bool:
    return LEFT in standby.log()
