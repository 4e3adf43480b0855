"""What the story of a cluster asks again and again: are calls served, and was no cap passed?

The callers' pods draw on the pool `callers`, whose limit is raised a little at a time, so that an
outage begins with calls that pass and ends at a cap. The one rule: what was billed is read from the
provider's own ledger. This module must not know what has happened to the cluster.
"""

import asyncio
import base64
import json
import shutil
import ssl
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

from controller.kube.authorities import certificates_in
from farebox.core.instant import UtcMs
from farebox.runtime.clock import SystemClock
from tests.e2e.conftest import Say
from tests.support.kube_document import ROOT
from tests.support.kube_world import OTHERS, PICO, SYSTEM, TEAM, Outcome, World, nanos, now, thief

KEY: Final = "sk-test-key-of-callers-0001"
KEY_TAIL: Final = KEY[-4:]
OUTAGE_S: Final = 30.0
NEXT: Final = "9.9.9"
"""The version after this one."""

NEXT_SAYS: Final = "What only the next version says."
_STEP: Final = "0.01"
_LEAST: Final = "0.005"
_CHART: Final = "deploy/helm/farebox"
_WEBHOOK: Final = (9443, f"farebox-webhook.{SYSTEM}.svc")
_ANSWER_S_MAX: Final = 5.0


def limit_pico(limit: str) -> int:
    """A limit as the provider's ledger counts."""
    return nanos(limit) * 1_000


def told(during: Sequence[Outcome]) -> dict[str, int]:
    """How many calls ended how."""
    found: dict[str, int] = {}
    for one in during:
        name = f"status_{one.status}"
        found[name] = found.get(name, 0) + 1
    return found


def since(world: World, began: UtcMs) -> list[Outcome]:
    """The calls that began after a moment."""
    return [one for one in world.calls("callers") if one.began > began]


async def next_passed(world: World, after: UtcMs) -> UtcMs:
    """When the first call after a moment had its answer."""
    found: list[UtcMs] = []

    async def passed() -> bool:
        calls = world.calls("callers")
        found[:] = [one.ended for one in calls if one.status == 200 and one.ended > after]
        return bool(found)

    await world.cluster.until("a call passes", passed)
    return min(found)


async def fund(world: World) -> None:
    """Let the callers spend a little more than they have."""
    await set_limit(world, "callers", _more(world))


def _more(world: World) -> str:
    limit = world.spent_pico(KEY_TAIL) // 1_000 + nanos(_STEP)
    return f"{limit // 10**9}.{limit % 10**9:09d}"


async def set_limit(world: World, name: str, limit: str) -> None:
    """Change the limit of a pool of the team."""
    change = json.dumps({"spec": {"limit": limit}})
    await world.kubectl("patch", "bp", name, "-n", TEAM, "--type=merge", "-p", change)


async def below_the_cap(world: World) -> None:
    """Never was more billed than allowed."""
    limit = (await world.read("bp", "callers"))["spec"]["limit"]
    assert world.spent_pico(KEY_TAIL) <= limit_pico(limit)


async def recovered(world: World, say: Say, what: str, began: UtcMs) -> None:
    """No cap was passed, and calls pass again by themselves."""
    say(what, None, **told(since(world, began)))
    await below_the_cap(world)
    await passes_again(world)
    await below_the_cap(world)


async def passes_again(world: World) -> None:
    """Whatever was spent meanwhile, with money there is an answer, in each pod."""
    began, limit = now(), "0"

    async def passed() -> bool:
        nonlocal limit
        # One pod may spend everything before the other has found the controller again.
        if world.spent_pico(KEY_TAIL) // 1_000 + nanos(_LEAST) > nanos(limit):
            limit = _more(world)
            await set_limit(world, "callers", limit)
        return all(
            any(one.status == 200 and one.began > began for one in world.calls(pod.name))
            for pod in world.cluster.node.of(TEAM, "callers-")
        )

    await world.cluster.until("calls of each pod pass again", passed)


async def outage(
    world: World,
    say: Say,
    what: str,
    begin: Sequence[Callable[[], None]],
    end: Sequence[Callable[[], None]],
) -> None:
    """Half a minute without something: no cap is passed, and afterwards calls pass again."""
    await fund(world)
    began = now()
    for step in begin:
        step()
    await asyncio.sleep(OUTAGE_S)
    for step in end:
        step()
    await world.cluster.api.until_ready()
    await recovered(world, say, f"{what} away for 30 s", began)


async def settled(world: World, say: Say) -> None:
    """Wait until the pool shows all that was billed."""
    shown = 0

    async def agrees() -> bool:
        nonlocal shown
        shown = limit_pico((await world.read("bp", "callers"))["status"]["spent"])
        return shown >= world.spent_pico(KEY_TAIL)

    try:
        await world.cluster.until("the pool shows all that was billed", agrees)
    finally:
        billed = world.spent_pico(KEY_TAIL)
        say("in the end", None, billed_usd=billed / PICO, shown_usd=shown / PICO)


@asynccontextmanager
async def lasting(seconds: float) -> AsyncIterator[None]:
    """A block that takes at least so long."""
    clock = SystemClock()
    began = clock.boot()
    yield
    await asyncio.sleep(max(0.0, seconds - (clock.boot() - began) / 1_000))


async def controllers_ready(world: World) -> None:
    """Wait until both controllers are ready."""

    async def ready() -> bool:
        found = await world.read("statefulset", "farebox-controller", SYSTEM)
        return bool(found["status"].get("readyReplicas", 0) == 2)

    await world.cluster.until("both controllers are ready", ready)


async def tried(world: World, tokens: Mapping[str, str]) -> tuple[list[Any], str]:
    """What the leader answered a pod that showed these tokens and its own; and all that it said."""
    leader = f"{await world.leader()}.farebox-controller.{SYSTEM}.svc:7447"
    await world.apply(*thief(leader, tokens))

    async def has_ended() -> bool:
        return bool((await world.read("pod", "thief"))["status"].get("phase") == "Succeeded")

    await world.cluster.until("the thief has tried all tokens", has_ended)
    (pod,) = world.cluster.node.of(TEAM, "thief")
    log = pod.log("main")
    await world.kubectl("delete", "pod/thief", "secret/thief", "-n", TEAM)
    return [json.loads(line) for line in log.splitlines() if line.startswith("{")], log


def next_release(folder: Path) -> Path:
    """A folder with the next version of the chart: other images, and a word more in a CRD."""
    chart = folder / _CHART
    shutil.copytree(ROOT / _CHART, chart)
    about = chart / "Chart.yaml"
    lines = about.read_text().splitlines()
    kept = [one for one in lines if not one.startswith(("version:", "appVersion:"))]
    about.write_text("\n".join([*kept, f"version: {NEXT}", f"appVersion: {NEXT}", ""]))
    pools = chart / "crds/farebox.dev_budgetpools.yaml"
    text = pools.read_text()
    said = "            A limit in US dollars for each window."
    assert text.count(said) == 1
    pools.write_text(text.replace(said, f"{said} {NEXT_SAYS}"))
    return folder


async def trusted_in(world: World, namespace: str) -> tuple[str, ...]:
    """The authorities that pods of a namespace are told to trust."""
    found = await world.read("configmap", "farebox-ca", namespace)
    return certificates_in(found["data"]["ca.pem"])


async def trusted_everywhere(world: World) -> set[str]:
    """The authorities that anybody is told to trust: pods, and the API server."""
    hooks = await world.read("mutatingwebhookconfiguration", "farebox-injector")
    encoded = hooks["webhooks"][0]["clientConfig"]["caBundle"]
    found = {*certificates_in(base64.b64decode(encoded).decode())}
    for namespace in (TEAM, OTHERS):
        found |= {*await trusted_in(world, namespace)}
    return found


async def serving(world: World) -> str:
    """The authority whose certificates the controllers are to show."""
    found = await world.read("secret", "farebox-tls", SYSTEM)
    (authority,) = certificates_in(base64.b64decode(found["data"]["ca.crt"]).decode())
    return authority


async def controllers_show(world: World, authority: str) -> bool:
    """Whether every controller shows a certificate of this authority to who trusts no other."""
    pods = world.cluster.node.of(SYSTEM, "farebox-controller-")
    return all([await _shows(world, pod.spot.address, authority) for pod in pods if pod.spot])


async def _shows(world: World, address: str, authority: str) -> bool:
    port, name = _WEBHOOK
    context = ssl.create_default_context(cadata=authority)
    try:
        async with asyncio.timeout(_ANSWER_S_MAX):
            _, writer = await world.cluster.network.connect(address, port)
            try:
                await writer.start_tls(context, server_hostname=name)
            finally:
                writer.close()
    except (OSError, TimeoutError):
        return False
    return True
