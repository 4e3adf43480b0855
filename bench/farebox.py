"""Our sidecar as a target of the proxy benchmark, with its controller and budgets that are on.

The one rule: every call draws on three pools (organisation, team, user) whose limits never bind, so
that all of the money's work is done and none of it refuses. No receipts file is written, as
Envoy writes no access log. This module must not know how a target is measured.
"""

import json
import sys
import tempfile
import time
import urllib.request
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final
from urllib.error import URLError

from bench import manifests, processes, traffic
from bench.targets import Endpoint

LIMIT_NANOS: Final = 1_000_000 * 1_000_000_000
"""A million dollars: more than any run can spend."""

_DAY_MS: Final = 86_400_000
_POLL_SECONDS: Final = 0.05


def start_farebox(upstream_port: int) -> Endpoint:
    """Run a controller and a sidecar in front of the upstream. Raises BenchError."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        written = manifests.write_folder(folder / "manifests", resources(upstream_port))
        store = folder / "controller.sqlite"
        controller, _ = _started(
            stack, folder, "controller", "--manifests", str(written), "--state", str(store)
        )
        labels = ",".join(f"{name}={value}" for name, value in manifests.LABELS.items())
        sidecar, child = _started(
            stack,
            folder,
            "sidecar",
            *("--controller", f"127.0.0.1:{controller['grpc']}", "--name", "bench-0"),
            *("--journal", str(folder / "journal"), "--labels", labels),
        )
        _await_policy(child, sidecar["admin"])
        return Endpoint(
            base_url_path_prefix=f"http://127.0.0.1:{sidecar['http']}/openai",
            sidecar_pid=child.pid,
            stop=stack.pop_all().close,
        )


def resources(upstream_port: int) -> list[dict[str, Any]]:
    """Three pools, one tier with the benchmark's model, one task."""
    lines = (("org", "", False), ("team", "org", False), ("people", "team", True))
    pools = [
        manifests.pool(
            name, limit_nanos=LIMIT_NANOS, period_ms=_DAY_MS, per_user=per_user, parent=parent
        )
        for name, parent, per_user in lines
    ]
    model = manifests.model(
        traffic.MODEL,
        base_url=f"http://127.0.0.1:{upstream_port}/v1",
        input_nanos=150,
        output_nanos=600,
    )
    tier = manifests.tier("small", rank=1, max_difficulty="1.0", model=model)
    task = {"match": {"headerValues": ["summary"]}, "defaultTier": "small"}
    return [*pools, tier, manifests.resource("TaskProfile", "summarization", task)]


def _started(
    stack: ExitStack, folder: Path, module: str, *arguments: str
) -> tuple[dict[str, Any], processes.Child]:
    """Start a process on free ports; returns what its ready file says."""
    ready = folder / f"{module}.ready"
    ports = ("--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0")
    argv = [sys.executable, "-m", module, *arguments, *ports, "--ready-file", str(ready)]
    child = stack.enter_context(processes.started(module, argv))
    for _ in range(int(processes.START_SECONDS_MAX / _POLL_SECONDS)):
        if ready.exists():
            facts: dict[str, Any] = json.loads(ready.read_text())
            return facts, child
        if child.has_ended():
            raise child.error("ended at start")
        time.sleep(_POLL_SECONDS)
    raise child.error(f"was not ready within {processes.START_SECONDS_MAX:.0f} s")


def _await_policy(sidecar: processes.Child, admin_port: int) -> None:
    """Wait, within a bound, until the sidecar has its policy from the controller."""
    for _ in range(int(processes.START_SECONDS_MAX / _POLL_SECONDS)):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{admin_port}/readyz", timeout=5):
                return
        except URLError:  # not yet: the answer is 503 until then
            time.sleep(_POLL_SECONDS)
    raise sidecar.error("got no policy from the controller")
