"""What is injected into pods, as the platform team has set it.

The one rule: everything here is a value with its default. This module must not know YAML or pods.
"""

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from controller.injection.keys import Key

USER: Final = 15_002
NEVER_TOUCHED: Final = frozenset({"kube-system", "kube-public", "kube-node-lease"})
"""What Kubernetes itself lives of: a cluster must be able to start without Farebox."""

MESHES: Final = (
    "istio-init",
    "istio-validation",
    "istio-proxy",
    "linkerd-init",
    "linkerd-network-validator",
    "linkerd-proxy",
)
"""Init containers that make the network; whatever starts between them reaches nobody."""

PROVIDERS: Final[Mapping[str, Mapping[str, str]]] = {"openai": {"OPENAI_BASE_URL": "/openai/v1"}}
"""The variables that a provider's name stands for, each with its path on the sidecar."""

OWN_VARIABLES: Final = frozenset(
    "FAREBOX_CONTROLLER FAREBOX_CONTROLLER_CA FAREBOX_TOKEN_FILE FAREBOX_JOURNAL FAREBOX_RECEIPTS "
    "FAREBOX_LISTEN FAREBOX_ADMIN FAREBOX_PROBES FAREBOX_NAME FAREBOX_NAMESPACE FAREBOX_POD_IP "
    "FAREBOX_LOG_LEVEL FAREBOX_GRACE_MS_MAX".split()
)
"""Variables of the sidecar that the injection itself sets."""


class PullPolicy(enum.StrEnum):
    """When a node fetches the image."""

    IF_NOT_PRESENT = "IfNotPresent"
    ALWAYS = "Always"
    NEVER = "Never"


class LogLevel(enum.StrEnum):
    """From which level on the sidecar logs; as `farebox.runtime.logs.LEVELS`."""

    INFO = "info"
    DEBUG = "debug"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """Where the sidecar listens: calls and views on loopback, probes on the pod's address."""

    listen: int = 15_002
    admin: int = 15_003
    probes: int = 15_004

    @property
    def all(self) -> tuple[int, ...]:
        return (self.listen, self.admin, self.probes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """What the sidecar asks for and may use at most, as Kubernetes' quantities; None: no limit."""

    cpu: str = "20m"
    memory: str = "64Mi"
    cpu_limit: str | None = None
    memory_limit: str | None = "256Mi"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All that can be set. `user` None: the image's own; `providers` maps to variable and path."""

    image: str
    controllers: tuple[str, ...]
    audience: str
    pull_policy: PullPolicy = PullPolicy.IF_NOT_PRESENT
    pull_secrets: tuple[str, ...] = ()
    user: int | None = USER
    token_seconds: int = 3_600
    sizes: Sizes = Sizes()
    state_size: str = "160Mi"
    log_level: LogLevel = LogLevel.INFO
    receipts: bool = True
    ports: Ports = Ports()
    base_urls: tuple[str, ...] = ()
    providers: Mapping[str, Mapping[str, str]] = field(default_factory=lambda: PROVIDERS)
    env: Mapping[str, str] = field(default_factory=dict)
    keys: tuple[Key, ...] = ()
    start_after: tuple[str, ...] = MESHES
    untouched: frozenset[str] = NEVER_TOUCHED

    @property
    def origin(self) -> str:
        """What the base URLs of all providers begin with."""
        return f"http://127.0.0.1:{self.ports.listen}"
