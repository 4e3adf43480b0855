"""What a large cluster is made of: namespaces, pools in three levels, pods with sidecars.

    organisation acme/org (no pods of its own)
    └── team-07/team (no pods of its own)
        └── team-07/app-0133 (the pods labelled app=app-0133 in team-07)

The one rule: the same number always makes the same object, so that a small cluster is a part of a
large one. Pure: this module must not know the API server.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from controller.injection.mutate import inject
from controller.injection.settings import Settings

Object = dict[str, Any]

NAMESPACES_MAX: Final = 50
POOLS_PER_NAMESPACE: Final = 20
NODES: Final = 20
ROOT_NAMESPACE: Final = "acme"
ROOT_NAME: Final = "org"
TIER: Final = "small"
PRICES: Final = ("0.15", "0.15")
"""Dollars for a million tokens in and out, at first."""

KEYED_EVERY: Final = 5
"""Every so manieth pool of an app is split by user."""

BARE_EVERY: Final = 20
"""Every so manieth pod was there before its namespace was labelled, and has no sidecar."""

APP_LIMIT: Final = "100.00"
TEAM_LIMIT: Final = "5000.00"
ROOT_LIMIT: Final = "100000.00"
AUDIENCE: Final = "farebox.dev"
_API: Final = "farebox.dev/v1alpha1"
_SETTINGS: Final = Settings(
    image="registry.example.com/platform/farebox-sidecar:0.1.0",
    controllers=("farebox-controller-0.farebox-controller.farebox.svc:7447",),
    audience=AUDIENCE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How many pools and pods there are: at least 3 and 1."""

    pools: int
    pods: int

    @property
    def namespaces(self) -> int:
        """How many namespaces have pools of apps."""
        return max(1, min(NAMESPACES_MAX, self.pools // POOLS_PER_NAMESPACE))

    @property
    def apps(self) -> int:
        """How many pools belong to an app: all but those above them."""
        return self.pools - 1 - self.namespaces


class Layout:
    """The objects of a cluster that has, or will have, a size."""

    def __init__(self, whole: Size) -> None:
        self.whole = whole
        self._per_namespace = -(-whole.apps // whole.namespaces)

    def namespaces(self) -> list[str]:
        """All of them, the organisation's first."""
        return [ROOT_NAMESPACE, *(_team(number) for number in range(self.whole.namespaces))]

    def place_of(self, app: int) -> str:
        """The namespace of an app."""
        return _team(app // self._per_namespace)

    def pools(self, apps: int) -> list[Object]:
        """The pools of so many apps and those above them, parents first."""
        teams = dict.fromkeys(self.place_of(app) for app in range(apps))
        root = _pool(ROOT_NAMESPACE, ROOT_NAME, ROOT_LIMIT, allowedChildren={"namespaces": ["*"]})
        above = {"parent": {"namespace": ROOT_NAMESPACE, "name": ROOT_NAME}}
        return [
            root,
            *(_pool(team, "team", TEAM_LIMIT, **above) for team in teams),
            *(self._app_pool(app) for app in range(apps)),
        ]

    def _app_pool(self, app: int) -> Object:
        spec: Object = {"parent": {"name": "team"}}
        spec["selector"] = {"matchLabels": {"app": app_name(app)}}
        if app % KEYED_EVERY == KEYED_EVERY - 1:
            spec["per"] = "User"
        return _pool(self.place_of(app), app_name(app), APP_LIMIT, **spec)

    def pods(self, count: int, *, apps: int, series: int = 0) -> Iterator[Object]:
        """So many pods, evenly over so many apps; pods of another series have other names."""
        for number in range(count):
            yield self.pod(number % apps, number // apps, series)

    def pod(self, app: int, replica: int, series: int) -> Object:
        """One pod as the API server is sent it."""
        made = _pod(self.place_of(app), app, replica, series)
        return made if is_bare(app, replica) else inject(made, _SETTINGS, None)


def is_bare(app: int, replica: int) -> bool:
    """Whether a pod has no sidecar."""
    return (app + 7 * replica) % BARE_EVERY == BARE_EVERY - 1


def app_name(app: int) -> str:
    """The name of an app, its label, and its pool."""
    return f"app-{app:04d}"


def pool_path(namespace: str, name: str = "") -> str:
    """Where a pool is, or all of a namespace."""
    return f"/apis/{_API}/namespaces/{namespace}/budgetpools" + (f"/{name}" if name else "")


def tier(price: str) -> Object:
    """The one tier of all, at a price for input."""
    model = {
        "name": "gpt-4o-mini",
        "provider": "openai",
        "baseURL": "https://api.openai.com/v1",
        "price": {"input": price, "output": PRICES[1]},
        "contextWindow": 128_000,
        "maxOutputTokens": 16_384,
    }
    spec = {"rank": 1, "maxDifficulty": "1.0", "models": [model]}
    return {"apiVersion": _API, "kind": "ModelTier", "metadata": {"name": TIER}, "spec": spec}


def tier_path(name: str = "") -> str:
    """Where tiers are, or one."""
    return f"/apis/{_API}/modeltiers" + (f"/{name}" if name else "")


def namespace(name: str) -> Object:
    """A namespace in which pods are injected."""
    return {"metadata": {"name": name, "labels": {"farebox.dev/inject": "enabled"}}}


def node_name(number: int) -> str:
    """A node that is none: nothing runs on it."""
    return f"node-{number % NODES:02d}.example.com"


def pod_path(pod: Object, sub: str = "") -> str:
    """Where a pod is."""
    metadata = pod["metadata"]
    at = f"/api/v1/namespaces/{metadata['namespace']}/pods/{metadata['name']}"
    return f"{at}/{sub}" if sub else at


def running(pod: Object, number: int) -> Object:
    """The status that a kubelet gives a pod whose containers are all ready."""
    spec, since = pod["spec"], "2026-11-23T00:00:00Z"
    address = f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
    types = ("PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled")
    return {
        "phase": "Running",
        "qosClass": "Burstable",
        "startTime": since,
        "hostIP": "192.0.2.7",
        "hostIPs": [{"ip": "192.0.2.7"}],
        "podIP": address,
        "podIPs": [{"ip": address}],
        "conditions": [
            {
                "type": type_,
                "status": "True",
                "lastProbeTime": None,
                "lastTransitionTime": since,
                "observedGeneration": 1,
            }
            for type_ in types
        ],
        "initContainerStatuses": [_status_of(one) for one in spec.get("initContainers", ())],
        "containerStatuses": [_status_of(one) for one in spec["containers"]],
    }


def _status_of(container: Object) -> Object:
    digest = hashlib.sha256(container["image"].encode()).hexdigest()
    return {
        "name": container["name"],
        "image": container["image"],
        "imageID": f"{container['image'].partition(':')[0]}@sha256:{digest}",
        "containerID": f"containerd://{digest}",
        "ready": True,
        "started": True,
        "restartCount": 0,
        "lastState": {},
        "state": {"running": {"startedAt": "2026-11-23T00:00:02Z"}},
    }


def _team(number: int) -> str:
    return f"team-{number:02d}"


def _pool(namespace_: str, name: str, limit: str, **spec: Any) -> Object:
    return {
        "apiVersion": _API,
        "kind": "BudgetPool",
        "metadata": {"name": name, "namespace": namespace_, "labels": {"cost-centre": namespace_}},
        "spec": {"limit": limit, "window": {"period": "Day"}, **spec},
    }


def _pod(place: str, app: int, replica: int, series: int) -> Object:
    name = app_name(app)
    mark = hashlib.sha256(f"{name}/{series}".encode()).hexdigest()
    own = hashlib.sha256(f"{name}/{series}/{replica}".encode()).hexdigest()[:5]
    secret = {"secretKeyRef": {"name": f"{name}-keys", "key": "openai"}}
    variables = {f"SETTING_{number}": f"value of setting {number}" for number in range(12)}
    probe = {"httpGet": {"path": "/healthz", "port": 8080}, "periodSeconds": 10}
    container = {
        "name": "app",
        "image": f"registry.example.com/{place}/{name}:{mark[:12]}",
        "ports": [{"name": "http", "containerPort": 8080}],
        "env": [
            {"name": "OPENAI_API_KEY", "valueFrom": secret},
            *({"name": key, "value": text} for key, text in variables.items()),
        ],
        "resources": {
            "requests": {"cpu": "250m", "memory": "512Mi"},
            "limits": {"memory": "1Gi"},
        },
        "readinessProbe": probe,
        "livenessProbe": {**probe, "failureThreshold": 6},
        "volumeMounts": [{"name": "cache", "mountPath": "/var/cache/app"}],
        "securityContext": {"allowPrivilegeEscalation": False, "runAsNonRoot": True},
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": f"{name}-{mark[:10]}-{own}",
            "namespace": place,
            "labels": {
                "app": name,
                "app.kubernetes.io/name": name,
                "app.kubernetes.io/part-of": place,
                "app.kubernetes.io/version": mark[:12],
                "pod-template-hash": mark[:10],
            },
            "annotations": {
                "prometheus.io/scrape": "true",
                "prometheus.io/port": "8080",
                "checksum/config": mark,
            },
        },
        "spec": {
            "nodeName": node_name(app + replica),
            "terminationGracePeriodSeconds": 30,
            "containers": [container],
            "volumes": [{"name": "cache", "emptyDir": {"sizeLimit": "1Gi"}}],
        },
    }
