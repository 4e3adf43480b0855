"""Metrics by pool and reason, never by key or holder."""

from prometheus_client import CollectorRegistry, generate_latest

from controller.telemetry import Telemetry
from farebox.core.budgets import Charge, PoolUid
from tests.support.scenes import FOREVER, Scene, has, per_user, pool, wants


def lines(registry: CollectorRegistry) -> list[str]:
    return generate_latest(registry).decode().splitlines()


def test_what_steps_send_is_counted_by_pool_and_reason() -> None:
    scene = Scene(pool(limit=100))
    registry = CollectorRegistry()
    telemetry = Telemetry(registry, scene.engine)
    a, b = scene.connect("a"), scene.connect("b")
    for step in (
        a.report(want=wants(100)),
        a.report(has(granted=100)),
        b.report(want=wants(30)),
        b.report(want=wants(500)),
        b.report(want=wants(1, of=Charge(PoolUid("acme/gone"), ""))),
    ):
        telemetry.count(step)

    shown = lines(registry)
    assert 'farebox_grants_total{pool="acme/org"} 1.0' in shown
    assert 'farebox_recalls_total{pool="acme/org"} 1.0' in shown
    assert 'farebox_denials_total{pool="acme/org",reason="hold_pending"} 2.0' in shown
    assert 'farebox_denials_total{pool="(unknown)",reason="budget_unverifiable"} 1.0' in shown


def test_figures_are_summed_over_keys_and_holders() -> None:
    scene = Scene(per_user(limit=2_000_000_000))
    registry = CollectorRegistry()
    Telemetry(registry, scene.engine)
    people = PoolUid("acme/people")
    for name in ("a", "b"):
        scene.connect(name).report(want=wants(500_000_000, of=Charge(people, f"user-{name}")))

    shown = lines(registry)
    assert 'farebox_pool_committed_usd{pool="acme/people"} 1.0' in shown
    assert 'farebox_pool_settled_usd{pool="acme/people"} 0.0' in shown
    assert 'farebox_pool_leased_usd{pool="acme/people"} 1.0' in shown
    assert 'farebox_pool_limit_usd{pool="acme/people"} 4.0' in shown, "2 dollars for each"
    assert 'farebox_pool_holders{pool="acme/people"} 2.0' in shown
    assert not any("user-" in line for line in shown)


def test_a_pool_that_nobody_has_used_shows_its_limit() -> None:
    registry = CollectorRegistry()
    Telemetry(registry, Scene(pool(limit=3_000_000_000)).engine)
    assert 'farebox_pool_limit_usd{pool="acme/org"} 3.0' in lines(registry)


def test_commits_are_counted_with_their_rows_and_times() -> None:
    scene = Scene()
    registry = CollectorRegistry()
    telemetry = Telemetry(registry, scene.engine)
    telemetry.count_commit(writes=3, took_ms=4)
    telemetry.count_commit(writes=2, took_ms=400)

    shown = lines(registry)
    assert "farebox_commits_total 2.0" in shown
    assert "farebox_ledger_writes_total 5.0" in shown
    assert 'farebox_commit_seconds_bucket{le="0.005"} 1.0' in shown
    assert FOREVER not in scene.engine.world.cells
