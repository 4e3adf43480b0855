"""Statuses and Events as a real API server takes them, and as `kubectl get` shows them."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from controller.kube.client import KubeError, open_client
from controller.kube.conditions import Seen, conditions_of
from controller.kube.happenings import COUNT_REST_MS, About, Happenings, News
from controller.kube.options import KubeOptions
from controller.kube.plan import Draft
from controller.kube.statuses import body_of, path_of_status
from farebox.core.budgets import Charge, PoolUid
from farebox.core.leases import LeaseId
from farebox.manifests.resources import Kind, ResourceId
from tests.support.clocks import ManualClock
from tests.support.etcd_fleet import until
from tests.support.kube_api import KubeApi
from tests.support.kube_telling import Leading, telling
from tests.support.scenes import has, wants

pytestmark = pytest.mark.asyncio(loop_scope="session")

NAMESPACE = "statuses"
TEAM = Charge(PoolUid(f"{NAMESPACE}/team"), "")
DOLLAR = 1_000_000_000
ROOT = "/apis/farebox.dev/v1alpha1"
PATHS = {
    Kind.BUDGET_POOL: f"{ROOT}/namespaces/{NAMESPACE}/budgetpools/team",
    Kind.MODEL_TIER: f"{ROOT}/modeltiers/statuses-small",
    Kind.TASK_PROFILE: f"{ROOT}/namespaces/{NAMESPACE}/taskprofiles/triage",
    Kind.ROUTING_POLICY: f"{ROOT}/namespaces/{NAMESPACE}/routingpolicies/routing",
}
MODEL = {
    "name": "statuses-model",
    "provider": "openai",
    "baseURL": "https://api.openai.com/v1",
    "price": {"input": "0.15", "output": "0.60"},
    "contextWindow": 128_000,
    "maxOutputTokens": 16_384,
}
SPECS: dict[Kind, dict[str, Any]] = {
    Kind.BUDGET_POOL: {
        "limit": "50.00",
        "window": {"type": "Lifetime"},
        "selector": {"matchLabels": {}},
    },
    Kind.MODEL_TIER: {"rank": 901, "maxDifficulty": "1.0", "models": [MODEL]},
    Kind.TASK_PROFILE: {"defaultTier": "statuses-small"},
    Kind.ROUTING_POLICY: {"classifier": "Heuristic"},
}


def manifests() -> str:
    """One resource of each kind."""
    found: list[dict[str, Any]] = []
    for kind, spec in SPECS.items():
        metadata = {"name": PATHS[kind].rpartition("/")[2]}
        if kind is not Kind.MODEL_TIER:
            metadata["namespace"] = NAMESPACE
        found.append(
            {
                "apiVersion": "farebox.dev/v1alpha1",
                "kind": str(kind),
                "metadata": metadata,
                "spec": spec,
            }
        )
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": found})


def options_of(api: KubeApi) -> KubeOptions:
    """What leads to this API server."""
    return KubeOptions(own_namespace="farebox", kubeconfig=api.kubeconfig)


@pytest_asyncio.fixture(loop_scope="session")
async def leading(api: KubeApi) -> AsyncIterator[Leading]:
    """Something that leads and tells this API server so."""
    await api.kubectl("create", "namespace", NAMESPACE, check=False)
    await api.kubectl("apply", "-f", "-", told=manifests())
    try:
        async with telling(options_of(api)) as it:
            yield it
    finally:
        await api.kubectl("delete", "-f", "-", "--ignore-not-found", told=manifests())


async def status(api: KubeApi, kind: Kind) -> dict[str, Any]:
    found: dict[str, Any] = (await api.get(PATHS[kind])).get("status", {})
    return found


async def holds(api: KubeApi, kind: Kind, type_: str) -> str:
    return str(conditions_of(await status(api, kind)).get(type_, {}).get("status"))


async def row(api: KubeApi, what: str, *more: str) -> dict[str, str]:
    """The columns of the one resource that kubectl shows."""
    done = await api.kubectl("get", what, "-n", NAMESPACE, *more)
    heads, only = done.out.splitlines()
    starts = [heads.index(head) for head in heads.split()]
    ends = [*starts[1:], len(only) + 1]
    cells = [only[start:end].strip() for start, end in zip(starts, ends, strict=True)]
    return dict(zip(heads.split(), cells, strict=True))


async def test_a_pool_is_shown_by_kubectl_from_full_to_exhausted(
    api: KubeApi, leading: Leading
) -> None:
    pool = Kind.BUDGET_POOL

    async def is_judged() -> bool:
        return await holds(api, pool, "Ready") == "True"

    await until(is_judged)
    sidecar = leading.scene.connect("a", namespace=NAMESPACE)
    sidecar.report(want=wants(50 * DOLLAR, of=TEAM))
    lease = LeaseId(TEAM, 0)
    sidecar.report(has(lease, granted=50 * DOLLAR, returned=20 * DOLLAR, spent=12 * DOLLAR + 1))

    async def has_spent() -> bool:
        return (await status(api, pool)).get("spent") == "12.000000001"

    await until(has_spent)
    shown = await row(api, "bp")
    assert {name: shown[name] for name in shown if name != "AGE"} == {
        "NAME": "team",
        "LIMIT": "50.00",
        "WINDOW": "lifetime",
        "SPENT": "12.000000001",
        "LEASED": "17.999999999",
        "HEADROOM": "20.00",
        "EXHAUSTED": "False",
    }
    wide = await row(api, "bp", "-o", "wide")
    assert (wide["HOLDERS"], wide["ENFORCED"], wide["READY"]) == ("1", "True", "True")
    sidecar.report(has(lease, granted=50 * DOLLAR, spent=50 * DOLLAR))
    await until(lambda: _is(api, pool, "Exhausted", "True"))
    assert (await row(api, "bp"))["EXHAUSTED"] == "True"
    await until(lambda: _has_event(api, "Exhausted"))
    described = await api.kubectl("describe", "bp", "team", "-n", NAMESPACE)
    assert "the limit is reached" in described.out.partition("Events:")[2]


async def test_every_kind_has_its_status(api: KubeApi, leading: Leading) -> None:
    await until(lambda: _is(api, Kind.MODEL_TIER, "Priced", "True"))
    leading.scene.pass_time(5_000)
    await until(lambda: _is(api, Kind.TASK_PROFILE, "BaselineMissing", "True"))
    await until(lambda: _is(api, Kind.ROUTING_POLICY, "Ready", "True"))
    tier = await row(api, "modeltiers.farebox.dev")
    assert (tier["MODELS"], tier["PRICED"], tier["READY"]) == ("statuses-model", "True", "True")
    assert (await row(api, "tp"))["ESCALATING"] == "Unknown"
    assert (await row(api, "rp"))["READY"] == "True"
    for kind in Kind:
        found = await api.get(PATHS[kind])
        assert found["status"]["observedGeneration"] == found["metadata"]["generation"]
        (manager,) = [one for one in found["metadata"]["managedFields"] if "subresource" in one]
        assert (manager["manager"], manager["operation"]) == ("farebox-controller", "Apply")


async def test_a_bad_version_is_told_and_the_good_one_goes_on(
    api: KubeApi, leading: Leading
) -> None:
    pool = Kind.BUDGET_POOL
    await until(lambda: _is(api, pool, "Ready", "True"))
    before = conditions_of(await status(api, pool))
    await api.patch(PATHS[pool], {"spec": {"limit": "60.00", "parent": {"name": "nobody"}}})
    await until(lambda: _is(api, pool, "Ready", "False"))
    found = await status(api, pool)
    ready = conditions_of(found)["Ready"]
    assert ready["message"].startswith("spec.parent.name: there is no pool statuses/nobody in")
    assert ready["message"].endswith("generation 1 stays in force")
    assert (found["limit"], found["observedGeneration"]) == ("50.00", 2)
    enforced = conditions_of(found)["Enforced"]
    assert enforced["lastTransitionTime"] == before["Enforced"]["lastTransitionTime"]
    await until(lambda: _has_event(api, "Refused"))
    await api.patch(PATHS[pool], {"spec": {"parent": None}})

    async def is_raised() -> bool:
        return (await status(api, pool)).get("limit") == "60.00"

    await until(is_raised)
    assert await holds(api, pool, "Ready") == "True"


async def test_somebody_elses_condition_stays_and_a_status_written_over_comes_back(
    api: KubeApi, leading: Leading
) -> None:
    pool = Kind.BUDGET_POOL
    await until(lambda: _is(api, pool, "Ready", "True"))
    theirs = {
        "type": "Audited",
        "status": "True",
        "reason": "ByHand",
        "message": "",
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    }
    rows = [*conditions_of(await status(api, pool)).values(), theirs]
    written = {"status": {"headroom": "999.00", "conditions": rows}}
    await api.patch(f"{PATHS[pool]}/status", written)

    async def is_mended() -> bool:
        return (await status(api, pool)).get("headroom") == "50.00"

    await until(is_mended)
    assert await holds(api, pool, "Audited") == "True"


async def _is(api: KubeApi, kind: Kind, type_: str, wanted: str) -> bool:
    return await holds(api, kind, type_) == wanted


async def _has_event(api: KubeApi, reason: str) -> bool:
    listed = await api.get(f"/apis/events.k8s.io/v1/namespaces/{NAMESPACE}/events")
    return any(
        one["reason"] == reason and one["regarding"]["name"] == "team" for one in listed["items"]
    )


async def test_a_pool_made_anew_goes_on_with_what_was_spent(api: KubeApi, leading: Leading) -> None:
    pool = Kind.BUDGET_POOL
    await until(lambda: _is(api, pool, "Ready", "True"))
    sidecar = leading.scene.connect("a", namespace=NAMESPACE)
    sidecar.report(want=wants(30 * DOLLAR, of=TEAM))
    sidecar.report(has(LeaseId(TEAM, 0), granted=30 * DOLLAR, spent=30 * DOLLAR))
    before = await api.get(PATHS[pool])
    assert "finalizers" not in before["metadata"]
    await api.kubectl("delete", "bp", "team", "-n", NAMESPACE, "--timeout=10s")
    await until(lambda: _are_in_force(leading, 0))
    await api.kubectl("apply", "-f", "-", told=manifests())

    async def has_spent() -> bool:
        return (await status(api, pool)).get("spent") == "30.00"

    await until(has_spent)
    assert (await status(api, pool))["headroom"] == "20.00"
    assert (await api.get(PATHS[pool]))["metadata"]["uid"] != before["metadata"]["uid"]


async def test_no_resource_is_made_by_its_status(api: KubeApi, leading: Leading) -> None:
    pool = Kind.BUDGET_POOL
    await until(lambda: _is(api, pool, "Ready", "True"))
    seen = Seen(
        id=ResourceId(pool, NAMESPACE, "gone"), uid="u", generation=1, version="1", in_force=1
    )
    draft = Draft(seen=seen, before={}, status={"limit": "1.00"})
    async with open_client(options_of(api)) as kube:
        with pytest.raises(KubeError) as refusal:
            await kube.apply(path_of_status(seen), body_of(draft))
    assert refusal.value.status == 404
    listed = await api.get(PATHS[pool].rpartition("/")[0])
    assert [one["metadata"]["name"] for one in listed["items"]] == ["team"]


async def test_what_happens_again_is_counted_in_its_event(api: KubeApi, leading: Leading) -> None:
    uid = (await api.get(PATHS[Kind.MODEL_TIER]))["metadata"]["uid"]
    about = About("farebox.dev/v1alpha1", "ModelTier", "", "statuses-small", uid)
    news, clock = News("Warning", "NotPriced", "Price", "no price of a model"), ManualClock()
    async with open_client(options_of(api)) as kube:
        happenings = Happenings(kube, clock, instance="farebox-controller-0")
        for _ in range(2):
            happenings.tell(about, news)
            await happenings.write_due()
            clock.advance(COUNT_REST_MS)
    listed = await api.get("/apis/events.k8s.io/v1/namespaces/default/events")
    (event,) = [one for one in listed["items"] if one["regarding"].get("uid") == uid]
    assert event["series"]["count"] == 2
    assert (event["reason"], event["note"]) == ("NotPriced", "no price of a model")


async def _are_in_force(leading: Leading, number: int) -> bool:
    return len(leading.scene.engine.world.resources.pools) == number
