"""Writes many objects to an API server, over connections that are kept.

The one rule: whatever the API server refuses ends the benchmark with its own words, but for what it
asks to be tried again. This module must not know what the objects mean.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Any, Final, TypeVar

import aiohttp
import msgspec

from bench import kube_objects
from bench.kube_objects import Layout, Object
from bench.processes import BenchError
from tests.support.kube_api import MERGE, KubeApi

AT_ONCE: Final = 24
REQUEST_S_MAX: Final = 60.0
TRIES_MAX: Final = 8
WAIT_S: Final = 0.5
WAITS_MAX: Final = 240
_AGAIN: Final = frozenset({403, 409, 429, 500, 503, 504})
"""403 and 409: a new namespace has no default account yet."""

_Item = TypeVar("_Item")


class Filler:
    """An administrator with many hands."""

    def __init__(self, session: aiohttp.ClientSession, server: str) -> None:
        self._session = session
        self._server = server

    async def ask(self, method: str, at: str, body: Any = None, content_type: str = "") -> Object:
        """One request. Raises BenchError when it is refused."""
        data = None if body is None else msgspec.json.encode(body)
        headers = {"Content-Type": content_type or "application/json"} if data else {}
        said = ""
        for tried in range(TRIES_MAX):
            async with self._session.request(
                method, self._server + at, data=data, headers=headers
            ) as answer:
                whole = await answer.read()
                if answer.status < 400:
                    found: Object = msgspec.json.decode(whole)
                    return found
                said = f"{answer.status}: {whole[:500].decode(errors='replace')}"
                if answer.status not in _AGAIN:
                    break
            await asyncio.sleep(WAIT_S * tried)
        raise BenchError(f"{method} {at}: the API server answers {said}")

    async def merge(self, at: str, body: Object) -> Object:
        """Change some fields."""
        return await self.ask("PATCH", at, body, MERGE)

    async def each(self, items: Iterable[_Item], work: Callable[[_Item], Awaitable[Any]]) -> None:
        """Do something with each of many things, so many at once."""
        left = iter(items)

        async def hand() -> None:
            for item in left:
                await work(item)

        async with asyncio.TaskGroup() as group:
            for _ in range(AT_ONCE):
                group.create_task(hand())

    async def foundations(self, layout: Layout) -> None:
        """Nodes, namespaces and the tier."""
        await self.each(range(kube_objects.NODES), self._node)
        await self.each(layout.namespaces(), self._namespace)
        await self.ask("POST", kube_objects.tier_path(), kube_objects.tier(kube_objects.PRICES[0]))

    async def pools(self, found: Iterable[Object]) -> None:
        """Make pools."""
        await self.each(found, self._pool)

    async def pods(self, found: Iterable[Object], *, first: int = 0) -> None:
        """Make pods that run; the first has the address of this number."""
        await self.each(enumerate(found, start=first), self._pod)

    async def replaced(self, old: Object, new: Object, number: int) -> None:
        """A pod of a rolling change: the new one runs, then the old one ends in order."""
        await self._pod((number, new))
        at = kube_objects.pod_path(old)
        await self.ask("DELETE", at, {"gracePeriodSeconds": 30})
        await self.ask("DELETE", at, {"gracePeriodSeconds": 0})

    async def until(self, what: str, holds: Callable[[], Awaitable[bool]]) -> None:
        """Wait, bounded, for something to come about. Raises BenchError."""
        for _ in range(WAITS_MAX):
            if await holds():
                return
            await asyncio.sleep(WAIT_S / 2)
        raise BenchError(f"{what}: it has not come about in {WAITS_MAX * WAIT_S / 2:g} s")

    async def _node(self, number: int) -> None:
        await self.ask("POST", "/api/v1/nodes", {"metadata": {"name": _node(number)}})

    async def _namespace(self, name: str) -> None:
        await self.ask("POST", "/api/v1/namespaces", kube_objects.namespace(name))

        async def there() -> bool:
            accounts = await self.ask("GET", f"/api/v1/namespaces/{name}/serviceaccounts")
            return bool(accounts["items"])

        await self.until(f"the account of {name}", there)

    async def _pool(self, pool: Object) -> None:
        await self.ask("POST", kube_objects.pool_path(pool["metadata"]["namespace"]), pool)

    async def _pod(self, item: tuple[int, Object]) -> None:
        number, pod = item
        at = f"/api/v1/namespaces/{pod['metadata']['namespace']}/pods"
        await self.ask("POST", f"{at}?fieldManager=kube-controller-manager", pod)
        status = {"status": kube_objects.running(pod, number)}
        await self.merge(kube_objects.pod_path(pod, "status?fieldManager=kubelet"), status)

    async def token(self, pod: Object) -> str:
        """What a kubelet would mount for the sidecar of a pod."""
        metadata = (await self.ask("GET", kube_objects.pod_path(pod)))["metadata"]
        bound = {
            "kind": "Pod",
            "apiVersion": "v1",
            "name": metadata["name"],
            "uid": metadata["uid"],
        }
        spec = {
            "audiences": [kube_objects.AUDIENCE],
            "expirationSeconds": 3_600,
            "boundObjectRef": bound,
        }
        account = f"/api/v1/namespaces/{metadata['namespace']}/serviceaccounts/default/token"
        return str((await self.ask("POST", account, {"spec": spec}))["status"]["token"])


def _node(number: int) -> str:
    return kube_objects.node_name(number)


@asynccontextmanager
async def filling(api: KubeApi) -> AsyncIterator[Filler]:
    """Fill this control plane, as its administrator."""
    tls = ssl.create_default_context(cafile=api.authority.file)
    tls.load_cert_chain(api.folder / "pki/admin.crt", api.folder / "pki/admin.key")
    connector = aiohttp.TCPConnector(ssl=tls, limit=AT_ONCE)
    timeout = aiohttp.ClientTimeout(total=REQUEST_S_MAX)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
        yield Filler(session, api.server)
