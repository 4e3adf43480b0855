"""From a world at work to an API server: statuses and Events, with the mirror in between."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from controller.kube.conditions import conditions_of
from farebox.core.budgets import Charge, PoolUid
from farebox.core.leases import LeaseId
from tests.support.kube_fake import KubeFake, serving_kube
from tests.support.kube_store import Refused
from tests.support.kube_telling import telling
from tests.support.peers import eventually
from tests.support.scenes import has, wants

TEAM = Charge(PoolUid("shop/team"), "")


@pytest.fixture
async def fake() -> AsyncIterator[KubeFake]:
    async with serving_kube() as serving:
        yield serving


def put(fake: KubeFake, limit: str, **more: Any) -> None:
    spec = {"limit": limit, "window": {"type": "Lifetime"}, "selector": {"matchLabels": {}}, **more}
    fake.put("budgetpools", "team", {"spec": spec}, namespace="shop")


def status(fake: KubeFake) -> dict[str, Any]:
    try:
        found: dict[str, Any] = fake.get("budgetpools", "team", namespace="shop").get("status", {})
    except Refused:
        return {}
    return found


def holds(fake: KubeFake, type_: str) -> str:
    return str(conditions_of(status(fake)).get(type_, {}).get("status"))


def reasons(fake: KubeFake) -> set[str]:
    return {
        thing["reason"] for at, thing in fake.store.objects.items() if at.collection.kind == "Event"
    }


async def test_a_pool_lives_its_life_in_its_status(tmp_path: Path, fake: KubeFake) -> None:
    put(fake, "0.00000010")
    async with telling(fake.options(tmp_path)) as leading:
        await eventually(lambda: status(fake).get("headroom") == "0.0000001")
        assert {type_: holds(fake, type_) for type_ in conditions_of(status(fake))} == {
            "Ready": "True",
            "Enforced": "True",
            "Exhausted": "False",
            "OverCommitted": "False",
        }
        sidecar = leading.scene.connect("a", namespace="shop")
        sidecar.report(want=wants(100, of=TEAM))
        sidecar.report(has(LeaseId(TEAM, 0), granted=100, spent=100))
        await eventually(lambda: status(fake).get("spent") == "0.0000001")
        assert holds(fake, "Exhausted") == "True"
        await eventually(lambda: "Exhausted" in reasons(fake))
        put(fake, "0.00000020")
        await eventually(lambda: holds(fake, "Exhausted") == "False")
        put(fake, "0.00000005")
        await eventually(lambda: holds(fake, "OverCommitted") == "True")
        put(fake, "0.00000005", parent={"name": "nobody"})
        await eventually(lambda: holds(fake, "Ready") == "False")
        assert status(fake)["limit"] == "0.00000005", "the good version stays in force"
        assert status(fake)["observedGeneration"] == 4
        await eventually(lambda: {"MoneyBack", "OverCommitted", "Refused"} <= reasons(fake))


async def test_a_pod_without_a_sidecar_shows(tmp_path: Path, fake: KubeFake) -> None:
    put(fake, "1.00")
    fake.put("pods", "old", {"spec": {}}, namespace="shop")
    async with telling(fake.options(tmp_path)):
        await eventually(lambda: holds(fake, "Enforced") == "False")
        row = conditions_of(status(fake))["Enforced"]
        assert row["reason"] == "PodsWithoutSidecar"
        assert row["message"].startswith("1 pod that the selector matches without a sidecar")
        fake.remove("pods", "old", namespace="shop")
        await eventually(lambda: holds(fake, "Enforced") == "True")


async def test_who_stands_by_says_nothing_and_takes_over_what_stands(
    tmp_path: Path, fake: KubeFake
) -> None:
    put(fake, "1.00")
    async with telling(fake.options(tmp_path)) as leading:
        leading.leads = False
        await eventually(lambda: fake.watches() == 5)
        since = "2020-01-01T00:00:00Z"
        row = {
            "type": "Ready",
            "status": "True",
            "reason": "InForce",
            "message": "",
            "lastTransitionTime": since,
        }
        fake.store.merge(
            next(at for at in fake.store.objects if at.name == "team"),
            {"status": {"conditions": [row]}},
            sub="status",
        )
        leading.leads = True
        await eventually(lambda: holds(fake, "Enforced") == "True")
        assert conditions_of(status(fake))["Ready"]["lastTransitionTime"] == since


async def test_a_pool_made_anew_gets_the_status_of_its_own(tmp_path: Path, fake: KubeFake) -> None:
    put(fake, "1.00")
    async with telling(fake.options(tmp_path)):
        await eventually(lambda: status(fake).get("limit") == "1.00")
        fake.remove("budgetpools", "team", namespace="shop")
        put(fake, "2.00")
        await eventually(lambda: status(fake).get("limit") == "2.00")


async def test_an_api_server_that_was_away_is_told_what_has_become_of_the_money(
    tmp_path: Path, fake: KubeFake
) -> None:
    put(fake, "0.00000010")
    async with telling(fake.options(tmp_path)) as leading:
        await eventually(lambda: status(fake).get("headroom") == "0.0000001")
        await fake.stop()
        sidecar = leading.scene.connect("a", namespace="shop")
        sidecar.report(want=wants(100, of=TEAM))
        sidecar.report(has(LeaseId(TEAM, 0), granted=100, spent=100))
        await asyncio.sleep(0)
        await fake.start()
        await eventually(lambda: status(fake).get("spent") == "0.0000001", polls_max=1_500)
        await eventually(lambda: "Exhausted" in reasons(fake))
