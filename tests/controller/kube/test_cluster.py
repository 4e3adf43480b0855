"""The controller in a cluster, as a process: from an empty one to money for a pod, and back."""

import asyncio
import base64
import contextlib
import re
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from farebox.wire.messages import Grant, PolicyPush
from tests.support.kube_controllers import KubeControllerProcess, secured_peer
from tests.support.kube_fake import KubeFake, Token, serving_kube
from tests.support.kube_store import Refused
from tests.support.peers import eventually
from tests.support.ports import free_ports
from tests.support.scenes import wants
from tests.support.tasks import beside

DOLLAR = 1_000_000_000
POLLS_MAX = 3_000
TRIES_MAX = 10
TURNED_AWAY = "UNAUTHENTICATED|PERMISSION_DENIED"


def spec(limit: str) -> dict[str, Any]:
    return {
        "limit": limit,
        "window": {"type": "Lifetime"},
        "selector": {"matchLabels": {"team": "buyers"}},
    }


def fill(fake: KubeFake) -> None:
    """A namespace with a pool, and a pod that draws on it."""
    labels = {"farebox.dev/inject": "enabled"}
    fake.put("namespaces", "acme", {"metadata": {"labels": labels}})
    fake.put("budgetpools", "org", {"spec": spec("10.00")}, namespace="acme")
    pod = fake.put(
        "pods",
        "buyer",
        {
            "metadata": {"labels": {"team": "buyers"}},
            "status": {"phase": "Running", "podIPs": [{"ip": "127.0.0.1"}]},
        },
        namespace="acme",
    )
    fake.tokens["good"] = Token(namespace="acme", pod_name="buyer", pod_uid=pod["metadata"]["uid"])


@contextlib.asynccontextmanager
async def controlled(
    folder: Path, fake: KubeFake, *flags: str
) -> AsyncIterator[KubeControllerProcess]:
    process = KubeControllerProcess(folder, fake.kubeconfig(folder), *flags)
    try:
        yield process
    finally:
        process.close()


async def probe(process: KubeControllerProcess, path: str) -> tuple[int, str]:
    """A page of the probes, (0, "") while nothing listens."""
    url = f"http://127.0.0.1:{process.probes}{path}"
    try:
        async with aiohttp.ClientSession() as session, session.get(url) as answer:
            return answer.status, await answer.text()
    except aiohttp.ClientError:
        return 0, ""


async def until_says(process: KubeControllerProcess, want: str) -> str:
    """Wait, bounded, for what /readyz says: its status and text."""
    said = ""
    for _ in range(POLLS_MAX):
        said = "{} {}".format(*(await probe(process, "/readyz")))
        if want in said:
            return said
        await asyncio.sleep(0.02)
    raise AssertionError(said)


async def until_ready(process: KubeControllerProcess) -> None:
    """Wait until the kubelet may count on it."""
    await until_says(process, "200 ready")


def authorities(fake: KubeFake) -> str:
    try:
        return str(fake.get("configmaps", "farebox-ca", namespace="acme")["data"]["ca.pem"])
    except Refused:
        return ""


async def test_a_pod_gets_money_by_its_token_and_a_raised_limit_at_once(tmp_path: Path) -> None:
    async with serving_kube() as fake, controlled(tmp_path, fake) as process:
        fill(fake)
        await process.start()
        await until_ready(process)
        await eventually(lambda: authorities(fake) != "", polls_max=POLLS_MAX)
        async with secured_peer(process.ports["grpc"], authorities(fake), "good") as peer:
            await peer.greet("holder-a")
            policy = await peer.next(PolicyPush)
            assert [pool.uid for pool in policy.policy.pools] == ["acme/org"]
            await peer.report(want=(wants(4 * DOLLAR),))
            assert (await peer.next(Grant)).granted == 4 * DOLLAR

            fake.put("budgetpools", "org", {"spec": spec("20.00")}, namespace="acme")
            await peer.next(PolicyPush)
            (row,) = (await process.view("/v1/pools"))["pools"]
            assert row["limit_usd"] == "20.000000000"

        def ready() -> str:
            status = fake.get("budgetpools", "org", namespace="acme").get("status") or {}
            conditions = {one["type"]: one["status"] for one in status.get("conditions", ())}
            return str(conditions.get("Ready"))

        await eventually(lambda: ready() == "True", polls_max=POLLS_MAX)
        _, metrics = await probe(process, "/metrics")
        assert 'farebox_cluster_objects{kind="budgetpools"} 1.0' in metrics
        assert 'farebox_cluster_follows{kind="pods"} 1.0' in metrics
        assert (await probe(process, "/livez"))[0] == 200
        assert (await probe(process, "/v1/pools"))[0] == 404, "probes show no views"
        assert process.end() == 0
        assert "ending as asked" in process.log()


async def test_it_stands_by_until_everything_was_listed_and_ends_when_asked(
    tmp_path: Path,
) -> None:
    async with serving_kube() as fake, controlled(tmp_path, fake) as process:
        fill(fake)
        fake.fail("/api/v1/pods", status=403, times=10_000)
        starting = beside(process.start())
        assert "answers 403" in await until_says(process, "pods have not been listed yet: ")
        assert not starting.done()
        fake.stop_failing()
        await starting
        await until_ready(process)
        assert process.end() == 0


async def test_without_an_api_server_it_waits_and_still_ends_when_asked(tmp_path: Path) -> None:
    fake = KubeFake()
    await fake.start()
    await fake.stop()
    async with controlled(tmp_path, fake) as process:
        starting = beside(process.start())
        await until_says(process, "can't be reached")
        assert (await probe(process, "/livez"))[0] == 200
        starting.cancel()
        await asyncio.gather(starting, return_exceptions=True)
        assert process.end() == 0


async def test_an_outage_changes_nothing_and_what_was_missed_is_caught_up(tmp_path: Path) -> None:
    async with serving_kube() as fake, controlled(tmp_path, fake) as process:
        fill(fake)
        await process.start()
        await until_ready(process)
        await eventually(lambda: authorities(fake) != "", polls_max=POLLS_MAX)
        async with secured_peer(process.ports["grpc"], authorities(fake), "good") as peer:
            await peer.greet("holder-a")
            await peer.next(PolicyPush)
            await fake.stop()
            await peer.report(want=(wants(4 * DOLLAR),))
            assert (await peer.next(Grant)).granted == 4 * DOLLAR
            fake.put("budgetpools", "org", {"spec": spec("5.00")}, namespace="acme")
            fake.store.compact()
            assert (await probe(process, "/readyz"))[0] == 200
            await fake.start()
            await peer.next(PolicyPush)
            (row,) = (await process.view("/v1/pools"))["pools"]
            assert row["limit_usd"] == "5.000000000"


async def test_whoever_has_no_good_token_is_turned_away(tmp_path: Path) -> None:
    async with serving_kube() as fake, controlled(tmp_path, fake) as process:
        fill(fake)
        await process.start()
        await until_ready(process)
        await eventually(lambda: authorities(fake) != "", polls_max=POLLS_MAX)
        said = ""
        for _ in range(TRIES_MAX):
            # A refusal that comes while the Hello is written is told as a write that failed.
            async with secured_peer(process.ports["grpc"], authorities(fake), "stolen") as peer:
                with pytest.raises(Exception, match=f"{TURNED_AWAY}|INTERNAL|execute_batch") as it:
                    await peer.greet("holder-a")
            said = str(it.value)
            if re.search(TURNED_AWAY, said):
                break
        assert re.search(TURNED_AWAY, said)


async def test_a_pod_that_has_ended_or_is_gone_has_no_stream(tmp_path: Path) -> None:
    async with serving_kube() as fake, controlled(tmp_path, fake) as process:
        fill(fake)
        await process.start()
        await until_ready(process)
        await eventually(lambda: authorities(fake) != "", polls_max=POLLS_MAX)
        async with secured_peer(process.ports["grpc"], authorities(fake), "good") as peer:
            await peer.greet("holder-a")
            await peer.next(PolicyPush)
            ended = {"status": {"phase": "Succeeded", "podIPs": [{"ip": "127.0.0.1"}]}}
            fake.put("pods", "buyer", ended, namespace="acme")
            with pytest.raises(Exception, match=r"UNAUTHENTICATED|PERMISSION_DENIED|UNAVAILABLE"):
                await peer.until_end()


async def test_pods_are_injected_by_whatever_has_the_authority(tmp_path: Path) -> None:
    injection = tmp_path / "injection.yaml"
    injection.write_text("image: farebox-sidecar:1\ncontrollers: [a.farebox.svc:7447]\n")
    (port,) = free_ports(1)
    flags = (f"--webhook=127.0.0.1:{port}", f"--injection={injection}")
    async with serving_kube() as fake, controlled(tmp_path, fake, *flags) as process:
        fill(fake)
        await process.start()
        await until_ready(process)
        await eventually(lambda: authorities(fake) != "", polls_max=POLLS_MAX)
        trust = ssl.create_default_context(cadata=authorities(fake))
        pod = {
            "metadata": {"name": "new"},
            "spec": {"containers": [{"name": "app", "image": "app"}]},
        }
        review = {
            "apiVersion": "admission.k8s.io/v1",
            "kind": "AdmissionReview",
            "request": {
                "uid": "review-1",
                "kind": {"group": "", "version": "v1", "kind": "Pod"},
                "resource": {"group": "", "version": "v1", "resource": "pods"},
                "operation": "CREATE",
                "namespace": "acme",
                "object": pod,
            },
        }
        url = f"https://127.0.0.1:{port}/inject"
        name = "farebox-webhook.farebox.svc"
        async with (
            aiohttp.ClientSession() as session,
            session.post(url, json=review, ssl=trust, server_hostname=name) as answer,
        ):
            response = (await answer.json())["response"]
        assert (response["allowed"], response["uid"]) == (True, "review-1")
        assert b"farebox-sidecar:1" in base64.b64decode(response["patch"])
        _, metrics = await probe(process, "/metrics")
        assert "farebox_controller_injections" in metrics
        assert process.end() == 0
