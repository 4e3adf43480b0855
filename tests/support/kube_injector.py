"""The injector of a controller, in the test's own process, at a real API server.

It has exactly the rights of `controller.kube.rights`, and is called on loopback. The one rule:
what a test sees in a pod is what the API server has stored.
"""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import yaml

from controller.injection.container import CONTAINER
from controller.injection.settings import NEVER_TOUCHED, Settings
from controller.kube.authorities import Authorities
from controller.kube.bundles import Bundles
from controller.kube.client import open_client
from controller.kube.options import KubeOptions
from controller.kube.places import CONFIGURATION, OWNER
from controller.kube.pods import Pods
from controller.kube.rights import RIGHTS
from controller.kube.webhook import Webhook
from farebox.runtime.clock import SystemClock
from farebox.runtime.endpoints import Endpoint
from tests.support.admission import SETTINGS
from tests.support.kube_api import KubeApi
from tests.support.kube_certificates import Authority
from tests.support.tasks import beside

OWN: Final = "injector-home"
MODULES: Final = frozenset({"bundles", "webhook", "pods"})
POLLS_MAX: Final = 400
POLL_S: Final = 0.05
ROLES: Final = "/apis/rbac.authorization.k8s.io/v1"
CONFIGURATIONS: Final = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations"

APP: Final = {"name": "app", "image": "registry.example/app:1"}


async def until(holds: Callable[[], Any]) -> Any:
    """Wait, bounded, until an awaited answer is true; gives it."""
    for _ in range(POLLS_MAX):
        if found := await holds():
            return found
        await asyncio.sleep(POLL_S)
    raise AssertionError("it did not come about in time")


@dataclass
class Injector:
    """What runs. `bundles` publishes what `trust` is told."""

    api: KubeApi
    folder: Path
    bundles: Bundles
    webhook: Webhook
    context: ssl.SSLContext
    port: int
    settings: Settings

    def authority(self, name: str) -> Authority:
        """A new authority, which has signed a certificate for the webhook."""
        made = Authority(self.folder / name)
        made.server("webhook", ["localhost"], ["127.0.0.1"])
        return made

    def serve(self, authority: Authority) -> None:
        """Serve new connections with this authority's certificate."""
        folder = authority.folder
        self.context.load_cert_chain(folder / "webhook.crt", folder / "webhook.key")

    async def namespace(self, name: str, **labels: str) -> None:
        """Make a labelled namespace that is ready for pods."""
        named = {f"farebox.dev/{key}": value for key, value in labels.items() if key == "inject"}
        rest = {key: value for key, value in labels.items() if key != "inject"}
        body = {"metadata": {"name": name, "labels": {**named, **rest}}}
        await self.api.post("/api/v1/namespaces", body)
        await self.account(name)

    async def account(self, namespace: str) -> None:
        """Wait until pods can be made there."""

        async def there() -> Any:
            path = f"/api/v1/namespaces/{namespace}/serviceaccounts"
            return (await self.api.get(path))["items"]

        await until(there)

    async def pods(self, namespace: str, count: int) -> list[dict[str, Any]]:
        """The pods of a namespace, once there are so many."""

        async def there() -> Any:
            found = (await self.api.get(f"/api/v1/namespaces/{namespace}/pods"))["items"]
            return found if len(found) >= count else None

        found: list[dict[str, Any]] = await until(there)
        return found

    async def published(self) -> None:
        """Wait until the API server has the bundle."""

        async def there() -> bool:
            return self.bundles.is_published()

        await until(there)

    async def configure(self, **more: Any) -> None:
        """Make the webhook configuration as the chart does, but called by URL."""
        hook = {
            "name": "pods.injector.farebox.dev",
            "admissionReviewVersions": ["v1"],
            "clientConfig": {"url": f"https://127.0.0.1:{self.port}/inject"},
            "failurePolicy": "Fail",
            "reinvocationPolicy": "IfNeeded",
            "sideEffects": "None",
            "timeoutSeconds": 5,
            "rules": [
                {
                    "operations": ["CREATE"],
                    "apiGroups": [""],
                    "apiVersions": ["v1"],
                    "resources": ["pods"],
                    "scope": "Namespaced",
                }
            ],
            "namespaceSelector": {
                "matchExpressions": [
                    {"key": "farebox.dev/inject", "operator": "In", "values": ["enabled"]},
                    {
                        "key": "kubernetes.io/metadata.name",
                        "operator": "NotIn",
                        "values": [OWN, *sorted(NEVER_TOUCHED)],
                    },
                ]
            },
            "objectSelector": {
                "matchExpressions": [
                    {"key": "farebox.dev/inject", "operator": "NotIn", "values": ["false"]}
                ]
            },
            **more,
        }
        body = {"metadata": {"name": CONFIGURATION}, "webhooks": [hook]}
        await self.api.post(CONFIGURATIONS, body)


@contextlib.asynccontextmanager
async def injecting(api: KubeApi, folder: Path) -> AsyncIterator[Injector]:
    """Run an injector whose webhook is configured and whose bundle is published."""
    options = KubeOptions(own_namespace=OWN, kubeconfig=await _credentials(api, folder))
    settings = replace(SETTINGS, untouched=NEVER_TOUCHED | {OWN}, audience=options.audience)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    clock = SystemClock()
    async with open_client(options) as kube:
        pods = Pods(kube)
        bundles = Bundles(
            kube,
            clock,
            in_use=pods.injected_in,
            untouched=settings.untouched,
            authorities=Authorities(clock, drop_after_ms=2_000),
        )
        pods.follow(bundles.pod_changed)
        webhook = Webhook(settings, bundles.namespaces.find)
        port = await webhook.start(Endpoint("127.0.0.1", 0), context)
        made = Injector(api, folder, bundles, webhook, context, port, settings)
        first = made.authority("first")
        made.serve(first)
        bundles.want(first.file.read_text())
        running = [beside(bundles.run()), beside(pods.reflector.run())]
        try:
            await made.configure()
            await made.published()
            yield made
        finally:
            await api.delete(f"{CONFIGURATIONS}/{CONFIGURATION}")
            await api.delete(f"{ROLES}/clusterroles/{OWNER}")
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)
            await webhook.stop()


async def _credentials(api: KubeApi, folder: Path) -> Path:
    """A kubeconfig of a service account that may do what the table of rights says, no more."""
    name = {"name": OWNER}
    await api.post("/api/v1/namespaces", {"metadata": {"name": OWN}})
    account = f"/api/v1/namespaces/{OWN}/serviceaccounts"
    await api.post(account, {"metadata": name})
    rules = [
        {
            "apiGroups": [right.group],
            "resources": [right.resource],
            "verbs": list(right.verbs),
            **({"resourceNames": list(right.names)} if right.names else {}),
        }
        for right in RIGHTS
        if right.module in MODULES
    ]
    await api.post(f"{ROLES}/clusterroles", {"metadata": name, "rules": rules})
    subject = {"kind": "ServiceAccount", "name": OWNER, "namespace": OWN}
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": OWNER}
    await api.post(
        f"{ROLES}/clusterrolebindings",
        {"metadata": {"name": OWN}, "subjects": [subject], "roleRef": role},
    )
    issued = await api.post(f"{account}/{OWNER}/token", {"spec": {}})
    file = folder / "injector.kubeconfig"
    file.write_text(
        yaml.safe_dump(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "current-context": "test",
                "clusters": [
                    {
                        "name": "test",
                        "cluster": {
                            "server": api.server,
                            "certificate-authority": str(api.authority.file),
                        },
                    }
                ],
                "contexts": [{"name": "test", "context": {"cluster": "test", "user": "own"}}],
                "users": [{"name": "own", "user": {"token": issued["status"]["token"]}}],
            }
        )
    )
    return file


def pod(name: str = "", *, annotations: dict[str, str] | None = None, **spec: Any) -> Any:
    """A pod with the container APP, as it is sent."""
    metadata: dict[str, Any] = {"name": name} if name else {"generateName": "some-"}
    metadata["annotations"] = annotations or {}
    return {"metadata": metadata, "spec": {"containers": [APP], **spec}}


def at(namespace: str, name: str = "") -> str:
    """Where the pods of a namespace are, or one of them."""
    return f"/api/v1/namespaces/{namespace}/pods" + (f"/{name}" if name else "")


def sidecar_of(stored: Any) -> Any:
    """The sidecar's container, which is there once and first. AssertionError otherwise."""
    first, *others = stored["spec"]["initContainers"]
    assert first["name"] == CONTAINER
    assert CONTAINER not in [one["name"] for one in others]
    return first


def from_secrets(container: Any) -> dict[str, Any]:
    """The variables that the kubelet fills from Secrets."""
    return {
        one["name"]: one["valueFrom"]["secretKeyRef"]
        for one in container["env"]
        if "secretKeyRef" in one.get("valueFrom", {})
    }
