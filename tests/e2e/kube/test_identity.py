"""Tokens and certificates with a real API server: what it says of them is what is relied on."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from controller.door import TurnedAway
from controller.kube.client import KubeClient, open_client
from controller.kube.options import KubeOptions
from controller.kube.tls import Tls
from controller.kube.tls_secret import SECRET, TlsSecret
from controller.kube.token_reviews import Named, TokenReviews
from farebox.runtime.clock import SystemClock
from tests.support.clocks import ManualClock
from tests.support.kube_api import KubeApi

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(180)]

NAMESPACE = "identity"
POD = {"serviceAccountName": "app", "containers": [{"name": "app", "image": "app"}]}


class Place:
    """A namespace with one pod, and the controller's client."""

    def __init__(self, api: KubeApi, kube: KubeClient, pod_uid: str) -> None:
        self.api = api
        self.kube = kube
        self.pod_uid = pod_uid

    async def token(self, *audiences: str, bound: bool = True) -> str:
        """What the kubelet would mount."""
        spec: dict[str, Any] = {"audiences": [*audiences], "expirationSeconds": 3_600}
        if bound:
            pod = {"kind": "Pod", "apiVersion": "v1", "name": "pod", "uid": self.pod_uid}
            spec["boundObjectRef"] = pod
        at = f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts/app/token"
        answer = await self.api.post(at, {"spec": spec})
        token: str = answer["status"]["token"]
        return token


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def place(api: KubeApi) -> AsyncIterator[Place]:
    at = f"/api/v1/namespaces/{NAMESPACE}"
    await api.post("/api/v1/namespaces", {"metadata": {"name": NAMESPACE}})
    await api.post(f"{at}/serviceaccounts", {"metadata": {"name": "app"}})
    pod = await api.post(f"{at}/pods", {"metadata": {"name": "pod"}, "spec": POD})
    options = KubeOptions(own_namespace=NAMESPACE, kubeconfig=api.kubeconfig)
    async with open_client(options) as kube:
        yield Place(api, kube, pod["metadata"]["uid"])


def reviews(place: Place) -> TokenReviews:
    return TokenReviews(place.kube, SystemClock(), audience="farebox.dev")


async def test_a_token_names_its_pod(place: Place) -> None:
    for token in (await place.token("farebox.dev"), await place.token("else", "farebox.dev")):
        named = await reviews(place).pod_of(token, "10.0.0.7")
        assert named == Named(uid=place.pod_uid, namespace=NAMESPACE, name="pod")


async def test_other_tokens_are_told_apart(place: Place) -> None:
    good = await place.token("farebox.dev")
    wrong = {
        await place.token("else"): "for another audience than farebox.dev",
        await place.token(): "for another audience than farebox.dev",
        await place.token("farebox.dev", bound=False): "the token names no pod",
        good[:-8] + "AAAAAAAA": "does not accept the token",
        "guessed": "does not accept the token",
    }
    for token, sentence in wrong.items():
        with pytest.raises(TurnedAway) as told:
            await reviews(place).pod_of(token, "10.0.0.7")
        assert sentence in str(told.value)
        assert token[:16] not in str(told.value)


@pytest.mark.parametrize("made_by_the_chart", [True, False])
async def test_controllers_share_one_authority_and_exchange_it(
    place: Place, made_by_the_chart: bool
) -> None:
    at = f"/api/v1/namespaces/{NAMESPACE}/secrets"
    labels = {"app.kubernetes.io/managed-by": "Helm"}
    if made_by_the_chart:
        await place.api.post(at, {"metadata": {"name": SECRET, "labels": labels}, "type": "Opaque"})
    clock = ManualClock(utc=SystemClock().utc())
    names = ("farebox-controller.identity.svc",)
    one, other = (Tls(TlsSecret(place.kube, NAMESPACE), clock, names) for _ in range(2))
    await one.ready()
    await other.ready()
    first = one.bundle
    assert other.bundle == first != ""

    for days in (2_434, 8, 8):
        clock.jump_utc(days * 86_400_000)
        await one.look()
        await other.look()
        assert one.bundle == other.bundle
    assert first not in one.bundle
    kept = await place.api.get(f"{at}/{SECRET}")
    assert kept["type"] == "Opaque"
    assert kept["metadata"].get("labels", {}) == (labels if made_by_the_chart else {})
    await place.api.delete(f"{at}/{SECRET}")
