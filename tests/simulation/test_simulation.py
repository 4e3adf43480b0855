"""A few seeds of the simulation, and whether what it is made of does what it says.

Thousands of seeds are run by `make simulate`. Here the seeds run as that command runs them: in a
process of their own, with a fixed hash seed.
"""

import asyncio
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from farebox.core.budgets import Charge, PoolUid
from farebox.core.instant import BootMs
from farebox.core.leases import LeaseId
from tests.simulation.bills import Bills
from tests.simulation.books import Rules
from tests.simulation.calm import Calm
from tests.simulation.changes import RowGone, RowIs, TotalIs
from tests.simulation.disk import Disk
from tests.simulation.hosts import BOOT_MS, Host
from tests.simulation.kernel import Killed, Process, SimLoop
from tests.simulation.options import Fault, Options, options_of
from tests.simulation.oracle import Going, Oracle, Said, Violation
from tests.simulation.pools import first_pools
from tests.simulation.run import bury
from tests.simulation.world import World

ROOT = Path(__file__).parent.parent.parent
SEEDS = 5
LEASE = LeaseId(Charge(PoolUid("acme/org"), ""), 0)


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tests.simulation", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )


def test_some_seeds_hold_every_invariant() -> None:
    ended = run(str(SEEDS), "--workers", "1")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert f"simulate: {SEEDS} seeds from 0, 0 failed" in ended.stdout


def test_a_seed_does_the_same_each_time() -> None:
    first, second = run("1", "--from", "3", "--workers", "1"), run("--from", "3", "--trace")
    callbacks = next(line.split()[0] for line in first.stdout.splitlines() if "callbacks" in line)
    assert f"{callbacks} callbacks" in second.stdout


def test_options_follow_from_the_seed_and_every_fault_comes_up() -> None:
    assert options_of(7) == options_of(7)
    seen = Counter(fault for seed in range(300) for fault in options_of(seed).faults)
    assert set(seen) == set(Fault)
    assert options_of(7).text().startswith("seed=7 ")


class Machine:
    """A process on a host, and what it did when."""

    def __init__(self) -> None:
        self.loop = SimLoop()
        self.host = Host("pod-1")
        self.process = Process("pod-1", self.host, self.loop)
        self.beats: list[float] = []
        self.process.start(self.beat())

    async def beat(self) -> None:
        while True:
            await asyncio.sleep(1.0)
            self.beats.append(self.loop.now)


@pytest.fixture
def machine() -> Iterator[Machine]:
    made = Machine()
    yield made
    made.process.kill()
    bury([made.process])


def test_time_passes_at_once_and_in_order(machine: Machine) -> None:
    machine.loop.run_until(3.5)
    assert machine.beats == [1.0, 2.0, 3.0]


def test_a_stopped_process_does_nothing_until_it_goes_on(machine: Machine) -> None:
    machine.loop.run_until(1.5)
    machine.process.stop()
    machine.loop.run_until(4.5)
    machine.process.go_on()
    machine.loop.run_until(5.9)
    assert machine.beats == [1.0, 4.5, 5.5]


def test_timers_of_a_sleeping_machine_stand_still_but_not_its_boot_clock(
    machine: Machine,
) -> None:
    machine.loop.run_until(1.5)
    machine.host.fall_asleep(machine.loop.now)
    machine.loop.run_until(11.5)
    machine.host.wake(machine.loop.now)
    machine.loop.run_until(12.4)
    assert machine.beats == [1.0, pytest.approx(12.0, abs=0.06)]
    assert machine.host.boot_ms(12.0) == BootMs(BOOT_MS + 12_000)


def test_a_killed_process_runs_no_more_not_even_its_finally_blocks(machine: Machine) -> None:
    ended: list[str] = []

    async def work() -> None:
        try:
            await asyncio.sleep(10.0)
        finally:
            ended.append("cleaned up")

    machine.process.start(work())
    machine.loop.run_until(1.5)
    machine.process.kill()
    machine.loop.run_until(20.0)
    assert machine.beats == [1.0]
    assert ended == []


def test_a_torn_write_leaves_a_part_and_ends_its_process(machine: Machine) -> None:
    disk = Disk(Counter())
    file = disk.open("journal", machine.process)
    file.append(b"whole ")
    disk.tear_next("journal", 50)
    with pytest.raises(Killed):
        file.append(b"half")
    assert disk.content("journal") == b"whole ha"
    assert not machine.process.alive


def test_a_stopped_sidecar_that_is_to_end_is_waited_for() -> None:
    """What starts in its place makes calls: not when it is judged what is left without any."""
    world = World(options_of(0))
    world.start_sidecar(world.add_host("pod-1"))
    sidecar = world.sidecars["pod-1"]
    sidecar.process.stop()
    sidecar.leave()
    world.loop.run_until(1.0)
    sidecar.process.stopped = False
    assert Calm(world)._not_connected() == "L4: pod-1 does not end after the faults"
    sidecar.process.kill()
    bury([sidecar.process])


def make_oracle(limit: int) -> Oracle:
    options = options_of(0)
    rules = Rules()
    pools = first_pools(with_one_lifetime_pool(options), random.Random(0))
    rules.know(pools.values())
    rules.limits["acme/org"] = limit
    return Oracle(rules, Bills(rules, honest=True), ttl_s=3.0)


def with_one_lifetime_pool(options: Options) -> Options:
    fields = {name: getattr(options, name) for name in options.__dataclass_fields__}
    shape = next(shape for shape in type(options.shape) if shape.value == "lifetime")
    return Options(**(fields | {"shape": shape, "depth": 1, "reserve": 0}))


def going(limit: int, epoch: int = 1) -> Going:
    return Going(limits={"acme/org": limit}, passing=frozenset(), utc_ms=0, epoch=epoch)


def test_the_oracle_sees_more_lent_than_the_limit() -> None:
    oracle = make_oracle(100)
    oracle.commit([RowIs(LEASE, "one", 60, 0, 0)], going(100))
    with pytest.raises(Violation, match="I1"):
        oracle.commit([RowIs(LEASE, "two", 41, 0, 0)], going(100))


def test_the_oracle_sees_a_leader_of_the_past() -> None:
    oracle = make_oracle(100)
    oracle.commit([RowIs(LEASE, "one", 60, 0, 0)], going(100, epoch=2))
    with pytest.raises(Violation, match="I7"):
        oracle.commit([RowIs(LEASE, "one", 61, 0, 0)], going(100, epoch=1))


def test_the_oracle_sees_money_that_was_returned_in_the_ledger_only() -> None:
    oracle = make_oracle(100)
    oracle.commit([RowIs(LEASE, "one", 60, 0, 0)], going(100))
    with pytest.raises(Violation, match="I4"):
        oracle.commit([RowIs(LEASE, "one", 60, 30, 0)], going(100))


def test_the_oracle_sees_a_lease_closed_below_what_is_held() -> None:
    oracle = make_oracle(100)
    oracle.commit([RowIs(LEASE, "one", 60, 0, 0)], going(100))
    oracle.said[LEASE, "one"] = Said(granted=60, spent=10, reserved=5)
    with pytest.raises(Violation, match="I12"):
        oracle.commit([RowGone(LEASE, "one"), TotalIs(LEASE, 10)], going(100))
