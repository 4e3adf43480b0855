"""Pods that would draw on a pool and have no sidecar: what they call, the limit does not count.

The one rule: a pod counts for every pool that its sidecar would draw on, those above included; one
that was left out on purpose, that has ended or that is going does not. Only namespaces in which
something changed are looked at again. This module must not know what is said of them.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Final

from controller.kube.pods import Pod, Pods, Sidecar
from farebox.core.budgets import Pool, PoolUid, path_of

NAMESPACES_PER_LOOK_MAX: Final = 100
"""So many namespaces are counted at a time, so that no look is long; the others come next."""

_Labels = frozenset[tuple[str, str]]


class BarePods:
    """Counts them for each pool."""

    def __init__(self, pods: Pods, pools: Callable[[], Mapping[PoolUid, Pool]]) -> None:
        """`pools` are those in force; another mapping when they have changed."""
        self._pools_now = pools
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

    def _note(self, before: Pod | None, after: Pod | None) -> None:
        for pod, sign in ((before, -1), (after, 1)):
            if pod is None or not _is_bare(pod):
                continue
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
