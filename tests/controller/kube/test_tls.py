"""The certificate in force, with a Secret on an API server: made, raced for, renewed, broken."""

import asyncio
import base64
import ssl
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest

from controller.kube.certificates import CertificateError
from controller.kube.client import KubeClient, KubeError, open_client
from controller.kube.rotation import SPANS, Spans
from controller.kube.tls import Tls
from controller.kube.tls_secret import REPLACE, SECRET, TlsSecret
from farebox.core.instant import DurationMs
from farebox.runtime.clock import SystemClock
from tests.support.clocks import ManualClock
from tests.support.kube_fake import KubeFake, serving_kube
from tests.support.peers import eventually
from tests.support.tasks import beside

NAMES = ("localhost", "farebox.ns.svc")
DAY = 86_400_000


class Cluster:
    """An API server, and controllers that share its Secret and a clock."""

    def __init__(self, fake: KubeFake, kube: KubeClient) -> None:
        self.fake = fake
        self.kube = kube
        self.clock = ManualClock()
        self.published: list[str] = []

    def controller(self, **more: Any) -> Tls:
        """One more controller."""
        secret = TlsSecret(self.kube, "farebox")
        return Tls(secret, self.clock, NAMES, on_bundle=self.published.append, **more)

    def data(self) -> dict[str, str]:
        """The Secret's texts."""
        data = self.fake.get("secrets", SECRET, namespace="farebox")["data"]
        return {name: base64.b64decode(text).decode() for name, text in data.items()}

    def writes(self) -> int:
        """How often the Secret was written."""
        return sum(1 for one in self.fake.asked if one.method in {"POST", "PUT"})


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[Cluster]:
    async with serving_kube() as fake, open_client(fake.options(tmp_path)) as kube:
        yield Cluster(fake, kube)


async def test_the_first_controller_makes_what_all_share(cluster: Cluster) -> None:
    one, other = cluster.controller(), cluster.controller()
    await one.ready()
    await other.ready()

    assert one.bundle == other.bundle == cluster.data()["ca.crt"]
    assert cluster.writes() == 1
    assert cluster.published == [one.bundle, one.bundle]
    assert one.ends_at == cluster.clock.utc() // 1_000 * 1_000 + SPANS.leaf


async def test_controllers_that_start_at_once_make_one_authority(cluster: Cluster) -> None:
    controllers = [cluster.controller() for _ in range(8)]
    await asyncio.gather(*(one.ready() for one in controllers))

    assert {one.bundle for one in controllers} == {cluster.data()["ca.crt"]}


async def test_an_empty_secret_of_the_installation_is_filled_and_keeps_what_else_it_says(
    cluster: Cluster,
) -> None:
    helm = {"labels": {"app.kubernetes.io/managed-by": "Helm"}, "annotations": {"a": "b"}}
    cluster.fake.put("secrets", SECRET, {"metadata": helm, "type": "Opaque"}, namespace="farebox")
    controllers = [cluster.controller() for _ in range(3)]
    await asyncio.gather(*(one.ready() for one in controllers))

    assert {one.bundle for one in controllers} == {cluster.data()["ca.crt"]}
    kept = cluster.fake.get("secrets", SECRET, namespace="farebox")["metadata"]
    assert (kept["labels"], kept["annotations"]) == (helm["labels"], helm["annotations"])


async def test_an_authority_is_published_then_serves_then_is_alone(cluster: Cluster) -> None:
    one, other = cluster.controller(), cluster.controller()
    await one.ready()
    await other.ready()
    first = one.bundle

    async def after(days: int) -> str:
        cluster.clock.jump_utc(days * DAY)
        await asyncio.gather(one.look(), other.look())
        assert one.bundle == other.bundle
        return one.bundle

    both = await after(2_434)
    assert both.startswith(first), "what is served is signed by the first one still"
    assert both.count("BEGIN") == 2
    assert await after(6) == both
    swapped = await after(1)
    assert swapped.endswith(first)
    assert sorted(swapped.split("-----")) == sorted(both.split("-----"))
    assert await after(6) == swapped
    assert await after(1) == both.removeprefix(first)


async def test_a_certificate_is_renewed_and_nobody_has_to_trust_anything_new(
    cluster: Cluster,
) -> None:
    one = cluster.controller()
    await one.ready()
    before = cluster.data()["tls.crt"]

    cluster.clock.jump_utc(60 * DAY)
    await one.look()

    assert cluster.data()["tls.crt"] != before
    assert cluster.published == [one.bundle]


async def test_while_the_api_server_is_away_what_was_served_is_served(cluster: Cluster) -> None:
    one = cluster.controller()
    await one.ready()
    served = one.bundle
    await cluster.fake.stop()
    with pytest.raises(KubeError):
        await one.look()
    assert one.bundle == served

    await cluster.fake.start()
    await one.look()


async def test_a_start_waits_for_the_api_server(cluster: Cluster) -> None:
    cluster.fake.fail("/api/v1/namespaces/farebox/secrets", status=503, times=2)
    one = cluster.controller()
    assert one.bundle == ""
    await one.ready()
    assert one.bundle == cluster.data()["ca.crt"]


def ask(cluster: Cluster, pace: str) -> None:
    """Somebody annotates the Secret."""
    thing = cluster.fake.get("secrets", SECRET, namespace="farebox")
    metadata = {**thing["metadata"], "annotations": {REPLACE: pace}}
    cluster.fake.put("secrets", SECRET, {**thing, "metadata": metadata}, namespace="farebox")


async def test_an_authority_whose_key_leaked_is_replaced_at_the_pace_that_is_asked_for(
    cluster: Cluster,
) -> None:
    one, other = cluster.controller(), cluster.controller()
    await one.ready()
    await other.ready()
    first = one.bundle
    ask(cluster, "5m")
    found = []
    for _ in range(4):
        await asyncio.gather(one.look(), other.look())
        assert one.bundle == other.bundle
        found.append([first in one.bundle, one.bundle.startswith(first)])
        cluster.clock.jump_utc(5 * 60_000)
    assert found == [[True, True], [True, False], [False, False], [False, False]]
    assert set(cluster.data()) == {"ca.crt", "ca.key", "tls.crt", "tls.key", "since"}


async def test_what_is_no_pace_is_told_once_and_changes_nothing(
    cluster: Cluster, caplog: pytest.LogCaptureFixture
) -> None:
    one = cluster.controller()
    await one.ready()
    ask(cluster, "at once")
    before = cluster.data()
    await one.look()
    await one.look()
    assert cluster.data() == before
    (told,) = [one.message for one in caplog.records if "replace-ca" in one.message]
    assert "on Secret farebox-tls: 'at once' is not a duration: write a number and a unit" in told


@pytest.mark.parametrize("how", ["removed", "emptied"])
async def test_a_secret_that_is_lost_is_put_back_as_it_was(cluster: Cluster, how: str) -> None:
    one = cluster.controller()
    await one.ready()
    before = cluster.data()
    if how == "removed":
        cluster.fake.remove("secrets", SECRET, namespace="farebox")
    else:
        cluster.fake.put("secrets", SECRET, {"data": {}}, namespace="farebox")
    await one.look()
    assert cluster.data() == before


@pytest.mark.parametrize(
    ("name", "text"),
    [("tls.key", ""), ("tls.crt", "nothing"), ("ca.key", "nothing"), ("since", "long ago")],
)
async def test_a_broken_secret_is_left_alone_and_what_was_served_is_served(
    cluster: Cluster, name: str, text: str
) -> None:
    one = cluster.controller()
    await one.ready()
    served, thing = one.bundle, cluster.fake.get("secrets", SECRET, namespace="farebox")
    data = {**thing["data"], name: base64.b64encode(text.encode()).decode()}
    cluster.fake.put("secrets", SECRET, {"data": data}, namespace="farebox")

    with pytest.raises(CertificateError, match="Secret farebox/farebox-tls can't be used") as told:
        await one.look()
    assert "PRIVATE" not in str(told.value)
    assert one.bundle == served
    assert cluster.data()[name] == text
    with pytest.raises(CertificateError):
        await cluster.controller().look()


async def test_what_another_controller_did_is_taken_while_running(cluster: Cluster) -> None:
    one, other = cluster.controller(look_s=0.02), cluster.controller()
    await one.ready()
    await other.ready()
    running = beside(one.run())
    try:
        cluster.clock.jump_utc(2_434 * DAY)
        await other.look()
        await eventually(lambda: one.bundle == other.bundle)
    finally:
        running.cancel()
        await asyncio.wait([running])


# What clients see.

WAIT_MS = 600_000
SHORT_WAITS = Spans(published=DurationMs(WAIT_MS), dropped=DurationMs(WAIT_MS))
"""Short enough for what is made after two of them to be valid now: it is backdated by an hour."""

SEVEN_YEARS = 7 * 365 * DAY


@asynccontextmanager
async def grpc_server(tls: Tls) -> AsyncIterator[int]:
    """A gRPC service that answers with what it is asked, and a stream that echoes."""

    async def echo(request: bytes, _: object) -> bytes:
        return request

    async def echo_all(requests: AsyncIterator[bytes], _: object) -> AsyncIterator[bytes]:
        async for request in requests:
            yield request

    server = grpc.aio.server()
    handlers = {
        "Echo": grpc.unary_unary_rpc_method_handler(echo),
        "EchoAll": grpc.stream_stream_rpc_method_handler(echo_all),
    }
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("test.T", handlers),))
    port = server.add_secure_port("127.0.0.1:0", tls.server_credentials())
    await server.start()
    try:
        yield port
    finally:
        await server.stop(0)


async def reaches(port: int, trusted: str) -> bool:
    """Whether a client that trusts this gets an answer on a new connection."""
    credentials = grpc.ssl_channel_credentials(root_certificates=trusted.encode())
    channel: Any  # the stubs want serializers, which bytes need none of
    async with grpc.aio.secure_channel(f"localhost:{port}", credentials) as channel:
        try:
            await channel.unary_unary("/test.T/Echo")(b"x", timeout=20)
        except grpc.aio.AioRpcError as error:
            return error.code() is not grpc.StatusCode.UNAVAILABLE
    return True


async def rotating(cluster: Cluster) -> AsyncIterator[tuple[Tls, str, tuple[str, ...]]]:
    """A controller before and after each step of an exchange of authorities, by the real clock.

    With what was published first, and what was published in the last step or the one before it.
    """
    cluster.clock = ManualClock(utc=SystemClock().utc() - SEVEN_YEARS)
    one = cluster.controller(spans=SHORT_WAITS)
    await one.ready()
    cluster.clock.jump_utc(SEVEN_YEARS)
    published = [one.bundle]
    for _ in range(3):
        await one.look()
        published.append(one.bundle)
        yield one, published[0], tuple(published[-2:])
        cluster.clock.jump_utc(WAIT_MS)
    assert len(set(published)) == 4


async def test_whoever_trusts_what_was_published_a_step_ago_is_served_and_streams_go_on(
    cluster: Cluster,
) -> None:
    async with AsyncExitStack() as stack:
        stream: Any = None
        served = []
        async for tls, first, recent in rotating(cluster):
            if stream is None:
                port = await stack.enter_async_context(grpc_server(tls))
                trusted = grpc.ssl_channel_credentials(root_certificates=first.encode())
                channel: Any = await stack.enter_async_context(
                    grpc.aio.secure_channel(f"localhost:{port}", trusted)
                )
                stream = channel.stream_stream("/test.T/EchoAll")()
            assert [await reaches(port, text) for text in recent] == [True, True]
            served.append(await reaches(port, first))
            await stream.write(b"still")
            assert await stream.read() == b"still", "a stream outlives the certificate it began by"
        assert served == [True, False, False], "who read nothing new in all that time is not"


async def test_a_server_with_the_ssl_context_shows_the_new_certificate_too(
    cluster: Cluster,
) -> None:
    server = None
    async for tls, _, recent in rotating(cluster):
        if server is None:
            server = await asyncio.start_server(
                lambda _, writer: writer.close(), "127.0.0.1", 0, ssl=tls.ssl_context()
            )
            port = server.sockets[0].getsockname()[1]
        for text in recent:
            _, writer = await asyncio.open_connection(
                "localhost", port, ssl=ssl.create_default_context(cadata=text)
            )
            writer.close()
    assert server is not None
    server.close()
