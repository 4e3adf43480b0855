"""The product once more, as processes: a controller, ten sidecars, a provider, callers.

Few sidecars get most of the callers, as in the simulated runs; two sidecars are killed and start
again with their journals. The one rule: whether a refusal was false is judged by what the sidecars
themselves have spent and hold at that moment, all together. This module must not know policies.
"""

import asyncio
import json
import tempfile
from collections import Counter
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import aiohttp

from bench import manifests
from bench.leases_relay import Relay, relaying
from bench.leases_tally import END_PERCENT
from farebox.cli import fleet
from farebox.cli.admin import AdminError, admin_url, get_json, until_ready
from farebox.cli.processes import Child, ChildError, Children, Program
from farebox.core.money import NANOS_PER_DOLLAR, Nanos, format_dollars, parse_dollars
from farebox.simulated.ledger import read_entries

CALLERS: Final = (12, 7, 5, 4, 3, 3, 2, 2, 1, 1)
"""How many callers each sidecar has."""

LIMIT: Final = Nanos(NANOS_PER_DOLLAR // 5)
RUN_S_MAX: Final = 90.0
KILLS_AT_S: Final = ((6.0, 1), (10.0, 4))
"""When a sidecar is killed, and which."""

_CALL_S_MAX: Final = 20.0
_PAUSE_S: Final = 0.2
_MODEL: Final = "gpt-4o-mini"
_PRICES: Final = (150, 600)
_OUTPUT_MAX: Final = 300
_REFUSED: Final = frozenset({402, 429})
_BODY: Final = {
    "model": _MODEL,
    "messages": [{"role": "user", "content": "Say what a lease of money is, and why it ends."}],
    "max_tokens": _OUTPUT_MAX,
}


@dataclass(slots=True)
class Seen:
    """What callers and the judge saw."""

    calls: int = 0
    refused: int = 0
    falsely: int = 0
    used_at_first: Nanos | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Talk:
    """How much had been said when so many calls had been made."""

    calls: int
    asks: int
    kinds: Counter[str]

    @property
    def messages(self) -> int:
        """All kinds together."""
        return self.kinds.total()


@dataclass(slots=True)
class Crowd:
    """The callers, and the sidecars that they call."""

    sidecars: list[Child]
    relay: Relay
    seen: Seen = field(default_factory=Seen)
    talk: Talk | None = None
    over: asyncio.Event = field(default_factory=asyncio.Event)

    async def call_on(self, session: aiohttp.ClientSession, number: int) -> None:
        """One caller beside one sidecar, until the pool refuses it for good or time is over."""
        while not self.over.is_set():
            try:
                status, body = await self._request(session, self.sidecars[number])
            except (aiohttp.ClientError, TimeoutError):
                # Its sidecar was killed: it is there again soon.
                await self._rest(_PAUSE_S)
                continue
            self.seen.calls += 1
            if status in _REFUSED:
                await self._judge(body["error"])
            if status == 402:
                return
            if status != 200:
                await self._rest(_PAUSE_S)

    async def _request(
        self, session: aiohttp.ClientSession, sidecar: Child
    ) -> tuple[int, dict[str, Any]]:
        url = f"{fleet.base_url(sidecar)}/chat/completions"
        async with session.post(url, json=_BODY, headers={"authorization": "Bearer k"}) as answer:
            return answer.status, json.loads(await answer.read())

    async def _judge(self, error: dict[str, Any]) -> None:
        self.seen.refused += 1
        used, needed = await self.used(), parse_dollars(error.get("estimated_usd", "0"))
        if LIMIT - used < needed:
            return
        self.seen.falsely += 1
        if self.seen.used_at_first is None:
            self.seen.used_at_first = used

    async def used(self) -> Nanos:
        """What all sidecars have spent or hold; one that does not answer counts with nothing."""
        views = await asyncio.gather(*map(_leases, self.sidecars))
        amounts = (lease[kind] for view in views for lease in view for kind in _USED)
        return Nanos(sum(map(parse_dollars, amounts)))

    async def watch(self) -> None:
        """Note how much has been said when END_PERCENT are used, or at the end."""
        while not self.over.is_set() and await self.used() * 100 < LIMIT * END_PERCENT:
            await self._rest(_PAUSE_S)
        self.talk = Talk(
            calls=self.seen.calls, asks=self.relay.asks, kinds=Counter(self.relay.messages)
        )

    async def _rest(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self.over.wait()
        except TimeoutError:
            pass


_USED: Final = ("spent_usd", "held_usd")


async def measure() -> list[str]:
    """Run it in a folder of its own; returns lines to print. Raises ChildError."""
    with tempfile.TemporaryDirectory(prefix="farebox-leases-") as folder:
        return await _measure(Path(folder))


async def _measure(folder: Path) -> list[str]:
    async with AsyncExitStack() as stack:
        children = await stack.enter_async_context(Children(folder))
        provider = await children.start(fleet.provider(folder, _provider_config()))
        written = manifests.write_folder(folder / "manifests", _resources(provider))
        controller = fleet.controller(folder, manifests=written, variables={})
        port = (await children.start(controller)).facts["grpc"]
        relay, relay_port = await stack.enter_async_context(relaying(port))
        sidecars = [
            await children.start(_sidecar(folder, number, relay_port))
            for number in range(len(CALLERS))
        ]
        for sidecar in sidecars:
            await until_ready(sidecar)
        crowd = Crowd(sidecars, relay)
        await _drive(crowd)
        used = await crowd.used()
        billed = sum(entry.billed_pico for entry in read_entries(fleet.ledger_of(folder)))
        assert crowd.talk is not None, "the watch ends with the callers"
        return _lines(crowd.seen, crowd.talk, used=used, billed=Nanos(-(-billed // 1_000)))


async def _drive(crowd: Crowd) -> None:
    timeout = aiohttp.ClientTimeout(total=_CALL_S_MAX)
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
        callers = asyncio.gather(
            *(crowd.call_on(session, number) for number, n in enumerate(CALLERS) for _ in range(n))
        )
        watching = asyncio.gather(crowd.watch())
        began = asyncio.get_running_loop().time()
        for at, victim in KILLS_AT_S:
            await asyncio.sleep(max(0.0, began + at - asyncio.get_running_loop().time()))
            await crowd.sidecars[victim].kill()
            await crowd.sidecars[victim].start()
        left = began + RUN_S_MAX - asyncio.get_running_loop().time()
        await asyncio.wait((callers,), timeout=left)
        crowd.over.set()
        await asyncio.gather(callers, watching)


async def _leases(sidecar: Child) -> list[dict[str, str]]:
    try:
        leases: list[dict[str, str]] = (await get_json(admin_url(sidecar, "/v1/leases")))["leases"]
    except (AdminError, ChildError):
        return []
    return leases


def _sidecar(folder: Path, number: int, port: int) -> Program:
    pod = fleet.Pod(name=f"sidecar-{number}", labels=manifests.LABELS)
    return fleet.sidecar(folder, pod=pod, controller_port=port)


def _provider_config() -> dict[str, Any]:
    input_nanos, output_nanos = _PRICES
    model = {
        "name": _MODEL,
        "inputPerMillion": manifests.per_million(input_nanos),
        "outputPerMillion": manifests.per_million(output_nanos),
        "contextWindow": manifests.CONTEXT_WINDOW,
        "latencyMs": 200,
    }
    return {"models": [model], "answer": {"tokensMin": 40, "tokensMax": 200}}


def _resources(provider: Child) -> list[dict[str, Any]]:
    input_nanos, output_nanos = _PRICES
    url = f"http://127.0.0.1:{provider.facts['port']}/v1"
    model = manifests.model(
        _MODEL, base_url=url, input_nanos=input_nanos, output_nanos=output_nanos
    )
    pool = manifests.pool("org", limit_nanos=LIMIT, period_ms=None, per_user=False)
    pool["spec"]["selector"] = {"matchLabels": manifests.LABELS}
    return [pool, manifests.tier("small", rank=1, max_difficulty="1.0", model=model)]


def _lines(seen: Seen, talk: Talk, *, used: Nanos, billed: Nanos) -> list[str]:
    calls = max(1, talk.calls)
    first, limit = seen.used_at_first, f"${format_dollars(LIMIT, 2)}"
    at_first = "never" if first is None else f"at {first * 100 / LIMIT:.1f} % used"
    return [
        "",
        f"as processes: {len(CALLERS)} sidecars, {sum(CALLERS)} callers, {limit}",
        f"  {len(KILLS_AT_S)} sidecars killed and started again with their journals",
        f"  until {END_PERCENT} % are used: calls {talk.calls}",
        f"  by then asks/call {talk.asks / calls:.4f}, msgs/call {talk.messages / calls:.4f}",
        f"  of these: {', '.join(f'{kind} {n}' for kind, n in talk.kinds.most_common())}",
        f"  until every caller is refused: calls {seen.calls}",
        f"  refused {seen.refused}, falsely {seen.falsely}, the first {at_first}",
        f"  used {used * 100 / LIMIT:.2f} % of the limit at the end",
        f"  counted but not billed ${format_dollars(Nanos(max(0, used - billed)), 6)}",
    ]
