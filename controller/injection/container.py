"""The sidecar as a container, with the volumes it needs.

It is a native sidecar: an init container that is kept running, so that Jobs end, it is there before
the containers of the pod start, and it ends after them. The one rule: it passes Pod Security
"restricted" whatever the pod's own security context says, and needs nothing else of the pod. This
module must not know the other containers.
"""

import hashlib
from typing import Any, Final

import msgspec

from controller.injection.keys import Key
from controller.injection.settings import Settings

Object = dict[str, Any]
"""A JSON object."""

CONTAINER: Final = "farebox"
STATE_VOLUME: Final = "farebox-state"
IDENTITY_VOLUME: Final = "farebox-token"
TRUST_VOLUME: Final = "farebox-trust"
VOLUMES: Final = (STATE_VOLUME, IDENTITY_VOLUME, TRUST_VOLUME)
TRUST_MAP: Final = "farebox-ca"
TRUST_KEY: Final = "ca.pem"

STATE_FOLDER: Final = "/var/lib/farebox"
IDENTITY_FOLDER: Final = "/var/run/farebox/token"
TRUST_FOLDER: Final = "/var/run/farebox/trust"
ACCOUNT_FOLDER: Final = "/var/run/secrets/kubernetes.io/serviceaccount"
PROBES_PORT: Final = "farebox-probes"

GRACE_MS_MAX: Final = 25_000
"""How long calls may go on when the pod ends, of the 30 s that a pod has unless it says else."""

GRACE_RESERVE_MS: Final = 5_000
GRACE_MS_MIN: Final = 1_000
START_PERIOD_S: Final = 1
START_FAILURES_MAX: Final = 120
"""A sidecar that has not started in two minutes is started anew."""

READY_PERIOD_S: Final = 5
PROBE_S_MAX: Final = 3
HASH_CHARACTERS: Final = 16


def container_of(settings: Settings, *, grace_s: int | None) -> Object:
    """The container. `grace_s` is the pod's terminationGracePeriodSeconds."""
    return {
        "name": CONTAINER,
        "image": settings.image,
        "imagePullPolicy": settings.pull_policy.value,
        "command": ["farebox-sidecar"],
        "restartPolicy": "Always",
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "ports": [{"name": PROBES_PORT, "containerPort": settings.ports.probes, "protocol": "TCP"}],
        "env": _env(settings, grace_s),
        "resources": _resources(settings),
        "volumeMounts": [
            {"name": STATE_VOLUME, "mountPath": STATE_FOLDER},
            {"name": IDENTITY_VOLUME, "mountPath": IDENTITY_FOLDER, "readOnly": True},
            {"name": TRUST_VOLUME, "mountPath": TRUST_FOLDER, "readOnly": True},
            # Where something is mounted already, the API server mounts no token of the pod's
            # ServiceAccount: the sidecar has no business with the API server.
            {"name": IDENTITY_VOLUME, "mountPath": ACCOUNT_FOLDER, "readOnly": True},
        ],
        "startupProbe": {
            **_probe("/startz", settings),
            "periodSeconds": START_PERIOD_S,
            "failureThreshold": START_FAILURES_MAX,
        },
        "readinessProbe": {**_probe("/readyz", settings), "periodSeconds": READY_PERIOD_S},
        "securityContext": _security(settings),
    }


def volumes_of(settings: Settings) -> list[Object]:
    """The volumes: the journal, the token by which the pod is known, and whom to trust."""
    token = {
        "path": "token",
        "audience": settings.audience,
        "expirationSeconds": settings.token_seconds,
    }
    return [
        {"name": STATE_VOLUME, "emptyDir": {"sizeLimit": settings.state_size}},
        {"name": IDENTITY_VOLUME, "projected": {"sources": [{"serviceAccountToken": token}]}},
        {"name": TRUST_VOLUME, "configMap": {"name": TRUST_MAP}},
    ]


def hash_of(*parts: object) -> str:
    """A short name for what was injected: the same for the same settings."""
    text = msgspec.json.encode(parts, order="sorted")
    return hashlib.sha256(text).hexdigest()[:HASH_CHARACTERS]


def _env(settings: Settings, grace_s: int | None) -> list[Object]:
    ports = settings.ports
    texts = {
        "FAREBOX_CONTROLLER": ",".join(settings.controllers),
        "FAREBOX_CONTROLLER_CA": f"{TRUST_FOLDER}/{TRUST_KEY}",
        "FAREBOX_TOKEN_FILE": f"{IDENTITY_FOLDER}/token",
        "FAREBOX_JOURNAL": f"{STATE_FOLDER}/journal",
        "FAREBOX_LISTEN": f"127.0.0.1:{ports.listen}",
        "FAREBOX_ADMIN": f"127.0.0.1:{ports.admin}",
        # In brackets any address can be read, of IPv6 or IPv4, whichever the pod has.
        "FAREBOX_PROBES": f"[$(FAREBOX_POD_IP)]:{ports.probes}",
        "FAREBOX_LOG_LEVEL": settings.log_level.value,
        "FAREBOX_GRACE_MS_MAX": str(_grace_ms(grace_s)),
        **({"FAREBOX_RECEIPTS": "-"} if settings.receipts else {}),
        **settings.env,
    }
    filled = {key.name for key in settings.keys}
    return [
        _field("FAREBOX_NAMESPACE", "metadata.namespace"),
        _field("FAREBOX_NAME", "metadata.name"),
        _field("FAREBOX_POD_IP", "status.podIP"),
        *({"name": name, "value": value} for name, value in texts.items() if name not in filled),
        *(_filled(key) for key in settings.keys),
    ]


def _grace_ms(grace_s: int | None) -> int:
    if grace_s is None:
        return GRACE_MS_MAX
    return max(GRACE_MS_MIN, min(GRACE_MS_MAX, grace_s * 1_000 - GRACE_RESERVE_MS))


def _field(name: str, path: str) -> Object:
    return {"name": name, "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": path}}}


def _filled(key: Key) -> Object:
    """A variable that the kubelet fills; nobody else needs to read the Secret."""
    reference: Object = {"name": key.secret, "key": key.entry}
    if key.optional:
        reference["optional"] = True
    return {"name": key.name, "valueFrom": {"secretKeyRef": reference}}


def _resources(settings: Settings) -> Object:
    sizes = settings.sizes
    limits = {"cpu": sizes.cpu_limit, "memory": sizes.memory_limit}
    given = {name: most for name, most in limits.items() if most is not None}
    requests = {"cpu": sizes.cpu, "memory": sizes.memory}
    return {"requests": requests, "limits": given} if given else {"requests": requests}


def _probe(path: str, settings: Settings) -> Object:
    return {
        "httpGet": {"path": path, "port": settings.ports.probes},
        "timeoutSeconds": PROBE_S_MAX,
    }


def _security(settings: Settings) -> Object:
    user = (
        {} if settings.user is None else {"runAsUser": settings.user, "runAsGroup": settings.user}
    )
    return {
        "runAsNonRoot": True,
        **user,
        "allowPrivilegeEscalation": False,
        "privileged": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
        "seccompProfile": {"type": "RuntimeDefault"},
    }
