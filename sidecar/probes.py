"""What the kubelet asks a sidecar: may the pod's own containers start, may calls be sent to it.

The one rule: nothing here ends or holds up a workload merely because the controller is away; calls
are answered then, with a reason. This module must not know how a policy comes.
"""

from collections.abc import Callable
from typing import Final

from prometheus_client import CollectorRegistry

from farebox.core.instant import DurationMs
from farebox.runtime.clock import Clock
from farebox.runtime.probes import ProbeServer

START_MS_MAX: Final = DurationMs(15_000)
"""So long a policy is waited for before calls are answered without one: with a reason."""


class Probes:
    """`ready` tells whether there is a policy, `tried_all` whether every controller was tried."""

    def __init__(
        self,
        registry: CollectorRegistry,
        clock: Clock,
        *,
        ready: Callable[[], bool],
        tried_all: Callable[[], bool],
    ) -> None:
        self.stopping = False
        self._clock = clock
        self._began = clock.boot()
        self._ready = ready
        self._tried_all = tried_all
        checks = {"/startz": self.not_started, "/readyz": self.not_ready}
        self.server = ProbeServer(registry=registry, checks=checks)

    def not_started(self) -> str:
        """What is waited for before anything else in the pod starts."""
        waited = self._clock.boot() - self._began
        if self._ready() or (self._tried_all() and waited >= START_MS_MAX):
            return ""
        return "no policy from the controller yet"

    def not_ready(self) -> str:
        """Why no calls are taken. That the controller is away is no reason."""
        return "stopping" if self.stopping else self.not_started()
