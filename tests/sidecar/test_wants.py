"""What is asked for, by who waits and what is free."""

import pytest

from farebox.core.instant import DurationMs
from farebox.core.money import Nanos
from farebox.wire.messages import Want
from sidecar.demand import FIRST_CALLS, Demand
from sidecar.wants import Waiting, want_of
from tests.support.money import ORG

SECOND = DurationMs(1_000)
BUSY = Demand(rate=Nanos(100))
"""Its free money goes down by 100 n$ in a second."""


def call(need: int, least: int) -> Waiting:
    return Waiting(need=Nanos(need), least=Nanos(least))


@pytest.mark.parametrize(
    ("case", "calls", "free", "demand", "asked"),
    [
        ("nobody waits and there is enough", (), 100, BUSY, None),
        ("nobody waits, some is lacking for later", (), 30, BUSY, (70, 0, 0)),
        ("nobody waits and nothing is known", (), None, None, None),
        ("one waits, and others will", (call(50, 20),), 10, BUSY, (140, 40, 10)),
        ("two wait: the first is needed", (call(50, 20), call(60, 8)), 0, BUSY, (210, 50, 8)),
        ("a smaller form of it fits already", (call(50, 5),), 10, BUSY, (140, 40, 1)),
        ("the whole of it does", (call(50, 20),), 50, BUSY, None),
        ("without a lease even nothing is asked for", (call(0, 0),), None, BUSY, (100, 1, 1)),
        (
            "the first call asks for those after it",
            (call(5, 5),),
            None,
            None,
            (5 + 5 * FIRST_CALLS, 5, 5),
        ),
    ],
)
def test_a_want(
    case: str,
    calls: tuple[Waiting, ...],
    free: int | None,
    demand: Demand | None,
    asked: tuple[int, int, int] | None,
) -> None:
    headroom = None if free is None else Nanos(free)
    want = want_of(ORG, calls, headroom, demand, SECOND)
    if asked is None:
        assert want is None, case
        return
    amounts = map(Nanos, asked)
    wanted, need, least = amounts
    assert want == Want(charge=ORG, want=wanted, need=need, least=least), case
