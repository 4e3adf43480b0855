"""One pod as a kubelet runs it, from its stored spec: volumes, init containers, probes, restarts.

Containers that are init containers with `restartPolicy: Always` run beside the others from before
their start until after their end. The one rule: whatever becomes of the API server, what runs goes
on running; what is reported is reported again until it is known. This module must not know where
pods come from.
"""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import aiohttp

from farebox.runtime.clock import SystemClock
from tests.support.kube_api import ApiError, KubeApi
from tests.support.kube_containers import Container, ContainerSpec
from tests.support.kube_network import KubeNetwork, Spot
from tests.support.kube_pod_spec import container_spec
from tests.support.kube_pod_status import Report
from tests.support.kube_probes import answers
from tests.support.kube_running import Running
from tests.support.kube_volumes import NotYet, Volumes

POLL_S: Final = 0.1
_REFRESH_S: Final = 1.0
_BACKOFF_S: Final = (0.5, 1.0, 2.0, 4.0, 8.0)
_GRACE_S: Final = 30
_TAIL_CHARS_MAX: Final = 1_500


class Pod:
    """One pod on this node. `wanted` is the pod as the API server has it now."""

    def __init__(
        self, api: KubeApi, network: KubeNetwork, wanted: Mapping[str, Any], folder: Path
    ) -> None:
        self.wanted = wanted
        self.name: str = wanted["metadata"]["name"]
        self.namespace: str = wanted["metadata"]["namespace"]
        self.uid: str = wanted["metadata"]["uid"]
        self.folder = folder / f"{self.namespace}-{self.name}-{self.uid[:8]}"
        self.folder.mkdir(parents=True)
        self.spot: Spot | None = None
        self.phase = "Pending"
        self.why = ""
        self._api = api
        self._network = network
        self._volumes = Volumes(api, wanted, self.folder / "volumes", folder / "claims")
        spec = wanted["spec"]
        self.first = [Running(spec=one, first=True) for one in spec.get("initContainers", ())]
        self.main = [Running(spec=one) for one in spec["containers"]]
        self._report_of = Report()
        self._reported: Mapping[str, Any] = {}

    @property
    def containers(self) -> Sequence[Running]:
        return (*self.first, *self.main)

    @property
    def _path(self) -> str:
        return f"/api/v1/namespaces/{self.namespace}/pods/{self.name}"

    def log(self, container: str) -> str:
        """What a container has written, over all its restarts."""
        files = sorted(
            (self.folder / container).glob("*/log"), key=lambda one: int(one.parent.name)
        )
        return "".join(one.read_text(errors="replace") for one in files)

    def hold(self) -> None:
        """Kill all containers, as a machine that fails does, until `release`."""
        for one in self.containers:
            one.held = True
            if one.container is not None:
                one.container.kill()

    def release(self) -> None:
        """Let the containers be started again."""
        for one in self.containers:
            one.held = False

    def told(self) -> str:
        """How it is, and the end of what each container wrote."""
        lines = [f"--- {self.namespace}/{self.name}: {self.phase} {self.why}"]
        for one in self.containers:
            name = one.spec["name"]
            state = f"started={one.started} ready={one.ready} ended={one.status}"
            lines.append(f"{name}: {state} restarts={one.restarts}")
            lines.append(self.log(name)[-_TAIL_CHARS_MAX:])
        return "\n".join(lines)

    async def run(self) -> None:
        """Run it until it is to be deleted, or has ended by itself, and report all the while."""
        self.spot = self._network.add(self.name)
        try:
            self._network.call(self.spot, self._names())
            async with asyncio.TaskGroup() as group:
                reporting = group.create_task(self._report_always())
                refreshing = group.create_task(self._refresh())
                await self._live()
                reporting.cancel()
                refreshing.cancel()
            await self._until_reported()
        finally:
            for one in self.containers:
                if one.container is not None:
                    one.container.kill()
            self._network.remove(self.spot)

    def _names(self) -> list[str]:
        """Its own names. Those of its Service would be several pods' names, and some resolvers take
        all who share one name in a file of hosts for one.
        """
        spec = self.wanted["spec"]
        if "subdomain" not in spec:
            return [self.name]
        own = f"{spec.get('hostname', self.name)}.{spec['subdomain']}.{self.namespace}.svc"
        return [f"{own}.cluster.local", own]

    @property
    def _leaving(self) -> bool:
        return "deletionTimestamp" in self.wanted["metadata"]

    async def _live(self) -> None:
        await self._until_filled()
        for one in self.first:
            if not self._leaving:
                await self._begin(one)
        if not self._leaving:
            await asyncio.gather(*(self._start(one) for one in self.main))
            self.phase = "Running"
            await self._supervise()
        await self._end()

    async def _supervise(self) -> None:
        async with asyncio.TaskGroup() as group:
            kept = [group.create_task(self._keep(one)) for one in self.containers]
            while not self._leaving and not self._has_ended():  # noqa: ASYNC110  (others set it)
                await asyncio.sleep(POLL_S)
            for task in kept:
                task.cancel()

    async def _until_filled(self) -> None:
        while not self._leaving:
            try:
                await self._volumes.fill()
            except (NotYet, ApiError, aiohttp.ClientError, TimeoutError) as error:
                self.why = str(error) or type(error).__name__
                await asyncio.sleep(POLL_S)
            else:
                self.why = ""
                return

    async def _refresh(self) -> None:
        while True:
            await asyncio.sleep(_REFRESH_S)
            with suppress(NotYet, ApiError, aiohttp.ClientError, TimeoutError):
                await self._volumes.fill()

    async def _begin(self, one: Running) -> None:
        """An init container: until it has ended well, or, beside the others, until it started."""
        tries = 0
        while not self._leaving:
            await self._start(one)
            while one.container and one.container.runs and not self._leaving:
                if one.beside and await self._is_started(one):
                    return
                await asyncio.sleep(POLL_S)
            if one.container and not one.container.runs and not self._leaving:
                one.status = await one.container.wait()
                if one.status == 0 and not one.beside:
                    return
                await asyncio.sleep(_BACKOFF_S[min(tries, len(_BACKOFF_S) - 1)])
                tries += 1
                one.restarts += 1

    async def _start(self, one: Running) -> None:
        folder = self.folder / one.spec["name"] / str(one.restarts)
        folder.mkdir(parents=True)
        assert self.spot is not None
        wanted = await self._until_known(one.spec)
        one.container = Container(wanted, folder)
        one.began = SystemClock().utc()
        one.started = one.ready = False
        one.status = None
        one.refusals = 0
        await one.container.start()

    async def _until_known(self, spec: Mapping[str, Any]) -> ContainerSpec:
        """What a container needs, once all of it is there."""
        assert self.spot is not None
        while True:
            try:
                return await container_spec(
                    self.wanted, spec, self.spot, self._volumes, self._api, self._network.hosts
                )
            except (ApiError, aiohttp.ClientError, TimeoutError) as error:
                self.why = str(error) or type(error).__name__
                await asyncio.sleep(POLL_S)

    async def _is_started(self, one: Running) -> bool:
        if not one.started:
            probe = one.spec.get("startupProbe")
            one.started = probe is None or await self._asked(one, probe)
        return one.started

    async def _asked(self, one: Running, probe: Mapping[str, Any]) -> bool:
        assert self.spot is not None
        assert one.container is not None
        return await answers(probe, self._network, self.spot.address, one.spec, one.container)

    async def _keep(self, one: Running) -> None:
        """Probe a container, and start it again when it ended and is not to end."""
        tries = 0
        while True:
            await asyncio.sleep(POLL_S * 2)
            assert one.container is not None
            if one.container.runs:
                await self._probe(one)
                continue
            one.ready = False
            one.status = await one.container.wait()
            if not self._starts_again(one):
                return
            await asyncio.sleep(_BACKOFF_S[min(tries, len(_BACKOFF_S) - 1)])
            while one.held:  # noqa: ASYNC110  (a test sets it)
                await asyncio.sleep(POLL_S)
            tries += 1
            one.restarts += 1
            await self._start(one)

    async def _probe(self, one: Running) -> None:
        if not await self._is_started(one):
            return
        probe = one.spec.get("readinessProbe")
        one.ready = probe is None or await self._asked(one, probe)
        alive = one.spec.get("livenessProbe")
        if alive is not None:
            one.refusals = 0 if await self._asked(one, alive) else one.refusals + 1
            # Here probes come five times a second, and not as seldom as they are asked for.
            patience = alive.get("failureThreshold", 3) * alive.get("periodSeconds", 10)
            if one.refusals * POLL_S * 2 >= patience and one.container is not None:
                one.container.kill()

    def _starts_again(self, one: Running) -> bool:
        if one.beside:
            return True
        if one.first:
            return False
        policy = self.wanted["spec"].get("restartPolicy", "Always")
        return policy == "Always" or (policy == "OnFailure" and one.status != 0)

    def _has_ended(self) -> bool:
        """Whether all that is not beside others has ended for good."""
        return all(one.status is not None and not self._starts_again(one) for one in self.main)

    async def _end(self) -> None:
        seconds = self.wanted["spec"].get("terminationGracePeriodSeconds", _GRACE_S)
        await asyncio.gather(*(self._stop(one, seconds) for one in self.main))
        # What runs beside the others ends after them, last started first.
        for one in reversed(self.first):
            await self._stop(one, seconds)
        failed = any(one.status for one in self.main)
        self.phase = "Failed" if failed else "Succeeded"

    async def _stop(self, one: Running, seconds: float) -> None:
        one.ready = False
        if one.container is not None:
            await one.container.end(seconds)
            one.status = await one.container.wait()

    async def _report_always(self) -> None:
        while True:
            with suppress(ApiError, aiohttp.ClientError, TimeoutError):
                await self._report()
            await asyncio.sleep(POLL_S)

    async def _until_reported(self) -> None:
        """Report the end; a pod that was to be deleted is gone for good then."""
        while True:
            try:
                await self._report()
                if self._leaving:
                    options = {"gracePeriodSeconds": 0, "preconditions": {"uid": self.uid}}
                    await self._api.delete(self._path, options)
            except ApiError as error:
                if error.status in {404, 409}:
                    return
            except (aiohttp.ClientError, TimeoutError):
                pass
            else:
                return
            await asyncio.sleep(POLL_S)

    async def _report(self) -> None:
        address = self.spot.address if self.spot else ""
        status = self._report_of.status(self.phase, address, self.first, self.main, self.why)
        if status != self._reported:
            await self._api.patch(f"{self._path}/status", {"status": status})
            self._reported = status
