"""The objects of a large cluster: as many as asked for, readable, a small part of a large one."""

from collections import Counter

import pytest

from bench import kube_objects
from bench.kube_objects import Layout, Size
from controller.kube.pods import Pod, Sidecar, pod_of
from farebox.core.budgets import Per, pools_of_pod
from farebox.manifests.adoption import Loaded, adopt
from farebox.manifests.objects import id_of, read_object
from farebox.manifests.pricebook import built_in_prices
from farebox.manifests.resources import Kind
from farebox.manifests.tiers import Surroundings
from farebox.runtime.clock import SystemClock

SIZE = Size(pools=120, pods=600)


def in_force(layout: Layout, apps: int) -> Loaded:
    """The pools of so many apps, and the tier, as a controller takes them."""
    around = Surroundings(prices=built_in_prices(), now=SystemClock().utc(), variables={})
    found = [kube_objects.tier("0.15"), *layout.pools(apps)]
    readings = [
        read_object(
            id_of(Kind(one["kind"]), one["metadata"].get("namespace", ""), one["metadata"]["name"]),
            one["spec"],
            around,
        )
        for one in found
    ]
    return adopt(readings, None, around)


def known(pod: kube_objects.Object, number: int) -> Pod:
    """A pod as a controller keeps it."""
    metadata = {**pod["metadata"], "uid": str(number)}
    status = kube_objects.running(pod, number)
    return pod_of({**pod, "metadata": metadata, "status": status})


@pytest.mark.parametrize("size", [SIZE, Size(pools=20, pods=20), Size(pools=1_000, pods=10_000)])
def test_there_are_as_many_pools_as_asked_for_and_all_are_in_force(size: Size) -> None:
    loaded = in_force(Layout(size), size.apps)
    assert len(loaded.resources.pools) == size.pools
    assert loaded.problems == ()


def test_every_pod_runs_and_draws_on_its_app_its_team_and_the_organisation() -> None:
    layout = Layout(SIZE)
    pools = in_force(layout, SIZE.apps).resources.pools
    pods = [known(one, at) for at, one in enumerate(layout.pods(SIZE.pods, apps=SIZE.apps))]
    assert len({(pod.namespace, pod.name) for pod in pods}) == SIZE.pods
    assert len({pod.addresses for pod in pods}) == SIZE.pods
    assert not any(pod.ended for pod in pods)
    for pod in pods[:50]:
        drawn = pools_of_pod(pools, namespace=pod.namespace, labels=pod.labels)
        assert [len(drawn), drawn[1].name, drawn[2].name] == [3, "team", "org"]
    sidecars = Counter(pod.sidecar for pod in pods)
    assert 0 < sidecars[Sidecar.ABSENT] < SIZE.pods / 10
    assert sidecars[Sidecar.INJECTED] == SIZE.pods - sidecars[Sidecar.ABSENT]
    assert any(pool.per is Per.USER for pool in pools.values())


def test_a_small_cluster_is_a_part_of_a_large_one() -> None:
    layout = Layout(SIZE)
    whole = layout.pools(SIZE.apps)
    assert all(one in whole for one in layout.pools(8))
    pods = list(layout.pods(SIZE.pods, apps=SIZE.apps))
    assert all(one in pods for one in layout.pods(8, apps=8))


def test_a_pod_of_a_rolling_change_has_another_name_and_hash() -> None:
    layout = Layout(SIZE)
    old, new = layout.pod(3, 1, 0), layout.pod(3, 1, 1)
    assert kube_objects.pod_path(old) != kube_objects.pod_path(new)
    assert old["metadata"]["labels"]["app"] == new["metadata"]["labels"]["app"]
    assert kube_objects.is_bare(3, 1) is ("initContainers" not in new["spec"])
