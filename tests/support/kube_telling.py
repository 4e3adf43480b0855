"""A controller reduced to what it tells: a watch, an engine driven by hand, statuses and Events."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from controller.engine import Engine
from controller.events import ResourcesChanged
from controller.kube.client import open_client
from controller.kube.options import KubeOptions
from controller.kube.pods import Pods
from controller.kube.resources import KubeWatch
from controller.kube.telling import Telling
from farebox.manifests.resources import Resources
from farebox.runtime.clock import SystemClock
from tests.support.scenes import Scene
from tests.support.tasks import beside


class Leading:
    """A controller in short: the watch's resources go into the engine of a scene."""

    def __init__(self) -> None:
        self.scene = Scene()
        self.leads = True

    async def changed(self, resources: Resources) -> None:
        self.scene.step(ResourcesChanged(resources))

    def engine(self) -> Engine | None:
        return self.scene.engine if self.leads else None


@contextlib.asynccontextmanager
async def telling(options: KubeOptions) -> AsyncIterator[Leading]:
    """A controller that tells the API server of these options what it knows."""
    leading = Leading()
    async with open_client(options) as kube:
        clock = SystemClock()
        watch, pods = KubeWatch(kube=kube, clock=clock), Pods(kube)
        teller = Telling(kube, watch, pods, leading.engine, clock, instance="farebox-controller-0")
        mirrors = [one.run() for one in watch.reflectors.values()]
        works = (*mirrors, pods.reflector.run(), teller.run())
        running = [beside(one) for one in (*works, watch.follow(leading.changed))]
        try:
            yield leading
        finally:
            for one in running:
                one.cancel()
            await asyncio.gather(*running, return_exceptions=True)
