"""Pods that show who they are: a controller with TLS and an API server that knows their tokens.

A pod is an address of the loopback network. What a pod sends goes through a relay that connects
from that address, so that the controller sees it as the peer.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Final

import grpc
import grpc.aio
from prometheus_client import CollectorRegistry

from controller.committer import Committer
from controller.engine import Engine
from controller.kube.client import KubeClient
from controller.kube.identity import Identities
from controller.kube.tls import Tls
from controller.kube.tls_secret import TlsSecret
from controller.lease_server import LeaseServer
from controller.store.memory import MemoryStore
from controller.telemetry import Telemetry
from controller.terms import Terms
from farebox.core.budgets import Pool
from farebox.runtime.clock import Clock, SystemClock
from farebox.runtime.endpoints import Endpoint
from farebox.wire.v1 import lease_pb2_grpc
from tests.support.kube_fake import KubeFake, Token
from tests.support.lease_peers import PATIENCE_S, LeasePeer
from tests.support.scenes import resources
from tests.support.tasks import beside

AUDIENCE: Final = "farebox.dev"
_PIECE_BYTES_MAX: Final = 65_536


@dataclass(frozen=True, kw_only=True)
class Pod:
    """A pod as the controller knows it."""

    name: str
    namespace: str = "acme"
    labels: Mapping[str, str] = field(default_factory=dict)
    addresses: tuple[str, ...] = ("127.0.0.1",)
    ended: bool = False

    @property
    def uid(self) -> str:
        return f"uid-of-{self.name}"

    @property
    def token(self) -> str:
        """What its sidecar shows."""
        return f"token-of-{self.name}"


def bearer(pod: Pod) -> str:
    """The authorization that a pod's sidecar shows."""
    return f"Bearer {pod.token}"


async def refusal(peer: LeasePeer) -> tuple[grpc.StatusCode, str]:
    """How a stream was ended, and why."""
    async with asyncio.timeout(PATIENCE_S):
        return await peer.call.code(), await peer.call.details()


class KnownPods:
    """Which pods the controller knows."""

    def __init__(self) -> None:
        self.by_uid: dict[str, Pod] = {}


class Controller:
    """An engine behind TLS that lets in only pods that it knows."""

    def __init__(
        self,
        fake: KubeFake,
        kube: KubeClient,
        engine: Engine,
        *,
        clock: Clock,
        require_address: bool,
        pod_s_max: float,
    ) -> None:
        self.fake = fake
        self.engine = engine
        self.pods = KnownPods()
        self.store = MemoryStore()
        identities = Identities(
            kube,
            self.pods,
            clock,
            audience=AUDIENCE,
            require_address=require_address,
            pod_s_max=pod_s_max,
        )
        self.committer = Committer(
            engine, self.store, clock, Telemetry(CollectorRegistry(), engine)
        )
        self.server = LeaseServer(self.committer, authenticate=identities.authenticate)
        self.tls = Tls(TlsSecret(kube, "farebox"), SystemClock(), ("localhost",))
        self.port = 0

    def run(self, pod: Pod, *, audiences: tuple[str, ...] = (AUDIENCE,)) -> Pod:
        """Let a pod be there, with a token of its own."""
        self.pods.by_uid[pod.uid] = pod
        self.fake.tokens[pod.token] = Token(
            namespace=pod.namespace, pod_name=pod.name, pod_uid=pod.uid, audiences=audiences
        )
        return pod

    def label(self, pod: Pod, labels: Mapping[str, str]) -> None:
        """Give a pod other labels."""
        self.run(Pod(name=pod.name, namespace=pod.namespace, labels=labels))
        self.server.pod_changed(pod.uid, labels)

    def end(self, pod: Pod) -> None:
        """Let a pod be gone."""
        del self.pods.by_uid[pod.uid]
        del self.fake.tokens[pod.token]
        self.server.pod_changed(pod.uid, None)

    def connected(self) -> set[str]:
        """The holders that have a stream."""
        holders = self.engine.world.holders.values()
        return {holder.uid for holder in holders if holder.stream is not None}

    def reviews(self) -> int:
        """How many tokens the API server was asked about."""
        return sum(1 for one in self.fake.asked if one.path.endswith("/tokenreviews"))


@asynccontextmanager
async def controller(
    fake: KubeFake,
    kube: KubeClient,
    *pools: Pool,
    clock: Clock | None = None,
    require_address: bool = True,
    pod_s_max: float = 5.0,
) -> AsyncIterator[Controller]:
    """Serve, until the block ends."""
    engine = Engine(
        await MemoryStore().open(),
        terms=Terms(),
        resources=resources(*pools),
        now=SystemClock().utc(),
    )
    made = Controller(
        fake,
        kube,
        engine,
        clock=clock or SystemClock(),
        require_address=require_address,
        pod_s_max=pod_s_max,
    )
    await made.store.open()
    await made.tls.ready()
    made.port = await made.server.start(Endpoint("127.0.0.1", 0), made.tls.server_credentials())
    loop = beside(
        made.committer.run(deliver=made.server.deliver, end_stream=made.server.end_stream)
    )
    try:
        yield made
    finally:
        await made.server.stop()
        loop.cancel()
        await asyncio.wait([loop])


@asynccontextmanager
async def pod_peer(
    at: Controller, *, authorization: str | None, address: str = "127.0.0.1"
) -> AsyncIterator[LeasePeer]:
    """A stream from an address, with this authorization (None: with none)."""
    async with AsyncExitStack() as stack:
        port = at.port
        if address != "127.0.0.1":
            port = await stack.enter_async_context(_relay(at.port, address))
        credentials = grpc.ssl_channel_credentials(root_certificates=at.tls.bundle.encode())
        channel = await stack.enter_async_context(
            grpc.aio.secure_channel(f"localhost:{port}", credentials)
        )
        metadata: Any = None if authorization is None else (("authorization", authorization),)
        call = lease_pb2_grpc.LeaseServiceStub(channel).Sync(metadata=metadata)
        yield LeasePeer(call)
        call.cancel()


@asynccontextmanager
async def _relay(port: int, address: str) -> AsyncIterator[int]:
    """Carry connections to a port on from another address; returns where they are taken."""

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            onwards_reader, onwards_writer = await asyncio.open_connection(
                "127.0.0.1", port, local_addr=(address, 0)
            )
            await asyncio.gather(_pipe(reader, onwards_writer), _pipe(onwards_reader, writer))

    server = await asyncio.start_server(carry, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while piece := await reader.read(_PIECE_BYTES_MAX):
            writer.write(piece)
            await writer.drain()
    writer.close()
