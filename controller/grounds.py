"""Where a controller stands: what tells it its resources, and who its sidecars are.

Standalone that is a folder and each sidecar's own word, and only loopback is served; in a cluster
it is the API server. The one rule: the controller is the same on each. This module must not know
how a cluster is asked.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

import grpc
from prometheus_client import CollectorRegistry

from controller.door import Authenticate
from controller.lease_server import LeaseServer
from controller.reigns import Reigns
from controller.watch import Changed, Watch
from farebox.core.instant import DurationMs
from farebox.manifests.adoption import Loaded
from farebox.runtime.clock import Clock
from farebox.runtime.tasks import Supervisor


class Ground(Protocol):
    """What `controller.app` needs of one; called in the order of the methods."""

    @property
    def authenticate(self) -> Authenticate | None:
        """How sidecars show who they are; None: by their own word."""

    @property
    def loaded(self) -> Loaded:
        """The resources in force."""

    async def start(
        self, tasks: Supervisor, registry: CollectorRegistry, server: LeaseServer
    ) -> None:
        """Begin to follow what is outside, and answer probes. Raises OSError.

        `server` is told what becomes of the pods it serves; it does not listen yet.
        """

    async def secured(self) -> grpc.ServerCredentials | None:
        """Wait until sidecars can be served, and tell with which certificate (None: in clear)."""

    async def attend(self, tasks: Supervisor, reigns: Reigns) -> None:
        """Begin what goes along with a controller at work. Raises OSError."""

    async def ready(self) -> None:
        """Wait until all resources are known: nobody leads before."""

    async def renewed(self) -> str:
        """Have in force what is outside now; why that can't be known, in a sentence, "" when it is.

        Within a bounded time. Meanwhile and after a failure what was known stays in force.
        """

    async def follow(self, changed: Changed) -> None:
        """For ever say when other resources are in force."""

    def missing(self) -> str:
        """What is still waited for, in a sentence; "" when nothing is."""

    async def stop(self) -> None:
        """Serve nothing any more; all else has ended."""


class Folder:
    """A folder of manifests, looked at every `interval`."""

    def __init__(self, watch: Watch, interval: DurationMs) -> None:
        self.authenticate: Authenticate | None = None
        self._watch = watch
        self._interval = interval

    @property
    def loaded(self) -> Loaded:
        """The resources in force."""
        return self._watch.loaded

    async def start(
        self, tasks: Supervisor, registry: CollectorRegistry, server: LeaseServer
    ) -> None:
        """Nothing: the folder has been read already."""

    async def secured(self) -> grpc.ServerCredentials | None:
        """None: loopback is served in clear."""
        return None

    async def attend(self, tasks: Supervisor, reigns: Reigns) -> None:
        """Nothing goes along."""

    async def ready(self) -> None:
        """At once."""

    async def renewed(self) -> str:
        """Nothing to do: who can't read the folder runs on no longer than its machine."""
        return ""

    async def follow(self, changed: Changed) -> None:
        """For ever say when other resources are in force."""
        await self._watch.follow(changed, interval=self._interval)

    def missing(self) -> str:
        """Nothing."""
        return ""

    async def stop(self) -> None:
        """Nothing is served."""


def folder(
    path: Path, clock: Clock, *, variables: Mapping[str, str], interval: DurationMs
) -> Folder:
    """Read a folder for the first time."""
    watch = Watch(folder=path, clock=clock, variables=variables)
    watch.load()
    return Folder(watch, interval)
