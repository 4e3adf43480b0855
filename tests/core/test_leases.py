"""Nothing happens to a lease or a hold but what the two tables list."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farebox.core.budgets import Charge, PoolUid
from farebox.core.instant import BootMs
from farebox.core.leases import (
    HOLD_TRANSITIONS,
    LEASE_TRANSITIONS,
    HoldEvent,
    HoldState,
    IllegalTransition,
    Lease,
    LeaseEvent,
    LeaseId,
    LeaseState,
    next_hold_state,
    next_lease_state,
)
from farebox.core.money import Nanos

ENDED_LEASES = {LeaseState.SETTLED, LeaseState.RECLAIMED, LeaseState.WRITTEN_OFF}
ENDED_HOLDS = {HoldState.SETTLED, HoldState.VOIDED, HoldState.EXPIRED}
LEASE = LeaseId(Charge(PoolUid("default/team"), ""), 0)


def lease(
    granted: int = 0,
    returned: int = 0,
    spent: int = 0,
    reserved: int = 0,
    window_ends: int | None = None,
) -> Lease:
    return Lease(
        id=LEASE,
        granted=Nanos(granted),
        returned=Nanos(returned),
        spent=Nanos(spent),
        reserved=Nanos(reserved),
        window_ends=None if window_ends is None else BootMs(window_ends),
    )


def test_the_tables_know_every_state() -> None:
    assert set(LEASE_TRANSITIONS) == set(LeaseState)
    assert set(HOLD_TRANSITIONS) == set(HoldState)


@pytest.mark.parametrize("state", sorted(set(LeaseState) - ENDED_LEASES))
def test_a_lease_that_has_not_ended_knows_every_event(state: LeaseState) -> None:
    assert set(LEASE_TRANSITIONS[state]) == set(LeaseEvent)


@pytest.mark.parametrize(("state", "event"), list(product(sorted(ENDED_LEASES), LeaseEvent)))
def test_nothing_happens_to_a_lease_that_has_ended(state: LeaseState, event: LeaseEvent) -> None:
    with pytest.raises(IllegalTransition, match=f"a lease that is {state} cannot be {event}"):
        next_lease_state(state, event)


@pytest.mark.parametrize(("state", "event"), list(product(sorted(ENDED_HOLDS), HoldEvent)))
def test_a_hold_ends_once(state: HoldState, event: HoldEvent) -> None:
    with pytest.raises(IllegalTransition, match=f"a hold that is {state} cannot {event}"):
        next_hold_state(state, event)


@pytest.mark.parametrize(
    ("event", "state"),
    [
        (HoldEvent.SETTLE, HoldState.SETTLED),
        (HoldEvent.VOID, HoldState.VOIDED),
        (HoldEvent.EXPIRE, HoldState.EXPIRED),
    ],
)
def test_a_hold_under_way_can_end_in_three_ways(event: HoldEvent, state: HoldState) -> None:
    assert next_hold_state(HoldState.HELD, event) is state


@pytest.mark.parametrize(
    ("story", "events", "state"),
    [
        ("never heard of again", ["deadline_passed"], "expired"),
        ("heard of and used", ["reported", "reported"], "active"),
        ("finished in order", ["reported", "finished"], "settled"),
        ("silent, then back", ["reported", "deadline_passed", "reported"], "active"),
        ("silent, then ended by its own word", ["deadline_passed", "finished"], "reclaimed"),
        (
            "silent until its window is forgotten",
            ["deadline_passed", "window_forgotten"],
            "written_off",
        ),
    ],
)
def test_the_story_of_a_lease(story: str, events: list[str], state: str) -> None:
    at = LeaseState.GRANTED
    for event in events:
        at = next_lease_state(at, LeaseEvent(event))
    assert at == state, story


def test_time_alone_never_frees_money() -> None:
    """No lease ends by a deadline: only a holder's word or a forgotten window ends one."""
    for table in LEASE_TRANSITIONS.values():
        assert table.get(LeaseEvent.DEADLINE_PASSED, LeaseState.EXPIRED) is LeaseState.EXPIRED


def test_every_state_can_be_reached() -> None:
    reached, frontier = {LeaseState.GRANTED}, [LeaseState.GRANTED]
    while frontier:
        for following in LEASE_TRANSITIONS[frontier.pop()].values():
            if following not in reached:
                reached.add(following)
                frontier.append(following)
    assert reached == set(LeaseState)


@pytest.mark.parametrize(
    ("case", "found", "headroom", "overdraft"),
    [
        ("nothing lent", lease(), 0, 0),
        ("all free", lease(granted=10), 10, 0),
        ("some spent, some held, some returned", lease(10, 1, 2, 3), 4, 0),
        ("all held", lease(granted=10, reserved=10), 0, 0),
        ("spent beyond what was lent", lease(granted=10, spent=12), 0, 2),
        ("held by one call, spent by another", lease(granted=10, spent=9, reserved=6), 0, 5),
    ],
)
def test_what_a_lease_has_left(case: str, found: Lease, headroom: int, overdraft: int) -> None:
    assert (found.headroom, found.overdraft) == (headroom, overdraft), case


@given(*[st.integers(0, 10**12)] * 4)
def test_headroom_and_overdraft_are_never_negative_and_never_both(
    granted: int, returned: int, spent: int, reserved: int
) -> None:
    found = lease(granted, returned, spent, reserved)
    assert found.headroom >= 0
    assert found.overdraft >= 0
    assert found.headroom - found.overdraft == granted - returned - spent - reserved


@pytest.mark.parametrize(
    ("window_ends", "now", "over"),
    [(None, 10**15, False), (100, 99, False), (100, 100, True), (100, 101, True)],
)
def test_a_window_is_over_at_its_end(window_ends: int | None, now: int, over: bool) -> None:
    assert lease(window_ends=window_ends).window_over_at(BootMs(now)) is over
