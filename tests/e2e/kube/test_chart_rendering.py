"""What helm makes of the chart holds together, however it is installed."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

import pytest

from controller.injection.keys import Key
from controller.injection.reading import read_settings
from controller.kube.rights import RIGHTS, Scope
from tests.deploy.installations import DIGEST, INSTALLATIONS
from tests.deploy.rendering import NAMESPACE, Object, Rendered, lint, render
from tests.deploy.test_chart_rights import granted, listed

EVERYWHERE: Final = {
    "ClusterRole",
    "ClusterRoleBinding",
    "CustomResourceDefinition",
    "MutatingWebhookConfiguration",
}
GIVEN: Final = {"ledger-tls", "ledger-user", "members", "controllers", "images"}
"""Secrets that those who install have made."""


def labelled(name: str) -> Object:
    """Pods of namespaces that have a label."""
    return {"namespaceSelector": {"matchExpressions": [{"key": name, "operator": "Exists"}]}}


def pods_of(component: str) -> Object:
    """Pods of the release."""
    return {
        "podSelector": {
            "matchLabels": {
                "app.kubernetes.io/name": "farebox",
                "app.kubernetes.io/instance": "farebox",
                "app.kubernetes.io/component": component,
            }
        }
    }


@pytest.fixture(scope="module", params=INSTALLATIONS)
def installed(request: pytest.FixtureRequest) -> Rendered:
    return render(INSTALLATIONS[request.param])


@pytest.mark.parametrize("name", INSTALLATIONS)
def test_the_linter_finds_nothing(name: str) -> None:
    assert "0 chart(s) failed" in lint(INSTALLATIONS[name])


def test_each_object_is_there_once_and_says_whose_it_is(installed: Rendered) -> None:
    names = [(one["kind"], one["metadata"]["name"]) for one in installed.objects]
    assert len(names) == len(set(names))
    for one in installed.objects:
        about = one["metadata"]
        in_release = about.get("namespace") == NAMESPACE
        assert in_release != (one["kind"] in EVERYWHERE)
        assert about["labels"]["app.kubernetes.io/name"] == "farebox"
        if one["kind"] != "CustomResourceDefinition":
            assert about["labels"]["app.kubernetes.io/managed-by"] == "Helm"


def test_pods_may_do_nothing_that_restricted_pods_may_not(installed: Rendered) -> None:
    for name, template in installed.templates():
        spec = template["spec"]
        assert not {"hostNetwork", "hostPID", "hostIPC", "initContainers"} & set(spec)
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["securityContext"]["runAsUser"] > 10_000
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert spec["automountServiceAccountToken"] is (name == "farebox-controller")
        for volume in spec["volumes"]:
            assert {"emptyDir", "secret", "configMap"} & set(volume)
        for container in spec["containers"]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }
            assert container["resources"]["requests"]
            assert container["resources"]["limits"]["memory"]


def test_every_selector_finds_pods_and_its_ports(installed: Rendered) -> None:
    pods = [template["metadata"]["labels"] for _, template in installed.templates()]
    for where, selector in selectors(installed):
        assert [pod for pod in pods if selector.items() <= pod.items()], where
    for service in installed.of("Service"):
        wanted = service["spec"]["selector"].items()
        (spec,) = [t["spec"] for _, t in installed.templates() if wanted <= labels(t).items()]
        ports = {port["name"] for one in spec["containers"] for port in one["ports"]}
        assert {port["targetPort"] for port in service["spec"]["ports"]} <= ports


def test_every_open_port_is_let_in_and_no_other(installed: Rendered) -> None:
    policies = installed.of("NetworkPolicy")
    for name, template in installed.templates() if policies else ():
        (own,) = [one for one in policies if one["metadata"]["name"] == name]
        let_in = {port["port"] for rule in own["spec"]["ingress"] for port in rule["ports"]}
        ports = {port["containerPort"] for port in template["spec"]["containers"][0]["ports"]}
        assert let_in == ports


OPENING: Final[Mapping[str, Any]] = {
    "farebox-controller": {
        7447: [labelled("farebox.dev/inject")],
        7449: [{"podSelector": {}}],
        9443: None,
    },
    "farebox-etcd": {
        2379: [pods_of("controller"), pods_of("etcd")],
        2380: [pods_of("etcd")],
        2381: [{"podSelector": {}}],
    },
}
"""Who is let in as it comes, by port; None: anybody."""


def test_who_is_let_in_as_it_comes() -> None:
    rendered = render({})
    for name, opening in OPENING.items():
        found: dict[int, Any] = {}
        for rule in rendered.one("NetworkPolicy", name)["spec"]["ingress"]:
            for port in rule["ports"]:
                peers = rule.get("from")
                found[port["port"]] = (found.get(port["port"], []) + peers) if peers else None
        assert found == opening
    shut = rendered.one("NetworkPolicy", "farebox-default-deny")["spec"]
    assert (shut["policyTypes"], shut.get("ingress")) == (["Ingress", "Egress"], None)


def test_who_is_let_in_can_be_said() -> None:
    narrow = render(INSTALLATIONS["with narrow network policies"])
    rules = narrow.one("NetworkPolicy", "farebox-controller")["spec"]["ingress"]
    (webhook,) = [rule for rule in rules if rule["ports"] == [{"port": 9443}]]
    assert webhook["from"] == [{"ipBlock": {"cidr": "10.0.0.0/28"}}]


def test_the_controllers_can_read_what_is_injected(installed: Rendered) -> None:
    for one in installed.of("ConfigMap"):
        if text := one["data"].get("injection.yaml"):
            settings = read_settings("a", text, audience="farebox.dev", own_namespace=NAMESPACE)
            assert settings.image.endswith(("farebox-sidecar:0.1.0", "farebox-sidecar@" + DIGEST))


def test_keys_of_providers_are_names_of_secrets() -> None:
    text = render(INSTALLATIONS["injection where it can"]).one("ConfigMap", "farebox-injection")
    settings = read_settings(
        "a", text["data"]["injection.yaml"], audience="farebox.dev", own_namespace=NAMESPACE
    )
    assert settings.keys == (
        Key(name="OPENAI_API_KEY", secret="llm-keys", entry="openai"),
        Key(name="SPARE_KEY", secret="spare", entry="a", optional=True),
    )


def test_what_pods_mount_and_refer_to_is_there(installed: Rendered) -> None:
    secrets = GIVEN | {one["metadata"]["name"] for one in installed.of("Secret")}
    maps = {one["metadata"]["name"] for one in installed.of("ConfigMap")}
    accounts = {one["metadata"]["name"] for one in installed.of("ServiceAccount")}
    for owner in installed.of("StatefulSet"):
        spec = owner["spec"]["template"]["spec"]
        claims = owner["spec"].get("volumeClaimTemplates", ())
        volumes = {one["name"]: one for one in spec["volumes"]}
        assert spec["serviceAccountName"] in accounts
        for container in spec["containers"]:
            mounted = {mount["name"] for mount in container["volumeMounts"]}
            assert mounted == set(volumes) | {claim["metadata"]["name"] for claim in claims}
            flags = [*container["command"], *container.get("args", ())]
            variables = {name for flag in flags for name in re.findall(r"\$\((\w+)\)", flag)}
            assert variables == {one["name"] for one in container["env"]}
        for volume in volumes.values():
            assert volume.get("secret", {"secretName": "images"})["secretName"] in secrets
            assert not volume.get("configMap") or volume["configMap"]["name"] in maps


def test_the_controllers_have_the_rights_that_are_listed(installed: Rendered) -> None:
    injecting = bool(installed.of("MutatingWebhookConfiguration"))
    rights = [right for right in RIGHTS if injecting or not right.injecting]
    for kind, scope in (("ClusterRole", Scope.CLUSTER), ("Role", Scope.OWN)):
        role = installed.one(kind, "farebox-controller")
        assert granted(role["rules"]) == listed(one for one in rights if one.scope is scope)
        (binding,) = installed.of(f"{kind}Binding")
        assert binding["roleRef"]["kind"] == kind
        assert binding["roleRef"]["name"] == "farebox-controller"
        assert binding["subjects"] == [
            {"kind": "ServiceAccount", "name": "farebox-controller", "namespace": NAMESPACE}
        ]


def test_a_drain_takes_one_of_several(installed: Rendered) -> None:
    budgets = {one["metadata"]["name"]: one["spec"] for one in installed.of("PodDisruptionBudget")}
    for owner in installed.of("StatefulSet"):
        budget = budgets.get(owner["metadata"]["name"])
        assert (budget is not None) == (owner["spec"]["replicas"] > 1)
        assert budget is None or budget["maxUnavailable"] == 1


def test_the_webhook_can_lock_nobody_out(installed: Rendered) -> None:
    for configuration in installed.of("MutatingWebhookConfiguration"):
        (webhook,) = configuration["webhooks"]
        assert "caBundle" not in webhook["clientConfig"]
        asked, spared = webhook["namespaceSelector"]["matchExpressions"]
        assert asked == {"key": "farebox.dev/inject", "operator": "In", "values": ["enabled"]}
        assert spared["operator"] == "NotIn"
        assert {NAMESPACE, "kube-system", "kube-public", "kube-node-lease"} <= set(spared["values"])
        assert webhook["rules"][0]["operations"] == ["CREATE"]


def labels(template: Object) -> Mapping[str, Any]:
    found: Mapping[str, Any] = template["metadata"]["labels"]
    return found


def selectors(installed: Rendered) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for kind in ("StatefulSet", "PodDisruptionBudget"):
        for one in installed.of(kind):
            yield one["metadata"]["name"], one["spec"]["selector"]["matchLabels"]
    for one in installed.of("NetworkPolicy"):
        yield one["metadata"]["name"], one["spec"]["podSelector"]["matchLabels"]
    for one in installed.of("Service"):
        yield one["metadata"]["name"], one["spec"]["selector"]
    services = [one["metadata"]["labels"] for one in installed.of("Service")]
    for one in installed.of("ServiceMonitor"):
        wanted = one["spec"]["selector"]["matchLabels"].items()
        assert [service for service in services if wanted <= service.items()]
