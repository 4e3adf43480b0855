"""`make bench-etcd`: grants through the ledger in etcd, against etcd's own bare rate; recovery.

Everything is measured in the same run on the same members, in rounds of which the median counts:
a shared machine is slow for all at once. The one rule: the bare requests carry what the ledger's
do (the same client, values of the same size), so that the difference is the ledger. This module
must not know how the ledger lies in etcd.
"""

import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from controller.engine import Engine
from controller.leadership import Candidate, Election, Tenure
from controller.store.etcd import EtcdStore
from controller.store.etcd_client import EtcdClient
from controller.store.etcd_layout import Keys
from controller.store.etcd_plan import DATA_OPS_MAX
from controller.store.kv import Kv, Put
from controller.store.protocol import PutAccount, PutHolder, Write
from controller.terms import Terms
from farebox.core.budgets import Charge, PoolUid
from farebox.core.instant import UtcMs
from farebox.core.leases import LeaseId, LeaseState
from farebox.core.money import Nanos
from farebox.manifests.resources import Resources
from farebox.runtime.clock import SystemClock
from farebox.wire.messages import Workload
from tests.support.etcd import etcd_cluster

MEMBERS: Final = 3
ROUNDS: Final = 5
ROUND_S: Final = 1.0
IN_FLIGHT: Final = 64
LEASES: Final = 60_000
HOLDERS: Final = 2_000
COMMIT_ROWS: Final = 1_000
VALUE_BYTES: Final = 190
"""About what an open lease takes."""

_KEYS: Final = Keys("/bench")
_ENDS: Final = UtcMs(4_000_000_000_000)

Request = Callable[[int], Awaitable[object]]
"""Sends the request of a number; requests of different numbers touch different keys."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """One way to write: its name, how many rows a request has, how many are under way at once."""

    name: str
    request: Request
    rows: int = 1
    in_flight: int = 1


async def rate(way: Way, seconds: float) -> float:
    """Rows a second."""
    loop = asyncio.get_running_loop()
    began, sent = loop.time(), 0
    numbers = iter(range(1 << 62))

    async def work() -> None:
        nonlocal sent
        while loop.time() - began < seconds:
            await way.request(next(numbers))
            sent += 1

    await asyncio.gather(*(work() for _ in range(way.in_flight)))
    return sent * way.rows / (loop.time() - began)


def bare_ways(kv: Kv) -> list[Way]:
    """What etcd does by itself."""
    value = b"x" * VALUE_BYTES

    async def put(number: int) -> None:
        await kv.transact((), (Put(b"/bare/%d" % (number % LEASES), value),))

    async def batch(number: int) -> None:
        first = number * DATA_OPS_MAX
        keys = (b"/bare/%d" % ((first + one) % LEASES) for one in range(DATA_OPS_MAX))
        await kv.transact((), tuple(Put(key, value) for key in keys))

    return [
        Way(name="bare put, one at a time", request=put),
        Way(name=f"bare put, {IN_FLIGHT} in flight", request=put, in_flight=IN_FLIGHT),
        Way(
            name=f"bare txn of {DATA_OPS_MAX} puts, one at a time", request=batch, rows=DATA_OPS_MAX
        ),
    ]


def ledger_ways(store: EtcdStore) -> list[Way]:
    """What the ledger does."""

    async def single(number: int) -> None:
        await store.commit([grant(number, number)])

    async def batch(number: int) -> None:
        first = number * DATA_OPS_MAX
        await store.commit([grant(first + one, number) for one in range(DATA_OPS_MAX)])

    return [
        Way(name="ledger, a grant a commit", request=single),
        Way(name=f"ledger, {DATA_OPS_MAX} grants a commit", request=batch, rows=DATA_OPS_MAX),
    ]


def grant(number: int, granted: int) -> PutAccount:
    """One holder's lease of one pool."""
    number %= LEASES
    pool, holder = divmod(number, HOLDERS)
    return PutAccount(
        lease=LeaseId(Charge(PoolUid(f"acme/pool-{pool}"), ""), 1_790_000_000_000),
        holder=f"{holder:032x}",
        granted=Nanos(5_000_000_000 + granted),
        returned=Nanos(1_000_000_000),
        spent=Nanos(2_000_000_000),
        state=LeaseState.ACTIVE,
        window_ends=_ENDS,
    )


def holders() -> list[Write]:
    """Who holds the leases."""
    workload = Workload(namespace="acme", name="pod", labels={"app": "assistant"})
    return [
        PutHolder(holder=f"{one:032x}", boot_seq=1, workload=workload) for one in range(HOLDERS)
    ]


async def open_ledger(kv: Kv) -> tuple[EtcdStore, Tenure, dict[str, float]]:
    """Win the election and read everything; also how long each step took, in milliseconds."""
    clock = SystemClock()
    candidate = Candidate(name="bench", address="127.0.0.1:1")
    began = time.perf_counter()
    tenure = await Election(kv, _KEYS, clock, candidate, ttl_s=60).campaign()
    won = time.perf_counter()
    store = EtcdStore(kv, _KEYS, tenure.reign)
    snapshot = await store.open()
    read = time.perf_counter()
    engine = Engine(snapshot, terms=Terms(), resources=Resources(), now=clock.utc())
    restored = time.perf_counter()
    assert len(engine.world.holders) == len(snapshot.holders)
    took = {"election": won - began, "reading": read - won, "engine": restored - read}
    return (
        store,
        tenure,
        {
            "leases": float(len(snapshot.accounts)),
            **{name: 1000 * seconds for name, seconds in took.items()},
        },
    )


async def measure(kv: Kv, *, rounds: int, round_s: float) -> dict[str, float]:
    """The median rate of each way, in rows a second; the ways take turns."""
    store, _, _ = await open_ledger(kv)
    ways = [*bare_ways(kv), *ledger_ways(store)]
    rates: dict[str, list[float]] = {way.name: [] for way in ways}
    for number in range(rounds):
        for way in ways:
            rates[way.name].append(await rate(way, round_s))
            sys.stderr.write(f"\rround {number + 1} of {rounds}: {way.name:40}")
    sys.stderr.write("\r" + " " * 70 + "\r")
    await store.close()
    return {name: statistics.median(found) for name, found in rates.items()}


async def recover(kv: Kv, *, leases: int = LEASES) -> dict[str, float]:
    """Fill the ledger, give it up, and take it over as the next leader would."""
    store, tenure, _ = await open_ledger(kv)
    await store.commit(holders())
    for first in range(0, leases, COMMIT_ROWS):
        await store.commit([grant(one, one) for one in range(first, first + COMMIT_ROWS)])
    await store.close()
    await tenure.resign()
    _, _, took = await open_ledger(kv)
    return took


def report(rates: dict[str, float], took: dict[str, float]) -> str:
    """Everything as lines for people."""
    bare = [name for name in rates if name.startswith("bare")]
    single, batched = [name for name in rates if not name.startswith("bare")]
    lines = [f"| {name:40} | {value:>9,.0f} |" for name, value in rates.items()]
    total = took["election"] + took["reading"] + took["engine"]
    rest = (
        "",
        f"a grant a commit: {rates[single] / rates[bare[0]]:.0%} of etcd's bare put rate",
        (
            f"{DATA_OPS_MAX} grants a commit: {rates[batched] / rates[bare[2]]:.0%} of its bare "
            f"txn rate, {rates[batched] / rates[single]:.0f} times as many grants as one by one"
        ),
        (
            f"recovery of {took['leases']:,.0f} leases: {total:,.0f} ms (election "
            f"{took['election']:,.0f}, reading {took['reading']:,.0f}, "
            f"engine {took['engine']:,.0f})"
        ),
    )
    heading = (f"| {f'etcd, {MEMBERS} members on loopback':40} | rows/s    |",)
    return "\n".join((*heading, f"|{'-' * 42}|{'-' * 11}|", *lines, *rest))


async def main() -> None:
    """Measure on a cluster of its own."""
    with tempfile.TemporaryDirectory() as folder:
        async with etcd_cluster(Path(folder), members=MEMBERS) as cluster:
            kv = EtcdClient(cluster.access())
            rates = await measure(kv, rounds=ROUNDS, round_s=ROUND_S)
            await kv.close()
        async with etcd_cluster(Path(folder) / "recovery", members=MEMBERS) as cluster:
            kv = EtcdClient(cluster.access())
            took = await recover(kv)
            await kv.close()
    print(report(rates, took))


if __name__ == "__main__":
    asyncio.run(main())
