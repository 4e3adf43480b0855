"""The status of a pod, as a kubelet reports it.

The one rule: a pod is ready when all its containers are, those beside the others included; times
stay as they are while nothing changes. This module must not know how containers run.
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

from farebox.core.instant import UtcMs
from farebox.runtime.clock import SystemClock
from tests.support.kube_network import NODE
from tests.support.kube_running import Running


def stamp(instant: UtcMs) -> str:
    """An instant as the API server writes it."""
    return dt.datetime.fromtimestamp(instant / 1000, dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class Report:
    """The status of one pod over its life."""

    def __init__(self) -> None:
        self._began = stamp(SystemClock().utc())
        self._since: dict[str, tuple[str, str]] = {}

    def status(
        self,
        phase: str,
        address: str,
        first: Sequence[Running],
        main: Sequence[Running],
        why: str,
    ) -> dict[str, Any]:
        """What is reported now. `first`: the init containers, those beside the others included."""
        prepared = all(one.started if one.beside else one.status == 0 for one in first)
        ready = phase == "Running" and all(
            one.ready for one in (*main, *(one for one in first if one.beside))
        )
        conditions = [
            self._condition("PodReadyToStartContainers", True),
            self._condition("Initialized", prepared),
            self._condition("ContainersReady", ready),
            self._condition("Ready", ready),
            self._condition("PodScheduled", True),
        ]
        return {
            "phase": phase,
            "message": why,
            "hostIP": NODE,
            "hostIPs": [{"ip": NODE}],
            "podIP": address,
            "podIPs": [{"ip": address}],
            "startTime": self._began,
            "conditions": conditions,
            "initContainerStatuses": [self._container(one) for one in first],
            "containerStatuses": [self._container(one) for one in main],
        }

    def _condition(self, kind: str, holds: bool) -> dict[str, str]:
        status = "True" if holds else "False"
        before = self._since.get(kind)
        if before is None or before[0] != status:
            self._since[kind] = (status, stamp(SystemClock().utc()))
        return {"type": kind, "status": status, "lastTransitionTime": self._since[kind][1]}

    def _container(self, one: Running) -> dict[str, Any]:
        image = one.spec["image"]
        return {
            "name": one.spec["name"],
            "image": image,
            "imageID": f"test/{image}",
            "ready": one.ready or (one.status == 0 and not one.beside and one.first),
            "started": one.started,
            "restartCount": one.restarts,
            "state": self._state(one),
        }

    def _state(self, one: Running) -> Mapping[str, Any]:
        if one.status is not None:
            reason = "Error" if one.status else "Completed"
            return {"terminated": {"exitCode": one.status, "reason": reason}}
        if one.container is None:
            return {"waiting": {"reason": "PodInitializing"}}
        return {"running": {"startedAt": stamp(one.began)}}
