"""All pools with their statuses as the API server tells them, and whether those are of now.

The one rule: a status is judged against the spec that stands beside it, and never by when it was
written. This module must not know the controller.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final, NamedTuple

from bench.processes import BenchError
from controller.kube.client import Object, open_client, path
from controller.kube.conditions import conditions_of
from controller.kube.options import KubeOptions
from controller.kube.reflector import Key, Reflector
from farebox.core.money import parse_dollars
from farebox.manifests.reading import API_VERSION
from farebox.runtime.clock import SystemClock

SETTLE_S_MAX: Final = 180.0
STILL_S: Final = 32.0
"""Longer than a status rests of which only words have changed: who is still so long has settled."""


class PoolSeen(NamedTuple):
    """A pool and its status; amounts in n$, "" and 0 for what does not stand there."""

    generation: int
    limit: int
    observed: int
    shown: int
    spent: int
    ready: str
    exhausted: str
    enforced: str

    @property
    def is_current(self) -> bool:
        """Whether the status is that of the version that stands."""
        same = (self.observed, self.shown) == (self.generation, self.limit)
        return same and self.ready == "True"


def seen_of(thing: Object) -> PoolSeen:
    """What is kept of a pool."""
    status = thing.get("status") or {}
    found = conditions_of(status)
    return PoolSeen(
        generation=thing["metadata"]["generation"],
        limit=parse_dollars(thing["spec"]["limit"]),
        observed=status.get("observedGeneration", 0),
        shown=parse_dollars(status.get("limit", "0")),
        spent=parse_dollars(status.get("spent", "0")),
        ready=str(found.get("Ready", {}).get("status", "")),
        exhausted=str(found.get("Exhausted", {}).get("reason", "")),
        enforced=str(found.get("Enforced", {}).get("reason", "")),
    )


class PoolsSeen:
    """The mirror of all of them. `changes` counts what was told of them."""

    def __init__(self, reflector: Reflector[PoolSeen]) -> None:
        self.changes = 0
        self._reflector = reflector
        self._news = asyncio.Event()

    @property
    def items(self) -> Mapping[Key, PoolSeen]:
        """By namespace and name."""
        return self._reflector.items

    def note(self) -> None:
        """Something is another."""
        self.changes += 1
        self._news.set()

    def stale(self) -> list[str]:
        """The pools whose status is not that of the version that stands."""
        return [
            f"{key.namespace}/{key.name}" for key, one in self.items.items() if not one.is_current
        ]

    async def until(self, what: str, holds: Callable[[PoolSeen], bool]) -> int:
        """Wait, bounded, until something holds of all pools; when it did. Raises BenchError."""
        try:
            async with asyncio.timeout(SETTLE_S_MAX):
                while not all(holds(one) for one in self.items.values()):
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            left = [key.name for key, one in self.items.items() if not holds(one)]
            told = f"{len(left)} of {len(self.items)} pools, {', '.join(left[:3])} among them"
            raise BenchError(f"{what}: not so of {told} after {SETTLE_S_MAX:g} s") from None
        return SystemClock().boot()

    async def until_still(self, still_s: float = STILL_S) -> None:
        """Wait, bounded, until nothing has changed for so long. Raises BenchError."""
        before = -1
        try:
            async with asyncio.timeout(SETTLE_S_MAX + still_s):
                while before != self.changes:
                    before = self.changes
                    await asyncio.sleep(still_s)
        except TimeoutError:
            raise BenchError(f"statuses still change after {SETTLE_S_MAX:g} s") from None


@asynccontextmanager
async def pools_seen(kubeconfig: Path) -> AsyncIterator[PoolsSeen]:
    """Follow all pools for as long as the block lasts."""
    options = KubeOptions(own_namespace="default", kubeconfig=kubeconfig)
    async with open_client(options) as kube:
        made: list[PoolsSeen] = []
        mirror = Reflector(
            kube,
            path(API_VERSION, "budgetpools"),
            keep=seen_of,
            changed=lambda *_: made[0].note(),
        )
        made.append(PoolsSeen(mirror))
        running = asyncio.ensure_future(mirror.run())
        try:
            await mirror.synced.wait()
            yield made[0]
        finally:
            running.cancel()
            await asyncio.wait((running,))
