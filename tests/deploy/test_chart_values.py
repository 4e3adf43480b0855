"""Every value of the chart is described, and bounded by the schema.

That each has an effect is tested where charts are rendered: tests/e2e/kube/test_chart_values.py.
"""

import re
import tomllib
from collections.abc import Mapping
from typing import Any, Final

import jsonschema_rs
import pytest

from tests.deploy.chart import (
    ABOUT,
    CHART,
    ROOT,
    SCHEMA,
    VALUES,
    Value,
    entries,
    templates,
    values,
)

ALL: Final = tuple(values())
ENTRIES: Final = dict(entries())
OF_KUBERNETES: Final = re.compile(r".*\.resources\.(requests|limits)(\.(cpu|memory))?")
"""In Kubernetes' own words; described there."""

OF_PEOPLE: Final = ("sidecar.providers.", "monitoring.dashboard.labels.")
"""Maps whose keys are free; values.yaml shows one."""

EVERY: Final = pytest.mark.parametrize("value", ALL, ids=lambda value: value.path)


@EVERY
def test_a_value_is_described_alike_in_both_files(value: Value) -> None:
    if OF_KUBERNETES.fullmatch(value.path) or value.path.startswith(OF_PEOPLE):
        return
    assert value.says.endswith("."), "say it in values.yaml, in a sentence"
    assert ENTRIES[value.path]["description"] == value.says


def test_every_entry_of_the_schema_is_a_value() -> None:
    named = {path for path in ENTRIES if not OF_KUBERNETES.fullmatch(path)}
    assert named - {value.path for value in ALL} == {"global"}


def test_a_name_that_is_no_value_is_refused_in_every_group() -> None:
    for value in ALL:
        if value.is_group and not f"{value.path}.".startswith(OF_PEOPLE):
            inner = OF_KUBERNETES.fullmatch(value.path)
            assert inner or ENTRIES[value.path]["additionalProperties"] is False, value.path
    assert SCHEMA["additionalProperties"] is False


def test_every_entry_has_a_type_or_a_choice() -> None:
    for path, entry in ENTRIES.items():
        assert "type" in entry or "oneOf" in entry, path


def test_the_defaults_fit_the_schema() -> None:
    assert faults(VALUES) == []


WRONG: Final = [
    ("a name that is no value", {"controler": {}}, "controler"),
    ("a name that is none in its group", {"controller": {"replica": 3}}, "replica"),
    ("no controller", {"controller": {"replicas": 0}}, "controller.replicas"),
    ("more controllers than stand by", {"controller": {"replicas": 6}}, "controller.replicas"),
    ("a number as text", {"controller": {"replicas": "2"}}, "controller.replicas"),
    ("a level that is none", {"controller": {"logLevel": "loud"}}, "controller.logLevel"),
    ("a truth that is none", {"controller": {"podAddress": "Maybe"}}, "controller.podAddress"),
    ("an address of one host", {"controller": {"bindAddress": "10.0.0.1"}}, "bindAddress"),
    ("a flag without dashes", {"controller": {"extraArgs": ["poll-ms=5"]}}, "extraArgs"),
    ("a digest that is none", {"sidecar": {"image": {"digest": "sha256:abc"}}}, "digest"),
    ("a tag in the name", {"sidecar": {"image": {"repository": "a:1"}}}, "repository"),
    ("an audience with a space", {"audience": "far box"}, "audience"),
    ("root as the sidecar's user", {"sidecar": {"runAsUser": 0}}, "sidecar.runAsUser"),
    ("a token for five minutes", {"sidecar": {"tokenSeconds": 300}}, "sidecar.tokenSeconds"),
    ("a port of the system", {"sidecar": {"ports": {"listen": 80}}}, "sidecar.ports.listen"),
    ("a size without a number", {"sidecar": {"stateSize": "much"}}, "sidecar.stateSize"),
    ("a resource that is none", {"sidecar": {"resources": {"limits": {"gpu": 1}}}}, "gpu"),
    ("a variable that is a number", {"sidecar": {"env": {"A": 1}}}, "sidecar.env"),
    ("a path without a slash", {"sidecar": {"providers": {"x": {"A": "v1"}}}}, "providers"),
    ("a policy that is none", {"webhook": {"failurePolicy": "Try"}}, "webhook.failurePolicy"),
    ("less time than it takes", {"webhook": {"timeoutSeconds": 3}}, "webhook.timeoutSeconds"),
    ("two members", {"etcd": {"members": 2}}, "etcd.members"),
    ("a disk that is none", {"etcd": {"storage": {"type": "HostPath"}}}, "etcd.storage.type"),
    ("an endpoint with a scheme", {"etcd": {"external": {"endpoints": ["https://a:1"]}}}, "endp"),
    ("an endpoint without a port", {"etcd": {"external": {"endpoints": ["a"]}}}, "endpoints"),
    ("a prefix without a slash", {"etcd": {"prefix": "farebox"}}, "etcd.prefix"),
    ("certificates for a day", {"etcd": {"tls": {"days": 1}}}, "etcd.tls.days"),
    ("an address without a mask", {"networkPolicy": {"apiServerAddresses": ["10.0.0.1"]}}, "apiS"),
    ("no sidecar at all", {"networkPolicy": {"sidecarsFrom": []}}, "networkPolicy.sidecarsFrom"),
    (
        "a key without its Secret",
        {"sidecar": {"keys": [{"name": "A_KEY", "secretKey": "a"}]}},
        "sidecar.keys.0",
    ),
    (
        "a key in place of its name",
        {"sidecar": {"keys": [{"name": "sk-abc", "secretName": "a", "secretKey": "b"}]}},
        "sidecar.keys.0.name",
    ),
    ("a port that is text", {"networkPolicy": {"apiServerPorts": ["https"]}}, "apiServerPorts"),
    ("an interval without unit", {"monitoring": {"podMonitor": {"interval": "30"}}}, "interval"),
    ("a label that is a number", {"commonLabels": {"a": 1}}, "commonLabels"),
]


@pytest.mark.parametrize(("what", "wrong", "where"), WRONG, ids=[one[0] for one in WRONG])
def test_a_wrong_value_is_refused_where_it_stands(
    what: str, wrong: Mapping[str, Any], where: str
) -> None:
    (fault,) = faults(wrong)
    assert where in fault


def faults(given: Mapping[str, Any]) -> list[str]:
    """What is wrong with values, each with its place."""
    errors = jsonschema_rs.validator_for(dict(SCHEMA)).iter_errors(given)
    return [
        ".".join(str(step) for step in error.instance_path) + f": {error.message}"
        for error in errors
    ]


def test_a_template_asks_for_no_value_that_is_not_there() -> None:
    paths = {value.path for value in ALL}
    for name, text in templates().items():
        for path in re.findall(r"\.Values\.((?:[a-zA-Z]+\.)*[a-zA-Z]+)", text):
            assert path in paths, f"{name}: .Values.{path}"


def test_the_chart_has_the_version_of_the_program() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert ABOUT["appVersion"] == ABOUT["version"] == project["version"]


def test_no_image_names_a_registry() -> None:
    assert VALUES["image"]["registry"] == ""
    for part in ("controller", "sidecar", "etcd"):
        assert re.fullmatch(r"[a-z-]+", VALUES[part]["image"]["repository"])


def test_every_file_of_the_chart_is_known() -> None:
    found = {path.relative_to(CHART).parts[0] for path in CHART.rglob("*") if path.is_file()}
    assert found == {
        *(".helmignore", "Chart.yaml", "values.yaml", "values.schema.json"),
        *("crds", "files", "templates"),
    }
