"""What counts as a false denial."""

import pytest

from bench.leases_tally import Tally
from farebox.core.money import Nanos


def test_a_refusal_is_false_while_the_money_lies_idle_somewhere() -> None:
    tally = Tally(limit=Nanos(100))
    tally.hold(Nanos(60))
    tally.refuse(Nanos(41))
    assert (tally.refused, tally.refused_falsely, tally.used_at_first) == (1, 0, None)
    tally.settle(Nanos(60), Nanos(20))
    tally.refuse(Nanos(41))
    assert (tally.refused, tally.refused_falsely, tally.used_at_first) == (2, 1, 20)
    tally.hold(Nanos(30))
    tally.refuse(Nanos(41))
    assert (tally.refused_falsely, tally.used_at_first) == (2, 20)


def test_what_a_crash_took_is_not_there_for_anybody() -> None:
    tally = Tally(limit=Nanos(100))
    tally.lose(Nanos(60))
    tally.refuse(Nanos(41))
    assert tally.refused_falsely == 0
    tally.hold(Nanos(40))
    assert tally.spent_out


def test_lending_more_than_there_is_ends_the_run() -> None:
    with pytest.raises(AssertionError, match="more than there is"):
        Tally(limit=Nanos(100)).hold(Nanos(101))
