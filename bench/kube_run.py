"""One run of the benchmark of a large cluster: few objects first, then all pools, then all pods.

The one rule: what is compared is measured in the same run on the same API server. This module must
not know how figures are judged.
"""

import asyncio
import base64
import statistics
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from bench import kube_objects
from bench.kube_fill import Filler, filling
from bench.kube_objects import ROOT_LIMIT, Layout, Size, app_name, is_bare, pool_path
from bench.kube_parts import (
    OWN,
    Audit,
    Controller,
    Sidecars,
    controlling,
    install,
    sidecars_of,
)
from bench.kube_pools import PoolSeen, PoolsSeen, pools_seen
from bench.kube_report import Figures, Span, Start, Turn
from bench.processes import cpu_us, resident_kib
from controller.kube.reflector import Key
from controller.kube.rights import CERTIFICATES
from farebox.core.money import parse_dollars
from farebox.manifests.reading import API_VERSION
from farebox.manifests.resources import Kind
from farebox.runtime.clock import SystemClock
from tests.deploy.crds import FOLDER
from tests.support.kube_api import KubeApi, kube_api

FEW: Final = Size(pools=10, pods=10)
PATCHES: Final = 10
PATCH_EVERY_S: Final = 0.3
BUSY_S: Final = 15.0
SAMPLES: Final = 20
REPORTS_S_MAX: Final = 130
UNHEARD: Final = "PodsWithoutSidecar"
"""What a pool says of pods of which nothing was heard: most have only a picture of a sidecar."""

NEW_PRICE: Final = "0.20"
NOTHING: Final = "0.000001"
"""The organisation's limit when it has nothing left to lend."""

_CLOCK: Final = SystemClock()


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is asked for; `rolled` pods are replaced."""

    size: Size
    sidecars: int
    rolled: int
    quiet_s: float


class Site:
    """A filled API server, and who fills it."""

    def __init__(self, api: KubeApi, filler: Filler, plan: Plan, kubeconfig: Path) -> None:
        self.api = api
        self.filler = filler
        self.plan = plan
        self.layout = Layout(plan.size)
        self.kubeconfig = kubeconfig
        self._folders = 0

    @asynccontextmanager
    async def controller(self, pods: int) -> AsyncIterator[tuple[Controller, tuple[int, int, int]]]:
        """A controller that leads; with ms until all was listed, until it led, and CPU by then."""
        self._folders += 1
        folder = self.api.folder / f"controller-{self._folders}"
        async with controlling(folder, self.kubeconfig) as made:
            listed, leads = await made.start_until(pods)
            yield made, (listed, leads, cpu_us((made.pid,)) // 1_000)

    async def tokens(self, count: int, apps: int) -> list[str]:
        """Those of the first pods that have a sidecar."""
        found: list[str] = [""] * count

        async def fetch(number: int) -> None:
            found[number] = await self.filler.token(self.layout.pod(*self.spot(number, apps), 0))

        await self.filler.each(range(count), fetch)
        return found

    @asynccontextmanager
    async def sidecars(
        self, controller: Controller, tokens: Sequence[str]
    ) -> AsyncIterator[Sidecars]:
        """A sidecar for each token, all connected."""
        secret = await self.filler.ask("GET", f"/api/v1/namespaces/{OWN}/secrets/{CERTIFICATES}")
        authorities = base64.b64decode(secret["data"]["ca.crt"]).decode()
        async with sidecars_of(controller, authorities, tokens) as made:
            await made.until("all sidecars are served", lambda: len(made.connected) == len(tokens))
            yield made

    @property
    def apps(self) -> int:
        return self.plan.size.apps

    def spot(self, number: int, apps: int) -> tuple[int, int]:
        """App and replica of the pod with so many injected ones before it."""
        found = ((at % apps, at // apps) for at in range(self.plan.size.pods))
        injected = (spot for spot in found if not is_bare(*spot))
        for _ in range(number):
            next(injected)
        return next(injected)

    async def patched(self, sidecars: Sidecars, app: int, limit: str) -> int:
        """Change the limit of an app's pool; after how many ms a sidecar had it in force."""
        place = self.layout.place_of(app)
        await self.filler.merge(pool_path(place, app_name(app)), {"spec": {"limit": limit}})
        taken = _CLOCK.boot()
        at = await sidecars.limit_at(f"{place}/{app_name(app)}", parse_dollars(limit))
        return max(0, at - taken)

    async def patches(self, sidecars: Sidecars, first: int, apps: int) -> list[int]:
        """Change one limit after the other, each of an app with a connected sidecar."""
        found = []
        for number in range(PATCHES):
            await asyncio.sleep(PATCH_EVERY_S)
            app, _ = self.spot(number % min(apps, self.plan.sidecars, FEW.apps), apps)
            found.append(await self.patched(sidecars, app, f"{first + number}.50"))
        return found


class Watch:
    """Measures what a controller does in a span of time."""

    def __init__(self, controller: Controller, audit: Audit) -> None:
        self._pid = controller.pid
        self._audit = audit
        self._began = 0
        self._cpu = 0

    def begin(self) -> int:
        """From now on; gives the time."""
        self._audit.requests()
        self._began, self._cpu = _CLOCK.boot(), cpu_us((self._pid,))
        return self._began

    def end(self) -> Span:
        """Until now."""
        took, cpu = _CLOCK.boot() - self._began, cpu_us((self._pid,)) - self._cpu
        asked = self._audit.requests()
        statuses = sum(count for what, count in asked.items() if what.endswith("/status"))
        return Span(
            took_ms=took, cpu_ms=cpu // 1_000, status_writes=statuses, requests=asked.total()
        )


async def run(folder: Path, plan: Plan) -> Figures:
    """Everything, in a folder of its own. Raises BenchError."""
    async with AsyncExitStack() as stack:
        _say("starting etcd, kube-apiserver and kube-controller-manager")
        api = await stack.enter_async_context(kube_api(folder / "kube"))
        await api.kubectl("apply", "-f", str(FOLDER))
        await api.until_served(API_VERSION, len(Kind))
        filler = await stack.enter_async_context(filling(api))
        site = Site(api, filler, plan, await install(filler, api))
        await filler.foundations(site.layout)
        few_start, few = await _with_few(site)
        bare_start = await _with_pools(site)
        pod_bytes = await _fill(site)
        pools = await stack.enter_async_context(pools_seen(api.kubeconfig))
        return await _with_all(site, pools, few_start, bare_start, few, pod_bytes)


async def _with_few(site: Site) -> tuple[Start, list[int]]:
    _say("10 pods and 10 pools")
    await site.filler.pools(site.layout.pools(FEW.apps))
    await site.filler.pods(site.layout.pods(FEW.pods, apps=FEW.apps))
    async with site.controller(FEW.pods) as (controller, times):
        tokens = await site.tokens(FEW.apps, FEW.apps)
        async with site.sidecars(controller, tokens) as sidecars:
            await sidecars.order("spend")
            found = await site.patches(sidecars, 200, FEW.apps)
        return _start(controller, times), found


async def _with_pools(site: Site) -> Start:
    _say("10 pods and all pools")
    known = {_name(one) for one in site.layout.pools(FEW.apps)}
    rest = [one for one in site.layout.pools(site.apps) if _name(one) not in known]
    await site.filler.pools(rest)
    async with pools_seen(site.api.kubeconfig) as pools, site.controller(FEW.pods) as found:
        await pools.until("the first statuses", _is_current)
        return _start(*found)


async def _fill(site: Site) -> int:
    """All pods; gives the mean size of one as the API server tells it."""
    size, known = site.plan.size, {_name(one) for one in site.layout.pods(FEW.pods, apps=FEW.apps)}
    _say(f"filling in {size.pods} pods")
    pods = site.layout.pods(size.pods, apps=site.apps)
    began = _CLOCK.boot()
    await site.filler.pods((one for one in pods if _name(one) not in known), first=FEW.pods)
    _say(f"filled in {(_CLOCK.boot() - began) / 1_000:.0f} s")
    page = await site.filler.ask("GET", f"/api/v1/pods?limit={SAMPLES}")
    return round(statistics.mean(len(msgspec.json.encode(one)) for one in page["items"]))


async def _with_all(
    site: Site,
    pools: PoolsSeen,
    few_start: Start,
    bare_start: Start,
    few: Sequence[int],
    pod_bytes: int,
) -> Figures:
    plan, audit = site.plan, Audit(site.api.audit)
    tokens = await site.tokens(plan.sidecars, site.apps)
    for place in site.layout.namespaces()[1:]:
        # So that every pool has something new to say.
        await _raise(site, place, "team", "4999.00")
    async with AsyncExitStack() as stack:
        _say("starting with all of it")
        controller, times = await stack.enter_async_context(site.controller(plan.size.pods))
        watch = Watch(controller, audit)
        watch.begin()
        await pools.until("the statuses after a start", _is_current)
        first = watch.end()
        start = _start(controller, times)
        began = watch.begin()
        sidecars = await stack.enter_async_context(site.sidecars(controller, tokens))
        connected = sidecars.last_policy - began
        unheard = await _unheard(pools, watch)
        quiet = await _pass(watch, f"{plan.quiet_s:g} s without calls", plan.quiet_s)
        await sidecars.order("spend")
        busy = await _pass(watch, f"{BUSY_S:g} s with calls", BUSY_S)
        many = await site.patches(sidecars, 300, site.apps)
        rolling, roll = await _roll(site, sidecars, watch)
        heard = await _reprice(site, sidecars)
        turns = await _turns(site, pools, watch)
        spent = await _rest(sidecars, pools)
        return Figures(
            size=plan.size,
            sidecars=plan.sidecars,
            pod_bytes=pod_bytes,
            few_start=few_start,
            bare_start=bare_start,
            start=start,
            first_statuses=first,
            connected_ms=connected,
            unheard=unheard,
            quiet=quiet,
            busy=busy,
            few=few,
            many=many,
            rolling=rolling,
            rolled=plan.rolled,
            roll=roll,
            heard_ms=heard,
            turns=turns,
            stale=pools.stale(),
            spent=spent,
            shown=pools.items[_ROOT].spent,
            resident_kib=resident_kib((controller.pid,)),
        )


async def _unheard(pools: PoolsSeen, watch: Watch) -> Span:
    """Until every pool says of pods that nothing was heard of them; then nothing changes."""
    _say("the pods whose sidecar does not connect are noticed")
    watch.begin()
    await pools.until("pods without a sidecar", lambda one: one.enforced == UNHEARD)
    span = watch.end()
    await pools.until_still()
    return span


async def _pass(watch: Watch, what: str, seconds: float) -> Span:
    _say(what)
    watch.begin()
    await asyncio.sleep(seconds)
    return watch.end()


async def _roll(site: Site, sidecars: Sidecars, watch: Watch) -> tuple[list[int], Span]:
    """Replace pods, and patch limits meanwhile."""
    size, rolled = site.plan.size, site.plan.rolled
    _say(f"replacing {rolled} pods")
    # The last ones: sidecars are in the first, and stay.
    spots = [(at % site.apps, at // site.apps) for at in range(size.pods - rolled, size.pods)]

    async def replace(spot: tuple[int, int]) -> None:
        old, new = site.layout.pod(*spot, 0), site.layout.pod(*spot, 1)
        await site.filler.replaced(old, new, size.pods + spots.index(spot))

    watch.begin()
    patching = asyncio.ensure_future(site.patches(sidecars, 400, site.apps))
    await site.filler.each(spots, replace)
    span = watch.end()
    return await patching, span


async def _reprice(site: Site, sidecars: Sidecars) -> int:
    """Change a price that every sidecar goes by; ms until the last has heard of it."""
    _say("changing a price")
    before = set(sidecars.prices())
    at = kube_objects.tier_path(kube_objects.TIER)
    await site.filler.merge(at, {"spec": kube_objects.tier(NEW_PRICE)["spec"]})
    taken = _CLOCK.boot()
    await sidecars.until("a price", lambda: not before & set(sidecars.prices()))
    return sidecars.last_policy - taken


async def _turns(site: Site, pools: PoolsSeen, watch: Watch) -> list[Turn]:
    """Changes that touch every status, one after the other."""
    below = len(pools.items) - 1
    found = []

    async def turn(name: str, reason: str, limit: str) -> None:
        _say(name)
        watch.begin()
        await _raise(site, kube_objects.ROOT_NAMESPACE, kube_objects.ROOT_NAME, limit)
        await pools.until(name, lambda one: one.is_current and _says(one, reason))
        found.append(Turn(name=name, statuses=below, span=watch.end()))

    await turn("the organisation has nothing left", "ParentExhausted", NOTHING)
    await turn("the organisation has money again", "MoneyLeft", ROOT_LIMIT)
    _say("changing every limit")
    watch.begin()
    await site.filler.each(
        (key for key in tuple(pools.items) if key != _ROOT),
        lambda key: _raise(site, key.namespace, key.name, "777.00"),
    )
    await pools.until("every limit", lambda one: one.is_current)
    found.append(Turn(name="every limit changed", statuses=below, span=watch.end()))
    return found


def _says(one: PoolSeen, reason: str) -> bool:
    """Whether a pool below the organisation says this; it itself has its own words."""
    return one.exhausted == reason or (one.exhausted == "LimitReached" and reason != "MoneyLeft")


async def _rest(sidecars: Sidecars, pools: PoolsSeen) -> int:
    """No more calls; once that is shown, what was spent."""
    _say("the sidecars rest")
    spent = int((await sidecars.order("rest"))["spent"])
    await pools.until("what was spent", lambda one: one.is_current)
    # With many sidecars each of them reports only once in a while.
    for _ in range(REPORTS_S_MAX * 10):
        if pools.items[_ROOT].spent == spent:
            break
        await asyncio.sleep(0.1)
    return spent


async def _raise(site: Site, place: str, name: str, limit: str) -> None:
    await site.filler.merge(pool_path(place, name), {"spec": {"limit": limit}})


_ROOT: Final = Key(kube_objects.ROOT_NAMESPACE, kube_objects.ROOT_NAME)


def _is_current(one: PoolSeen) -> bool:
    return one.is_current


def _name(thing: kube_objects.Object) -> tuple[str, str]:
    return thing["metadata"]["namespace"], thing["metadata"]["name"]


def _start(controller: Controller, times: tuple[int, int, int]) -> Start:
    listed, leads, cpu = times
    kib = resident_kib((controller.pid,))
    return Start(listed_ms=listed, leads_ms=leads, cpu_ms=cpu, resident_kib=kib)


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
