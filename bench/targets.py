"""What the benchmark compares, and how one thing to compare looks to the rest.

The one rule: a target is a URL and the processes whose time and memory are its own; the load
goes the same way to each. It must not know how a target is measured.
"""

import enum
from collections.abc import Callable
from dataclasses import dataclass

from bench import traffic


class Name(enum.StrEnum):
    """The targets of the proxy benchmark."""

    DIRECT = "direct"
    ENVOY = "envoy"
    SIDECAR = "sidecar"


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """`url` takes chat completions; `pids` are the proxy's own processes, none for no proxy."""

    name: Name
    url: str
    pids: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """A running sidecar: its base URL with the provider's prefix, its pid, and how to end it.

    `base_url_path_prefix` is what comes before `/v1/chat/completions`, for example
    `http://127.0.0.1:4000/openai`. `stop` also ends whatever was started beside the sidecar.
    """

    base_url_path_prefix: str
    sidecar_pid: int
    stop: Callable[[], None]


def direct(upstream_port: int) -> Target:
    """Return the target without a proxy, from which added latency is counted."""
    url = f"http://127.0.0.1:{upstream_port}{traffic.CHAT_PATH}"
    return Target(name=Name.DIRECT, url=url, pids=())


def sidecar(endpoint: Endpoint) -> Target:
    """Return our sidecar as a target. Only the sidecar's own process counts."""
    url = endpoint.base_url_path_prefix + traffic.CHAT_PATH
    return Target(name=Name.SIDECAR, url=url, pids=(endpoint.sidecar_pid,))
