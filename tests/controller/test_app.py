"""The controller as a process: it serves, follows its manifests, and outlives a kill."""

import asyncio
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import grpc.aio
import pytest

from farebox.core.leases import LeaseId
from farebox.wire.messages import Denial, Grant, PolicyPush, ReportAck
from tests.support.controller_processes import PATIENCE_S, POLL_S, ControllerProcess
from tests.support.lease_peers import LeasePeer, lease_peer, spent_of
from tests.support.manifests import write_pool
from tests.support.peers import eventually
from tests.support.scenes import FOREVER, has, wants

DOLLAR = 1_000_000_000


@pytest.fixture
def controller(tmp_path: Path) -> Iterator[ControllerProcess]:
    write_pool(tmp_path / "manifests", "10.00")
    process = ControllerProcess(tmp_path)
    yield process
    process.close()


async def granted(peer: LeasePeer, amount: int) -> LeaseId:
    """Ask for an amount and confirm that it came."""
    await peer.report(want=(wants(amount),))
    grant = await peer.next(Grant)
    assert grant.granted == amount
    await peer.report(has(granted=amount))
    await peer.next(ReportAck)
    return grant.lease


async def test_it_serves_sidecars_and_shows_what_it_knows(controller: ControllerProcess) -> None:
    await controller.start()
    assert await controller.text("/readyz") == (200, "ready\n")
    async with lease_peer(controller.ports["grpc"]) as peer:
        await peer.greet("a")
        lease = await granted(peer, 4 * DOLLAR)
        await peer.report(spent_of(lease, 4 * DOLLAR, DOLLAR))
        await peer.next(ReportAck)

        (row,) = (await controller.view("/v1/pools"))["pools"]
        assert (row["pool"], row["settled_usd"], row["leased_usd"], row["headroom_usd"]) == (
            "acme/org",
            "1.000000000",
            "3.000000000",
            "6.000000000",
        )
        (holder,) = await controller.view("/v1/holders")
        assert (holder["holder"], holder["connected"]) == ("a", True)
        assert 'farebox_grants_total{pool="acme/org"} 1.0' in (await controller.text("/metrics"))[1]
    assert controller.end() == 0
    assert "ending as asked" in controller.log()


async def test_leases_outlive_a_kill(controller: ControllerProcess) -> None:
    await controller.start()
    async with lease_peer(controller.ports["grpc"]) as peer:
        await peer.greet("a")
        await granted(peer, 7 * DOLLAR)
        controller.kill()

    await controller.start()
    (row,) = (await controller.view("/v1/pools"))["pools"]
    assert (row["leased_usd"], row["headroom_usd"]) == ("7.000000000", "3.000000000")
    async with (
        lease_peer(controller.ports["grpc"]) as back,
        lease_peer(controller.ports["grpc"]) as other,
    ):
        welcome = await back.greet("a", has(granted=7 * DOLLAR, reserved=7 * DOLLAR))
        assert (welcome.accepted, welcome.epoch) == (True, 2)
        await other.greet("b")
        await other.report(want=(wants(5 * DOLLAR),))
        denial = await other.next(Denial)
        assert denial.remaining == 3 * DOLLAR


async def test_every_grant_that_was_received_is_in_the_ledger_after_a_kill(
    controller: ControllerProcess,
) -> None:
    """Sidecars ask as fast as they can; the controller is killed in the middle of it."""
    write_pool(controller.folder / "manifests", "1000000.00")
    await controller.start()
    received: dict[str, int] = {}

    async def keep_asking(name: str) -> None:
        async with lease_peer(controller.ports["grpc"]) as peer:
            await peer.greet(name)
            while True:
                told = received.get(name, 0)
                await peer.report(has(granted=told, reserved=told), want=(wants(DOLLAR),))
                received[name] = (await peer.next(Grant)).granted

    async def kill_when_busy() -> None:
        await eventually(lambda: sum(received.values()) >= 200 * DOLLAR)
        controller.kill()

    async with asyncio.timeout(PATIENCE_S):
        work = [keep_asking(f"h{number}") for number in range(5)]
        await asyncio.gather(*work, kill_when_busy(), return_exceptions=True)

    kept = _ledger(controller.folder / "ledger.sqlite")
    assert received.keys() <= kept.keys()
    for name, told in received.items():
        assert told <= kept[name], "nothing is sent that is not committed"


def _ledger(path: Path) -> dict[str, int]:
    database = sqlite3.connect(path)
    rows = database.execute("SELECT holder, granted FROM accounts").fetchall()
    database.close()
    return dict(rows)


async def test_it_follows_its_manifests_and_keeps_the_last_good_ones(
    controller: ControllerProcess,
) -> None:
    await controller.start()
    async with lease_peer(controller.ports["grpc"]) as peer:
        await peer.greet("a")
        first = await peer.next(PolicyPush)
        assert first.policy.pools[0].limit == 10 * DOLLAR

        write_pool(controller.folder / "manifests", "25.00")
        assert (await peer.next(PolicyPush)).policy.pools[0].limit == 25 * DOLLAR

        write_pool(controller.folder / "manifests", "plenty")
        assert (await _first_problem(controller))["field"] == "spec.limit"
        (row,) = (await controller.view("/v1/pools"))["pools"]
        assert row["limit_usd"] == "25.000000000"
        assert FOREVER.charge.pool == first.policy.pools[0].uid


async def _first_problem(controller: ControllerProcess) -> dict[str, object]:
    async with asyncio.timeout(PATIENCE_S):
        while True:
            for problem in (await controller.view("/v1/problems"))["problems"]:
                return dict(problem)
            await asyncio.sleep(POLL_S)


async def test_a_second_controller_on_the_same_ledger_does_not_start(
    controller: ControllerProcess,
) -> None:
    await controller.start()
    second = ControllerProcess(controller.folder)

    with pytest.raises(AssertionError, match="another controller is using the ledger"):
        await second.start()
    assert second.wait() == 1


async def test_a_ledger_that_is_taken_over_ends_the_controller(
    controller: ControllerProcess,
) -> None:
    await controller.start()
    async with lease_peer(controller.ports["grpc"]) as peer:
        await peer.greet("a")
        database = sqlite3.connect(controller.folder / "ledger.sqlite")
        database.execute("UPDATE meta SET value = value + 1 WHERE name = 'epoch'")
        database.commit()
        database.close()

        await peer.report(want=(wants(DOLLAR),))
        with pytest.raises(grpc.aio.AioRpcError, match="stands by"):
            await peer.next(Grant)
    assert controller.wait() == 1
    assert "this one must end" in controller.log()
