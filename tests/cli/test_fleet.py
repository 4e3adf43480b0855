"""What the processes of a standalone Farebox are called with."""

import json
from pathlib import Path

from farebox.cli import fleet
from farebox.cli.demo import MANIFESTS
from farebox.cli.fleet import Pod
from farebox.cli.processes import Child
from farebox.cli.resources import read_resources
from farebox.simulated.config import parse_config

POD = Pod(name="assistant-0", namespace="shop", labels={"app": "assistant", "team": "a"})


def test_a_sidecar_is_told_its_pod_and_keeps_its_files_under_its_name(tmp_path: Path) -> None:
    program = fleet.sidecar(tmp_path, pod=POD, controller_port=7447, port=15_002)
    told = dict(zip(program.arguments[::2], program.arguments[1::2], strict=True))
    assert program.name == "assistant-0"
    assert told["--controller"] == "127.0.0.1:7447"
    assert told["--namespace"] == "shop"
    assert told["--labels"] == "app=assistant,team=a"
    assert told["--journal"] == str(tmp_path / "assistant-0.journal")
    assert told["--receipts"] == str(fleet.receipts_of(tmp_path, POD))
    assert [(port.flag, port.first) for port in program.ports] == [
        ("--listen", 15_002),
        ("--admin", 0),
    ]


def test_a_sidecar_keeps_prompts_only_when_it_is_told_to(tmp_path: Path) -> None:
    silent = fleet.sidecar(tmp_path, pod=POD, controller_port=7447).arguments
    keeping = fleet.sidecar(tmp_path, pod=POD, controller_port=7447, keep_prompts=True).arguments
    assert keeping == (*silent, "--keep-prompts", "true")


def test_the_controller_is_told_what_placeholders_stand_for(tmp_path: Path) -> None:
    program = fleet.controller(tmp_path, manifests=MANIFESTS, variables={"A": "1", "B": "2"})
    assert program.arguments[-2:] == ("--variables", "A=1,B=2")
    assert (
        "--variables" not in fleet.controller(tmp_path, manifests=tmp_path, variables={}).arguments
    )


def test_addresses_come_from_ready_files(tmp_path: Path) -> None:
    child = Child(fleet.provider(tmp_path, {"models": []}), tmp_path)
    child.facts = {"http": 15_002, "port": 9100}
    assert fleet.base_url(child) == "http://127.0.0.1:15002/openai/v1"
    assert fleet.provider_variables(child) == {"FAREBOX_DEMO_PROVIDER": "http://127.0.0.1:9100/v1"}


def test_the_simulated_provider_has_the_models_of_the_tiers_at_their_prices(tmp_path: Path) -> None:
    catalogue = read_resources(MANIFESTS).catalogue
    program = fleet.provider(
        tmp_path,
        fleet.provider_config(
            catalogue, latency_ms=20, faults={"error500": 0.5}, outcomes=tmp_path / "book"
        ),
    )
    written = Path(program.arguments[program.arguments.index("--config") + 1])
    config = parse_config(json.loads(written.read_text()))
    models = {model.name: model for model in config.models}
    assert list(models) == ["gpt-4o-mini", "gpt-4o", "o1"]
    assert models["gpt-4o-mini"].rates().input_pico == 150_000
    assert models["gpt-4o-mini"].rates().cached_pico == 75_000
    assert models["o1"].rates().output_pico == 60_000_000
    assert [model.latency_ms for model in config.models] == [20, 40, 60]
    assert [model.reasoning_tokens > 0 for model in config.models] == [False, False, True]
    assert config.faults.mix == {"error500": 0.5}
    assert config.outcomes == str(tmp_path / "book")
