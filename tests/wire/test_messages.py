"""The messages are plain values: equal by what they say, unchangeable, silent about the rest."""

from dataclasses import FrozenInstanceError

import pytest

from farebox.core.budgets import Charge, PoolUid
from farebox.core.leases import LeaseId
from farebox.core.money import ZERO
from farebox.wire.messages import Counters, Goodbye, JournalState, Workload

LEASE = LeaseId(Charge(PoolUid("default/team"), ""), 0)


def test_counters_of_a_new_lease_are_all_nothing() -> None:
    new = Counters(lease=LEASE)
    assert (new.granted, new.returned, new.spent, new.reserved) == (ZERO,) * 4
    assert not new.finished


def test_messages_are_equal_by_what_they_say() -> None:
    assert Goodbye(leases=(Counters(lease=LEASE),)) == Goodbye(leases=(Counters(lease=LEASE),))
    assert Workload(namespace="default", name="a") != Workload(namespace="default", name="b")


def test_a_message_is_not_changed_after_it_was_made() -> None:
    said = Goodbye()
    with pytest.raises(FrozenInstanceError):
        said.leases = (Counters(lease=LEASE),)  # type: ignore[misc]  # the point of the test


def test_a_journal_is_kept_new_or_lost_and_nothing_else() -> None:
    assert [state.value for state in JournalState] == ["ok", "new", "lost"]
