"""How well this controller knows its cluster, as metrics.

The one rule: read at the time of asking, with few labels. This module must not know what the
objects mean.
"""

from collections.abc import Iterable, Iterator
from typing import Any, Final

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from controller.kube.pods import Pods
from controller.kube.reflector import Reflector
from controller.kube.resources import PLURALS, KubeWatch
from controller.kube.tls import Tls
from controller.lease_server import LeaseServer

_MS_PER_S: Final = 1_000


class ClusterMetrics(Collector):
    """The mirrors, the problems, the certificate, and who was turned away."""

    def __init__(self, watch: KubeWatch, pods: Pods, tls: Tls, server: LeaseServer) -> None:
        self._watch = watch
        self._pods = pods
        self._tls = tls
        self._server = server

    def describe(self) -> Iterable[Metric]:
        """Nothing ahead of time: the families are made with their values."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """Everything, at the time of asking."""
        objects = GaugeMetricFamily(
            "farebox_cluster_objects", "Objects known of the API server.", labels=["kind"]
        )
        follows = GaugeMetricFamily(
            "farebox_cluster_follows",
            "1 while the objects are followed; 0: they may have changed since.",
            labels=["kind"],
        )
        lists = CounterMetricFamily(
            "farebox_cluster_lists",
            "How often all objects had to be listed, not only their changes.",
            labels=["kind"],
        )
        for kind, mirror in self._mirrors():
            objects.add_metric([kind], len(mirror.items))
            follows.add_metric([kind], 0 if mirror.trouble or not mirror.synced.is_set() else 1)
            lists.add_metric([kind], mirror.lists)
        yield from (objects, follows, lists)
        problems = GaugeMetricFamily(
            "farebox_cluster_problems", "What is wrong with resources now; the log has each."
        )
        problems.add_metric([], len(self._watch.loaded.problems))
        yield problems
        turned_away = CounterMetricFamily(
            "farebox_streams_turned_away",
            "Streams refused for who they were, by gRPC's code.",
            labels=["code"],
        )
        for code, count in self._server.turned_away.items():
            turned_away.add_metric([code], count)
        yield turned_away
        if self._tls.ends_at is not None:
            ends = GaugeMetricFamily(
                "farebox_certificate_ends_seconds",
                "When the certificate in force ends, in seconds since 1970.",
            )
            ends.add_metric([], self._tls.ends_at / _MS_PER_S)
            yield ends

    def _mirrors(self) -> Iterator[tuple[str, Reflector[Any]]]:
        for kind, mirror in self._watch.reflectors.items():
            yield PLURALS[kind], mirror
        yield "pods", self._pods.reflector
