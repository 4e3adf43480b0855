"""The views of the admin server: money as exact decimal strings."""

from controller.status import holders_view, pools_view, problems_view
from farebox.core.budgets import Charge, PoolUid, Reserve
from farebox.manifests.resources import Problem
from tests.support.scenes import (
    HOURLY,
    MINUTE,
    TEN_MINUTES,
    Scene,
    has,
    per_user,
    pool,
    these_seconds,
    this_minute,
    wants,
)

DOLLAR = 1_000_000_000


def test_a_pool_shows_what_is_settled_held_leased_and_left() -> None:
    scene = Scene(pool(limit=10 * DOLLAR, window=MINUTE))
    sidecar = scene.connect("a")
    sidecar.report(want=wants(4 * DOLLAR))
    sidecar.report(
        has(this_minute(scene), granted=4 * DOLLAR, spent=DOLLAR + 1, reserved=2 * DOLLAR)
    )

    assert pools_view(scene.engine.world, scene.now) == {
        "pools": [
            {
                "pool": "acme/org",
                "key": "",
                "window": "Fixed",
                "mode": "Enforce",
                "window_starts": "2026-09-21T14:14:00Z",
                "window_ends": "2026-09-21T14:15:00Z",
                "limit_usd": "10.000000000",
                "settled_usd": "1.000000001",
                "held_usd": "2.000000000",
                "leased_usd": "0.999999999",
                "headroom_usd": "6.000000000",
                "level_usd": None,
                "reserve_percent": None,
                "holders": 1,
            }
        ]
    }


def test_a_pool_shows_its_current_window_only() -> None:
    scene = Scene(pool(limit=100, window=MINUTE))
    scene.connect("a").report(want=wants(40))
    scene.pass_time(60_000)

    (row,) = pools_view(scene.engine.world, scene.now)["pools"]
    assert (row["leased_usd"], row["holders"]) == ("0.000000000", 0)


def test_spending_of_closed_leases_stays_settled() -> None:
    scene = Scene(pool(limit=100, window=MINUTE))
    lease, sidecar = this_minute(scene), scene.connect("a")
    sidecar.report(want=wants(40))
    shown_at = scene.now
    scene.pass_time(60_000)
    sidecar.report(has(lease, granted=40, returned=10, spent=30, finished=True))

    (row,) = pools_view(scene.engine.world, shown_at)["pools"]
    assert row["settled_usd"] == "0.000000030"
    assert row["headroom_usd"] == "0.000000070"


def test_sub_pools_are_shown_once_somebody_has_used_them() -> None:
    scene = Scene(per_user(limit=50), pool("org", 100))
    assert [row["pool"] for row in pools_view(scene.engine.world, scene.now)["pools"]] == [
        "acme/org"
    ]

    scene.connect("a").report(want=wants(20, of=Charge(PoolUid("acme/people"), "ana")))
    rows = pools_view(scene.engine.world, scene.now)["pools"]
    assert [(row["pool"], row["key"]) for row in rows] == [
        ("acme/org", ""),
        ("acme/people", "ana"),
    ]


def test_a_pool_that_is_gone_is_shown_by_its_holders_only() -> None:
    scene = Scene()
    scene.connect("a").report(want=wants(20))
    scene.change()

    assert pools_view(scene.engine.world, scene.now) == {"pools": []}
    assert holders_view(scene.engine.world)[0]["leases"][0]["pool"] == "acme/org"


def test_a_holder_shows_its_workload_and_its_leases() -> None:
    scene = Scene()
    sidecar = scene.connect("a", labels={"app": "assistant"})
    sidecar.report(want=wants(20))
    sidecar.report(has(granted=20, returned=2, spent=3, reserved=4))
    scene.connect("b").leave()

    first, second = holders_view(scene.engine.world)
    assert first == {
        "holder": "a",
        "workload": {"namespace": "acme", "name": "pod-a", "labels": {"app": "assistant"}},
        "connected": True,
        "frozen": False,
        "written_off": False,
        "leases": [
            {
                "pool": "acme/org",
                "key": "",
                "window": 0,
                "window_ends": None,
                "state": "active",
                "granted_usd": "0.000000020",
                "returned_usd": "0.000000002",
                "spent_usd": "0.000000003",
                "reserved_usd": "0.000000004",
            }
        ],
    }
    assert (second["holder"], second["connected"], second["leases"]) == ("b", False, [])


def test_a_sliding_window_shows_the_sums_over_all_that_counts() -> None:
    scene = Scene(pool(limit=100, window=TEN_MINUTES))
    first, sidecar = these_seconds(scene), scene.connect("a")
    sidecar.report(want=wants(40))
    sidecar.report(has(first, granted=40, returned=30, spent=10))
    scene.pass_time(10_000)
    sidecar.report(has(first, granted=40, returned=30, spent=10, finished=True), want=wants(20))
    sidecar.report(has(these_seconds(scene), granted=20, reserved=5))

    (row,) = pools_view(scene.engine.world, scene.now)["pools"]
    assert (row["window"], row["settled_usd"], row["held_usd"], row["headroom_usd"]) == (
        "Sliding",
        "0.000000010",
        "0.000000005",
        "0.000000070",
    )
    assert (row["window_starts"], row["window_ends"]) == (
        "2026-09-21T14:04:20Z",
        "2026-09-21T14:14:20Z",
    )
    scene.pass_time(10_000)
    (row,) = pools_view(scene.engine.world, scene.now)["pools"]
    assert row["headroom_usd"] == "0.000000070", "also while nothing is lent of the present bucket"


def test_a_token_bucket_shows_its_level() -> None:
    scene = Scene(pool(limit=3_600, window=HOURLY))
    sidecar = scene.connect("a")
    sidecar.report(want=wants(600))
    sidecar.report(has(granted=600, spent=400, reserved=150))
    scene.pass_time(60_000)

    (row,) = pools_view(scene.engine.world, scene.now)["pools"]
    assert row["level_usd"] == row["headroom_usd"] == "0.000003060", "60 have flowed in"
    assert (row["settled_usd"], row["held_usd"], row["leased_usd"]) == (
        "0.000000340",
        "0.000000150",
        "0.000000050",
    )


def test_a_reserve_is_shown_with_what_the_other_calls_may_use() -> None:
    scene = Scene(pool(limit=100, reserve=Reserve(percent=20)))

    org, normal = pools_view(scene.engine.world, scene.now)["pools"]
    assert (org["pool"], org["limit_usd"]) == ("acme/org", "0.000000100")
    assert org["reserve_percent"] == 20
    assert (normal["pool"], normal["limit_usd"]) == ("acme/org (normal)", "0.000000080")


def test_problems_are_shown_with_their_places() -> None:
    problem = Problem(
        file="pools.yaml", line=7, resource="BudgetPool/acme/org", field="spec.limit", message="no"
    )

    assert problems_view([problem]) == {
        "problems": [
            {
                "file": "pools.yaml",
                "line": 7,
                "resource": "BudgetPool/acme/org",
                "field": "spec.limit",
                "message": "no",
            }
        ]
    }
