"""What docs/kubernetes.md says of the chart is so."""

import re
from typing import Final

from tests.deploy.chart import CHART, DOCUMENT, ROOT, VALUES, entries, templates
from tests.deploy.findings import ALLOWED
from tests.repo.docs import missing_paths
from tests.repo.files import tracked

TEXT: Final = DOCUMENT.read_text()


def test_values_that_are_named_exist() -> None:
    groups = "|".join(VALUES)
    named = set(re.findall(rf"\b((?:{groups})(?:\.[a-z][a-zA-Z]+)+)\b", TEXT))
    assert len(named) > 20
    not_values = {"etcd.md", "rbac.authorization"}
    assert named - not_values - {path for path, _ in entries()} == set()


def test_files_that_are_named_exist() -> None:
    assert missing_paths(TEXT, set(tracked())) == []
    for path in re.findall(r"-f (examples/\S+)", TEXT):
        assert (ROOT / path).exists(), path


def test_objects_that_are_named_are_made() -> None:
    made = set(re.findall(r'"?name"? "(farebox[a-z-]*)"', "\n".join(templates().values())))
    named = set(re.findall(r"`(farebox-[a-z-]+)`", TEXT))
    images = {VALUES[part]["image"]["repository"] for part in ("controller", "sidecar")}
    by_controllers = {"farebox-ca"}
    of_pods = {"farebox-probes"}
    assert named <= made | images | by_controllers | of_pods


def test_what_the_scanner_finds_is_explained() -> None:
    rows = re.findall(r"^\| (CKV\w+) \| (.*?) \| (.*) \|$", TEXT, re.MULTILINE)
    assert rows == [(check, where, why) for (check, where), why in ALLOWED.items()]


def test_ports_that_are_named_are_those_of_the_pods() -> None:
    ports = re.findall(r"^\| (?:controllers|etcd) \| (\d+) \|", TEXT, re.MULTILINE)
    for port in ports:
        assert re.search(rf"containerPort: {port}\b", "\n".join(templates().values())), port


def test_users_that_are_named_are_those_of_the_pods() -> None:
    texts = "\n".join(templates().values())
    for user in (15001, 15003):
        assert f"{user}" in TEXT
        assert f'"user" {user}' in texts
    assert f"{VALUES['sidecar']['runAsUser']}" in TEXT


def test_every_crd_is_deleted_by_name() -> None:
    for path in (CHART / "crds").iterdir():
        plural = path.stem.split("_")[1]
        assert f"{plural}.farebox.dev" in TEXT
