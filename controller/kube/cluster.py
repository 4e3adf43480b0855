"""A cluster as the ground that a controller stands on; alone it puts the parts of one together.

The one rule: what the API server has said stays in force while it can't be reached, and whatever is
written to it waits for it; neither holds up the money. No decision is made here.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Mapping
from typing import Final

import grpc
from prometheus_client import CollectorRegistry

from controller.door import Authenticate
from controller.engine import Engine
from controller.injection.settings import NEVER_TOUCHED
from controller.kube.bundles import BundleMetrics, Bundles
from controller.kube.client import KubeClient, KubeError, open_client
from controller.kube.cluster_metrics import ClusterMetrics
from controller.kube.identity import Identities
from controller.kube.options import KubeOptions, PodAddress
from controller.kube.pods import Pod, PodChanged, Pods
from controller.kube.resources import KubeWatch
from controller.kube.telling import Telling
from controller.kube.tls import Tls
from controller.kube.tls_secret import TlsSecret
from controller.kube.webhook import Webhook, WebhookMetrics
from controller.lease_server import LeaseServer
from controller.reigns import Reigns
from controller.watch import Changed
from farebox.manifests.adoption import Loaded
from farebox.runtime.clock import Clock
from farebox.runtime.probes import ProbeServer
from farebox.runtime.tasks import Supervisor

_LOG = logging.getLogger(__name__)

READY: Final = "/readyz"
LINGER_S: Final = 3.0
"""How long the webhook answers after all else has ended."""


class Cluster:
    """What a controller in a cluster has beside its engine: a `controller.grounds.Ground`."""

    def __init__(
        self, kube: KubeClient, options: KubeOptions, clock: Clock, variables: Mapping[str, str]
    ) -> None:
        """Put the parts together; `variables` are what `${NAME}` in a baseURL stands for."""
        self.watch = KubeWatch(kube=kube, clock=clock, variables=variables)
        self.pods = Pods(kube)
        self.bundles = Bundles(
            kube,
            clock,
            in_use=self.pods.injected_in,
            untouched=_untouched(options),
            webhook=options.webhook is not None,
        )
        self.tls = Tls(
            TlsSecret(kube, options.own_namespace),
            clock,
            (*options.names(), *options.webhook_names()),
            on_bundle=self.bundles.want,
        )
        self._identities = Identities(
            kube,
            self.pods,
            clock,
            audience=options.audience,
            require_address=options.pod_address is PodAddress.REQUIRE,
        )
        self._telling = Telling(
            kube, self.watch, self.pods, self._engine, clock, instance=options.own_name()
        )
        self._options = options
        self._webhook: Webhook | None = None
        self._probes: ProbeServer | None = None
        self._reigns: Reigns | None = None
        self._secured = False
        self._has_served = False

    @property
    def authenticate(self) -> Authenticate | None:
        """Sidecars show the token of their pod's service account."""
        return self._identities.authenticate

    @property
    def loaded(self) -> Loaded:
        """The resources in force."""
        return self.watch.loaded

    async def start(
        self, tasks: Supervisor, registry: CollectorRegistry, server: LeaseServer
    ) -> None:
        """Answer probes, follow the API server, publish the authorities. Raises OSError."""
        registry.register(ClusterMetrics(self.watch, self.pods, self.tls, server))
        registry.register(BundleMetrics(self.bundles))
        self.pods.follow(_teller(server))
        self.pods.follow(self.bundles.pod_changed)
        if self._options.probes is not None:
            self._probes = ProbeServer(registry=registry, checks={READY: self.not_ready})
            await self._probes.start(self._options.probes)
        for kind, reflector in self.watch.reflectors.items():
            tasks.start(f"{kind} objects", reflector.run())
        tasks.start("pods", self.pods.reflector.run())
        tasks.start("bundles", self.bundles.run())
        if self._options.injection is not None:
            self._webhook = Webhook(self._options.injection, self.bundles.namespaces.find)
            registry.register(WebhookMetrics(self._webhook))

    async def secured(self) -> grpc.ServerCredentials | None:
        """Wait for the certificate, and serve with whichever is in force."""
        await self.tls.ready()
        self._secured = True
        return self.tls.server_credentials()

    async def attend(self, tasks: Supervisor, reigns: Reigns) -> None:
        """Inject, write statuses and Events, renew certificates. Raises OSError."""
        if self._webhook is not None and self._options.webhook is not None:
            port = await self._webhook.start(self._options.webhook, self.tls.ssl_context())
            _LOG.info("pods are injected", extra={"port": port})
        self._reigns = reigns
        tasks.start("certificates", self.tls.run())
        tasks.start("statuses", self._telling.run())

    async def ready(self) -> None:
        """Wait until all resources and pods are known: nobody leads before."""
        await self.watch.ready.wait()
        await self.pods.reflector.synced.wait()

    async def renewed(self) -> str:
        """Have all resources listed anew; why the API server can't be read, "" when it was."""
        try:
            await self.watch.renew()
        except KubeError as error:
            return str(error)
        return ""

    async def follow(self, changed: Changed) -> None:
        """For ever say when other resources are in force."""
        await self.watch.follow(changed)

    def missing(self) -> str:
        """What is still waited for, in a sentence; "" when nothing is."""
        if said := self.watch.missing():
            return said
        if not self.pods.reflector.synced.is_set():
            trouble = self.pods.reflector.trouble
            return "pods have not been listed yet" + (f": {trouble}" if trouble else "")
        return "" if self._secured else "there is no certificate yet; the log says why"

    def not_ready(self) -> str:
        """Why the kubelet should not count on this controller, "" once all of it has worked.

        One that stands by is ready: what matters is that somebody has led, once, since it started.
        Later losses of etcd or of the API server do not change it: they are no better elsewhere,
        and pods must still be injected.
        """
        if self._has_served:
            return ""
        reigns = self._reigns
        said = self.missing() or ("" if reigns is not None else "it is starting")
        if said or reigns is None:
            return said
        self._has_served = reigns.engine is not None or bool(reigns.role()["leader"])
        return "" if self._has_served else reigns.standing_by()

    async def stop(self) -> None:
        """Answer neither the API server nor probes any more.

        The webhook goes last: until the API server has heard that this pod is ending, each call
        that it refused would be a pod refused.
        """
        if self._webhook is not None:
            await asyncio.sleep(LINGER_S)
            await self._webhook.stop()
        if self._probes is not None:
            await self._probes.stop()

    def _engine(self) -> Engine | None:
        return self._reigns.engine if self._reigns is not None else None


@contextlib.asynccontextmanager
async def open_cluster(
    options: KubeOptions, clock: Clock, variables: Mapping[str, str]
) -> AsyncIterator[Cluster]:
    """The cluster that the options lead to. Raises KubeError when its address can't be read."""
    async with open_client(options) as kube:
        yield Cluster(kube, options, clock, variables)


def _teller(server: LeaseServer) -> PodChanged:
    """Tells the server what becomes of pods. The address of one that has ended may be another's."""

    def tell(before: Pod | None, after: Pod | None) -> None:
        if after is None or after.ended:
            gone = after or before
            if gone is not None:
                server.pod_changed(gone.uid, None)
        elif before is not None and before.labels != after.labels:
            server.pod_changed(after.uid, after.labels)

    return tell


def _untouched(options: KubeOptions) -> frozenset[str]:
    if options.injection is not None:
        return options.injection.untouched
    return NEVER_TOUCHED | {options.own_namespace}
