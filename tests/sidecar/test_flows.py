"""Demands that learn of many calls at once, and yet no pool gets to its low-water mark unseen."""

from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from farebox.core.instant import BootMs, DurationMs
from farebox.core.ledger import Held
from farebox.core.money import Nanos
from sidecar.demand import NOTHING_KNOWN
from sidecar.flows import Flows
from sidecar.journal import Journal
from sidecar.purse import Purse
from tests.support.disks import MemoryFile
from tests.support.money import ANA, FOREVER, ORG, TEAM, granted, make_purse

TTL = DurationMs(15_000)
NOW = BootMs(0)
PATHS = ((ORG,), (TEAM, ORG), (ANA, TEAM, ORG))


def test_the_demands_learn_all_that_was_held(tmp_path: Path) -> None:
    flows = Flows(make_purse(tmp_path, granted(ORG, 10**9), granted(TEAM, 10**9)))
    for amount in (10, 10, 7):
        flows.note((TEAM, ORG), Nanos(amount), Nanos(10**9), TTL)
    flows.note((ORG,), Nanos(5), Nanos(10**9), TTL)
    flows.learn()
    org, team = flows.demand_of(ORG), flows.demand_of(TEAM)
    assert org is not None
    assert team is not None
    assert (org.held, org.calls) == (32, 4)
    assert org.last in {5, 7}
    assert (team.held, team.calls, team.last) == (27, 3, 7)
    assert flows.demand_of(ANA) is None


def test_a_pool_without_calls_and_money_is_forgotten(tmp_path: Path) -> None:
    flows = Flows(make_purse(tmp_path))
    flows.note((ANA,), Nanos(0), Nanos(0), TTL)
    assert flows.demand_of(ANA) is not None
    flows.beat(BootMs(5_000))
    assert flows.demand_of(ANA) is None


amounts = st.integers(0, 40)
calls = st.lists(
    st.tuples(st.sampled_from(PATHS), amounts, st.sampled_from(["beat", "learn", "", "", ""])),
    max_size=60,
)


@settings(max_examples=150, deadline=None)
@given(calls=calls, lent=st.tuples(*[st.integers(0, 2_000)] * 3))
def test_a_pool_that_runs_low_is_always_found(
    calls: list[tuple[tuple[object, ...], int, str]], lent: tuple[int, int, int]
) -> None:
    purse = Purse(Journal(MemoryFile(), boot_id="boot-1"))
    purse.renew(FOREVER)
    for charge, total in zip((ORG, TEAM, ANA), lent, strict=True):
        purse.take_grant(granted(charge, total))
    flows, now = Flows(purse), 0
    for path, amount, then in calls:
        charges = next(one for one in PATHS if one == path)
        held = purse.hold(charges, Nanos(amount), NOW)
        if not isinstance(held, Held) or held.headroom is None:
            continue
        found = flows.note(charges, Nanos(amount), held.headroom, TTL)
        for charge in charges:
            lease, demand = purse.lease_of(charge), flows.demand_of(charge) or NOTHING_KNOWN
            assert lease is not None
            if demand.is_low(lease.headroom, TTL):
                assert charge in found
        now += 1_500
        if then == "beat":
            flows.beat(BootMs(now))
        elif then == "learn":
            flows.learn()
