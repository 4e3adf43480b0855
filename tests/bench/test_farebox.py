"""Our sidecar as the proxy benchmark starts it: budgets are on and nothing is refused."""

import json
import urllib.request
from pathlib import Path

from bench import farebox, manifests, processes, traffic
from farebox.core.instant import UtcMs
from farebox.manifests.folder import load_folder


def test_every_call_draws_on_three_pools(tmp_path: Path) -> None:
    folder = manifests.write_folder(tmp_path / "manifests", farebox.resources(9_100))
    loaded = load_folder(folder, None, now=UtcMs(0))
    assert not loaded.problems
    assert {pool.name for pool in loaded.resources.pools.values()} == {"org", "team", "people"}


def test_a_started_sidecar_answers_and_ends_with_its_endpoint() -> None:
    with processes.started_module("bench.upstream") as upstream:
        endpoint = farebox.start_farebox(int(upstream.read_line()))
        try:
            request = urllib.request.Request(
                endpoint.base_url_path_prefix + traffic.CHAT_PATH,
                data=traffic.request_body(traffic.Kind.PLAIN),
                headers={"content-type": "application/json"},
            )
            with urllib.request.urlopen(request, timeout=100) as answer:
                assert "usage" in json.load(answer)
                assert answer.headers["x-farebox-model"] == traffic.MODEL
            assert processes.resident_kib((endpoint.sidecar_pid,)) > 0
        finally:
            endpoint.stop()
    assert not Path(f"/proc/{endpoint.sidecar_pid}").exists()
