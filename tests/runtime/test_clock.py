"""The machine's clocks, and the manual one of the tests."""

from farebox.runtime.clock import Clock, SystemClock
from tests.support.clocks import ManualClock


def test_both_clocks_of_the_machine_go_forwards() -> None:
    clock: Clock = SystemClock()

    earlier = clock.utc(), clock.boot()
    later = clock.utc(), clock.boot()

    assert later >= earlier
    assert earlier[0] > 1_700_000_000_000, "UTC milliseconds of this century"


def test_a_manual_clock_moves_only_when_it_is_told_to() -> None:
    clock = ManualClock(utc=5_000, boot=1_000)

    clock.advance(250)
    assert (clock.utc(), clock.boot()) == (5_250, 1_250)

    clock.jump_utc(-5_000)
    assert (clock.utc(), clock.boot()) == (250, 1_250), "a wall clock may jump, the other may not"
