"""Keeps the controllers' authorities published, wherever somebody looks them up.

The one rule: level-triggered; what is there is compared with what is wanted whenever either changes
or a rotation is over, and a place that can't be written stops no other. This module must not know
how certificates are made.
"""

import asyncio
import logging
from collections.abc import Callable, Collection, Iterable
from typing import Any, Final

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from controller.kube.authorities import Authorities
from controller.kube.client import KubeClient, KubeError
from controller.kube.namespaces import Namespaces
from controller.kube.places import Hooks, Step, TrustMaps
from controller.kube.pods import Pod
from controller.kube.reflector import BackOff, Reflector
from farebox.runtime.clock import Clock
from farebox.runtime.tasks import first_of

_LOG = logging.getLogger(__name__)

RETRY_S_MIN: Final = 0.2
RETRY_S_MAX: Final = 60.0
WRITTEN_AGAIN_MS: Final = 2_000
"""A place is written at most so often: its mirror needs a moment to see what was written."""

PAUSE_S_MIN: Final = 0.05


class Bundles:
    """Publishes one bundle in all places.

    `in_use`: whether pods of a namespace mount it; `webhook`: whether there is one.
    """

    def __init__(
        self,
        kube: KubeClient,
        clock: Clock,
        *,
        in_use: Callable[[str], bool],
        untouched: Collection[str] = (),
        webhook: bool = True,
        authorities: Authorities | None = None,
    ) -> None:
        self.namespaces = Namespaces(kube, self.look_again)
        self._maps = TrustMaps(
            kube, self.namespaces, self.look_again, in_use=in_use, untouched=untouched
        )
        self._hooks = Hooks(kube, self.look_again) if webhook else None
        self._in_use = in_use
        self._used: set[str] = set()
        self._clock = clock
        self._authorities = authorities or Authorities(clock)
        self._poked = asyncio.Event()
        self._due_ms: dict[str, int] = {}
        self._back_offs: dict[str, BackOff] = {}
        self._rest_ms = 0

    def want(self, pem: str) -> None:
        """From now on publish these authorities. Raises ValueError for a text without one."""
        self._authorities.want(pem)
        self._poked.set()

    def look_again(self, *_: object) -> None:
        """Something has changed, perhaps what `in_use` says."""
        self._poked.set()

    def pod_changed(self, before: Pod | None, after: Pod | None) -> None:
        """Look again where the first pod came that mounts the bundle, or the last one went.

        Thousands of others come and go, and each look is at all namespaces.
        """
        for pod in (before, after):
            if pod is None or self._in_use(pod.namespace) is (pod.namespace in self._used):
                continue
            self._used ^= {pod.namespace}
            self._poked.set()

    def is_published(self) -> bool:
        """Whether every place that is known holds what is wanted, and nothing that is overdue."""
        listed = all(mirror.synced.is_set() for mirror in self._mirrors())
        return listed and bool(self._authorities.wanted) and not self._steps()

    def trouble(self) -> tuple[str, ...]:
        """Which places could not be written when it was last tried."""
        return tuple(sorted(self._back_offs))

    async def run(self) -> None:
        """For ever."""
        mirrors = self._mirrors()
        await first_of(
            *(mirror.run() for mirror in mirrors),
            *(self._announce(mirror) for mirror in mirrors),
            self._keep(),
        )

    def _mirrors(self) -> tuple[Reflector[Any], ...]:
        hooks = () if self._hooks is None else (self._hooks.mirror,)
        return (self.namespaces.reflector, self._maps.mirror, *hooks)

    async def _announce(self, mirror: Reflector[Any]) -> None:
        """A first list that is empty changes nothing in a mirror, and still says something."""
        await mirror.synced.wait()
        self._poked.set()
        await asyncio.Event().wait()

    async def _keep(self) -> None:
        while True:
            self._poked.clear()
            if self._authorities.wanted and self._now_ms() >= self._rest_ms:
                await self._settle()
            try:
                async with asyncio.timeout(self._pause_s()):
                    await self._poked.wait()
            except TimeoutError:
                continue

    def _steps(self) -> list[Step]:
        # The webhook comes first: without its bundle no pod is made in a labelled namespace.
        self._authorities.begin_look()
        hooks = () if self._hooks is None else self._hooks.steps(self._authorities)
        steps = [*hooks, *self._maps.steps(self._authorities)]
        self._authorities.end_look()
        return steps

    async def _settle(self) -> None:
        """Put right what is due; the rest is left for its own time."""
        steps = self._steps()
        places = {step.place for step in steps}
        self._back_offs = {at: one for at, one in self._back_offs.items() if at in places}
        now = self._now_ms()
        self._due_ms = {at: due for at, due in self._due_ms.items() if at in places or due > now}
        for step in steps:
            if self._due_ms.get(step.place, 0) > self._now_ms():
                continue
            try:
                await step.put_right()
            except KubeError as error:
                self._failed(step.place, error)
                if error.status == 0:  # whoever does not answer is left alone for as long
                    self._rest_ms = self._due_ms[step.place]
                    return
            else:
                if self._back_offs.pop(step.place, None) is not None:
                    _LOG.info("the authorities are published", extra={"place": step.place})
                self._due_ms[step.place] = self._now_ms() + WRITTEN_AGAIN_MS

    def _failed(self, place: str, error: KubeError) -> None:
        back_off = self._back_offs.get(place)
        if back_off is None:
            back_off = self._back_offs[place] = BackOff(least_s=RETRY_S_MIN, most_s=RETRY_S_MAX)
            _LOG.warning("%s; it will be tried again", error, extra={"place": place})
        pause_s = back_off.next(error.retry_after_s)
        self._due_ms[place] = self._now_ms() + int(pause_s * 1_000)

    def _pause_s(self) -> float | None:
        """Until the next step is due, or the next certificate is to be dropped."""
        now = self._now_ms()
        if self._rest_ms > now:
            return (self._rest_ms - now) / 1_000
        waits = [(due - now) / 1_000 for due in self._due_ms.values()]
        if (drop := self._authorities.wait_s()) is not None:
            waits.append(drop)
        return max(min(waits), PAUSE_S_MIN) if waits else None

    def _now_ms(self) -> int:
        return int(self._clock.boot())


class BundleMetrics(Collector):
    """In how many places the authorities are not as they should be, for Prometheus."""

    def __init__(self, bundles: Bundles) -> None:
        self._bundles = bundles

    def describe(self) -> Iterable[Metric]:
        """Nothing ahead of time: the family is made with its value."""
        return ()

    def collect(self) -> Iterable[Metric]:
        """At the time of asking."""
        unpublished = GaugeMetricFamily(
            "farebox_cluster_unpublished",
            "Places in which the controllers' authorities can't be written; the log has each.",
        )
        unpublished.add_metric([], len(self._bundles.trouble()))
        yield unpublished
