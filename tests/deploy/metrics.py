"""The metrics that the programs show, with their labels, as their own code makes them.

The one rule: nothing is listed here by hand; what a dashboard may ask for is what a scrape would
see.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from types import SimpleNamespace
from typing import Any, Final, cast

from prometheus_client import CollectorRegistry
from prometheus_client.metrics_core import Metric

from controller.kube.bundles import BundleMetrics, Bundles
from controller.kube.cluster_metrics import ClusterMetrics
from controller.kube.pods import Pods
from controller.kube.resources import KubeWatch
from controller.kube.tls import Tls
from controller.kube.webhook import Webhook, WebhookMetrics
from controller.lease_server import LeaseServer
from controller.reigns import ReignMetrics, Reigns
from controller.telemetry import Telemetry as ControllerTelemetry
from sidecar.telemetry import Telemetry as SidecarTelemetry
from tests.support.watched import MEASURED, scene_of

OF_TARGETS: Final = frozenset({"namespace", "pod", "job", "instance", "container"})
"""Labels that Prometheus gives to everything it reads from a pod."""

_SUFFIXES: Final[Mapping[str, tuple[str, ...]]] = {
    "counter": ("_total",),
    "gauge": ("",),
    "histogram": ("_bucket", "_sum", "_count"),
}


def shown() -> dict[str, frozenset[str]]:
    """The series of both programs by name, each with its labels."""
    found: dict[str, frozenset[str]] = {}
    for registry in (*_of_controller(), _of_sidecar()):
        for family in registry.collect():
            labels = frozenset(_labels(registry, family))
            for suffix in _SUFFIXES[family.type]:
                found[family.name + suffix] = labels | {"le"} if suffix == "_bucket" else labels
    return found


def _labels(registry: CollectorRegistry, family: Metric) -> Iterable[str]:
    """The names of a family's labels, also while it has no series."""
    known: Any = registry._names_to_collectors.get(family.name)
    labels: Iterable[str] = getattr(family, "_labelnames", ()) or getattr(known, "_labelnames", ())
    return labels


def _of_controller() -> tuple[CollectorRegistry, CollectorRegistry]:
    """As while it leads: its own and, with all labels, that of its reign."""
    scene, inner, registry = scene_of(MEASURED), CollectorRegistry(), CollectorRegistry()
    ControllerTelemetry(inner, scene.engine)
    leads = SimpleNamespace(engine=scene.engine, registry=inner)
    registry.register(ReignMetrics(cast("Reigns", leads)))
    idle = SimpleNamespace(outcomes=Counter(), failures=0)
    registry.register(WebhookMetrics(cast("Webhook", idle)))
    registry.register(_of_cluster())
    registry.register(BundleMetrics(cast("Bundles", SimpleNamespace(trouble=tuple))))
    return registry, inner


def _of_cluster() -> ClusterMetrics:
    """As at the start, with a certificate."""
    synced = SimpleNamespace(is_set=lambda: False)
    mirror = SimpleNamespace(items={}, trouble="", synced=synced, lists=0)
    watch = SimpleNamespace(reflectors={}, loaded=SimpleNamespace(problems=()))
    return ClusterMetrics(
        cast("KubeWatch", watch),
        cast("Pods", SimpleNamespace(reflector=mirror)),
        cast("Tls", SimpleNamespace(ends_at=0)),
        cast("LeaseServer", SimpleNamespace(turned_away={})),
    )


def _of_sidecar() -> CollectorRegistry:
    registry = CollectorRegistry()
    SidecarTelemetry(registry, calls_open=lambda: 0, receipts_dropped=lambda: 0)
    return registry
