"""Pods without a sidecar, counted for every pool that they would draw on."""

import asyncio
from collections.abc import Mapping
from types import SimpleNamespace

import pytest

from controller.kube.coverage import NAMESPACES_PER_LOOK_MAX, UNHEARD_MS_MAX, BarePods
from controller.kube.pods import Pod, PodChanged, Sidecar
from farebox.core.budgets import Pool, PoolUid
from farebox.wire.messages import Workload
from tests.support.clocks import ManualClock
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
        running: bool = False,
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
            running=running,
        )
        before, self.by_uid[name] = self.by_uid.get(name), pod
        for follower in self._followers:
            follower(before, pod)

    def remove(self, name: str) -> None:
        before = self.by_uid.pop(name)
        for follower in self._followers:
            follower(before, None)


class Reign:
    """A controller that leads, and the pods of which it has heard."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.begin()

    def begin(self, *heard: str) -> None:
        """Another one leads from now on."""
        self.engine = SimpleNamespace(world=SimpleNamespace(holders={}))
        for name in heard:
            self.hear(name)

    def hear(self, name: str) -> None:
        workload = Workload(namespace="acme", name=name, labels={}, uid=name)
        self.engine.world.holders[f"journal-of-{name}"] = SimpleNamespace(workload=workload)

    def forget(self) -> None:
        """Its holders have gone, and had nothing."""
        self.engine.world.holders.clear()


def bare(cluster: Cluster, reign: Reign | None = None) -> BarePods:
    cluster.synced.set()
    reign = reign or Reign()
    return BarePods(
        cluster,  # type: ignore[arg-type]  # what it needs of one
        lambda: cluster.pools,
        lambda: reign.engine,  # type: ignore[arg-type,return-value]  # the same
        reign.clock,
    )


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


def test_what_only_looks_like_a_sidecar_counts_as_none() -> None:
    """Anybody may give a container that name; who pays for calls connects."""
    cluster, reign = Cluster(pool("org"), pool("team", selector={"team": "a"})), Reign()
    of = bare(cluster, reign)
    cluster.set("honest", Sidecar.INJECTED, running=True, team="a")
    cluster.set("feigned", Sidecar.INJECTED, running=True, team="a")
    cluster.set("pulling", Sidecar.INJECTED)
    assert counts(of) == {}
    reign.hear("honest")
    reign.clock.advance(UNHEARD_MS_MAX - 1)
    assert counts(of) == {}
    reign.clock.advance(1)
    assert counts(of) == {"org": 1, "team": 1}
    cluster.set("feigned", Sidecar.INJECTED, running=True, team="b")
    assert counts(of) == {"org": 1}
    reign.hear("feigned")
    assert counts(of) == {}


def test_who_was_heard_once_is_known_as_long_as_its_pod_lives() -> None:
    cluster, reign = Cluster(pool("org")), Reign()
    of = bare(cluster, reign)
    cluster.set("one", Sidecar.INJECTED, running=True)
    reign.hear("one")
    assert counts(of) == {}
    reign.forget()
    cluster.set("one", Sidecar.INJECTED, running=True, hash="x")
    reign.clock.advance(UNHEARD_MS_MAX)
    assert counts(of) == {}
    cluster.remove("one")
    cluster.set("one", Sidecar.INJECTED, running=True)
    counts(of)
    reign.clock.advance(UNHEARD_MS_MAX)
    assert counts(of) == {"org": 1}


def test_a_new_leader_gives_sidecars_time_to_find_it() -> None:
    cluster, reign = Cluster(pool("org")), Reign()
    cluster.set("one", Sidecar.INJECTED, running=True)
    cluster.set("two", Sidecar.INJECTED, running=True)
    of = bare(cluster, reign)
    reign.clock.advance(10 * UNHEARD_MS_MAX)
    reign.begin("one")
    assert counts(of) == {}
    reign.clock.advance(UNHEARD_MS_MAX)
    assert counts(of) == {"org": 1}
    reign.begin()
    assert counts(of) == {}


@pytest.mark.parametrize(
    ("ended", "deleting", "running"),
    [(True, False, False), (False, True, True), (False, False, False)],
)
def test_a_pod_that_calls_nothing_any_more_is_not_missed(
    ended: bool, deleting: bool, running: bool
) -> None:
    cluster, reign = Cluster(pool("org")), Reign()
    of = bare(cluster, reign)
    cluster.set("one", Sidecar.INJECTED, running=True)
    counts(of)
    reign.clock.advance(UNHEARD_MS_MAX)
    assert counts(of) == {"org": 1}
    cluster.set("one", Sidecar.INJECTED, ended=ended, deleting=deleting, running=running)
    assert counts(of) == {}
    reign.clock.advance(UNHEARD_MS_MAX)
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
