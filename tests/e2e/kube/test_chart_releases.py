"""A release of the chart is installed, upgraded and uninstalled on a real API server.

No pod runs here; what the controllers would write is written by hand. The tests are one story and
run in their order.
"""

import base64
import json
from collections.abc import AsyncIterator, Mapping
from typing import Any, Final

import pytest
import pytest_asyncio
import yaml

from tests.deploy.chart import CHART
from tests.deploy.crds import CRDS
from tests.deploy.installations import INSTALLATIONS
from tests.deploy.rendering import Object, render
from tests.support.etcd_fleet import until
from tests.support.kube_api import KubeApi, kube_api

NAMESPACE: Final = "money"
SECRETS: Final = ("farebox-etcd-ca", "farebox-etcd-tls", "farebox-etcd-client")
BUNDLE: Final = base64.b64encode(b"-----BEGIN CERTIFICATE-----\n").decode()
CRD_NAMES: Final = [crd.definition["metadata"]["name"] for crd in CRDS.values()]

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(300)]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def api(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[KubeApi]:
    """An empty cluster of its own: the names of a release are those of the whole cluster."""
    async with kube_api(tmp_path_factory.mktemp("releases")) as made:
        yield made


async def upgraded(api: KubeApi, *flags: str) -> str:
    """What helm says of an upgrade with these flags, refused or not."""
    words = ("upgrade", "farebox", str(CHART), "-n", NAMESPACE, *flags)
    done = await api.helm(*words, check=False)
    return done.error if done.status else ""


async def secret(api: KubeApi, name: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = await api.get(f"/api/v1/namespaces/{NAMESPACE}/secrets/{name}")
    return found


async def injector(api: KubeApi) -> Mapping[str, Any]:
    path = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/farebox-injector"
    (webhook,) = (await api.get(path))["webhooks"]
    found: Mapping[str, Any] = webhook
    return found


async def test_it_is_installed_and_says_what_comes_next(api: KubeApi) -> None:
    done = await api.helm("install", "farebox", str(CHART), "-n", NAMESPACE, "--create-namespace")
    steps = [line.strip() for line in done.out.splitlines() if "kubectl" in line]
    assert [step.split()[:2] for step in steps[:3]] == [
        ["kubectl", "label"],
        ["kubectl", "apply"],
        ["kubectl", "get"],
    ]
    assert "farebox-tls" in str(await secret(api, "farebox-tls"))


async def test_a_second_one_is_refused(api: KubeApi) -> None:
    words = ("install", "other", str(CHART), "-n", "elsewhere", "--create-namespace")
    done = await api.helm(*words, check=False)
    assert done.status != 0
    assert "ownership" in done.error
    assert (await api.helm("list", "-n", NAMESPACE, "-q")).out.split() == ["farebox"]


async def test_an_upgrade_keeps_certificates_and_what_the_controllers_wrote(api: KubeApi) -> None:
    before = {name: (await secret(api, name))["data"] for name in SECRETS}
    path = f"/api/v1/namespaces/{NAMESPACE}/secrets/farebox-tls"
    await api.patch(path, {"data": {"tls.crt": BUNDLE}})
    change = [{"op": "add", "path": "/webhooks/0/clientConfig/caBundle", "value": BUNDLE}]
    words = ("patch", "mutatingwebhookconfiguration", "farebox-injector", "--type=json")
    await api.kubectl(*words, "-p", json.dumps(change))

    assert await upgraded(api, "--set", "controller.logLevel=debug") == ""

    assert {name: (await secret(api, name))["data"] for name in SECRETS} == before
    assert (await secret(api, "farebox-tls"))["data"] == {"tls.crt": BUNDLE}
    assert (await injector(api))["clientConfig"]["caBundle"] == BUNDLE


async def test_old_certificates_are_made_anew_by_the_same_authority(api: KubeApi) -> None:
    before = {name: (await secret(api, name))["data"] for name in SECRETS}
    restarts = await template_annotations(api)
    for name in SECRETS[1:]:
        words = ("annotate", "secret", name, "-n", NAMESPACE, "--overwrite")
        await api.kubectl(*words, "farebox.dev/issued=1700000000")

    # The annotation is kubectl's now; unasked, helm leaves it so.
    assert 'conflict with "kubectl-annotate"' in await upgraded(api)
    assert await upgraded(api, "--force-conflicts") == ""

    after = {name: (await secret(api, name))["data"] for name in SECRETS}
    assert after[SECRETS[0]] == before[SECRETS[0]]
    for name in SECRETS[1:]:
        assert after[name]["ca.crt"] == before[name]["ca.crt"]
        assert after[name]["tls.crt"] != before[name]["tls.crt"]
    assert await template_annotations(api) != restarts


async def template_annotations(api: KubeApi) -> Mapping[str, str]:
    path = f"/apis/apps/v1/namespaces/{NAMESPACE}/statefulsets/farebox-controller"
    found: Mapping[str, str] = (await api.get(path))["spec"]["template"]["metadata"]["annotations"]
    return found


async def test_members_are_not_added_by_an_upgrade(api: KubeApi) -> None:
    assert "etcd.members is 5 and was 3" in await upgraded(api, "--set", "etcd.members=5")


async def test_crds_become_objects_of_the_release(api: KubeApi) -> None:
    words = ("--take-ownership", "--set", "crds.managed=true")
    assert await upgraded(api, *words) == ""
    for name in CRD_NAMES:
        path = f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{name}"
        about = (await api.get(path))["metadata"]
        assert about["annotations"]["helm.sh/resource-policy"] == "keep"


async def test_uninstalled_it_leaves_the_ledger_and_the_crds(api: KubeApi) -> None:
    await give_bundle(api)
    await api.helm("uninstall", "farebox", "-n", NAMESPACE, "--wait")

    async def nothing_is_left() -> bool:
        kinds = "secrets,configmaps,services,statefulsets,pods,serviceaccounts,roles,rolebindings"
        wide = "clusterroles,clusterrolebindings,mutatingwebhookconfigurations,networkpolicies,pdb"
        words = ("get", f"{kinds},{wide}", "-A", "-l", "app.kubernetes.io/name=farebox")
        return not (await api.kubectl(*words, "-o", "name")).out.split()

    await until(nothing_is_left)
    claims = await api.kubectl("get", "pvc", "-n", NAMESPACE, "-o", "name")
    assert len(claims.out.split()) == 3
    crds = (await api.kubectl("get", "crd", "-o", "name")).out.split()
    assert sorted(one.partition("/")[2] for one in crds) == sorted(CRD_NAMES)


@pytest.mark.parametrize("name", INSTALLATIONS)
async def test_what_is_rendered_without_a_cluster_is_taken(api: KubeApi, name: str) -> None:
    objects = [one for one in render(INSTALLATIONS[name]).objects if not is_of_operator(one)]
    told = yaml.safe_dump_all(objects)
    done = await api.kubectl("apply", "--server-side", "--dry-run=server", "-f", "-", told=told)
    assert len(done.out.splitlines()) == len(objects)
    assert done.error == ""


def is_of_operator(one: Object) -> bool:
    """Whether it is for the Prometheus operator, which is not there."""
    return str(one["apiVersion"]).startswith("monitoring.coreos.com/")


async def give_bundle(api: KubeApi) -> None:
    """What the controllers make in a labelled namespace; it belongs to their ClusterRole."""
    path = "/apis/rbac.authorization.k8s.io/v1/clusterroles/farebox-controller"
    owner = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "name": "farebox-controller",
        "uid": (await api.get(path))["metadata"]["uid"],
    }
    about = {
        "name": "farebox-ca",
        "labels": {"app.kubernetes.io/name": "farebox"},
        "ownerReferences": [owner],
    }
    await api.post("/api/v1/namespaces/default/configmaps", {"metadata": about})
