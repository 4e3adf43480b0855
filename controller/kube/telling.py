"""What a cluster is told of Farebox: the statuses of its resources, and Events about them.

The one rule: only who leads tells, and telling never stops the reign. This module only puts parts
together.
"""

from collections.abc import Callable

from controller.engine import Engine
from controller.kube.client import KubeClient
from controller.kube.coverage import BarePods
from controller.kube.happenings import Happenings
from controller.kube.pods import Pods
from controller.kube.resources import KubeWatch
from controller.kube.standing import Standing
from controller.kube.statuses import Statuses
from farebox.runtime.clock import Clock
from farebox.runtime.tasks import first_of


class Telling:
    """Tells what the watch and the engine know, as long as there is an engine."""

    def __init__(
        self,
        kube: KubeClient,
        watch: KubeWatch,
        pods: Pods,
        engine: Callable[[], Engine | None],
        clock: Clock,
        *,
        instance: str,
    ) -> None:
        """`engine` is that of the present reign, None without one; `instance` this pod's name."""
        bare = BarePods(pods, lambda: watch.loaded.resources.pools, engine, clock)
        self.happenings = Happenings(kube, clock, instance=instance)
        self.statuses = Statuses(
            Standing(watch),
            engine,
            kube,
            clock,
            happenings=self.happenings,
            bare_pods=bare.look,
        )

    async def run(self) -> None:
        """For ever."""
        await first_of(self.statuses.run(), self.happenings.run())
