"""The simulated etcd as controllers reach it: over a network that loses, delays and cuts.

A request travels to the cluster, is carried out there (or not), and its answer travels back; the
client may be stopped, killed or cut off at any moment in between. The one rule: what is carried out
is shown to the oracle at that very moment, whatever becomes of the answer. This module must not
know what the keys mean.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar

from controller.store.kv import Compare, KvError, KvUnclear, Op, Page
from tests.simulation.kernel import Process, SimLoop
from tests.support.kv import SimulatedEtcd

_T = TypeVar("_T")

TIMEOUT_S: Final = 2.0
LATE_S_MAX: Final = 6.0
DELAY_S: Final = 0.003

Carried = Callable[[Sequence[Op]], None]


class Cluster(SimulatedEtcd):
    """etcd, with a clock of its own and the troubles of a whole cluster."""

    def __init__(self, loop: SimLoop) -> None:
        super().__init__()
        self._loop = loop
        self.slow_until = 0.0
        self.full_until = 0.0

    def _now(self) -> float:
        return self._loop.now

    def pause(self) -> float:
        """How long the cluster takes now for one request; while it has no leader, until it has."""
        return max(0.0, self.slow_until - self._loop.now)


class Trouble:
    """How the way to etcd fails: chances for each request."""

    def __init__(self, rng: random.Random, *, chance: Callable[[], float]) -> None:
        self._rng = rng
        self._chance = chance

    def draw(self) -> str:
        """What happens to a request; empty when nothing does."""
        if self._rng.random() >= self._chance():
            return ""
        return self._rng.choice(
            ("request lost", "answer lost", "answer broken", "late", "no space after all", "slow")
        )


class SimKv:
    """One controller's client. `cut` tells whether a direction is cut now."""

    def __init__(
        self,
        cluster: Cluster,
        process: Process,
        loop: SimLoop,
        rng: random.Random,
        trouble: Trouble,
        *,
        counts: Counter[str],
        cut: Callable[[bool], bool],
        sending: Callable[[Sequence[Op]], Carried],
    ) -> None:
        """`sending` is called when ops leave; what it returns, when they are carried out."""
        self._cluster = cluster
        self._process = process
        self._loop = loop
        self._rng = rng
        self._trouble = trouble
        self._counts = counts
        self._cut = cut
        self._sending = sending

    async def read(
        self, key: bytes, end: bytes | None = None, *, revision: int = 0, rows_max: int = 0
    ) -> Page:
        return await self._ask(
            lambda: self._cluster.read(key, end, revision=revision, rows_max=rows_max)
        )

    async def transact(self, compares: Sequence[Compare], ops: Sequence[Op]) -> bool:
        carried = self._sending(ops)

        def carry_out() -> bool:
            if self._cluster.full_until > self._loop.now:
                self._counts["etcd: no space"] += 1
                raise KvUnclear("etcdserver: mvcc: database space exceeded")
            done = self._cluster.transact(compares, ops)
            if done:
                carried(ops)
            return done

        return await self._ask(carry_out)

    async def open_session(self, ttl_s: int) -> int:
        return await self._ask(lambda: self._cluster.open_session(ttl_s))

    async def renew_session(self, session: int) -> int:
        return await self._ask(lambda: self._cluster.renew_session(session))

    async def end_session(self, session: int) -> None:
        await self._ask(lambda: self._cluster.drop_session(session))

    async def close(self) -> None:
        """Nothing is open."""

    async def _ask(self, carry_out: Callable[[], _T]) -> _T:
        trouble = self._trouble.draw()
        if trouble:
            self._counts[f"etcd: {trouble}"] += 1
        answer: asyncio.Future[Any] = self._loop.create_future()
        delay = self._rng.uniform(0.0, DELAY_S) + self._cluster.pause()
        if trouble == "slow":
            delay += self._rng.uniform(0.0, TIMEOUT_S)
        if trouble == "late":
            delay += self._rng.uniform(TIMEOUT_S, LATE_S_MAX)
        self._loop.after(delay, lambda: self._arrive(carry_out, answer, trouble), None)
        try:
            async with asyncio.timeout(TIMEOUT_S):
                found: _T = await answer
                return found
        except TimeoutError:
            raise KvUnclear("etcd did not answer in time") from None

    def _arrive(
        self, carry_out: Callable[[], object], answer: "asyncio.Future[Any]", trouble: str
    ) -> None:
        if trouble == "request lost" or self._cut(True):
            return
        result: object = None
        error: KvError | None = None
        try:
            result = carry_out()
        except KvError as refused:
            error = refused
        if trouble == "answer broken":
            error = KvUnclear("the connection broke")
        if trouble == "no space after all":
            error = KvUnclear("etcdserver: mvcc: database space exceeded")
        if trouble == "answer lost" or self._cut(False):
            return

        def come() -> None:
            if answer.done():
                return
            if error is None:
                answer.set_result(result)
            else:
                answer.set_exception(error)

        self._loop.after(self._rng.uniform(0.0, DELAY_S), come, self._process)
