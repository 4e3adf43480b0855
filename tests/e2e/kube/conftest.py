"""What the tests with a real Kubernetes share: a control plane with the four resources in it."""

from collections.abc import AsyncIterator
from typing import Final

import pytest
import pytest_asyncio

from farebox.manifests.resources import Kind
from tests.deploy.crds import FOLDER
from tests.support.kube_api import KubeApi, kube_api
from tests.support.kube_tools import version_of


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def api(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[KubeApi]:
    """A control plane without nodes, on loopback; the four resources are defined and in force."""
    async with kube_api(tmp_path_factory.mktemp("kube")) as made:
        await made.kubectl("apply", "-f", str(FOLDER))
        await made.until_served("farebox.dev/v1alpha1", len(Kind))
        yield made


REAL: Final = """\
Real: kube-apiserver {version} with RBAC, admission, CEL and TLS; kube-controller-manager; etcd
  {etcd}; kubectl and helm; the chart's own manifests and rights; containers by runc with users,
  capabilities, read-only roots, memory limits and volumes as specified; tokens by TokenRequest,
  checked by TokenReview; the `openai` client.
Not real: scheduler and kubelet are a few hundred lines of these tests (no seccomp profiles, no
  image pulls: an image is this repository's virtual environment); DNS is a file of hosts; Services
  have no cluster IPs but the API server's; network policies are stored and not enforced; volumes
  that are claimed are folders; the provider is the simulated one."""


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    etcd = version_of("go.etcd.io/etcd/server/v3")
    terminalreporter.write_line("")
    terminalreporter.write_line(REAL.format(version=version_of(), etcd=etcd))
