"""The stream to a controller that asks every sidecar who it is: real TLS, a real lease server."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from controller.kube.client import open_client
from controller.kube.rotation import Due, done
from farebox.core.instant import UtcMs
from farebox.core.policy import Policy
from farebox.runtime.clock import SystemClock
from farebox.wire.messages import Workload
from sidecar.credentials import Credentials
from sidecar.lease_client import LeaseClient
from sidecar.leasing import Leasing
from tests.support.kube_fake import serving_kube
from tests.support.lease_peers import PATIENCE_S
from tests.support.money import make_purse
from tests.support.peers import eventually
from tests.support.pods import Controller, Pod, controller
from tests.support.scenes import pool
from tests.support.tasks import beside

POD = Pod(name="pod-0", labels={"team": "blue"})


class Sidecar:
    """A lease client with its files."""

    def __init__(self, folder: Path, at: Controller, *, host: str = "localhost") -> None:
        self.ca, self.token = folder / "ca.pem", folder / "token"
        self.ca.write_text(at.tls.bundle)
        self.token.write_text(POD.token)
        clock = SystemClock()
        self.leasing = Leasing(make_purse(folder), Workload(namespace="said", name="by-itself"))
        self.policies: list[Policy] = []
        self.client = LeaseClient(
            f"{host}:{at.port}",
            self.leasing,
            clock,
            on_policy=self.policies.append,
            notify=lambda _: None,
            credentials=Credentials(ca=self.ca, token=self.token),
        )

    async def until_it_has_policies(self, count: int = 1) -> None:
        """Wait until so many were pushed."""
        await eventually(lambda: len(self.policies) >= count)


@asynccontextmanager
async def running(sidecar: Sidecar) -> AsyncIterator[None]:
    task = beside(sidecar.client.run())
    try:
        yield
    finally:
        sidecar.client.stop()
        async with asyncio.timeout(PATIENCE_S):
            await task


@pytest.fixture
async def at(tmp_path: Path) -> AsyncIterator[Controller]:
    async with (
        serving_kube() as fake,
        open_client(fake.options(tmp_path)) as kube,
        controller(fake, kube, pool()) as made,
    ):
        made.run(POD)
        yield made


def told(caplog: pytest.LogCaptureFixture) -> str:
    return "\n".join(
        record.getMessage()
        for record in caplog.records
        if record.name == "sidecar.lease_client" and record.levelno >= logging.WARNING
    )


async def test_it_is_the_pod_that_its_token_names(tmp_path: Path, at: Controller) -> None:
    sidecar = Sidecar(tmp_path, at)
    async with running(sidecar):
        await sidecar.until_it_has_policies()
        (holder,) = at.engine.world.holders.values()
        assert (holder.workload.namespace, holder.workload.name) == ("acme", "pod-0")


async def test_each_stream_shows_the_token_that_is_in_the_file_then(
    tmp_path: Path, at: Controller, caplog: pytest.LogCaptureFixture
) -> None:
    sidecar = Sidecar(tmp_path, at)
    sidecar.token.write_text("an-expired-one")
    async with running(sidecar):
        await eventually(lambda: "UNAUTHENTICATED: the token is" in told(caplog))
        assert "an-expired-one" not in caplog.text
        sidecar.token.write_text(POD.token)
        await sidecar.until_it_has_policies()

        at.fake.tokens["renewed"] = at.fake.tokens.pop(POD.token)
        sidecar.token.write_text("renewed\n")
        for outbox in tuple(at.server._outboxes.values()):
            outbox.end()
        await sidecar.until_it_has_policies(2)


async def test_a_file_that_is_not_there_yet_is_waited_for(
    tmp_path: Path, at: Controller, caplog: pytest.LogCaptureFixture
) -> None:
    sidecar = Sidecar(tmp_path, at)
    sidecar.ca.unlink()
    async with running(sidecar):
        await eventually(lambda: sidecar.client.tried_all)
        assert f"no stream to the controller localhost:{at.port}: --controller-ca" in told(caplog)
        sidecar.ca.write_text(at.tls.bundle)
        await sidecar.until_it_has_policies()


async def test_a_controller_that_another_authority_vouches_for_is_not_believed(
    tmp_path: Path, at: Controller, caplog: pytest.LogCaptureFixture
) -> None:
    sidecar = Sidecar(tmp_path, at)
    stranger = done(Due.MAKE, None, UtcMs(SystemClock().utc()), ("localhost",)).trusted
    sidecar.ca.write_text(stranger)
    async with running(sidecar):
        await eventually(lambda: "is not by an authority in --controller-ca" in told(caplog))
        assert at.reviews() == 0, "no token was shown to it"
        sidecar.ca.write_text(stranger + at.tls.bundle)
        await sidecar.until_it_has_policies()


async def test_a_certificate_of_another_host_is_not_believed(
    tmp_path: Path, at: Controller, caplog: pytest.LogCaptureFixture
) -> None:
    sidecar = Sidecar(tmp_path, at, host="127.0.0.1")
    async with running(sidecar):
        await eventually(lambda: "is made out to other names" in told(caplog))
    assert at.reviews() == 0
