"""Injection at a real API server: what its controllers make is injected, stored and accepted."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any, Final

import pytest
import pytest_asyncio

from controller.injection.container import CONTAINER, VOLUMES
from controller.injection.review import Outcome
from controller.kube.places import CONFIGURATION, OWNER
from tests.support.kube_api import ApiError, KubeApi
from tests.support.kube_injector import (
    APP,
    CONFIGURATIONS,
    OWN,
    Injector,
    at,
    from_secrets,
    injecting,
    pod,
    sidecar_of,
    until,
)
from tests.support.pod_security import violations
from tests.support.tasks import beside

pytestmark = pytest.mark.asyncio(loop_scope="session")

STRICT: Final = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "runAsNonRoot": True,
    "runAsUser": 1000,
    "seccompProfile": {"type": "RuntimeDefault"},
}
RESTRICTED: Final = {"pod-security.kubernetes.io/enforce": "restricted"}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def injector(
    api: KubeApi, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Injector]:
    async with injecting(api, tmp_path_factory.mktemp("injector")) as made:
        yield made


async def test_pods_of_a_deployment_and_a_job_are_injected(injector: Injector) -> None:
    await injector.namespace("made", inject="enabled")
    template: dict[str, Any] = {
        "metadata": {
            "labels": {"app": "shop"},
            "annotations": {"farebox.dev/base-urls": "openai", "farebox.dev/cpu": "50m"},
        },
        "spec": {"containers": [APP], "restartPolicy": "Always"},
    }
    deployment = {
        "metadata": {"name": "shop"},
        "spec": {
            "replicas": 2,
            "selector": {"matchLabels": {"app": "shop"}},
            "template": template,
        },
    }
    job_spec = {**template["spec"], "restartPolicy": "Never"}
    job = {"metadata": {"name": "import"}, "spec": {"template": {**template, "spec": job_spec}}}
    await injector.api.post("/apis/apps/v1/namespaces/made/deployments", deployment)
    await injector.api.post("/apis/batch/v1/namespaces/made/jobs", job)

    for stored in await injector.pods("made", 3):
        sidecar = sidecar_of(stored)
        assert sidecar["restartPolicy"] == "Always"
        assert sidecar["resources"]["requests"]["cpu"] == "50m"
        assert {volume["name"] for volume in stored["spec"]["volumes"]} > set(VOLUMES)
        (app,) = stored["spec"]["containers"]
        assert {"name": "OPENAI_BASE_URL", "value": "http://127.0.0.1:15002/openai/v1"} in app[
            "env"
        ]


async def test_the_sidecar_has_no_token_of_the_api_server_but_the_app_has_its_own(
    injector: Injector,
) -> None:
    await injector.namespace("tokens", inject="enabled")
    stored = await injector.api.post(at("tokens"), pod())

    mounts = {one["mountPath"]: one["name"] for one in sidecar_of(stored)["volumeMounts"]}
    (app,) = stored["spec"]["containers"]
    assert set(mounts.values()) == set(VOLUMES)
    assert app["volumeMounts"][0]["name"].startswith("kube-api-access-")

    bare = await injector.api.post(at("tokens"), pod(automountServiceAccountToken=False))
    assert {one["name"] for one in bare["spec"]["volumes"]} == set(VOLUMES)


async def test_every_labelled_namespace_has_the_authority_and_its_owner(
    injector: Injector,
) -> None:
    await injector.namespace("trusting", inject="enabled")
    path = "/api/v1/namespaces/trusting/configmaps/farebox-ca"

    async def there() -> Any:
        try:
            return await injector.api.get(path)
        except ApiError:
            return None

    found = await until(there)
    assert found["data"]["ca.pem"].strip() in (injector.folder / "first/ca.crt").read_text()
    (owner,) = found["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["name"]) == ("ClusterRole", "farebox-controller")

    await injector.api.delete(path)
    again = await until(there)
    assert again["metadata"]["uid"] != found["metadata"]["uid"]

    stored = await injector.api.post(at("trusting"), pod("busy"))
    await injector.api.kubectl("label", "namespace", "trusting", "farebox.dev/inject-")
    bare = await injector.api.post(at("trusting"), pod())
    assert "initContainers" not in bare["spec"]
    assert await there(), "a pod still mounts it"

    await injector.api.delete(at("trusting", stored["metadata"]["name"]), {"gracePeriodSeconds": 0})

    async def gone() -> bool:
        return await there() is None

    assert await until(gone)


async def test_a_restricted_namespace_takes_the_sidecar(injector: Injector) -> None:
    await injector.namespace("strict", inject="enabled", **RESTRICTED)
    good = {**APP, "securityContext": STRICT}
    stored = await injector.api.post(at("strict"), pod(containers=[good]))

    sidecar_of(stored)
    assert violations(stored) == []
    with pytest.raises(ApiError, match="violates PodSecurity") as refusal:
        await injector.api.post(at("strict"), pod())
    assert CONTAINER not in str(refusal.value).partition("violates")[2]


async def test_opting_out(injector: Injector) -> None:
    await injector.namespace("choosing", inject="enabled")
    by_annotation = pod(annotations={"farebox.dev/inject": "false"})
    by_label = pod()
    by_label["metadata"]["labels"] = {"farebox.dev/inject": "false"}

    for body in (by_annotation, by_label):
        stored = await injector.api.post(at("choosing"), body)
        assert "initContainers" not in stored["spec"]


@pytest.mark.parametrize(
    ("what", "said"),
    [
        (
            pod(annotations={"farebox.dev/cpu": "lots"}),
            'farebox: annotation farebox.dev/cpu is "lots": write a quantity from 1m to 64',
        ),
        (
            pod(annotations={"farebox.dev/keys": "OPENAI_API_KEY=sk-live"}),
            "farebox: annotation farebox.dev/keys is not fit in part 1 of 1: write VARIABLE=SECRET",
        ),
        (pod(hostNetwork=True), "farebox: the pod is on its node's network"),
        (pod(containers=[{**APP, "name": CONTAINER}]), "farebox: a container is called farebox"),
        (pod(os={"name": "windows"}), "farebox: there is no sidecar for Windows"),
    ],
)
async def test_a_refusal_reaches_whoever_asks(injector: Injector, what: Any, said: str) -> None:
    told = json.dumps({"apiVersion": "v1", "kind": "Pod", **what})
    done = await injector.api.kubectl("create", "-n", "refusing", "-f", "-", told=told, check=False)
    if "not found" in done.error:
        await injector.namespace("refusing", inject="enabled")
        done = await injector.api.kubectl(
            "create", "-n", "refusing", "-f", "-", told=told, check=False
        )
    assert done.status != 0
    assert said in done.error


async def test_keys_come_from_secrets_that_the_injector_may_not_read(injector: Injector) -> None:
    await injector.namespace("keyed", inject="enabled")
    await injector.api.kubectl(
        *"annotate namespace keyed farebox.dev/keys=OPENAI_API_KEY=llm-keys/openai".split()
    )
    own = {"farebox.dev/keys": "OPENAI_API_KEY=own/a, HF_TOKEN=hub/token?"}
    first = await injector.api.post(at("keyed"), pod(annotations=own))

    assert from_secrets(sidecar_of(first)) == {
        "OPENAI_API_KEY": {"name": "own", "key": "a"},
        "HF_TOKEN": {"name": "hub", "key": "token", "optional": True},
    }
    (app,) = first["spec"]["containers"]
    assert "env" not in app

    async def of_the_namespace() -> Any:
        return from_secrets(sidecar_of(await injector.api.post(at("keyed"), pod())))

    assert await until(of_the_namespace) == {
        "OPENAI_API_KEY": {"name": "llm-keys", "key": "openai"}
    }
    copied = {"metadata": {"name": "copy", "annotations": first["metadata"]["annotations"]}}
    second = await injector.api.post(at("keyed"), {**copied, "spec": first["spec"]})
    assert second["spec"] == first["spec"]
    words = f"auth can-i get secrets -n keyed --as system:serviceaccount:{OWN}:{OWNER}".split()
    may = await injector.api.kubectl(*words, check=False)
    assert may.out.strip() == "no"


async def test_a_copied_record_does_not_make_a_sidecar(injector: Injector) -> None:
    """Whoever makes pods may write annotations, and a container of that name."""
    await injector.namespace("feigning", inject="enabled")
    first = await injector.api.post(at("feigning"), pod())
    notes = first["metadata"]["annotations"]
    idle = {"name": CONTAINER, "image": "busybox", "command": ["sleep"], "restartPolicy": "Always"}

    feigned = await injector.api.post(at("feigning"), pod(annotations=notes, initContainers=[idle]))
    bare = await injector.api.post(at("feigning"), pod(annotations=notes))

    for stored in (feigned, bare):
        assert sidecar_of(stored)["image"] == injector.settings.image
        assert sidecar_of(stored)["command"] == ["farebox-sidecar"]


async def test_another_injector_that_comes_later_does_not_come_first(injector: Injector) -> None:
    """What it has put before ours is behind it when the webhook has been asked again."""
    await injector.namespace("crowded", inject="enabled")
    stored = await injector.api.post(
        at("crowded"), pod(initContainers=[{**APP, "name": "a-first"}, {**APP, "name": "b"}])
    )
    copied = {"metadata": {"name": "moved", "annotations": stored["metadata"]["annotations"]}}
    ours, *others = stored["spec"]["initContainers"]
    moved = {**stored["spec"], "initContainers": [*others, ours]}

    again = await injector.api.post(at("crowded"), {**copied, "spec": moved})

    assert again["spec"] == stored["spec"]


async def test_a_dry_run_shows_the_sidecar_and_makes_nothing(injector: Injector) -> None:
    await injector.namespace("trying", inject="enabled")
    before = dict(injector.webhook.outcomes)
    done = await injector.api.kubectl(
        *"run tried -n trying --image=app:1 --dry-run=server -o json".split()
    )

    sidecar_of(json.loads(done.out))
    assert dict(injector.webhook.outcomes) == before
    assert (await injector.api.get(at("trying")))["items"] == []


async def test_a_copy_of_an_injected_pod_has_one_sidecar(injector: Injector) -> None:
    await injector.namespace("copying", inject="enabled")
    first = await injector.api.post(at("copying"), pod("first"))
    copied = {
        "metadata": {"name": "second", "annotations": first["metadata"]["annotations"]},
        "spec": first["spec"],
    }
    second = await injector.api.post(at("copying"), copied)
    assert second["spec"] == first["spec"]

    record = json.loads(copied["metadata"]["annotations"]["farebox.dev/injected"])
    old = {"farebox.dev/injected": json.dumps({**record, "hash": "other"})}
    third = await injector.api.post(
        at("copying"), {**copied, "metadata": {"name": "third", "annotations": old}}
    )
    assert third["spec"] == first["spec"]
    assert third["metadata"]["annotations"] == first["metadata"]["annotations"]


async def test_a_pod_that_is_asked_about_twice_is_injected_once(injector: Injector) -> None:
    """Between two calls the API server fills in its defaults."""
    await injector.namespace("twice", inject="enabled")
    configuration = await injector.api.get(f"{CONFIGURATIONS}/{CONFIGURATION}")
    (hook,) = configuration["webhooks"]
    again = {**hook, "name": "again.injector.farebox.dev", "reinvocationPolicy": "Never"}
    await injector.api.post(
        CONFIGURATIONS, {"metadata": {"name": "later-injector"}, "webhooks": [again]}
    )
    try:

        async def asked_twice() -> bool:
            before = Counter(injector.webhook.outcomes)
            sidecar_of(await injector.api.post(at("twice"), pod()))
            return injector.webhook.outcomes - before == {Outcome.INJECTED: 1, Outcome.KEPT: 1}

        assert await until(asked_twice)
    finally:
        await injector.api.delete(f"{CONFIGURATIONS}/later-injector")


async def test_a_debugging_container_may_join(injector: Injector) -> None:
    await injector.namespace("debugging", inject="enabled")
    await injector.api.post(at("debugging"), pod("one"))
    done = await injector.api.kubectl(
        *"debug one -n debugging --image=busybox --profile=general -- true".split()
    )
    assert done.status == 0
    (debugger,) = (await injector.api.get(at("debugging", "one")))["spec"]["ephemeralContainers"]
    assert debugger["name"].startswith("debugger-")


async def test_a_namespace_ends_while_it_is_labelled(injector: Injector) -> None:
    await injector.namespace("ending", inject="enabled")
    await injector.api.post(at("ending"), pod("one"))
    await injector.api.delete(at("ending", "one"), {"gracePeriodSeconds": 0})
    await injector.api.delete("/api/v1/namespaces/ending")

    async def gone() -> bool:
        try:
            await injector.api.get("/api/v1/namespaces/ending")
        except ApiError as error:
            return error.status == 404
        return False

    assert await until(gone)
    assert injector.bundles.trouble() == ()


async def test_an_authority_is_replaced_without_a_refused_pod(injector: Injector) -> None:
    await injector.namespace("rotating", inject="enabled")
    old = (injector.folder / "first/ca.crt").read_text()
    new = injector.authority("second")
    made = 0
    over = asyncio.Event()

    async def make_pods() -> None:
        nonlocal made
        while not over.is_set():
            sidecar_of(await injector.api.post(at("rotating"), pod()))
            made += 1

    async def bundle() -> str:
        path = "/api/v1/namespaces/rotating/configmaps/farebox-ca"
        return str((await injector.api.get(path))["data"]["ca.pem"])

    async def only_the_new_one() -> bool:
        return await bundle() == new.file.read_text()

    async def more(than: int) -> None:
        async def there() -> bool:
            return made > than

        await until(there)

    making = beside(make_pods())
    try:
        await more(5)
        injector.bundles.want(new.file.read_text() + old)
        await injector.published()
        assert new.file.read_text().strip() in await bundle()
        await more(made + 5)
        injector.serve(new)
        await more(made + 10)
        injector.bundles.want(new.file.read_text())
        await until(only_the_new_one)
        await more(made + 10)
    finally:
        over.set()
        await making


async def test_a_configuration_that_is_made_anew_gets_its_bundle_again(injector: Injector) -> None:
    await injector.namespace("anew", inject="enabled")
    await injector.api.delete(f"{CONFIGURATIONS}/{CONFIGURATION}")
    await injector.configure()

    async def injected() -> Any:
        try:
            stored = await injector.api.post(at("anew"), pod())
        except ApiError:
            return False
        return stored["spec"].get("initContainers")

    assert await until(injected)


async def test_without_an_injector_only_labelled_namespaces_have_to_wait(
    injector: Injector,
) -> None:
    await injector.namespace("waiting", inject="enabled")
    await injector.namespace("free")
    await injector.webhook.stop()

    with pytest.raises(ApiError, match="failed calling webhook") as refusal:
        await injector.api.post(at("waiting"), pod())
    assert refusal.value.status == 500

    opted_out = pod()
    opted_out["metadata"]["labels"] = {"farebox.dev/inject": "false"}
    assert await injector.api.post(at("waiting"), opted_out)
    for namespace in ("free", "kube-system", "default"):
        await injector.account(namespace)
        assert await injector.api.post(at(namespace), pod("free"))
    await injector.api.kubectl("label", "namespace", "kube-system", "farebox.dev/inject=enabled")
    assert await injector.api.post(at("kube-system"), pod("system"))
