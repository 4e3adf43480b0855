"""How the controller runs inside a cluster, as it is configured.

The one rule: without --kubernetes none of this means anything, and every flag given beside it is a
mistake. This module must not know the API server's client.
"""

import enum
import re
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from controller.injection.reading import SettingsError, read_settings
from controller.injection.settings import Settings
from farebox.runtime.endpoints import Endpoint, parse_address

SERVICE: Final = "farebox-controller"
WEBHOOK_SERVICE: Final = "farebox-webhook"
AUDIENCE: Final = "farebox.dev"
AUDIENCE_CHARACTERS_MAX: Final = 253
NAMESPACE_FILE: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
"""Where Kubernetes writes the namespace of a pod, beside its token."""

NAMESPACE_CHARACTERS_MAX: Final = 64
INJECTION_CHARACTERS_MAX: Final = 256 * 1024
DOMAIN: Final = "cluster.local"


class PodAddress(enum.StrEnum):
    """Whether a sidecar's stream must come from the address of the pod that its token names."""

    REQUIRE = "Require"
    IGNORE = "Ignore"


@dataclass(frozen=True, slots=True, kw_only=True)
class KubeOptions:
    """What `--kubernetes` and its flags say. Absent addresses are not served.

    `kubeconfig` None: the pod's own service account. `injection` is there when `webhook` is.
    """

    own_namespace: str
    kubeconfig: Path | None = None
    service: str = SERVICE
    audience: str = AUDIENCE
    pod_address: PodAddress = PodAddress.REQUIRE
    webhook: Endpoint | None = None
    webhook_service: str = WEBHOOK_SERVICE
    injection: Settings | None = None
    probes: Endpoint | None = None

    def names(self) -> tuple[str, ...]:
        """The DNS names of the controllers, that a certificate for sidecars is made out to."""
        return _names_of(self.service, self.own_namespace, each=True)

    def webhook_names(self) -> tuple[str, ...]:
        """The DNS names of the webhook's Service."""
        return _names_of(self.webhook_service, self.own_namespace, each=False)

    def own_name(self) -> str:
        """The DNS name of this pod of the StatefulSet: its host name below the Service."""
        return f"{socket.gethostname()}.{self.service}.{self.own_namespace}.svc"


def _names_of(service: str, namespace: str, *, each: bool) -> tuple[str, ...]:
    """Of a Service; with `each` those of the pods behind it as well."""
    short = f"{service}.{namespace}.svc"
    names = (short, f"{short}.{DOMAIN}")
    return (*names, *(f"*.{name}" for name in names)) if each else names


def _truth(text: str) -> bool:
    if text not in {"true", "false"}:
        raise ValueError(f'{text!r} is neither "true" nor "false"')
    return text == "true"


def _readable(text: str) -> Path:
    path = Path(text)
    if not path.is_file():
        raise ValueError(f"{text!r} is not a file: name one that exists")
    return path


def _label(text: str) -> str:
    if not re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", text):
        raise ValueError(
            f'{text!r} is not a name: write lower-case letters, digits and "-", at most 63'
        )
    return text


def _audience(text: str) -> str:
    if not 1 <= len(text) <= AUDIENCE_CHARACTERS_MAX or not re.fullmatch(r"[!-~]+", text):
        raise ValueError(f"{text!r} is not an audience: write a name such as {AUDIENCE}")
    return text


def _pod_address(text: str) -> PodAddress:
    try:
        return PodAddress(text)
    except ValueError:
        raise ValueError(f"{text!r} is neither {' nor '.join(PodAddress)}") from None


KUBE_OPTIONS: Final[Mapping[str, tuple[str, Callable[[str], Any]]]] = {
    "--kubernetes": ("kube", _truth),
    "--kubeconfig": ("kube_kubeconfig", _readable),
    "--own-namespace": ("kube_own_namespace", _label),
    "--service": ("kube_service", _label),
    "--audience": ("kube_audience", _audience),
    "--pod-address": ("kube_pod_address", _pod_address),
    "--webhook": ("kube_webhook", parse_address),
    "--webhook-service": ("kube_webhook_service", _label),
    "--injection": ("kube_injection", _readable),
    "--probes": ("kube_probes", parse_address),
}
"""Each flag with the name of its value and how its text is read (or ValueError)."""

SWITCHES: Final = frozenset({"--kubernetes"})
"""Flags that need no value: alone they mean "true"."""

USAGE: Final = """\
With --kubernetes, in place of --manifests:
  --kubernetes          resources, pods and identities come from the API server
  --kubeconfig FILE     how to reach it (the pod's own service account)
  --own-namespace NAME  the namespace this controller runs in (that of its service account)
  --service NAME        its headless Service, which certificates are made out to
                        (farebox-controller)
  --audience NAME       of the tokens that sidecars show (farebox.dev)
  --pod-address WHAT    Require: a sidecar's stream must come from the address of its pod; Ignore
                        where addresses are translated on the way (Require)
  --webhook ADDRESS     where the API server reaches the injector (off)
  --webhook-service NAME
                        the injector's Service (farebox-webhook)
  --injection FILE      what is injected, in YAML
  --probes ADDRESS      probes and metrics alone, for the kubelet and Prometheus (off)
                        --listen, --webhook and --probes may be any address then, --listen is TLS
"""


def take_kube(values: dict[str, Any]) -> tuple[bool, dict[str, Any]]:
    """Take these flags' values out of all: whether it is switched on, and KubeOptions' values."""
    on = bool(values.pop("kube", False))
    names = [name for name, _ in KUBE_OPTIONS.values()]
    taken = {name.removeprefix("kube_"): values.pop(name) for name in names if name in values}
    return on, taken


def checked_kube(
    values: dict[str, Any], mistakes: list[str], *, namespace_file: Path = NAMESPACE_FILE
) -> KubeOptions | None:
    """The options, or None and what is wrong with them together."""
    before = len(mistakes)
    if "own_namespace" not in values:
        try:
            values["own_namespace"] = _label(
                _start_of(namespace_file, NAMESPACE_CHARACTERS_MAX).strip()
            )
        except (OSError, ValueError):
            mistakes.append(
                "--own-namespace is missing: give it outside of a pod, "
                f"where {namespace_file} does not say it."
            )
    if ("injection" in values) != ("webhook" in values):
        mistakes.append("--webhook and --injection go together: give both or none.")
    if len(mistakes) == before and "injection" in values:
        values["injection"] = _settings(values["injection"], values, mistakes)
    return KubeOptions(**values) if len(mistakes) == before else None


def _settings(file: Path, values: Mapping[str, Any], mistakes: list[str]) -> Settings | None:
    """What is injected, or None and what is wrong with the file."""
    try:
        return read_settings(
            str(file),
            _start_of(file, INJECTION_CHARACTERS_MAX),
            audience=values.get("audience", AUDIENCE),
            own_namespace=values["own_namespace"],
        )
    except SettingsError as error:
        mistakes += [f"--injection: {mistake}." for mistake in error.mistakes]
    except (OSError, ValueError) as error:
        mistakes.append(f"--injection: {file} can't be read: {error}.")
    return None


def _start_of(file: Path, characters_max: int) -> str:
    """The text of a file. Raises OSError, ValueError for one that is no text or too long."""
    with file.open(encoding="utf-8") as opened:
        content = opened.read(characters_max + 1)
    if len(content) > characters_max:
        raise ValueError(f"is over {characters_max} characters")
    return content
