"""The benchmark of the ledger in etcd, on a simulated one: it measures what it says."""

from bench.etcd_store import measure, recover, report
from controller.store.etcd_plan import DATA_OPS_MAX
from tests.support.kv import SimulatedEtcd, SimulatedKv


async def test_every_way_is_measured_and_a_recovery_finds_everything() -> None:
    rates = await measure(SimulatedKv(SimulatedEtcd()), rounds=1, round_s=0.02)
    took = await recover(SimulatedKv(SimulatedEtcd()), leases=2_000)

    assert len(rates) == 5
    assert all(rate > 0 for rate in rates.values())
    assert took["leases"] == 2_000
    told = report(rates, took)
    assert "recovery of 2,000 leases" in told
    assert f"ledger, {DATA_OPS_MAX} grants a commit" in told
