"""A network that drops what one host sends to another, and heals; the provider's bill judges.

Every process has a network namespace of its own, and packets are dropped between them, by
direction. Needs root, and what `make e2e-ledger` installs.
"""

import json
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, fields, replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from bench.cap_callers import Crowd
from bench.cap_judge import nanos
from bench.cap_scenario import Order, Scenario, typical_worst_nanos
from farebox.cli import fleet
from farebox.cli.admin import admin_url, get_json
from farebox.cli.processes import Child
from farebox.core.reasons import Reason
from farebox.runtime.clock import SystemClock
from farebox.simulated.ledger import Entry, read_entries
from tests.e2e.conftest import Say
from tests.e2e.test_failover import FAILOVER_S_MAX, QUICK, sound
from tests.support.etcd_fleet import System, calm, for_ever, running_system, until
from tests.support.network import Network, network
from tests.support.tasks import beside

CONTROLLERS = ("controller-0", "controller-1")
MEMBERS = ("e0", "e1", "e2")
PLACES = {"provider": 1} | dict.fromkeys(("sidecar-0", "sidecar-1", *CONTROLLERS, *MEMBERS), 2)
LOST = 20
"""So many calls are made, refused or billed before something else happens."""

CUTS_MAX = 5
"""So often a sidecar is cut off, until it has money left at that moment."""

UNKNOWN = 3
"""So many answers are lost; there are as many at most as connections when the network is cut."""

pytestmark = pytest.mark.timeout(400)


@dataclass(frozen=True, slots=True, kw_only=True)
class Signed(Scenario):
    """All calls have one user: the sidecar's name, so that the provider's ledger tells of it."""

    user: str

    def orders(self, caller: int) -> Iterator[Order]:
        """What a caller asks for, call by call, without end."""
        return (replace(order, user=self.user) for order in Scenario.orders(self, caller))


def signed(scenario: Scenario, user: str) -> Signed:
    """A scenario as a sidecar's callers play it."""
    return Signed(**{one.name: getattr(scenario, one.name) for one in fields(scenario)}, user=user)


@asynccontextmanager
async def apart(
    folder: Path, scenario: Scenario, **options: Any
) -> AsyncIterator[tuple[System, Network]]:
    """The whole system with a network between its processes."""
    async with (
        network(PLACES) as net,
        running_system(folder, scenario, network=net, **options) as system,
    ):
        yield system, net


@pytest.mark.parametrize(
    ("senders", "receivers"),
    [(("sidecar-0",), CONTROLLERS), (CONTROLLERS, ("sidecar-0",))],
    ids=["its reports are lost", "its answers are lost"],
)
async def test_a_sidecar_without_a_controller_stops_at_its_deadline_and_keeps_its_money(
    tmp_path: Path, say: Say, senders: Sequence[str], receivers: Sequence[str]
) -> None:
    scenario = for_ever(31, 300)
    async with apart(tmp_path, scenario, terms=QUICK) as (system, net):
        mine, others = system.sidecars
        # Before anybody else calls, who would take what is left.
        await _cut_off_with_money(system, net, mine, senders, receivers)
        frozen_at, frozen = SystemClock().utc(), await _lent_to(system, mine.name)
        system.crowd = _crowd(scenario, others.name, fleet.base_url(others))
        calling = beside(system.crowd.run())

        late = _crowd(scenario, mine.name, fleet.base_url(mine))
        calling_late = beside(late.run())
        await until(lambda: _is_all_lent(system))
        await until(lambda: _are_answered(late, LOST))
        refused = dict(late.tally.requests)
        assert await _lent_to(system, mine.name) == frozen
        bill = _bill_of(system, mine.name)
        sent_late = [entry for entry in bill if entry.received_at_ms >= frozen_at]
        net.heal()
        await until(lambda: _is_served(system, mine.name, len(bill) + 1))
        late.stop()
        await calling_late
        result = await system.settle(calling)
        say(
            f"{senders[0]} not heard by {receivers[0]}",
            result,
            refused=sum(refused.values()),
            sent_after_its_deadline=len(sent_late),
            frozen=f"${frozen['org'] / 10**9:.9f}",
        )
        assert not sent_late
        assert set(refused) == {"503 budget_unverifiable"}
        assert sound(result)


@pytest.mark.parametrize("lost", ["requests", "answers"])
async def test_a_leader_cut_off_from_etcd_is_replaced_in_time_and_writes_nothing(
    tmp_path: Path, say: Say, lost: str
) -> None:
    async with apart(tmp_path, calm(32)) as (system, net):
        calling = beside(system.crowd.run())
        await system.until_served(LOST)
        old = await system.leader()
        if lost == "requests":
            net.cut((old.name,), MEMBERS)
        else:
            net.cut(MEMBERS, (old.name,))
        leads, whole = await system.seconds_until(system.other(old))
        await system.until_served(LOST)
        net.heal()

        async def stands_by() -> bool:
            return await system.role(old) == "standby"

        await until(stands_by)
        await system.until_served(LOST)
        assert await system.leader() is system.other(old)
        result = await system.settle(calling)
        say(
            f"{lost} of the leader to etcd lost",
            result,
            standby_leads_s=f"{leads:.1f}",
            sidecars_back_s=f"{whole:.1f}",
        )
        assert leads < FAILOVER_S_MAX
        assert sound(result)


@pytest.mark.parametrize("lost", ["requests", "answers"])
async def test_a_call_whose_answer_is_lost_counts_in_full(
    tmp_path: Path, say: Say, lost: str
) -> None:
    waits = ("--head-ms-max", "1500", "--answer-ms-max", "1500")
    async with apart(tmp_path, calm(33), sidecar_options=waits) as (system, net):
        calling = beside(system.crowd.run())
        await system.until_served(LOST)
        if lost == "requests":
            net.cut(("sidecar-0",), ("provider",))
        else:
            net.cut(("provider",), ("sidecar-0",))

        async def are_given_up() -> bool:
            return len(_unknown(system)) >= UNKNOWN

        await until(are_given_up)
        net.heal()
        await system.until_served(LOST)
        result = await system.settle(calling)
        unknown = _unknown(system)
        say(
            f"{lost} of a sidecar to the provider lost",
            result,
            outcome_unknown=len(unknown),
            counted_beyond_the_bill=f"${result.overcount_nanos / 10**9:.9f}",
        )
        assert all(nanos(one["cost_usd"]) == nanos(one["held_usd"]) for one in unknown)
        assert sound(result)


@pytest.mark.parametrize(
    "others", [MEMBERS, (*MEMBERS, *CONTROLLERS)], ids=["members", "everybody"]
)
async def test_etcds_leader_is_cut_off(tmp_path: Path, say: Say, others: Sequence[str]) -> None:
    async with apart(tmp_path, calm(34)) as (system, net):
        calling = beside(system.crowd.run())
        await system.until_served(LOST)
        epoch, member = await system.epoch(), await system.cluster.leader()
        net.cut((member.name,), others)
        net.cut(others, (member.name,))

        async def another_leads() -> bool:
            return await system.cluster.leader() is not member

        await until(another_leads)
        await system.leader()
        await system.until_served(LOST)
        net.heal()
        await system.until_served(LOST)
        changed = await system.epoch() - epoch
        result = await system.settle(calling)
        say(
            f"etcd's leader cut off from {len(others) - 1} others",
            result,
            controllers_changed=changed,
        )
        assert sound(result)


def _crowd(scenario: Scenario, name: str, url: str) -> Crowd:
    return Crowd(signed(scenario, name), (url, url))


def _bill_of(system: System, user: str) -> list[Entry]:
    return [one for one in read_entries(fleet.ledger_of(system.folder)) if one.user == user]


async def _is_served(system: System, user: str, calls: int) -> bool:
    return len(_bill_of(system, user)) >= calls


async def _are_answered(crowd: Crowd, calls: int) -> bool:
    return sum(crowd.tally.requests.values()) >= calls


async def _holder(system: System, name: str) -> dict[str, Any]:
    holders = await get_json(admin_url(await system.leader(), "/v1/holders"))
    (found,) = [one for one in holders if one["workload"]["name"] == name]
    return dict(found)


async def _is_frozen(system: System, name: str) -> bool:
    return bool((await _holder(system, name))["frozen"])


async def _cut_off_with_money(
    system: System, net: Network, mine: Child, senders: Sequence[str], receivers: Sequence[str]
) -> None:
    """Cut a sidecar off while it has money for a call; what is idle goes back after a while."""
    for _ in range(CUTS_MAX):
        early = _crowd(system.scenario, mine.name, fleet.base_url(mine))
        calling = beside(early.run())
        goal = len(_bill_of(system, mine.name)) + LOST
        await until(partial(_is_served, system, mine.name, goal))
        early.stop()
        await calling
        net.cut(senders, receivers)
        await until(lambda: _is_frozen(system, mine.name))
        if (await _lent_to(system, mine.name)).get("org", 0) > typical_worst_nanos(0):
            return
        net.heal()
        await system.until_connected()
    raise AssertionError(f"{mine.name} had given its money back each of {CUTS_MAX} times")


async def _lent_to(system: System, name: str) -> dict[str, int]:
    """What a holder has that it has not reported as spent, in n$ by pool."""
    return {
        one["pool"].rpartition("/")[2]: nanos(one["granted_usd"])
        - nanos(one["returned_usd"])
        - nanos(one["spent_usd"])
        for one in (await _holder(system, name))["leases"]
    }


async def _is_all_lent(system: System) -> bool:
    """Whether there is next to no money left for another call, by what the dearest may cost.

    A call draws on both shared pools, so the one of which more is frozen ends them all; what is
    then left in the other stays there for ever.
    """
    shared = [one for one in await system.pools() if one["pool"].endswith(("/org", "/team"))]
    assert len(shared) == 2
    return min(nanos(one["headroom_usd"]) for one in shared) < 10 * typical_worst_nanos(0)


def _unknown(system: System) -> list[dict[str, str]]:
    """The attempts whose outcome nobody knows, as the receipts tell them."""
    files = [fleet.receipts_of(system.folder, fleet.Pod(name=one.name)) for one in system.sidecars]
    written = [file.read_bytes() for file in files if file.exists()]
    # The last line may still be being written.
    lines = (line for text in written for line in text.split(b"\n")[:-1])
    attempts = (attempt for line in lines for attempt in json.loads(line)["attempts"])
    return [attempt for attempt in attempts if attempt["end"] == Reason.OUTCOME_UNKNOWN]
