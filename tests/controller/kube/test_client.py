"""One request to an API server: the answer, or one sentence."""

import contextlib
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import RawTestServer

from controller.kube.client import KubeClient, KubeError, open_client, path
from controller.kube.options import KubeOptions
from tests.support.kube_fake import KubeFake, serving_kube

CONFIGMAP = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"k": "1"}}
AT = path("v1", "configmaps", "shop", "a")


def test_paths_are_those_of_the_api() -> None:
    assert path("v1", "pods") == "/api/v1/pods"
    assert path("v1", "pods", "shop", "a/b") == "/api/v1/namespaces/shop/pods/a%2Fb"
    at = path("farebox.dev/v1alpha1", "modeltiers", name="best", sub="status")
    assert at == "/apis/farebox.dev/v1alpha1/modeltiers/best/status"


async def test_an_object_is_made_read_changed_applied_and_deleted(tmp_path: Path) -> None:
    async with serving_kube() as fake, open_client(fake.options(tmp_path)) as kube:
        made = await kube.create(path("v1", "configmaps", "shop"), CONFIGMAP)
        assert made["metadata"]["name"] == "a"
        await kube.merge(AT, {"data": {"more": "2"}})
        applied = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}}
        await kube.apply(AT, {**applied, "data": {"mine": "3"}})
        assert (await kube.get(AT))["data"] == {"k": "1", "more": "2", "mine": "3"}
        await kube.apply(AT, {**applied, "data": {}})
        assert (await kube.get(AT))["data"] == {"k": "1", "more": "2"}
        await kube.delete(AT)
        with pytest.raises(KubeError, match=r"answers 404: configmaps .* not found") as caught:
            await kube.get(AT)
    assert (caught.value.status, caught.value.reason) == (404, "NotFound")
    assert not caught.value.is_passing
    asked = [(one.method, one.query.get("fieldManager")) for one in fake.asked]
    assert asked.count(("PATCH", "farebox-controller")) == 2


async def test_whoever_writes_an_old_version_is_told(tmp_path: Path) -> None:
    async with serving_kube() as fake, open_client(fake.options(tmp_path)) as kube:
        await kube.create(path("v1", "configmaps", "shop"), CONFIGMAP)
        old = await kube.get(AT)
        await kube.merge(AT, {"data": {"k": "2"}})
        with pytest.raises(KubeError) as caught:
            await kube.replace(AT, old)
        with pytest.raises(KubeError) as twice:
            await kube.create(path("v1", "configmaps", "shop"), CONFIGMAP)
    assert (caught.value.status, caught.value.reason) == (409, "Conflict")
    assert twice.value.reason == "AlreadyExists"


async def test_a_number_with_a_fraction_is_exact(tmp_path: Path) -> None:
    async with serving_kube() as fake, open_client(fake.options(tmp_path)) as kube:
        fake.put("budgetpools", "team", {"spec": {"share": 0.1, "whole": 3}}, namespace="shop")
        pool = await kube.get(path("farebox.dev/v1alpha1", "budgetpools", "shop", "team"))
    assert pool["spec"] == {"share": Decimal("0.1"), "whole": 3}


@pytest.mark.parametrize(
    ("status", "passing"), [(429, True), (500, True), (503, True), (403, False), (422, False)]
)
async def test_a_refusal_says_whether_it_passes_and_when(
    tmp_path: Path, status: int, passing: bool
) -> None:
    async with serving_kube() as fake, open_client(fake.options(tmp_path)) as kube:
        fake.fail("/api/v1/configmaps", status=status, retry_after_s=7)
        with pytest.raises(KubeError, match=f"answers {status}: failing as") as caught:
            await kube.get(path("v1", "configmaps"))
    assert (caught.value.is_passing, caught.value.retry_after_s) == (passing, 7.0)


@pytest.mark.parametrize("body", [b"<html>", b'{"a":"\xe9"}', b'{"a":' + b"[" * 100_000, b"[]"])
@pytest.mark.parametrize("status", [200, 502])
async def test_an_answer_of_somebody_else_is_a_sentence(
    tmp_path: Path, body: bytes, status: int
) -> None:
    async def answer(_: web.BaseRequest) -> web.Response:
        return web.Response(status=status, body=body)

    fake = KubeFake()
    async with RawTestServer(answer) as proxy:
        fake.port = proxy.port or 0
        async with open_client(fake.options(tmp_path)) as kube:
            with pytest.raises(KubeError, match="answer"):
                await kube.get(AT)


@pytest.mark.parametrize(
    ("body", "names"),
    [
        (b'{"metadata":{"resourceVersion":"7"},"items":[{"name":"a"},3,{"name":"b"}]}', ["a", "b"]),
        (b'{"metadata":{"resourceVersion":"7"},"items":null,"kind":"PodList"}', []),
    ],
)
async def test_the_objects_of_a_page_are_read_one_by_one(
    tmp_path: Path, body: bytes, names: list[str]
) -> None:
    async with serving_body(body, tmp_path) as kube:
        page = await kube.page(path("v1", "pods"), {"limit": "3"})
    assert page.metadata == {"resourceVersion": "7"}
    assert [one["name"] for one in page.objects()] == names


@pytest.mark.parametrize(
    "body",
    [b"<html>", b"[]", b'{"items":{}}', b'{"items":[{"a":"\xe9"}]}', b'{"items":' + b"[" * 100_000],
)
async def test_a_page_that_is_none_is_a_sentence(tmp_path: Path, body: bytes) -> None:
    async with serving_body(body, tmp_path) as kube:
        with pytest.raises(KubeError, match="answer"):
            list((await kube.page(path("v1", "pods"), {})).objects())


@contextlib.asynccontextmanager
async def serving_body(body: bytes, folder: Path) -> AsyncIterator[KubeClient]:
    """A client of somebody who answers everything so."""

    async def answer(_: web.BaseRequest) -> web.Response:
        return web.Response(body=body)

    fake = KubeFake()
    async with RawTestServer(answer) as server:
        fake.port = server.port or 0
        async with open_client(fake.options(folder)) as kube:
            yield kube


async def test_nobody_there_is_a_sentence(tmp_path: Path) -> None:
    fake = KubeFake()
    await fake.start()
    await fake.stop()
    async with open_client(fake.options(tmp_path)) as kube:
        with pytest.raises(KubeError, match="the API server can't be reached") as caught:
            await kube.get(path("v1", "pods"))
    assert (caught.value.status, caught.value.is_passing) == (0, True)


async def test_a_watch_gives_events_to_its_end_and_a_reset_is_an_error(tmp_path: Path) -> None:
    async with serving_kube() as fake, open_client(fake.options(tmp_path)) as kube:
        first = await _name_of_first(kube, fake)
        assert first == "a" * 60_000, "however long an event is"
        async with kube.watch(path("v1", "configmaps"), {}, watch_s=60) as events:
            fake.end_watches()
            assert [event async for event in events] == []
        async with kube.watch(path("v1", "configmaps"), {}, watch_s=60) as events:
            fake.reset_watches()
            with pytest.raises(KubeError, match="can't be reached"):
                await anext(events)


async def _name_of_first(kube: KubeClient, fake: KubeFake) -> str:
    query = {"resourceVersion": str(fake.store.version)}
    async with kube.watch(path("v1", "configmaps"), query, watch_s=60) as events:
        fake.put("configmaps", "a", {"data": {"k": "a" * 60_000}}, namespace="shop")
        async for event in events:
            return str(event["object"]["data"]["k"])
    return ""


@pytest.mark.parametrize(
    ("content", "want"),
    [
        ("a: [", "can't be read"),
        ("{}", "Invalid kube-config file"),
        ("current-context: x\ncontexts: 7\n", "can't be"),
    ],
)
async def test_a_bad_kubeconfig_is_a_sentence(tmp_path: Path, content: str, want: str) -> None:
    file = tmp_path / "kubeconfig"
    file.write_text(content)
    with pytest.raises(KubeError, match=want):
        async with open_client(KubeOptions(own_namespace="a", kubeconfig=file)):
            pass


async def test_outside_of_a_pod_a_kubeconfig_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    with pytest.raises(KubeError, match="give --kubeconfig FILE"):
        async with open_client(KubeOptions(own_namespace="a")):
            pass
