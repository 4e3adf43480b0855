"""The stream to the controller over real gRPC: greeting, reporting, losing it, leaving it."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from farebox.core.budgets import Charge
from farebox.core.instant import DurationMs
from farebox.core.money import Nanos
from farebox.core.policy import Policy
from farebox.runtime.clock import SystemClock
from farebox.wire.messages import (
    Goodbye,
    Grant,
    Hello,
    PolicyPush,
    Report,
    ReportAck,
    Workload,
)
from farebox.wire.v1 import lease_pb2
from sidecar.lease_client import LeaseClient
from sidecar.leasing import Leasing
from sidecar.policy import PolicyHolder
from sidecar.purse import Purse
from sidecar.tallies import TallyBook
from sidecar.wants import Waiting
from tests.support.controllers import PATIENCE_S, scripted_controller
from tests.support.money import ORG, granted, lease_id, make_purse
from tests.support.outcomes import make_outcome
from tests.support.peers import eventually
from tests.support.tasks import beside


class Holder:
    """A lease client with what it told the rest of the sidecar."""

    def __init__(self, folder: Path, *ports: int) -> None:
        self.clock = SystemClock()
        self.purse: Purse = make_purse(folder)
        self.leasing = Leasing(self.purse, Workload(namespace="acme", name="pod-0"))
        self.policies: list[Policy] = []
        self.changed = asyncio.Event()
        self.tallies = TallyBook(self.clock, PolicyHolder())
        self.client = LeaseClient(
            ",".join(f"127.0.0.1:{port}" for port in ports),
            self.leasing,
            self.clock,
            on_policy=self.policies.append,
            notify=self._notify,
            tallies=self.tallies,
        )

    def _notify(self, charges: Iterable[Charge]) -> None:
        if tuple(charges):
            self.changed.set()

    async def until_it_has(self, money: int) -> None:
        """Wait until so much money is there."""
        async with asyncio.timeout(PATIENCE_S):
            while self.purse.room((ORG,), self.clock.boot()).money < money:
                self.changed.clear()
                await self.changed.wait()

    def want(self, need: int) -> None:
        """Let a call wait for money."""
        self.leasing.ask(ORG, 1, Waiting(need=Nanos(need), least=Nanos(need)))
        self.client.wake()


@asynccontextmanager
async def running(holder: Holder) -> AsyncIterator[None]:
    """Run the client, and stop it in order."""
    task = beside(holder.client.run())
    try:
        yield
    finally:
        holder.client.stop()
        async with asyncio.timeout(PATIENCE_S):
            await task


def a_grant(holder: Holder, total: int) -> Grant:
    """A grant that counts from now."""
    return Grant(
        epoch=1,
        lease=lease_id(ORG),
        granted=Nanos(total),
        ttl=DurationMs(15_000),
        echo_boot_ms=holder.clock.boot(),
    )


def an_ack(report: Report) -> ReportAck:
    """What the controller says to a report that it has no money for."""
    return ReportAck(epoch=1, seq=report.seq, echo_boot_ms=report.boot_ms, ttl=DurationMs(15_000))


async def test_it_greets_hears_the_policy_and_asks_for_money(tmp_path: Path) -> None:
    async with scripted_controller() as (controller, port):
        holder = Holder(tmp_path, port)
        async with running(holder):
            hello = await controller.next(Hello)
            assert (hello.holder, hello.workload.name) == (holder.purse.holder, "pod-0")
            await controller.say(PolicyPush(epoch=1, policy=Policy(generation=5)))
            holder.want(70)
            report = await controller.next(Report)
            while not report.wants:
                report = await controller.next(Report)
            assert report.wants[0].need == 70
            await controller.say(a_grant(holder, 70))
            await holder.until_it_has(70)
            assert holder.policies == [Policy(generation=5)]
            assert holder.purse.room((ORG,), holder.clock.boot()).money == 70
            while report.wants:
                report = await controller.next(Report)
            await controller.say(an_ack(report))
        goodbye = await controller.next(Goodbye)
        assert [item.returned for item in goodbye.leases] == [70]


async def test_what_was_granted_while_it_was_told_to_end_goes_back_with_the_goodbye(
    tmp_path: Path,
) -> None:
    async with scripted_controller() as (controller, port):
        holder = Holder(tmp_path, port)
        async with running(holder):
            holder.want(70)
            report = await controller.next(Report)
            while not report.wants:
                report = await controller.next(Report)
            holder.leasing.stop_waiting(ORG, 1)
            holder.client.stop()
            report = await controller.next(Report)
            while report.wants:
                report = await controller.next(Report)
            await controller.say(a_grant(holder, 70))
            await controller.say(an_ack(report))
        goodbye = await controller.next(Goodbye)
        assert [(item.granted, item.returned) for item in goodbye.leases] == [(70, 70)]


async def test_it_beats_without_being_asked(tmp_path: Path) -> None:
    async with scripted_controller() as (controller, port), running(Holder(tmp_path, port)):
        first = await controller.next(Report)
        second = await controller.next(Report)
        assert second.seq == first.seq + 1
        assert second.boot_ms > first.boot_ms


async def test_when_the_controller_dies_it_comes_back_with_its_money(tmp_path: Path) -> None:
    async with scripted_controller() as (controller, port):
        holder = Holder(tmp_path, port)
        holder.purse.take_grant(granted(ORG, 500))
        task = beside(holder.client.run())
        await controller.next(Hello)
    async with scripted_controller(port) as (successor, _):
        hello = await successor.next(Hello)
        assert hello.holder == holder.purse.holder
        assert [item.granted for item in hello.leases] == [500]
        holder.client.stop()
        async with asyncio.timeout(PATIENCE_S):
            await task


async def test_a_holder_that_is_not_accepted_comes_back_as_a_new_one(tmp_path: Path) -> None:
    async with scripted_controller() as (controller, port):
        controller.welcome = replace(controller.welcome, accepted=False, refusal="stale copy")
        holder = Holder(tmp_path, port)
        holder.purse.take_grant(granted(ORG, 500))
        async with running(holder):
            first = await controller.next(Hello)
            controller.welcome = replace(controller.welcome, accepted=True)
            second = await controller.next(Hello)
            assert second.holder != first.holder
            assert second.leases == ()


async def test_a_controller_of_an_older_epoch_is_left_alone(tmp_path: Path) -> None:
    async with scripted_controller() as (controller, port):
        holder = Holder(tmp_path, port)
        holder.purse.note_epoch(9)
        async with running(holder):
            first = await controller.next(Hello)
            second = await controller.next(Hello)
            assert first.holder == second.holder
            assert not holder.leasing.connected


async def test_it_ends_while_nobody_listens(tmp_path: Path) -> None:
    holder = Holder(tmp_path, 9)
    async with running(holder):
        await asyncio.sleep(0)
    assert not holder.leasing.connected


async def test_it_tries_each_controller_in_turn(tmp_path: Path) -> None:
    async with scripted_controller() as (first, one), scripted_controller() as (second, other):
        holder = Holder(tmp_path, 9, one, other)
        async with running(holder):
            await first.next(Hello)
            await eventually(lambda: holder.leasing.connected)
            first.leader = ""
            first.end_stream()
            await second.next(Hello)
        await second.next(Goodbye)


async def test_it_goes_where_the_leader_is_said_to_be(tmp_path: Path) -> None:
    async with scripted_controller() as (standby, one), scripted_controller() as (leader, two):
        standby.leader = f"127.0.0.1:{two}"
        async with running(Holder(tmp_path, one, 9, 10, two)):
            await leader.next(Hello)
        assert standby.turned_away == 1


async def test_it_goes_nowhere_that_it_was_not_told_of(tmp_path: Path) -> None:
    async with scripted_controller() as (standby, one), scripted_controller() as (stranger, two):
        standby.leader = f"127.0.0.1:{two}"
        async with running(Holder(tmp_path, one)):
            await eventually(lambda: standby.turned_away >= 3)
            assert stranger.heard.empty()


async def test_it_leaves_a_controller_that_answers_no_report(tmp_path: Path) -> None:
    async with scripted_controller() as (frozen, one), scripted_controller() as (other, two):
        frozen.welcome = replace(frozen.welcome, ttl=DurationMs(300))
        async with running(Holder(tmp_path, one, two)):
            await frozen.next(Report)
            await other.next(Hello)


async def test_it_does_not_go_back_to_one_that_gave_no_answer_because_another_says_so(
    tmp_path: Path,
) -> None:
    async with scripted_controller() as (frozen, one), scripted_controller() as (standby, two):
        frozen.welcome = replace(frozen.welcome, ttl=DurationMs(300))
        standby.leader = f"127.0.0.1:{one}"
        async with scripted_controller() as (next_, three):
            async with running(Holder(tmp_path, one, two, three)):
                await frozen.next(Report)
                await next_.next(Hello)
            assert standby.turned_away == 1


async def test_a_welcome_before_what_it_can_not_read_is_no_reason_to_hurry(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    longest = []

    def no_pause(_: float, ceiling: float) -> float:
        longest.append(ceiling)
        return 0

    monkeypatch.setattr("sidecar.lease_client.random.uniform", no_pause)
    async with scripted_controller() as (controller, port):
        controller.after_welcome = lease_pb2.SyncResponse()
        async with running(Holder(tmp_path, port)):
            await eventually(lambda: len(longest) >= 7)
    assert longest[:7] == [200, 400, 800, 1_600, 3_200, 5_000, 5_000]


async def test_what_was_counted_of_calls_goes_with_reports_and_with_the_goodbye(
    tmp_path: Path,
) -> None:
    async with scripted_controller() as (controller, port):
        # No heartbeat falls between the second call and the goodbye.
        controller.welcome = replace(controller.welcome, heartbeat=DurationMs(60_000))
        holder = Holder(tmp_path, port)
        holder.tallies.finished(make_outcome())
        async with running(holder):
            await controller.next(Hello)
            holder.want(70)
            first = await controller.next(Report)
            assert first.tallies is not None
            assert first.tallies.tasks["classification"].calls == 1
            await controller.say(a_grant(holder, 70))
            await holder.until_it_has(70)
            holder.leasing.stop_waiting(ORG, 1)
            holder.tallies.finished(make_outcome())
        told = (await controller.next(Goodbye)).tallies
        assert told is not None
        assert told.tasks["classification"].calls == 2
        assert told.incarnation == first.tallies.incarnation
