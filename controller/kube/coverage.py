"""Pods that would draw on a pool and have no sidecar: what they call, the limit does not count.

A container that only looks like a sidecar counts for none: a pod that runs must have been heard of
in time. The one rule: a pod counts for every pool that its sidecar would draw on, those above
included; one that was left out on purpose, that has ended or that is going does not. Only
namespaces in which something changed are looked at again. This module must not know what is said of
them.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from controller.engine import Engine
from controller.kube.pods import Pod, Pods, Sidecar
from farebox.core.budgets import Pool, PoolUid, path_of
from farebox.core.instant import BootMs
from farebox.runtime.clock import Clock

NAMESPACES_PER_LOOK_MAX: Final = 100
"""So many namespaces are counted at a time, so that no look is long; the others come next."""

UNHEARD_MS_MAX: Final = 60_000
"""So long after its pod runs, or after this controller leads, a sidecar may take to connect."""

_Labels = frozenset[tuple[str, str]]


@dataclass(slots=True)
class _Unheard:
    """A pod that runs beside a sidecar of which nothing was heard; `counts` as one without."""

    pod: Pod
    since: BootMs
    counts: bool = False


class BarePods:
    """Counts them for each pool."""

    def __init__(
        self,
        pods: Pods,
        pools: Callable[[], Mapping[PoolUid, Pool]],
        engine: Callable[[], Engine | None],
        clock: Clock,
    ) -> None:
        """`pools` are those in force; another mapping when they have changed.

        `engine` is that of the present reign, which knows who has ever connected.
        """
        self._pools_now = pools
        self._engine_now = engine
        self._clock = clock
        self._engine: Engine | None = None
        self._unheard: dict[str, _Unheard] = {}
        self._heard: set[str] = set()
        self._synced = pods.reflector.synced
        self._pools: Mapping[PoolUid, Pool] = {}
        self._of_namespace: dict[str, list[Pool]] = {}
        self._bare: dict[str, Counter[_Labels]] = {}
        self._changed: dict[str, None] = {}
        self._counts: dict[str, Counter[PoolUid]] = {}
        self._totals: Counter[PoolUid] = Counter()
        for pod in pods.by_uid.values():
            self._note(None, pod)
        pods.follow(self._note)

    def look(self) -> Mapping[PoolUid, int]:
        """How many there are for each pool; empty before the pods were listed."""
        if not self._synced.is_set():
            return {}
        pools = self._pools_now()
        if pools is not self._pools:
            self._take(pools)
        self._listen()
        for namespace in tuple(self._changed)[:NAMESPACES_PER_LOOK_MAX]:
            del self._changed[namespace]
            self._totals.subtract(self._counts.pop(namespace, Counter()))
            counts = self._count(namespace)
            self._totals.update(counts)
            if counts:
                self._counts[namespace] = counts
        return self._totals

    def _take(self, pools: Mapping[PoolUid, Pool]) -> None:
        self._pools, self._of_namespace, self._totals = pools, {}, +self._totals
        for pool in pools.values():
            if pool.selector is not None:
                self._of_namespace.setdefault(pool.namespace, []).append(pool)
        self._changed.update(dict.fromkeys((*self._bare, *self._counts)))

    def _listen(self) -> None:
        """Count those who have not been heard of in time, and no more those who have."""
        engine, now = self._engine_now(), self._clock.boot()
        if engine is not self._engine:
            self._engine = engine
            for one in self._unheard.values():
                one.since = now
        if engine is None or not self._unheard:
            return
        heard = {holder.workload.uid for holder in engine.world.holders.values()}
        for uid, one in tuple(self._unheard.items()):
            if uid in heard:
                self._heard.add(uid)
                del self._unheard[uid]
            late = uid not in heard and now - one.since >= UNHEARD_MS_MAX
            if late is not one.counts:
                one.counts = late
                self._add(one.pod, 1 if late else -1)

    def _note(self, before: Pod | None, after: Pod | None) -> None:
        if before is not None:
            one = self._unheard.pop(before.uid, None)
            if _is_bare(before) or (one is not None and one.counts):
                self._add(before, -1)
            if after is None:
                self._heard.discard(before.uid)
        else:
            one = None
        if after is None:
            return
        if _is_bare(after):
            self._add(after, 1)
        elif _may_be_heard(after) and after.uid not in self._heard:
            since = self._clock.boot() if one is None else one.since
            self._unheard[after.uid] = _Unheard(after, since)

    def _add(self, pod: Pod, sign: int) -> None:
        kinds = self._bare.setdefault(pod.namespace, Counter())
        labels = frozenset(pod.labels.items())
        kinds[labels] += sign
        if kinds[labels] <= 0:
            del kinds[labels]
        if not kinds:
            del self._bare[pod.namespace]
        self._changed[pod.namespace] = None

    def _count(self, namespace: str) -> Counter[PoolUid]:
        """The pods of a namespace by pool; those with the same labels are looked at once."""
        counts: Counter[PoolUid] = Counter()
        pools = self._of_namespace.get(namespace, ())
        for labels, number in self._bare.get(namespace, Counter[_Labels]()).items():
            drawn = {
                one.uid
                for pool in pools
                if pool.selector is not None and pool.selector.items() <= labels
                for one in path_of(self._pools, pool.uid)
            }
            counts.update(dict.fromkeys(drawn, number))
        return counts


def _is_bare(pod: Pod) -> bool:
    return pod.sidecar is Sidecar.ABSENT and not pod.ended and not pod.deleting


def _may_be_heard(pod: Pod) -> bool:
    """Whether its containers may call something, which a sidecar should have to do with."""
    has_one = pod.sidecar is Sidecar.INJECTED
    return has_one and pod.running and not pod.ended and not pod.deleting
