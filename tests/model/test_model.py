"""A small world has no unsound state, and an unsound product is found with a shortest script."""

import pytest

from farebox.core.leases import Lease
from farebox.core.ledger import Returned
from farebox.core.money import Nanos
from sidecar.purse import Purse
from tests.model.explore import explore
from tests.model.worlds import QUICK, WORLDS


def test_a_small_world_is_sound_in_every_state() -> None:
    explored = explore(QUICK)
    assert explored.script == ()
    assert explored.complete
    assert explored.states > 10_000
    assert explored.replayed > 100


def test_a_return_that_is_not_in_the_journal_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def give_back(self: Purse, lease_id: object, *, keep: Nanos) -> bool:
        lease = next(one for one in self.leases() if one.id == lease_id)
        if lease.headroom <= keep:
            return False
        self._apply(Returned(lease=lease.id, returned=Nanos(lease.returned + lease.headroom)))
        return True

    monkeypatch.setattr(Purse, "give_back", give_back)
    explored = explore(QUICK)
    assert not explored.complete
    assert "a: connect" in explored.script
    assert explored.script[-1].startswith("the journal of ")


def test_a_hold_of_money_that_is_not_there_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def headroom(self: Lease) -> Nanos:
        return Nanos(max(0, self.granted - self.returned - self.spent))

    # What is held already is forgotten when a holder is asked to give back.
    monkeypatch.setattr(Lease, "headroom", property(headroom))
    explored = explore(QUICK)
    assert explored.script[-1].startswith("I2: ")


def test_worlds_have_names_of_their_own_and_say_their_bounds() -> None:
    assert len({world.name for world in WORLDS}) == len(WORLDS)
    assert "messages under way" in QUICK.told()
