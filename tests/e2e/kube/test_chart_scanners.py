"""Others judge the chart: the schemas of every Kubernetes that it is for, and a scanner."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from tests.deploy.chart import ROOT
from tests.deploy.findings import ALLOWED
from tests.deploy.installations import DIGEST, INSTALLATIONS, MONITORED
from tests.deploy.rendering import render
from tests.deploy.scanners import findings, misfits

VERSIONS: Final = [f"1.{minor}" for minor in range(29, 38)]
OTHERS: Final = ("ServiceMonitor", "PodMonitor", "PrometheusRule")
"""Kinds of the Prometheus operator, which is no part of Kubernetes."""

OURS: Final = ("BudgetPool", "ModelTier")

# The first one installs what it needs.
pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """A file for each way to install, and those of the example."""
    folder = tmp_path_factory.mktemp("manifests")
    for number, values in enumerate(INSTALLATIONS.values()):
        objects = [*render(values, "--include-crds").objects]
        folder.joinpath(f"{number}.yaml").write_text(yaml.safe_dump_all(objects))
    return [*sorted(folder.iterdir()), *sorted((ROOT / "examples/kubernetes").rglob("*.yaml"))]


@pytest.mark.parametrize("version", VERSIONS)
def test_everything_fits_the_schemas(version: str, written: list[Path]) -> None:
    unknown = [line for line in misfits(version, written) if not _is_elsewhere(line)]
    assert unknown == []


def test_a_misfit_is_found(tmp_path: Path) -> None:
    wrong = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a"}, "dta": {}}
    file = tmp_path / "wrong.yaml"
    fine = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a"}}
    file.write_text(yaml.safe_dump_all([fine, wrong]))
    assert any("dta" in line for line in misfits(VERSIONS[0], [file]))


def _is_elsewhere(line: str) -> bool:
    return any(f"kind {kind} " in line for kind in (*OTHERS, *OURS))


PINNED: Final[Mapping[str, Any]] = {
    "image": {"pullPolicy": "Always"},
    **{part: {"image": {"digest": DIGEST}} for part in ("controller", "sidecar", "etcd")},
}


def test_the_scanner_finds_nothing_that_is_not_explained(tmp_path: Path) -> None:
    assert _found(tmp_path, MONITORED) == set(ALLOWED)


def test_pinned_images_are_found_no_more(tmp_path: Path) -> None:
    about_images = {one for one in ALLOWED if one[0] in {"CKV_K8S_15", "CKV_K8S_43"}}
    assert _found(tmp_path, PINNED) == set(ALLOWED) - about_images


def _found(folder: Path, values: Mapping[str, Any]) -> set[tuple[str, str]]:
    file = folder / "rendered.yaml"
    file.write_text(yaml.safe_dump_all(render(values).objects))
    return findings(file)
