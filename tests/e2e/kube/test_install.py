"""From an empty cluster to an installed Farebox, through all that happens to it, and back.

The tests of this file are one story and run in their order. What README.md and docs/kubernetes.md
tell people to run is read from there and run as it stands. Calls are made all the while; whether
money was kept is read from the provider's own ledger.
"""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from controller.kube.rights import RIGHTS
from tests.e2e.conftest import Say
from tests.support.kube_audit import always_refused, asked_by, askers, never_used
from tests.support.kube_document import README, ROTATE, UNINSTALL, UPGRADE, Steps
from tests.support.kube_story import (
    KEY,
    NEXT,
    NEXT_SAYS,
    OUTAGE_S,
    below_the_cap,
    controllers_ready,
    controllers_show,
    fund,
    lasting,
    limit_pico,
    next_passed,
    next_release,
    outage,
    passes_again,
    recovered,
    serving,
    set_limit,
    settled,
    since,
    tried,
    trusted_everywhere,
    trusted_in,
)
from tests.support.kube_world import (
    OTHERS,
    SYSTEM,
    TEAM,
    World,
    callers,
    is_judged,
    is_true,
    kube_world,
    names,
    nanos,
    now,
    pool,
    resource,
    row_of,
    token,
)

LITTLE = "0.003"
"""What the team may spend at first: a cap that is reached in seconds."""

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(400)]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    async with kube_world(tmp_path_factory.mktemp("world")) as made:
        yield made


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def readme(world: World) -> Steps:
    return world.steps(README)


async def test_the_chart_is_installed(world: World, readme: Steps) -> None:
    await readme.run("helm install")
    await readme.run("kubectl label namespace farebox")
    found = names((await world.read("pods", namespace=SYSTEM))["items"])
    parts = ("controller-0", "controller-1", "etcd-0", "etcd-1", "etcd-2")
    assert found == [f"farebox-{part}" for part in parts]


async def test_the_examples_are_applied(world: World, readme: Steps) -> None:
    await readme.run("kubectl apply -f examples/kubernetes/cluster/namespace.yaml")
    await readme.run("kubectl apply -f examples/kubernetes")
    # The example's tier is the real provider's; here it is the simulated one's.
    change = [{"op": "replace", "path": "/spec/models/0/baseURL", "value": world.base_url}]
    await world.kubectl("patch", "modeltier", "small", "--type=json", "-p", json.dumps(change))
    await world.apply(pool("callers", "0.02", {"app": "callers"}))
    await readme.run("kubectl apply -f examples/kubernetes/cluster")

    async def in_force() -> bool:
        found = (await world.read("bp"))["items"]
        return names(found) == ["callers", "reports", "team"] and all(
            is_true(one, "Ready") for one in found
        )

    await world.cluster.until("all pools are in force", in_force)


async def test_a_pod_has_its_sidecar_first(world: World) -> None:
    async def both_ready() -> bool:
        found = (await world.read("deployment", "assistant"))["status"]
        return bool(found.get("readyReplicas", 0) == 2)

    await world.cluster.until("the example's Deployment is ready", both_ready)
    for found in (await world.read("pods"))["items"]:
        assert found["spec"]["initContainers"][0]["name"] == "farebox"
        assert found["spec"]["initContainers"][0]["restartPolicy"] == "Always"
        assert found["metadata"]["annotations"]["farebox.dev/injected"]


async def test_a_job_with_a_sidecar_ends(world: World) -> None:
    async def complete() -> bool:
        found = (await world.read("job", "report"))["status"]
        return bool(found.get("succeeded", 0) == 1)

    await world.cluster.until("the example's Job is complete", complete)


async def test_calls_pass_and_the_page_moves(world: World, readme: Steps) -> None:
    await set_limit(world, "team", LITTLE)

    async def in_force() -> bool:
        found = await world.read("bp", "team")
        lowered = nanos(found["status"].get("limit", "0")) == nanos(LITTLE)
        return lowered and not is_true(found, "OverCommitted")

    await world.cluster.until("the team may spend only a little", in_force)
    before = row_of(await readme.run("kubectl get bp"), "team")
    await world.apply(callers("callers", KEY))

    async def some_passed() -> bool:
        return sum(one.status == 200 for one in world.calls("callers")) >= 10

    await world.cluster.until("calls of a real client pass", some_passed)

    async def page_moves() -> bool:
        return nanos(row_of(await readme.again(), "team")["SPENT"]) > nanos(before["SPENT"])

    await world.cluster.until("kubectl get bp shows what was spent", page_moves)
    assert "DESCRIPTION" in await readme.run("kubectl explain bp.spec.window")


async def test_the_cap_is_hit_and_nothing_passes_it(world: World) -> None:
    async def refused() -> bool:
        return any(one.status == 402 for one in world.calls("callers")[-4:])

    await world.cluster.until("a call is refused for want of money", refused)

    async def shown() -> bool:
        page = await world.kubectl("get", "bp", "--all-namespaces")
        return row_of(page, "team")["EXHAUSTED"] == "True"

    await world.cluster.until("kubectl get bp shows that it is exhausted", shown)
    assert world.spent_pico() <= limit_pico(LITTLE)


async def test_a_raised_limit_lets_the_next_call_pass(
    world: World, readme: Steps, say: Say
) -> None:
    await readme.run("kubectl patch bp team")
    patched = now()

    first = await next_passed(world, patched)
    say("kubectl patch to the next call", None, ms=first - patched)
    assert first - patched <= 2_000


async def test_a_wrong_resource_is_told_each_time(world: World) -> None:
    await world.apply(resource("RoutingPolicy", "routing", classifier="Rules"))
    for tier, wanted in (("none", False), ("small", True)) * 2:
        match = {"headerValues": ["greeting"]}
        await world.apply(resource("TaskProfile", "greetings", match=match, defaultTier=tier))

        async def judged(wanted: bool = wanted) -> bool:
            found = await world.read("taskprofile", "greetings")
            policy = await world.read("routingpolicy", "routing")
            told = is_judged(found) and is_true(found, "Ready") == wanted
            return told and is_true(policy, "Ready")

        await world.cluster.until("the controller says whether it is in force", judged)


async def test_a_pod_is_let_in_with_its_own_token_alone(world: World) -> None:
    caller, ended = (world.cluster.node.of(TEAM, one)[0].name for one in ("callers-", "report-"))
    tokens = {
        "of-another": await token(world, caller),
        "ended": await token(world, ended),
        "no-pod": await token(world, ""),
        "audience": await token(world, caller, "https://kubernetes.default.svc"),
        "none": "none",
        "nonsense": "nonsense",
    }
    lines, log = await tried(world, tokens)
    codes = {line["token"]: line["answer"][0] for line in lines}
    assert codes == {
        "own": "OK",
        "of-another": "PERMISSION_DENIED",
        "ended": "PERMISSION_DENIED",
        "no-pod": "PERMISSION_DENIED",
        "audience": "UNAUTHENTICATED",
        "none": "UNAUTHENTICATED",
        "nonsense": "UNAUTHENTICATED",
    }, lines
    assert not any(text in log for text in tokens.values() if len(text) > 20)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def first_authority(world: World) -> str:
    (found,) = await trusted_in(world, TEAM)
    return found


@pytest.mark.usefixtures("first_authority")
async def test_another_authority_is_asked_for(world: World) -> None:
    steps = world.steps(ROTATE, hasty={"=5m": "=30s"})
    await steps.run("kubectl --namespace farebox annotate secret farebox-tls")
    steps.end()

    async def published() -> bool:
        return len(await trusted_in(world, TEAM)) == 2

    await world.cluster.until("the next authority is trusted beside the first", published)


async def test_with_the_standby_away_a_namespace_is_labelled(
    world: World, readme: Steps, say: Say
) -> None:
    await world.kubectl("create", "namespace", OTHERS)
    await world.apply(pool("others", "1.00", {}, OTHERS))
    await world.apply(callers("program", "sk-test-of-others", namespace=OTHERS, replicas=1))

    async def runs() -> bool:
        return [pod.phase for pod in world.cluster.node.of(OTHERS, "program-")] == ["Running"]

    await world.cluster.until("a pod without a sidecar runs", runs)
    assert not world.cluster.node.of(OTHERS, "program-")[0].first
    leader = await world.leader()
    controllers = world.cluster.node.of(SYSTEM, "farebox-controller-")
    (standby,) = [pod for pod in controllers if pod.name != leader]
    await fund(world)
    began = now()
    standby.hold()
    async with lasting(OUTAGE_S):
        await readme.run("kubectl label namespace")
        await readme.run("kubectl annotate namespace")
        await readme.run("kubectl rollout restart deployment")
        readme.end()

        async def served() -> bool:
            return any(one.status == 200 for one in world.calls("program-", OTHERS))

        await world.cluster.until("a pod that was there has a sidecar", served)
    assert await world.leader() == leader
    standby.release()
    await recovered(world, say, "the standby away for 30 s", began)
    await controllers_ready(world)


async def test_the_other_authority_serves(world: World, first_authority: str) -> None:
    async def serves() -> bool:
        authority = await serving(world)
        return authority != first_authority and await controllers_show(world, authority)

    await world.cluster.until("both controllers show what the new authority signed", serves)
    assert not [one for one in world.calls("callers") if one.status == 0]


async def test_what_happened_again_is_counted(world: World) -> None:
    async def counted() -> bool:
        found = (await world.read("events.events.k8s.io"))["items"]
        return any(
            one["reason"] == "InForce" and one.get("series", {}).get("count", 0) > 1
            for one in found
            if one["regarding"].get("name") == "greetings"
        )

    await world.cluster.until("the Event says that it happened twice", counted)


async def test_the_next_version_is_installed_under_load(
    world: World, say: Say, tmp_path: Path
) -> None:
    await fund(world)
    began = now()
    steps = world.steps(UPGRADE, next_release(tmp_path))
    await steps.run("helm show crds")
    await steps.run("helm upgrade farebox")
    steps.end()
    assert not [one for one in since(world, began) if one.status == 0]
    assert NEXT_SAYS in await world.kubectl("explain", "bp")
    for pod in world.cluster.node.of(SYSTEM, "farebox-controller-"):
        assert pod.wanted["spec"]["containers"][0]["image"].endswith(f":{NEXT}")
    await recovered(world, say, "another version of the chart", began)


async def test_killing_the_leader_loses_no_money(world: World, say: Say) -> None:
    (pod,) = world.cluster.node.of(SYSTEM, await world.leader())
    await outage(world, say, "the leading controller", [pod.hold], [pod.release])


@pytest.mark.parametrize("name", ["kube-apiserver", "etcd"])
async def test_killing_a_part_of_the_control_plane_loses_no_money(
    world: World, say: Say, name: str
) -> None:
    (part,) = [one for one in world.cluster.api.parts if one.name == name]
    await outage(world, say, f"{name} of the control plane", [part.kill], [part.start])


async def test_killing_the_etcd_of_the_ledger_loses_no_money(world: World, say: Say) -> None:
    members = world.cluster.node.of(SYSTEM, "farebox-etcd-")
    assert len(members) == 3
    begin, end = [pod.hold for pod in members], [pod.release for pod in members]
    await outage(world, say, "etcd of the ledger", begin, end)


async def test_nobody_trusts_the_first_authority_any_more(
    world: World, first_authority: str
) -> None:
    async def gone() -> bool:
        return await trusted_everywhere(world) == {await serving(world)} - {first_authority}

    # It is dropped two minutes after it was last wanted.
    await world.cluster.until("only the other authority is trusted", gone, patience_s=300)
    await world.kubectl("rollout", "restart", "deployment/program", "-n", OTHERS)
    began = now()

    async def injected() -> bool:
        pods = world.cluster.node.of(OTHERS, "program-")
        images = {one.first[0].spec["image"].rpartition(":")[2] for one in pods if one.first}
        passed = [one for one in world.calls("program-", OTHERS) if one.began > began]
        return images == {NEXT} and any(one.status == 200 for one in passed)

    await world.cluster.until("a new pod has the new sidecar", injected)


async def test_a_killed_sidecar_starts_again_with_its_journal(world: World) -> None:
    pod = world.cluster.node.of(TEAM, "callers-")[0]
    sidecar, before = pod.first[0], pod.first[0].restarts
    assert sidecar.container is not None
    sidecar.container.kill()

    async def restarted() -> bool:
        return sidecar.restarts > before and sidecar.ready

    await world.cluster.until("the sidecar is ready again", restarted)
    # Had its journal gone, what it had spent could not be shown in the end.
    await passes_again(world)


async def test_without_its_label_a_namespace_is_left_alone(world: World) -> None:
    await world.kubectl("delete", "deployment/program", "-n", OTHERS)
    await world.kubectl("label", "namespace", OTHERS, "farebox.dev/inject-")

    async def gone() -> bool:
        return "farebox-ca" not in names((await world.read("configmaps", "", OTHERS))["items"])

    await world.cluster.until("its ConfigMap is gone", gone)


async def test_what_was_billed_is_what_is_shown(world: World, say: Say) -> None:
    await world.kubectl("scale", "deployment/callers", "-n", TEAM, "--replicas=0")

    async def gone() -> bool:
        return not world.cluster.node.of(TEAM, "callers-")

    await world.cluster.until("the callers are gone", gone)
    await settled(world, say)
    await below_the_cap(world)


async def test_every_right_is_needed_and_no_other(world: World) -> None:
    user, audit = f"system:serviceaccount:{SYSTEM}:farebox-controller", world.cluster.api.audit
    asked = asked_by(audit, user)
    assert askers(audit) == {user}, "etcd and sidecars ask nothing of the API server"
    # An API server that has just started refuses for a moment what it has not read the rights of.
    assert always_refused(RIGHTS, asked) == []
    assert [one for one in asked if not any(one.within(right) for right in RIGHTS)] == []
    assert never_used(RIGHTS, asked) == []


async def test_uninstalled_nothing_is_left(world: World) -> None:
    kinds = (await world.kubectl("api-resources", "--verbs=list", "-o", "name")).split()
    steps = world.steps(UNINSTALL)
    await steps.run("kubectl delete bp,mt,tp,rp")
    await steps.run("kubectl label namespaces")
    await steps.run("helm uninstall")
    await steps.run("kubectl --namespace farebox delete pvc")
    await steps.run("kubectl delete crd")
    await steps.run("kubectl delete namespace")
    steps.end()
    await world.kubectl("delete", "namespace", TEAM, "--wait", "--timeout=100s")
    kinds = [kind for kind in kinds if not kind.endswith("farebox.dev")]
    found = await world.kubectl("get", ",".join(kinds), "--all-namespaces", "-o", "name")
    assert [line for line in found.splitlines() if "farebox" in line] == []
