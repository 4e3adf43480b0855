"""Finding the controller that leads, and pods with a sidecar."""

from contextlib import AsyncExitStack

import pytest

from farebox.cli.kube.cluster import covered_pods, leader, pod_named, read_pod
from farebox.cli.kube.kubectl import Kubectl, KubectlError
from tests.support.admin import serving, views
from tests.support.fake_kubectl import FakeKubectl, pod_document


def controllers(fake: FakeKubectl, *names: str) -> None:
    items = [pod_document(name, namespace="system", init=()) for name in names]
    items.append(pod_document("pending", namespace="system", init=(), phase="Pending"))
    fake.answers("get", "pods", answer={"items": items})


@pytest.mark.parametrize(
    ("init", "containers", "state", "container"),
    [
        (("farebox",), ("app",), {"running": {}}, "running"),
        (("other", "farebox"), ("app",), {"terminated": {}}, "terminated"),
        (("farebox",), ("app",), {}, "waiting"),
        ((), ("app",), {"running": {}}, ""),
        ((), ("app", "farebox"), {"running": {}}, "waiting"),
    ],
)
def test_what_a_sidecar_does(
    init: tuple[str, ...], containers: tuple[str, ...], state: dict[str, object], container: str
) -> None:
    pod = read_pod(pod_document("web-0", init=init, containers=containers, state=state))
    assert (pod.title, pod.container) == ("shop/web-0", container)
    assert pod.covered is bool(container)
    assert pod.runs is (container == "running")


async def test_only_pods_with_a_sidecar_are_listed(fake: FakeKubectl) -> None:
    items = [pod_document("web-0"), pod_document("bare", init=())]
    fake.answers("get", "pods", "--all-namespaces", answer={"items": items})
    pods = await covered_pods(Kubectl(), "--all-namespaces")
    assert [pod.name for pod in pods] == ["web-0"]


async def test_a_pod_that_is_not_there_is_none(fake: FakeKubectl) -> None:
    fake.answers("get", "pod", "web-0", answer=pod_document("web-0"))
    fake.answers("get", "pod", "--ignore-not-found")
    found = await pod_named(Kubectl(), "web-0")
    assert found is not None
    assert found.name == "web-0"
    assert await pod_named(Kubectl(), "web-1") is None


async def test_the_controller_that_leads_is_found_among_those_that_stand_by(
    fake: FakeKubectl,
) -> None:
    controllers(fake, "c-0", "c-1", "c-2")
    async with AsyncExitStack() as stack:
        standby = await stack.enter_async_context(
            serving(views({"/v1/leader": {"role": "standby"}}))
        )
        leads = await stack.enter_async_context(serving(views({"/v1/leader": {"role": "leader"}})))
        fake.answers("port-forward", "pod/c-0", complaint="it is starting", status=1)
        fake.forwards("c-1", 7448, to=standby)
        fake.forwards("c-2", 7448, to=leads)
        async with leader(Kubectl(), "system") as url:
            assert url == f"http://127.0.0.1:{leads}"
    selector = "app.kubernetes.io/name=farebox,app.kubernetes.io/component=controller"
    assert f"--selector={selector}" in fake.asked()[0]
    assert "--namespace=system" in fake.asked()[0]


async def test_when_nobody_leads_each_says_why(fake: FakeKubectl) -> None:
    controllers(fake, "c-0", "c-1")
    async with serving(views({"/v1/leader": {"role": "standby"}})) as port:
        fake.answers("port-forward", "pod/c-0", complaint="it is starting", status=1)
        fake.forwards("c-1", 7448, to=port)
        with pytest.raises(KubectlError, match=r"No controller leads: .*starting.*c-1 stands by"):
            async with leader(Kubectl(), ""):
                raise AssertionError("nobody leads")
    assert "--all-namespaces" in fake.asked()[0]


async def test_without_any_controller_it_says_what_to_do(fake: FakeKubectl) -> None:
    fake.answers("get", "pods", answer={"items": []})
    with pytest.raises(KubectlError, match="install the chart"):
        async with leader(Kubectl(), "system"):
            raise AssertionError("there is none")
