"""The till never lets spent plus held exceed the cap."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farebox.core.money import Nanos
from farebox.launch.till import CapReachedError, Till


def test_a_hold_that_does_not_fit_is_refused_and_says_the_figures() -> None:
    till = Till(Nanos(2_000_000_000), spent=Nanos(1_500_000_000))
    till.hold(Nanos(300_000_000))
    with pytest.raises(CapReachedError, match=r"\$2\.0000 .* \$1\.5000 spent, \$0\.3000 held"):
        till.hold(Nanos(300_000_000))
    till.settle(Nanos(300_000_000), Nanos(0))
    till.hold(Nanos(500_000_000))
    assert (till.spent, till.held) == (1_500_000_000, 500_000_000)


@given(st.lists(st.tuples(st.integers(0, 100), st.integers(0, 100), st.booleans()), max_size=50))
def test_the_cap_holds_whatever_is_held_and_settled(steps: list[tuple[int, int, bool]]) -> None:
    till, open_holds = Till(Nanos(500)), []
    for worst, cost, at_once in steps:
        try:
            till.hold(Nanos(worst))
        except CapReachedError:
            assert till.spent + till.held + worst > 500
        else:
            open_holds.append((worst, min(cost, worst)))
        if at_once and open_holds:
            held, paid = open_holds.pop()
            till.settle(Nanos(held), Nanos(paid))
        assert till.spent + till.held <= till.cap
    assert till.held == sum(held for held, _ in open_holds)
