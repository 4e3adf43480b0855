"""What the metrics say of the mirrors, before and after they know anything."""

import asyncio
from pathlib import Path

from prometheus_client import CollectorRegistry, generate_latest

from controller.kube.client import open_client
from controller.kube.cluster_metrics import ClusterMetrics
from controller.kube.pods import Pods
from controller.kube.resources import KubeWatch
from controller.kube.tls import Tls
from controller.kube.tls_secret import TlsSecret
from controller.lease_server import LeaseServer
from tests.support.clocks import ManualClock
from tests.support.kube_fake import serving_kube
from tests.support.tasks import beside


async def test_mirrors_and_the_certificate_are_shown(tmp_path: Path) -> None:
    clock = ManualClock()
    async with serving_kube() as fake, open_client(fake.options(tmp_path)) as kube:
        fake.put("pods", "a", {"metadata": {}}, namespace="shop")
        pods, watch = Pods(kube), KubeWatch(kube=kube, clock=clock)
        tls = Tls(TlsSecret(kube, "farebox"), clock, ["farebox.farebox.svc"])
        server = LeaseServer()
        server.turned_away["UNAUTHENTICATED"] += 2
        registry = CollectorRegistry()
        registry.register(ClusterMetrics(watch, pods, tls, server))

        before = generate_latest(registry).decode()
        assert 'farebox_cluster_follows{kind="pods"} 0.0' in before
        assert "farebox_certificate_ends_seconds" not in before

        running = beside(pods.reflector.run())
        await pods.reflector.synced.wait()
        await tls.ready()
        after = generate_latest(registry).decode()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await server.stop()
    for line in (
        'farebox_cluster_objects{kind="pods"} 1.0',
        'farebox_cluster_follows{kind="pods"} 1.0',
        'farebox_cluster_lists_total{kind="pods"} 1.0',
        'farebox_cluster_objects{kind="budgetpools"} 0.0',
        "farebox_cluster_problems 0.0",
        'farebox_streams_turned_away_total{code="UNAUTHENTICATED"} 2.0',
    ):
        assert line in after
    assert "farebox_certificate_ends_seconds 1." in after
