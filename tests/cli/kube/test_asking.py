"""The plugin's questions, asked of a kubectl that answers from a book and of real admin servers."""

import json
from typing import Any

import pytest

from farebox.cli.admin import AdminError
from farebox.cli.kube import asking
from farebox.cli.kube.asking import (
    Cluster,
    run_kube_explain,
    run_kube_receipts,
    run_kube_top,
    run_kube_why,
)
from farebox.cli.kube.kubectl import Kubectl
from farebox.cli.receipts import Wanted
from sidecar.receipts import fields_of
from tests.support.admin import serving, views
from tests.support.explained import LEASES, POLICY
from tests.support.fake_kubectl import FakeKubectl, pod_document
from tests.support.outcomes import make_receipt
from tests.support.tallies import made
from tests.support.watched import view_after

CLUSTER = Cluster(kubectl=Kubectl())
Capture = pytest.CaptureFixture[str]


def fields(call: str) -> dict[str, Any]:
    return fields_of(make_receipt(call_id=call))


def log(*calls: str) -> str:
    """A sidecar's log: receipts among its other lines."""
    lines = ['{"level":"info","message":"serving calls"}']
    return "\n".join([*lines, *(json.dumps(fields(call)) for call in calls), ""])


def two_pods(fake: FakeKubectl) -> None:
    items = [pod_document("web-0"), pod_document("web-1")]
    fake.answers("get", "pods", answer={"items": items})
    fake.answers("logs", "web-0", answer=log("a-1"))
    fake.answers("logs", "web-1", answer=log("b-1", "b-2"))


async def test_receipts_are_read_from_the_logs_of_all_pods(
    fake: FakeKubectl, capsys: Capture
) -> None:
    two_pods(fake)
    scope = ("--selector=app=web",)
    assert await run_kube_receipts(CLUSTER, None, scope, Wanted(as_json=True)) == 0
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert sorted((one["pod"], one["call"]) for one in told) == [
        ("shop/web-0", "a-1"),
        ("shop/web-1", "b-1"),
        ("shop/web-1", "b-2"),
    ]
    first, *logs = fake.asked()
    assert first == ["get", "pods", "--selector=app=web", "--output=json"]
    assert all({"--namespace=shop", "--container=farebox"} <= set(words) for words in logs)


async def test_a_sidecar_that_writes_no_receipts_to_its_log_is_asked(
    fake: FakeKubectl, capsys: Capture
) -> None:
    fake.answers("get", "pod", "web-0", answer=pod_document("web-0"))
    fake.answers("logs", answer=log())
    async with serving(views({"/v1/receipts": {"receipts": [fields("a-1")]}})) as port:
        fake.forwards("web-0", 15_003, to=port)
        assert await run_kube_receipts(CLUSTER, "web-0", (), Wanted()) == 0
    assert "a-1" in capsys.readouterr().out


async def test_a_pod_that_can_not_tell_does_not_hide_the_others(
    fake: FakeKubectl, capsys: Capture
) -> None:
    fake.answers("logs", "web-0", complaint="it is gone", status=1)
    two_pods(fake)
    assert await run_kube_receipts(CLUSTER, None, (), Wanted()) == 0
    told = capsys.readouterr()
    assert "shop/web-0: kubectl logs failed: it is gone." in told.err
    assert "b-2" in told.out


async def test_why_finds_the_pod_that_knows_the_call(fake: FakeKubectl, capsys: Capture) -> None:
    two_pods(fake)
    assert await run_kube_why(CLUSTER, "b-1", None, ()) == 0
    told = capsys.readouterr().out
    assert told.startswith("Pod shop/web-1.\nCall b-1 of ")
    with pytest.raises(AdminError, match="the sidecars of 2 pods"):
        await run_kube_why(CLUSTER, "c-1", None, ())


async def test_no_more_pods_are_asked_than_the_bound(
    fake: FakeKubectl, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    two_pods(fake)
    monkeypatch.setattr(asking, "PODS_MAX", 1)
    assert await run_kube_receipts(CLUSTER, None, (), Wanted()) == 0
    told = capsys.readouterr()
    assert "narrow with -l" in told.err
    assert "b-1" not in told.out


@pytest.mark.parametrize(
    ("pod", "complaint"), [(None, "No pod here has a sidecar"), ("web-9", "no pod web-9 with")]
)
async def test_where_there_is_no_sidecar_it_says_so(
    fake: FakeKubectl, pod: str | None, complaint: str
) -> None:
    fake.answers("get", "pods", answer={"items": [pod_document("bare", init=())]})
    fake.answers("get", "pod")
    with pytest.raises(AdminError, match=complaint):
        await run_kube_receipts(CLUSTER, pod, (), Wanted())


async def test_a_pod_is_explained_by_its_sidecar_and_the_controller_that_leads(
    fake: FakeKubectl, capsys: Capture
) -> None:
    fake.answers("get", "pod", "web-0", answer=pod_document("web-0"))
    controller = pod_document("c-0", namespace="system", init=())
    fake.answers("get", "pods", answer={"items": [controller]})
    leads = {"/v1/leader": {"role": "leader"}, "/v1/pools": {"pools": []}}
    mine = {"/v1/policy": POLICY, "/v1/leases": LEASES}
    async with serving(views(leads)) as grants, serving(views(mine)) as serves:
        fake.forwards("c-0", 7_448, to=grants)
        fake.forwards("web-0", 15_003, to=serves)
        assert await run_kube_explain(CLUSTER, "web-0", ()) == 0
    told = capsys.readouterr().out
    assert "Pod shop/web-0" in told
    assert "default/user [ana]" in told


async def test_what_can_not_be_reached_is_said_and_the_rest_explained(
    fake: FakeKubectl, capsys: Capture
) -> None:
    fake.answers("get", "pod", "web-0", answer=pod_document("web-0"))
    fake.answers("port-forward", complaint="error: no kubelet", status=1)
    async with serving(views({"/v1/pools": {"pools": []}})) as port:
        cluster = Cluster(kubectl=Kubectl(), admin_url=f"http://127.0.0.1:{port}/")
        assert await run_kube_explain(cluster, "web-0", ()) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert "Port 15003 of pod web-0 can't be reached" in told
    assert "no kubelet" in told


async def test_what_is_no_pod_is_taken_for_a_call(fake: FakeKubectl, capsys: Capture) -> None:
    two_pods(fake)
    fake.answers("get", "pod", "--ignore-not-found")
    assert await run_kube_explain(CLUSTER, "a-1", ()) == 0
    assert "Call a-1 of " in capsys.readouterr().out


async def test_a_pod_without_a_sidecar_is_not_capped_and_told_so(fake: FakeKubectl) -> None:
    fake.answers("get", "pod", "bare", answer=pod_document("bare", init=()))
    with pytest.raises(AdminError, match="not capped"):
        await run_kube_explain(CLUSTER, "bare", ())


async def test_top_asks_the_controller_that_is_named(capsys: Capture) -> None:
    answers = {
        "/v1/leader": {"role": "leader"},
        "/v1/pools": {"pools": []},
        "/v1/holders": [],
        "/v1/tasks": view_after(made(0)),
    }
    async with serving(views(answers)) as port:
        cluster = Cluster(kubectl=Kubectl(), admin_url=f"http://127.0.0.1:{port}")
        assert await run_kube_top(cluster, once=True) == 0
    assert "Pools" in capsys.readouterr().out


async def test_top_shows_no_figures_of_a_controller_that_stands_by() -> None:
    told = {"role": "standby", "leader": "c-1", "address": "c-1.system:7447"}
    async with serving(views({"/v1/leader": told})) as port:
        cluster = Cluster(kubectl=Kubectl(), admin_url=f"http://127.0.0.1:{port}")
        with pytest.raises(AdminError, match=r"stands by; c-1 at c-1\.system:7447 leads"):
            await run_kube_top(cluster, once=True)
