"""Each value of the chart changes what is installed, and what can't be meant is refused."""

import json
from collections.abc import Mapping
from functools import cache
from typing import Any, Final

import pytest

from tests.deploy.chart import Value, values
from tests.deploy.installations import DIGEST, EXTERNAL, MONITORED
from tests.deploy.rendering import Rendered, refusal, render

LEAVES: Final = [value for value in values() if not value.is_group]
PLACE: Final[Mapping[str, Any]] = {
    "repository": "other",
    "tag": "v9",
    "digest": DIGEST,
    "logLevel": "debug",
    "bindAddress": "[::]",
    "extraArgs": ["--poll-ms=900"],
    "cpu": "1",
    "memory": "333Mi",
    "priorityClassName": "high",
    "nodeSelector": {"a": "b"},
    "tolerations": [{"operator": "Exists"}],
    "antiAffinity": "None",
    "affinity": {"nodeAffinity": {}},
    "topologySpreadConstraints": [{"maxSkew": 3}],
    "podLabels": {"a": "b"},
    "podAnnotations": {"a": "b"},
    "labels": {"a": "b"},
    "annotations": {"a": "b"},
    "interval": "7s",
    "pullSecrets": ["one"],
    "commonLabels": {"a": "b"},
    "commonAnnotations": {"a": "b"},
    "runAsUser": 20_000,
    "sidecar.stateSize": "99Mi",
    "baseUrls": ["openai"],
    "env": {"A": "b"},
    "keys": [{"name": "A_KEY", "secretName": "a", "secretKey": "b", "optional": True}],
    "startAfter": [],
    "excludedNamespaces": ["one"],
    "storageClassName": "fast",
    "size": "30Gi",
    "prefix": "/other",
    "endpoints": ["one:2379"],
    "tlsSecret": "other",
    "user": "other",
    "passwordSecret": "other",
    "sidecarsFrom": [{"podSelector": {}}],
    "webhookFrom": [{"ipBlock": {"cidr": "10.0.0.0/28"}}],
    "metricsFrom": [{"namespaceSelector": {}}],
    "apiServerPorts": [8443],
    "apiServerAddresses": ["10.0.0.1/32"],
    "etcdTo": [{"podSelector": {}}],
    "registry": "images.example.com",
    "pullPolicy": "Never",
    "audience": "other",
    "podAddress": "Ignore",
    "failurePolicy": "Ignore",
    "whenUninstalled": "Delete",
    "type": "EmptyDir",
    "members": 5,
    "OPENAI_BASE_URL": "/other",
    "grafana_dashboard": "2",
}
"""Another value for each, by its path or else its last name; numbers and truths change by rule."""

BESIDE: Final[Mapping[str, Mapping[str, Any]]] = {
    "etcd.external": EXTERNAL,
    "networkPolicy.etcdTo": EXTERNAL,
    "etcd.tls.memberSecret": {"etcd": {"tls": {"clientSecret": "clients"}}},
    "etcd.tls.clientSecret": {"etcd": {"tls": {"memberSecret": "members"}}},
    "monitoring": MONITORED,
}
"""What must be set for a value to mean something, by the beginning of its path."""

WITHOUT_A_TRACE: Final = {
    "etcd.enabled": "alone it is refused",
    "etcd.tls.days": "only the certificates themselves show it",
    "etcd.tls.renewAfterDays": "it decides on an upgrade",
    "etcd.tls.memberSecret": "alone it is refused",
    "etcd.tls.clientSecret": "alone it is refused",
}


@pytest.mark.parametrize("value", LEAVES, ids=lambda value: value.path)
def test_a_value_has_an_effect(value: Value) -> None:
    if value.path in WITHOUT_A_TRACE:
        return
    beside = next((BESIDE[one] for one in BESIDE if value.path.startswith(one)), {})
    after = render(merged(beside, value.path, other(value, beside)))
    assert comparable(after) != before(json.dumps(beside))


@cache
def before(beside: str) -> list[Any]:
    """What there is without the value."""
    return comparable(render(json.loads(beside)))


def other(value: Value, beside: Mapping[str, Any]) -> Any:
    """A value that is not the one in force."""
    last = value.path.rsplit(".", 1)[-1]
    now: Any = beside
    for name in value.path.split("."):
        now = now.get(name, value.default) if isinstance(now, dict) else value.default
    if isinstance(now, bool):
        return not now
    if isinstance(now, int) and last not in PLACE:
        return now + 1
    return PLACE.get(value.path, PLACE.get(last))


def merged(beside: Mapping[str, Any], path: str, value: Any) -> dict[str, Any]:
    """The values beside with this one."""
    name, _, rest = path.partition(".")
    inner = beside.get(name, {})
    return {**beside, name: merged(inner, rest, value) if rest else value}


def comparable(rendered: Rendered) -> list[Any]:
    """All but what is new in each rendering: the certificates of etcd, and when they were made."""
    text = [
        one
        for one in rendered.objects
        if not one["metadata"]["name"].startswith("farebox-etcd-") or one["kind"] != "Secret"
    ]
    for one in text:
        if one["kind"] == "StatefulSet":
            about = one["spec"]["template"]["metadata"].get("annotations", {})
            about.pop("farebox.dev/etcd-certificates", None)
    return text


KEY: Final = {"name": "OPENAI_API_KEY", "secretName": "llm-keys", "secretKey": "openai"}
REFUSED: Final = [
    ("an etcd of nobody", {"etcd": {"enabled": False}}, "etcd.external.endpoints is missing"),
    (
        "an etcd in the clear",
        {"etcd": {"enabled": False, "external": {"endpoints": ["a:1"]}}},
        "etcd.external.tlsSecret is missing",
    ),
    (
        "a user without a password",
        {
            "etcd": {
                "enabled": False,
                "external": {"endpoints": ["a:1"], "tlsSecret": "a", "user": "b"},
            }
        },
        "etcd.external.user and etcd.external.passwordSecret go together",
    ),
    (
        "two of etcd",
        {"etcd": {"external": {"endpoints": ["a:1"]}}},
        "etcd.external.endpoints is given beside etcd.enabled=true",
    ),
    (
        "certificates of one side",
        {"etcd": {"tls": {"memberSecret": "a"}}},
        "etcd.tls.memberSecret and etcd.tls.clientSecret go together",
    ),
    (
        "certificates that end before they are renewed",
        {"etcd": {"tls": {"days": 300}}},
        "etcd.tls.renewAfterDays must be less than etcd.tls.days",
    ),
    (
        "a key that would steer the sidecar",
        {"sidecar": {"keys": [{**KEY, "name": "FAREBOX_CONTROLLER_TOKEN"}]}},
        "sidecar.keys has FAREBOX_CONTROLLER_TOKEN: FAREBOX_ variables steer",
    ),
    (
        "a key twice",
        {"sidecar": {"keys": [KEY, KEY]}},
        "sidecar.keys has OPENAI_API_KEY for the second time",
    ),
    (
        "a key that is a plain variable too",
        {"sidecar": {"keys": [KEY], "env": {"OPENAI_API_KEY": "other"}}},
        "sidecar.keys has OPENAI_API_KEY for the second time",
    ),
    ("a name that is none", {"controller": {"replcas": 1}}, "'replcas' not allowed"),
]


@pytest.mark.parametrize(("what", "wrong", "says"), REFUSED, ids=[one[0] for one in REFUSED])
def test_what_cannot_be_meant_is_refused(what: str, wrong: Mapping[str, Any], says: str) -> None:
    assert says in refusal(wrong)


def test_a_namespace_of_kubernetes_is_refused() -> None:
    assert "not go into a namespace of Kubernetes" in refusal({}, namespace="kube-system")


def test_an_old_kubernetes_is_refused() -> None:
    assert "kubeVersion" in refusal({}, "--kube-version", "1.28")
