"""What is in force while resources of a cluster come, change, go bad and go."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from controller.kube import resources as module
from controller.kube.client import KubeError, open_client
from controller.kube.resources import KubeWatch
from farebox.core.budgets import PoolUid
from farebox.manifests.resources import Kind, ResourceId, Resources
from tests.support.clocks import ManualClock
from tests.support.kube_fake import KubeFake, serving_kube
from tests.support.peers import eventually
from tests.support.tasks import beside

TEAM, ORG = PoolUid("shop/team"), PoolUid("acme/org")
TEAM_ID = ResourceId(Kind.BUDGET_POOL, "shop", "team")
DOLLAR = 1_000_000_000


def spec(limit: str, **more: Any) -> dict[str, Any]:
    return {"limit": limit, "window": {"type": "Lifetime"}, "selector": {"matchLabels": {}}} | more


def put(fake: KubeFake, limit: str, *, name: str = "team", **more: Any) -> None:
    fake.put("budgetpools", name, {"spec": spec(limit, **more)}, namespace="shop")


class Following:
    """A watch at work, and every set of resources that it has put in force."""

    def __init__(self, watch: KubeWatch) -> None:
        self.watch = watch
        self.told: list[Resources] = []

    async def changed(self, resources: Resources) -> None:
        self.told.append(resources)

    def limits(self) -> dict[str, int]:
        pools = self.watch.loaded.resources.pools
        return {uid: pool.limit // DOLLAR for uid, pool in pools.items()}

    def said(self) -> list[str]:
        return [str(problem) for problem in self.watch.loaded.problems]


@contextlib.asynccontextmanager
async def following(
    folder: Path, fake: KubeFake, clock: ManualClock | None = None
) -> AsyncIterator[Following]:
    async with open_client(fake.options(folder)) as kube:
        watch = KubeWatch(kube=kube, clock=clock or ManualClock())
        following = Following(watch)
        works = [one.run() for one in watch.reflectors.values()]
        running = [beside(one) for one in (*works, watch.follow(following.changed))]
        try:
            yield following
        finally:
            for one in running:
                one.cancel()
            await asyncio.gather(*running, return_exceptions=True)


async def test_pools_come_change_and_go(tmp_path: Path) -> None:
    async with serving_kube() as fake:
        put(fake, "10.00")
        async with following(tmp_path, fake) as cluster:
            await cluster.watch.ready.wait()
            assert cluster.limits() == {"shop/team": 10}
            put(fake, "20.00")
            put(fake, "5.00", name="other")
            await eventually(lambda: cluster.limits() == {"shop/team": 20, "shop/other": 5})
            fake.remove("budgetpools", "team", namespace="shop")
            await eventually(lambda: cluster.limits() == {"shop/other": 5})
            assert TEAM_ID not in cluster.watch.objects


async def test_nothing_is_in_force_before_every_kind_was_listed(tmp_path: Path) -> None:
    async with serving_kube() as fake:
        put(fake, "10.00")
        profiles = "/apis/farebox.dev/v1alpha1/taskprofiles"
        fake.fail(profiles, status=403, times=1_000)
        async with following(tmp_path, fake) as cluster:
            begins = "taskprofiles have not been listed yet: "
            await eventually(lambda: cluster.watch.missing().startswith(begins))
            assert "answers 403" in cluster.watch.missing()
            assert (cluster.limits(), cluster.watch.ready.is_set()) == ({}, False)
            fake.stop_failing()
            await cluster.watch.ready.wait()
            assert (cluster.limits(), cluster.watch.missing()) == ({"shop/team": 10}, "")


async def test_a_bad_version_leaves_the_good_one_in_force_and_stops_no_other(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving_kube() as fake:
        put(fake, "10.00")
        put(fake, "1.00", name="never")
        fake.put("budgetpools", "bad", {"spec": {"limit": "x"}}, namespace="other")
        async with following(tmp_path, fake) as cluster:
            await cluster.watch.ready.wait()
            put(fake, "ten")
            put(fake, "7.00", name="never")
            await eventually(lambda: cluster.limits() == {"shop/team": 10, "shop/never": 7})
            assert any(
                text.startswith("BudgetPool/shop/team: spec.limit: ") for text in cluster.said()
            )
            assert cluster.watch.loaded.resources.closed == {"other"}
            assert cluster.watch.in_force == {
                TEAM_ID: 1,
                ResourceId(Kind.BUDGET_POOL, "shop", "never"): 2,
            }
            assert cluster.watch.objects[TEAM_ID]["metadata"]["generation"] == 2
            put(fake, "30.00")
            await eventually(lambda: cluster.limits()["shop/team"] == 30)
            assert cluster.watch.in_force[TEAM_ID] == 3
    assert caplog.text.count("BudgetPool/shop/team: spec.limit") == 1, "each problem is told once"


async def test_a_bad_one_that_is_deleted_is_gone(tmp_path: Path) -> None:
    async with serving_kube() as fake:
        put(fake, "10.00")
        async with following(tmp_path, fake) as cluster:
            await cluster.watch.ready.wait()
            put(fake, "ten")
            await eventually(lambda: bool(cluster.said()))
            fake.remove("budgetpools", "team", namespace="shop")
            await eventually(lambda: cluster.limits() == {} and not cluster.said())


async def test_a_parent_in_another_namespace_may_come_later(tmp_path: Path) -> None:
    async with serving_kube() as fake:
        put(fake, "10.00", parent={"name": "org", "namespace": "acme"})
        async with following(tmp_path, fake) as cluster:
            await cluster.watch.ready.wait()
            assert cluster.limits() == {}
            assert "there is no pool acme/org in force" in cluster.said()[0]
            allows = {"allowedChildren": {"namespaces": ["shop"]}}
            fake.put("budgetpools", "org", {"spec": spec("99.00", **allows)}, namespace="acme")
            await eventually(lambda: cluster.limits() == {"acme/org": 99, "shop/team": 10})
            assert cluster.watch.loaded.resources.pools[TEAM].parent == ORG


async def test_a_parent_in_another_namespace_has_the_last_word(tmp_path: Path) -> None:
    async with serving_kube() as fake:
        put(fake, "10.00", parent={"name": "org", "namespace": "acme"})
        fake.put("budgetpools", "org", {"spec": spec("99.00")}, namespace="acme")
        async with following(tmp_path, fake) as cluster:
            await cluster.watch.ready.wait()
            assert cluster.limits() == {"acme/org": 99}
            assert "write shop into its spec.allowedChildren.namespaces" in cluster.said()[0]
            assert cluster.told[-1].closed == {"shop"}
            allows = {"allowedChildren": {"namespaces": ["*"]}}
            fake.put("budgetpools", "org", {"spec": spec("99.00", **allows)}, namespace="acme")
            await eventually(lambda: cluster.limits() == {"acme/org": 99, "shop/team": 10})
            await eventually(lambda: cluster.told[-1].closed == frozenset())
            fake.put("budgetpools", "org", {"spec": spec("98.00")}, namespace="acme")
            await eventually(lambda: cluster.limits() == {"acme/org": 98})
            await eventually(lambda: cluster.told[-1].closed == {"shop"})
            assert TEAM_ID not in cluster.watch.in_force


async def test_a_status_alone_changes_no_resource_and_is_seen(tmp_path: Path) -> None:
    async with serving_kube() as fake:
        put(fake, "10.00")
        async with following(tmp_path, fake) as cluster:
            await cluster.watch.ready.wait()
            before = cluster.watch.loaded
            fake.put(
                "budgetpools",
                "team",
                {"spec": spec("10.00"), "status": {"used": "1"}},
                namespace="shop",
            )

            def status() -> object:
                thing = cluster.watch.object_of(TEAM_ID)
                return thing["status"] if thing else None

            await eventually(lambda: status() == {"used": "1"})
            put(fake, "11.00", name="marker")
            await eventually(lambda: len(cluster.told) == 2)
            assert before.resources.pools[TEAM] is cluster.told[0].pools[TEAM]
            assert cluster.watch.loaded.resources.pools[TEAM].generation == 1


async def test_many_changes_are_taken_together(tmp_path: Path) -> None:
    async with serving_kube() as fake, following(tmp_path, fake) as cluster:
        await cluster.watch.ready.wait()
        for number in range(50):
            put(fake, "1.00", name=f"pool-{number}")
        await eventually(lambda: len(cluster.limits()) == 50)
        assert len(cluster.told) < 5, "not one reading for each event"


async def test_while_nobody_answers_all_stays_in_force(tmp_path: Path) -> None:
    async with serving_kube() as fake:
        put(fake, "10.00")
        put(fake, "5.00", name="goes")
        async with following(tmp_path, fake) as cluster:
            await cluster.watch.ready.wait()
            await fake.stop()
            await eventually(lambda: "can't be reached" in cluster.watch.trouble())
            assert cluster.limits() == {"shop/team": 10, "shop/goes": 5}
            put(fake, "20.00")
            fake.remove("budgetpools", "goes", namespace="shop")
            fake.store.compact()
            await fake.start()
            await eventually(lambda: cluster.limits() == {"shop/team": 20})
            await eventually(lambda: cluster.watch.trouble() == "")


async def test_of_two_that_exclude_each_other_the_older_stands(tmp_path: Path) -> None:
    policy = {"spec": {"classifier": "Heuristic"}}
    async with serving_kube() as fake:
        fake.put("routingpolicies", "zeta", policy, namespace="shop")
        fake.put("routingpolicies", "alpha", policy, namespace="shop")
        async with following(tmp_path, fake) as cluster:
            await cluster.watch.ready.wait()
            standing = [id_.name for id_ in cluster.watch.loaded.sources]
            assert standing == ["zeta"], cluster.said()


async def test_everything_is_read_again_when_a_price_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("controller.kube.resources.LOOK_S", 0.01)
    clock = ManualClock(utc=1_000_000_000_000)
    async with serving_kube() as fake:
        put(fake, "10.00")
        async with following(tmp_path, fake, clock) as cluster:
            await cluster.watch.ready.wait()
            changes_at = cluster.watch.loaded.prices_change_at
            assert changes_at is not None, "the built-in price book has prices dated after 2001"
            clock.jump_utc(changes_at - clock.utc())
            await eventually(lambda: cluster.watch.loaded.prices_change_at != changes_at)
            assert cluster.limits() == {"shop/team": 10}


async def test_what_is_renewed_is_in_force_at_once_whatever_the_watches_told(
    tmp_path: Path,
) -> None:
    async with serving_kube() as fake:
        put(fake, "10.00")
        put(fake, "1.00", name="other")
        async with following(tmp_path, fake) as cluster:
            await cluster.watch.ready.wait()
            await eventually(lambda: fake.watches() == len(Kind))
            fake.silent = True
            put(fake, "5.00")
            fake.remove("budgetpools", "other", namespace="shop")
            await cluster.watch.renew()
            assert cluster.limits() == {"shop/team": 5}


async def test_what_can_not_be_renewed_stays_in_force(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "QUIET_S_MAX", 0.3)
    async with serving_kube() as fake:
        put(fake, "10.00")
        async with following(tmp_path, fake) as cluster:
            await cluster.watch.ready.wait()
            await fake.stop()
            put(fake, "5.00")
            with pytest.raises(KubeError, match="can't be reached"):
                await cluster.watch.renew()
            assert cluster.limits() == {"shop/team": 10}
            await fake.start()
            await cluster.watch.renew()
            assert cluster.limits() == {"shop/team": 5}


async def test_one_kind_that_can_not_be_listed_is_enough_to_fail(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "QUIET_S_MAX", 0.3)
    async with serving_kube() as fake, following(tmp_path, fake) as cluster:
        await cluster.watch.ready.wait()
        fake.fail("/apis/farebox.dev/v1alpha1/routingpolicies", status=403, times=1_000)
        with pytest.raises(KubeError, match="routingpolicies: the API server answers 403"):
            await cluster.watch.renew()
