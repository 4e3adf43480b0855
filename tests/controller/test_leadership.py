"""Elections over a simulated etcd: one wins, the others wait, and who loses notices."""

import asyncio
import random

import pytest

from controller.leadership import MARGIN_MS, Candidate, Election, Tenure
from controller.store.etcd_client import Access, EtcdRenewals
from controller.store.kv import KvRefused
from controller.store.protocol import Fenced
from tests.support.clocks import ManualClock
from tests.support.etcd_server import etcd_server
from tests.support.kv import Fault, Plan, SimulatedEtcd, SimulatedKv
from tests.support.peers import eventually
from tests.support.stores import KEYS
from tests.support.tasks import beside

PATIENCE_S = 60


def standing(
    etcd: SimulatedEtcd, name: str = "one", *, plan: Plan = lambda _: Fault.NONE, ttl_s: int = 5
) -> tuple[Election, ManualClock]:
    """A controller that may campaign, and its clock."""
    clock = ManualClock()
    candidate = Candidate(name=name, address=f"127.0.0.1:{len(name)}")
    election = Election(SimulatedKv(etcd, plan), KEYS, clock, candidate, ttl_s=ttl_s)
    return election, clock


async def won(etcd: SimulatedEtcd, name: str = "one") -> tuple[Tenure, ManualClock]:
    election, clock = standing(etcd, name)
    return await election.campaign(), clock


def outlast(etcd: SimulatedEtcd, tenure: Tenure) -> None:
    """Let a session that is renewed every third of a second live on, however slow the machine."""
    session = etcd.sessions[tenure.reign.session]
    session.ttl_s = 600
    etcd.renew_session(tenure.reign.session)


async def test_the_first_to_stand_leads_and_each_reign_is_an_epoch() -> None:
    etcd = SimulatedEtcd()
    for epoch in (1, 2, 3):
        tenure, _ = await won(etcd)
        assert tenure.reign.epoch == epoch
        assert tenure.may_speak()
        await tenure.resign()
        assert not tenure.may_speak()
        assert KEYS.leader not in etcd.keys


async def test_who_stands_by_knows_who_leads_and_takes_over_when_it_is_gone() -> None:
    etcd = SimulatedEtcd()
    first, _ = await won(etcd, "first")
    election, _ = standing(etcd, "second")
    campaign = beside(election.campaign())
    async with asyncio.timeout(PATIENCE_S):
        await eventually(lambda: election.leader is not None)
        assert election.leader is not None
        assert (election.leader.name, election.leader.address) == ("first", "127.0.0.1:5")
        assert not campaign.done()

        etcd.drop_session(first.reign.session)
        second = await campaign
    assert second.reign.epoch == first.reign.epoch + 1
    assert second.reign.created > first.reign.created
    with pytest.raises(Fenced, match="its session is over"):
        await first.keep()


async def test_of_many_that_stand_at_once_one_wins() -> None:
    etcd = SimulatedEtcd()
    campaigns = [beside(won(etcd, f"c{number}")) for number in range(5)]
    async with asyncio.timeout(PATIENCE_S):
        done, waiting = await asyncio.wait(campaigns, return_when=asyncio.FIRST_COMPLETED)
        for _ in range(4):
            (winner,) = done
            await (await winner)[0].resign()
            done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    assert etcd.keys[KEYS.epoch].value == b"5"


@pytest.mark.parametrize("seed", range(20))
async def test_whatever_is_unclear_a_campaign_ends_with_one_leader(seed: int) -> None:
    etcd = SimulatedEtcd(timeout_s=0.001, late_s=0.002)
    dice = random.Random(seed)
    faults = [fault for fault in Fault if fault is not Fault.NONE]
    left = 6

    def plan(_: str) -> Fault:
        nonlocal left
        left -= 1
        return dice.choice(faults) if left > 0 else Fault.NONE

    election, _ = standing(etcd, plan=plan)
    async with asyncio.timeout(PATIENCE_S):
        tenure = await election.campaign()
    assert etcd.keys[KEYS.leader].created == tenure.reign.created
    assert etcd.keys[KEYS.leader].session == tenure.reign.session
    assert etcd.keys[KEYS.epoch].value == b"%d" % tenure.reign.epoch


async def test_a_leader_that_cannot_renew_falls_silent_before_its_session_ends() -> None:
    etcd = SimulatedEtcd()
    election, clock = standing(etcd)
    tenure = await election.campaign()
    clock.advance(5_000 - MARGIN_MS - 200)
    assert tenure.may_speak()
    clock.advance(150)
    assert not tenure.may_speak()


async def test_renewing_counts_from_when_the_request_was_sent() -> None:
    etcd = SimulatedEtcd()
    election, clock = standing(etcd)
    tenure = await election.campaign()
    clock.advance(4_000)
    assert await tenure._renew(tenure._kv)
    clock.advance(4_000)
    assert tenure.may_speak()
    clock.advance(1_000)
    assert not tenure.may_speak()


async def test_an_etcd_that_does_not_answer_ends_the_leadership_when_its_time_is_over() -> None:
    etcd = SimulatedEtcd(timeout_s=0.001)
    cut = False
    election, clock = standing(etcd, plan=lambda _: Fault.REQUEST_LOST if cut else Fault.NONE)
    tenure = await election.campaign()
    cut = True
    assert not await tenure._renew(tenure._kv)
    assert tenure.may_speak()
    clock.advance(5_000)
    with pytest.raises(Fenced, match="could not be renewed within 5 s"):
        await tenure.keep()


async def test_a_renewal_without_an_answer_does_not_hold_up_the_next() -> None:
    etcd = SimulatedEtcd(timeout_s=60)
    stuck, renewals = False, 0

    def plan(name: str) -> Fault:
        nonlocal renewals
        renewals += name == "renew"
        return Fault.REQUEST_LOST if stuck and renewals == 2 else Fault.NONE

    election, _ = standing(etcd, plan=plan, ttl_s=1)
    tenure = await election.campaign()
    outlast(etcd, tenure)
    stuck = True
    keeping = beside(tenure.keep())
    await eventually(lambda: renewals >= 4)
    assert tenure.may_speak()
    assert etcd.happened[Fault.REQUEST_LOST] >= 1
    keeping.cancel()
    await asyncio.wait([keeping])


async def test_a_leader_key_that_somebody_removed_ends_the_leadership() -> None:
    etcd = SimulatedEtcd()
    tenure, _ = await won(etcd)
    del etcd.keys[KEYS.leader]
    with pytest.raises(Fenced):
        await tenure.keep()


async def test_resigning_works_without_etcd_too() -> None:
    etcd = SimulatedEtcd(timeout_s=0.001)
    lost = False
    election, _ = standing(etcd, plan=lambda _: Fault.UNREACHABLE if lost else Fault.NONE)
    tenure = await election.campaign()
    lost = True
    await tenure.resign()
    assert not tenure.may_speak()
    assert KEYS.leader in etcd.keys, "it ends with its session"


async def test_what_etcd_refuses_is_tried_again() -> None:
    etcd = SimulatedEtcd()
    refusals = 2

    def plan(name: str) -> Fault:
        nonlocal refusals
        if name == "open" and refusals:
            refusals -= 1
            raise KvRefused("permission denied")
        return Fault.NONE

    election, _ = standing(etcd, plan=plan)
    async with asyncio.timeout(PATIENCE_S):
        assert (await election.campaign()).reign.epoch == 1


async def test_with_connections_of_its_own_it_is_kept_and_lost_in_another_thread() -> None:
    etcd = SimulatedEtcd()
    async with etcd_server(etcd) as (member, address):
        tenure = await _won_apart(etcd, address)
        outlast(etcd, tenure)
        keeping = beside(tenure.keep())
        await eventually(lambda: member.requests >= 2)
        assert tenure.may_speak()
        etcd.drop_session(tenure.reign.session)
        with pytest.raises(Fenced, match="its session is over"):
            await keeping
        assert not tenure.may_speak()


async def test_it_is_given_up_when_the_event_loop_is_stuck(monkeypatch: pytest.MonkeyPatch) -> None:
    etcd = SimulatedEtcd()
    async with etcd_server(etcd) as (_, address):
        tenure = await _won_apart(etcd, address)
        monkeypatch.setattr("controller.leadership.BUSY_MS_MAX", -1)
        with pytest.raises(Fenced, match="nothing was done"):
            await tenure.keep()


async def _won_apart(etcd: SimulatedEtcd, address: str) -> Tenure:
    candidate = Candidate(name="one", address="127.0.0.1:1")
    access = Access(endpoints=(address,))
    election = Election(
        SimulatedKv(etcd),
        KEYS,
        ManualClock(),
        candidate,
        ttl_s=1,
        apart=lambda: EtcdRenewals(access, request_s_max=0.5),
    )
    return await election.campaign()
