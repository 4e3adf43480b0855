"""Whether a status is of now is judged against the spec beside it."""

import asyncio
from typing import Any

import pytest

from bench import kube_pools
from bench.kube_pools import PoolsSeen, seen_of
from bench.processes import BenchError
from controller.kube.client import KubeClient
from controller.kube.reflector import Key, Reflector
from tests.support.tasks import beside

STATUS = {
    "observedGeneration": 2,
    "limit": "5.00",
    "spent": "1.25",
    "conditions": [
        {"type": "Ready", "status": "True"},
        {"type": "Exhausted", "status": "False", "reason": "MoneyLeft"},
    ],
}


def pool(**status: Any) -> dict[str, Any]:
    """A pool in its second version, with its status."""
    return {
        "metadata": {"name": "team", "namespace": "a", "generation": 2},
        "spec": {"limit": "5"},
        "status": {**STATUS, **status},
    }


@pytest.mark.parametrize(
    ("status", "current"),
    [
        ({}, True),
        ({"observedGeneration": 1}, False),
        ({"limit": "4.00"}, False),
        ({"conditions": [{"type": "Ready", "status": "False"}]}, False),
    ],
)
def test_only_the_status_of_the_version_that_stands_is_current(
    status: dict[str, Any], current: bool
) -> None:
    assert seen_of(pool(**status)).is_current is current


def test_a_pool_without_a_status_is_not_current() -> None:
    bare = pool()
    del bare["status"]
    assert not seen_of(bare).is_current
    assert seen_of(pool()).spent == 1_250_000_000
    assert seen_of(pool()).exhausted == "MoneyLeft"


async def test_what_is_waited_for_is_seen_and_what_never_comes_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    mirror = Reflector(KubeClient(None), "/pools", keep=seen_of)  # type: ignore[arg-type]  # unused
    pools = PoolsSeen(mirror)
    mirror._set(Key("a", "team"), seen_of(pool(observedGeneration=1)))
    assert pools.stale() == ["a/team"]
    waiting = beside(pools.until("statuses", lambda one: one.is_current))
    await asyncio.sleep(0)
    mirror._set(Key("a", "team"), seen_of(pool()))
    pools.note()
    await waiting
    assert pools.stale() == []
    await pools.until_still(0.001)
    monkeypatch.setattr(kube_pools, "SETTLE_S_MAX", 0.01)
    with pytest.raises(BenchError, match="no money: not so of 1 of 1 pools, team among them"):
        await pools.until("no money", lambda one: one.exhausted == "LimitReached")
