"""From an empty cluster to an installed Farebox, through all that happens to it, and back.

The tests of this file are one story and run in their order. Whether money was kept is read from
the provider's own ledger.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from typing import Final

import pytest
import pytest_asyncio

from controller.kube.rights import RIGHTS
from tests.e2e.conftest import Say
from tests.support.kube_audit import asked_by, never_used
from tests.support.kube_world import (
    EXAMPLES,
    PICO,
    SYSTEM,
    TEAM,
    Outcome,
    World,
    callers,
    kube_world,
    names,
    nanos,
    now,
    pool,
    thief,
    token,
)

KEY: Final = "sk-test-key-of-callers-0001"
KEY_TAIL: Final = KEY[-4:]
OUTAGE_S: Final = 30.0

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(300)]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    async with kube_world(tmp_path_factory.mktemp("world")) as made:
        yield made


async def test_the_chart_is_installed(world: World) -> None:
    await world.install()
    await world.kubectl(
        *("label", "namespace", SYSTEM, "pod-security.kubernetes.io/enforce=restricted")
    )
    pods = await world.read("pods", namespace=SYSTEM)
    assert names(pods["items"]) == [
        *("farebox-controller-0", "farebox-controller-1"),
        *("farebox-etcd-0", "farebox-etcd-1", "farebox-etcd-2"),
    ]


async def test_the_examples_are_applied(world: World) -> None:
    await world.kubectl("apply", "-f", str(EXAMPLES / "cluster/namespace.yaml"))
    await world.kubectl("apply", "-f", str(EXAMPLES))
    # The example's tier is the real provider's; here it is the simulated one's.
    change = [{"op": "replace", "path": "/spec/models/0/baseURL", "value": world.base_url}]
    await world.kubectl("patch", "modeltier", "small", "--type=json", "-p", json.dumps(change))
    await world.apply(pool("callers", "0.002", {"app": "callers"}))
    await world.kubectl("apply", "-f", str(EXAMPLES / "cluster"))

    async def in_force() -> bool:
        found = (await world.read("bp"))["items"]
        return names(found) == ["callers", "reports", "team"] and all(
            any(
                one["type"] == "Ready" and one["status"] == "True"
                for one in pool.get("status", {}).get("conditions", ())
            )
            for pool in found
        )

    await world.cluster.until("all pools are in force", in_force)


async def test_a_pod_has_its_sidecar_first(world: World) -> None:
    async def both_ready() -> bool:
        found = (await world.read("deployment", "assistant"))["status"]
        return bool(found.get("readyReplicas", 0) == 2)

    await world.cluster.until("the example's Deployment is ready", both_ready)
    pods = await world.read("pods")
    for found in pods["items"]:
        assert found["spec"]["initContainers"][0]["name"] == "farebox"
        assert found["spec"]["initContainers"][0]["restartPolicy"] == "Always"
        assert found["metadata"]["annotations"]["farebox.dev/injected"]


async def test_a_job_with_a_sidecar_ends(world: World) -> None:
    async def complete() -> bool:
        found = (await world.read("job", "report"))["status"]
        return bool(found.get("succeeded", 0) == 1)

    await world.cluster.until("the example's Job is complete", complete)


async def test_calls_pass_and_the_page_moves(world: World) -> None:
    await world.apply(callers("callers", KEY))

    async def some_passed() -> bool:
        return sum(one.status == 200 for one in world.calls("callers")) >= 10

    await world.cluster.until("calls of a real client pass", some_passed)

    async def page_moves() -> bool:
        page = await world.kubectl("get", "bp", "callers", "-n", TEAM, "--no-headers")
        spent = page.split()[3]
        return "." in spent and nanos(spent) > 0

    await world.cluster.until("kubectl get bp shows what was spent", page_moves)


async def test_the_cap_is_hit_and_nothing_passes_it(world: World) -> None:
    async def refused() -> bool:
        return any(one.status == 402 for one in world.calls("callers")[-4:])

    await world.cluster.until("a call is refused for want of money", refused)

    async def shown() -> bool:
        page = await world.kubectl("get", "bp", "callers", "-n", TEAM, "--no-headers")
        return page.split()[6] == "True"

    await world.cluster.until("kubectl get bp shows that it is exhausted", shown)
    assert world.spent_pico(KEY_TAIL) <= limit_pico("0.002")


async def test_a_raised_limit_lets_the_next_call_pass(world: World, say: Say) -> None:
    await raise_limit(world, "0.02")
    patched = now()

    async def passed() -> bool:
        return any(one.status == 200 and one.began > patched for one in world.calls("callers"))

    await world.cluster.until("a call passes again", passed)
    first = min(
        one.ended for one in world.calls("callers") if one.status == 200 and one.ended > patched
    )
    say("kubectl patch to the next call", None, ms=first - patched)
    assert first - patched <= 2_000


async def test_a_pod_is_let_in_with_its_own_token_alone(world: World) -> None:
    caller = world.cluster.node.of(TEAM, "callers-")[0].name
    ended = world.cluster.node.of(TEAM, "report-")[0].name
    tokens = {
        "of-another": await token(world, caller),
        "ended": await token(world, ended),
        "no-pod": await token(world, ""),
        "audience": await token(world, caller, "https://kubernetes.default.svc"),
        "none": "none",
        "nonsense": "nonsense",
    }
    leader = f"{await world.leader()}.farebox-controller.{SYSTEM}.svc:7447"
    await world.apply(*thief(leader, tokens))

    async def has_ended() -> bool:
        return bool((await world.read("pod", "thief"))["status"].get("phase") == "Succeeded")

    await world.cluster.until("the thief has tried all tokens", has_ended)
    (pod,) = world.cluster.node.of(TEAM, "thief")
    lines = [json.loads(line) for line in pod.log("main").splitlines() if line.startswith("{")]
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
    assert not any(text in pod.log("main") for text in tokens.values() if len(text) > 20)
    await world.kubectl("delete", "pod/thief", "secret/thief", "-n", TEAM)


async def test_a_killed_sidecar_starts_again_with_its_journal(world: World) -> None:
    pod = world.cluster.node.of(TEAM, "callers-")[0]
    sidecar = pod.first[0]
    assert sidecar.container is not None
    sidecar.container.kill()

    async def restarted() -> bool:
        return sidecar.restarts == 1 and sidecar.ready

    await world.cluster.until("the sidecar is ready again", restarted)
    # Had its journal gone, what it had spent could not be shown in the end.
    await passes_again(world)


async def test_the_controllers_are_rolled_under_load(world: World, say: Say) -> None:
    began = now()
    await world.kubectl("rollout", "restart", "statefulset/farebox-controller", "-n", SYSTEM)
    await world.kubectl(
        *("rollout", "status", "statefulset/farebox-controller", "-n", SYSTEM, "--timeout=100s")
    )
    during = [one for one in world.calls("callers") if one.began > began]
    say("rolling the controllers", None, **told(during))
    assert not [one for one in during if one.status == 0]
    await passes_again(world)


async def test_killing_the_leader_loses_no_money(world: World, say: Say) -> None:
    leader = await world.leader()
    (pod,) = world.cluster.node.of(SYSTEM, leader)
    began = now()
    pod.hold()
    await asyncio.sleep(OUTAGE_S)
    pod.release()
    await recovered(world, say, "the leading controller away for 30 s", began)


async def test_killing_the_api_server_loses_no_money(world: World, say: Say) -> None:
    began = now()
    world.cluster.api.apiserver.kill()
    await asyncio.sleep(OUTAGE_S)
    world.cluster.api.apiserver.start()
    await world.cluster.api.until_ready()
    await recovered(world, say, "the API server away for 30 s", began)


async def test_killing_the_etcd_of_the_ledger_loses_no_money(world: World, say: Say) -> None:
    began = now()
    members = world.cluster.node.of(SYSTEM, "farebox-etcd-")
    assert len(members) == 3
    for pod in members:
        pod.hold()
    await asyncio.sleep(OUTAGE_S)
    for pod in members:
        pod.release()
    await recovered(world, say, "etcd of the ledger away for 30 s", began)


async def test_what_was_billed_is_what_is_shown(world: World, say: Say) -> None:
    await world.kubectl("scale", "deployment/callers", "-n", TEAM, "--replicas=0")

    async def gone() -> bool:
        return not world.cluster.node.of(TEAM, "callers-")

    await world.cluster.until("the callers are gone", gone)

    shown: list[int] = [0]

    async def agrees() -> bool:
        shown[0] = nanos((await world.read("bp", "callers"))["status"]["spent"]) * 1_000
        return shown[0] >= world.spent_pico(KEY_TAIL)

    try:
        await world.cluster.until("the pool shows all that was billed", agrees)
    finally:
        billed = world.spent_pico(KEY_TAIL)
        say("in the end", None, billed_usd=billed / PICO, shown_usd=shown[0] / PICO)


async def test_every_right_is_needed_and_no_other(world: World, say: Say) -> None:
    user = f"system:serviceaccount:{SYSTEM}:farebox-controller"
    asked = asked_by(world.cluster.api.audit, user)
    # An API server that has just started refuses for a moment what it has not read the rights of.
    assert {replace(one, refused=False) for one in asked} <= asked
    assert [one for one in asked if not any(one.within(right) for right in RIGHTS)] == []
    say("granted and not used in this story", None, verbs=never_used(RIGHTS, asked))


async def test_uninstalled_nothing_is_left(world: World) -> None:
    await world.kubectl("delete", "namespace", TEAM, "--wait", "--timeout=100s")
    await world.cluster.api.helm("uninstall", "farebox", "--namespace", SYSTEM, "--wait")
    await world.kubectl("delete", "namespace", SYSTEM, "--wait", "--timeout=100s")
    kinds = (await world.kubectl("api-resources", "--verbs=list", "-o", "name")).split()
    await world.kubectl("delete", "crd", "-l", "app.kubernetes.io/part-of=farebox")
    kinds = [kind for kind in kinds if not kind.endswith("farebox.dev")]
    found = await world.kubectl("get", ",".join(kinds), "--all-namespaces", "-o", "name")
    assert [line for line in found.splitlines() if "farebox" in line] == []


async def raise_limit(world: World, limit: str) -> None:
    change = json.dumps({"spec": {"limit": limit}})
    await world.kubectl("patch", "bp", "callers", "-n", TEAM, "--type=merge", "-p", change)


async def recovered(world: World, say: Say, what: str, began: int) -> None:
    """Never was more billed than allowed, and calls pass again by themselves."""
    during = [one for one in world.calls("callers") if one.began > began]
    say(what, None, **told(during))
    limit = (await world.read("bp", "callers"))["spec"]["limit"]
    assert world.spent_pico(KEY_TAIL) <= limit_pico(limit)
    await passes_again(world)
    limit = (await world.read("bp", "callers"))["spec"]["limit"]
    assert world.spent_pico(KEY_TAIL) <= limit_pico(limit)


async def passes_again(world: World) -> None:
    """Whatever was spent meanwhile, with money there is an answer, in each pod."""
    since = now()
    limit = 0

    async def passed() -> bool:
        nonlocal limit
        # One pod may spend everything before the other has found the controller again.
        if (wanted := world.spent_pico(KEY_TAIL) // 1_000) + nanos("0.005") > limit:
            limit = wanted + nanos("0.01")
            await raise_limit(world, f"{limit // 10**9}.{limit % 10**9:09d}")
        return all(
            any(one.status == 200 and one.began > since for one in world.calls(pod.name))
            for pod in world.cluster.node.of(TEAM, "callers-")
        )

    await world.cluster.until("calls of each pod pass again", passed)


def limit_pico(limit: str) -> int:
    return nanos(limit) * 1_000


def told(during: Sequence[Outcome]) -> dict[str, int]:
    """How many calls ended how."""
    found: dict[str, int] = {}
    for one in during:
        name = f"status_{one.status}"
        found[name] = found.get(name, 0) + 1
    return found
