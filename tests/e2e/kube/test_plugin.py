"""`kubectl farebox`, found by a real kubectl and asking a real API server.

No kubelet serves logs and port-forward here: what is said then is part of the test, and the
controller is named with --admin-url.
"""

import os
import sys
import tomllib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tests.support.admin import serving, views
from tests.support.explained import POLICY
from tests.support.kube_api import KubeApi
from tests.support.tallies import made
from tests.support.watched import view_after

REPOSITORY = Path(__file__).parents[3]
NAMESPACE = "plugin"
SCRIPT = "#!{python}\nimport sys\nfrom {module} import main\nsys.exit(main())\n"

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(300)]


def pod(name: str, *sidecar: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": {"app": "web"}},
        "spec": {
            "initContainers": [
                {"name": one, "image": "farebox-sidecar", "restartPolicy": "Always"}
                for one in sidecar
            ],
            "containers": [{"name": "app", "image": "app"}],
        },
    }


@pytest.fixture(scope="module", autouse=True)
def plugin(api: KubeApi, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The programs of pyproject.toml, as an installation makes them, and kubectl on the PATH."""
    folder = tmp_path_factory.mktemp("plugin")
    scripts = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]["scripts"]
    for name, target in scripts.items():
        if name.startswith("kubectl"):
            program = folder / name
            module = target.removesuffix(":main")
            program.write_text(SCRIPT.format(python=sys.executable, module=module))
            program.chmod(0o755)
    with pytest.MonkeyPatch.context() as patch:
        parts = (folder, api.tools.kubectl.parent, os.environ["PATH"])
        patch.setenv("PATH", os.pathsep.join(map(str, parts)))
        yield


@pytest_asyncio.fixture(scope="module", loop_scope="session", autouse=True)
async def pods(api: KubeApi) -> AsyncIterator[None]:
    """A namespace with a pod that has a sidecar and one that has none; neither is scheduled."""
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
    await api.post("/api/v1/namespaces", namespace)
    account = f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts"
    await api.post(account, {"metadata": {"name": "nobody"}})
    for one in (pod("web-0", "farebox"), pod("bare")):
        one["spec"]["serviceAccountName"] = "nobody"
        await api.post(f"/api/v1/namespaces/{NAMESPACE}/pods", one)
    yield
    await api.delete(f"/api/v1/namespaces/{NAMESPACE}")


async def asked(api: KubeApi, *words: str) -> tuple[int, str]:
    """`kubectl farebox ...`: its exit status and all that it said, in one line."""
    done = await api.kubectl("farebox", *words, check=False)
    return done.status, " ".join((done.out + done.error).split())


async def test_kubectl_lists_the_plugin(api: KubeApi) -> None:
    assert "kubectl-farebox" in (await api.kubectl("plugin", "list", check=False)).out


async def test_a_pod_without_a_sidecar_is_told_so(api: KubeApi) -> None:
    status, said = await asked(api, "explain", "bare", "-n", NAMESPACE)
    assert status == 2
    assert f"Pod {NAMESPACE}/bare has no sidecar" in said


async def test_a_pod_that_can_not_be_reached_is_explained_as_far_as_it_goes(api: KubeApi) -> None:
    async with serving(views({"/v1/pools": {"pools": []}})) as port:
        url = f"http://127.0.0.1:{port}"
        status, said = await asked(api, "explain", "web-0", "-n", NAMESPACE, "--admin-url", url)
    assert status == 0
    assert f"Pod {NAMESPACE}/web-0 Port 15003 of pod web-0 can't be reached" in said
    assert "pods/portforward" in said
    assert POLICY["classifier"] not in said


async def test_what_is_no_pod_is_looked_for_in_the_logs(api: KubeApi) -> None:
    status, said = await asked(api, "explain", "0123-1", "-n", NAMESPACE)
    assert status == 2
    assert "No receipt of call 0123-1 in the sidecars of 1 pods" in said


async def test_receipts_of_pods_that_can_not_tell_are_missing_and_that_is_said(
    api: KubeApi,
) -> None:
    lost = pod("lost", "farebox")
    lost["spec"] |= {"serviceAccountName": "nobody", "nodeName": "nowhere"}
    await api.post(f"/api/v1/namespaces/{NAMESPACE}/pods", lost)
    status, said = await asked(api, "receipts", "-A", "-l", "app=web")
    assert status == 0
    assert f"{NAMESPACE}/lost: kubectl logs failed: Error from server" in said
    assert "No receipts there yet." in said
    assert "bare" not in said
    await api.delete(f"/api/v1/namespaces/{NAMESPACE}/pods/lost", {"gracePeriodSeconds": 0})


async def test_top_needs_a_controller(api: KubeApi) -> None:
    status, said = await asked(api, "top", "--once", "--system-namespace", NAMESPACE)
    assert status == 2
    assert f"No controller of Farebox runs in namespace {NAMESPACE}" in said
    answers = {
        "/v1/leader": {"role": "leader"},
        "/v1/pools": {"pools": []},
        "/v1/holders": [],
        "/v1/tasks": view_after(made(0)),
    }
    async with serving(views(answers)) as port:
        status, said = await asked(api, "top", "--once", "--admin-url", f"http://127.0.0.1:{port}")
    assert (status, said.partition(" ")[0]) == (0, "Pools")


async def test_who_may_not_ask_is_told_by_the_api_server(api: KubeApi) -> None:
    whoever = f"--as=system:serviceaccount:{NAMESPACE}:nobody"
    status, said = await asked(api, "receipts", "-n", NAMESPACE, whoever)
    assert status == 2
    assert "kubectl get failed: Error from server (Forbidden)" in said


async def test_tab_proposes_commands_and_pods_with_a_sidecar(api: KubeApi) -> None:
    words = ("__complete", "farebox")
    commands = (await api.kubectl(*words, "w")).out.splitlines()
    assert commands[0].startswith("why\tSay in sentences")
    pods = (await api.kubectl(*words, "explain", "-n", NAMESPACE, "")).out.splitlines()
    assert pods == ["web-0", ":4"]
