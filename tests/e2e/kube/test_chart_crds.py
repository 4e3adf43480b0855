"""The four CRDs come with the chart once, in either of two ways, and outlive the release."""

import tarfile
from pathlib import Path
from typing import Final

import yaml

from tests.deploy.chart import ABOUT, CHART
from tests.deploy.crds import CRDS
from tests.deploy.rendering import helm, render

NAMES: Final = {crd.definition["metadata"]["name"] for crd in CRDS.values()}
KIND: Final = "CustomResourceDefinition"


def test_helm_makes_them_when_it_installs() -> None:
    assert {one["metadata"]["name"] for one in render({}, "--include-crds").of(KIND)} == NAMES
    assert render().of(KIND) == ()


def test_as_objects_of_the_release_they_are_kept() -> None:
    found = render({"crds": {"managed": True}}, "--skip-crds").of(KIND)
    assert {one["metadata"]["name"] for one in found} == NAMES
    for one in found:
        assert one["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"


def test_they_are_the_same_either_way() -> None:
    managed = render({"crds": {"managed": True}}, "--skip-crds").of(KIND)
    specs = {one["metadata"]["name"]: one["spec"] for one in managed}
    assert specs == {
        crd.definition["metadata"]["name"]: crd.definition["spec"] for crd in CRDS.values()
    }


def test_they_can_be_shown_for_an_upgrade() -> None:
    shown = list(yaml.safe_load_all(helm("show", "crds", str(CHART))))
    assert {one["metadata"]["name"] for one in shown if one} == NAMES


def test_a_package_has_everything(tmp_path: Path) -> None:
    helm("package", str(CHART), "-d", str(tmp_path))
    with tarfile.open(tmp_path / f"farebox-{ABOUT['version']}.tgz") as package:
        packed = {name.removeprefix("farebox/") for name in package.getnames()}
    files = {str(path.relative_to(CHART)) for path in CHART.rglob("*") if path.is_file()}
    assert packed == files
