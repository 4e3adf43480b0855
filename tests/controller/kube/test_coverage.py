"""Pods without a sidecar, counted for every pool that they would draw on."""

import asyncio
from collections.abc import Mapping

import pytest

from controller.kube.coverage import NAMESPACES_PER_LOOK_MAX, BarePods
from controller.kube.pods import Pod, PodChanged, Sidecar
from farebox.core.budgets import Pool, PoolUid
from tests.support.scenes import pool


class Cluster:
    """Pods as the mirror tells of them, and the pools in force."""

    def __init__(self, *pools: Pool) -> None:
        self.by_uid: dict[str, Pod] = {}
        self.pools: Mapping[PoolUid, Pool] = {}
        self.synced = asyncio.Event()
        self._followers: list[PodChanged] = []
        self.apply(*pools)

    @property
    def reflector(self) -> "Cluster":
        return self

    def follow(self, changed: PodChanged) -> None:
        self._followers.append(changed)

    def apply(self, *pools: Pool) -> None:
        self.pools = {one.uid: one for one in pools}

    def set(
        self,
        name: str,
        sidecar: Sidecar = Sidecar.ABSENT,
        *,
        namespace: str = "acme",
        ended: bool = False,
        deleting: bool = False,
        **labels: str,
    ) -> None:
        pod = Pod(
            uid=name,
            namespace=namespace,
            name=name,
            labels=labels,
            service_account="default",
            addresses=(),
            sidecar=sidecar,
            mounts_trust=False,
            deleting=deleting,
            ended=ended,
        )
        before, self.by_uid[name] = self.by_uid.get(name), pod
        for follower in self._followers:
            follower(before, pod)

    def remove(self, name: str) -> None:
        before = self.by_uid.pop(name)
        for follower in self._followers:
            follower(before, None)


def bare(cluster: Cluster) -> BarePods:
    cluster.synced.set()
    return BarePods(cluster, lambda: cluster.pools)  # type: ignore[arg-type]  # what it needs of one


def counts(of: BarePods) -> dict[str, int]:
    return {uid.removeprefix("acme/"): number for uid, number in of.look().items() if number}


def test_pods_count_for_the_pools_that_select_them_and_those_above() -> None:
    cluster = Cluster(
        pool("all", selector=None),
        pool("team", selector={"team": "a"}, parent=PoolUid("acme/all")),
        pool("everybody"),
    )
    cluster.set("before", team="a")
    of = bare(cluster)
    cluster.set("one", team="a", hash="x")
    cluster.set("two", team="b")
    cluster.set("elsewhere", namespace="shop", team="a")
    assert counts(of) == {"all": 2, "team": 2, "everybody": 3}


@pytest.mark.parametrize("sidecar", [Sidecar.INJECTED, Sidecar.OPTED_OUT])
def test_who_has_a_sidecar_or_needs_none_is_not_counted(sidecar: Sidecar) -> None:
    cluster = Cluster(pool("org"))
    of = bare(cluster)
    cluster.set("one", sidecar)
    cluster.set("job", ended=True)
    cluster.set("going", deleting=True)
    assert counts(of) == {}


def test_counts_follow_pods_and_pools() -> None:
    cluster = Cluster(pool("org", selector={"app": "web"}))
    of = bare(cluster)
    cluster.set("one", app="web")
    cluster.set("two", app="web")
    assert counts(of) == {"org": 2}
    cluster.set("one", app="other")
    assert counts(of) == {"org": 1}
    cluster.remove("two")
    assert counts(of) == {}
    cluster.apply(pool("org"))
    assert counts(of) == {"org": 1}
    cluster.set("one", ended=True, app="other")
    assert counts(of) == {}
    cluster.apply()
    assert counts(of) == {}


def test_a_parent_elsewhere_sums_over_namespaces() -> None:
    cluster = Cluster(
        pool("all", selector=None),
        pool("a", parent=PoolUid("acme/all")),
        pool("b", parent=PoolUid("acme/all"), namespace="shop"),
    )
    of = bare(cluster)
    cluster.set("one")
    cluster.set("two", namespace="shop")
    assert counts(of) == {"all": 2, "a": 1, "b": 1}


def test_nothing_is_known_before_the_pods_were_listed() -> None:
    cluster = Cluster(pool("org"))
    of = bare(cluster)
    cluster.synced.clear()
    cluster.set("one")
    assert counts(of) == {}
    cluster.synced.set()
    assert counts(of) == {"org": 1}


def test_many_namespaces_are_counted_bit_by_bit() -> None:
    namespaces = [f"n{number}" for number in range(NAMESPACES_PER_LOOK_MAX + 1)]
    cluster = Cluster(
        pool("all", selector=None),
        *(pool(f"in-{name}", parent=PoolUid("acme/all"), namespace=name) for name in namespaces),
    )
    of = bare(cluster)
    for name in namespaces:
        cluster.set(name, namespace=name)
    assert counts(of)["all"] == NAMESPACES_PER_LOOK_MAX
    assert counts(of)["all"] == NAMESPACES_PER_LOOK_MAX + 1
