"""Who gets money next when calls wait for it."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from farebox.core.instant import BootMs
from farebox.core.money import Nanos
from sidecar import waiting_line
from sidecar.waiting_line import AGED_MS, Ticket, WaitingLine, WaitingLines
from tests.support.money import ORG, TEAM

NOW = BootMs(0)


def line_of(*calls: tuple[str, int] | tuple[str, int, int]) -> WaitingLine:
    """A line of calls: key, amount and rank (0), numbered in the order they came."""
    line = WaitingLine()
    for number, (key, amount, *rank) in enumerate(calls):
        line.join(
            Ticket(number=number, key=key, rank=(*rank, 0)[0], amount=Nanos(amount), since=NOW)
        )
    return line


def order(line: WaitingLine, now: BootMs = NOW) -> list[int]:
    """The numbers in the order in which they are served."""
    served = []
    while (head := line.head(now)) is not None:
        served.append(head.number)
        line.leave(head.number, served=True)
    return served


@pytest.mark.parametrize(
    ("case", "calls", "expected"),
    [
        ("nobody waits", [], []),
        ("one caller is served in its order", [("ana", 5), ("ana", 9), ("ana", 1)], [0, 1, 2]),
        (
            "callers take turns",
            [("ana", 5), ("ana", 5), ("ana", 5), ("ben", 5), ("cem", 5)],
            [0, 3, 4, 1, 2],
        ),
        (
            "in each turn everybody gets the same money, not the same number of calls",
            [("ana", 90), ("ana", 90), ("ben", 30), ("ben", 30), ("ben", 30), ("ben", 30)],
            [0, 2, 3, 4, 1, 5],
        ),
        (
            "what is urgent goes first",
            [("ana", 5, 1), ("ben", 5, 1), ("cem", 5, 0), ("cem", 5, 0)],
            [2, 3, 0, 1],
        ),
        ("calls that cost nothing wait their turn too", [("ana", 0), ("ana", 0), ("ben", 0)], None),
    ],
)
def test_the_order(case: str, calls: list[tuple[str, int]], expected: list[int] | None) -> None:
    served = order(line_of(*calls))
    if expected is None:
        assert sorted(served) == list(range(len(calls))), case
    else:
        assert served == expected, case


def test_who_has_waited_long_is_next_whatever_its_rank() -> None:
    line = WaitingLine()
    line.join(Ticket(number=1, key="ana", rank=5, amount=Nanos(1_000), since=NOW))
    late = BootMs(AGED_MS)
    for number in range(2, 9):
        line.join(Ticket(number=number, key="ben", rank=0, amount=Nanos(1), since=late))
    assert order(line, late)[0] == 1


def test_a_large_call_at_the_head_is_not_overtaken() -> None:
    line = line_of(("ana", 1_000))
    assert line.head(NOW) is not None
    for number in range(1, 5):
        line.join(Ticket(number=number, key="ben", rank=0, amount=Nanos(1), since=NOW))
    assert order(line)[0] == 0


def test_who_is_interrupted_by_urgent_calls_gets_no_more_than_its_turn() -> None:
    line = line_of(*[("ana", 10, 1)] * 40, ("ben", 100, 1))
    served = []
    for number in range(100, 125):
        head = line.head(NOW)
        assert head is not None
        served.append(head.key)
        line.leave(head.number, served=True)
        line.join(Ticket(number=number, key="urgent", rank=0, amount=Nanos(1), since=NOW))
        urgent = line.head(NOW)
        assert urgent is not None
        assert urgent.number == number
        line.leave(number, served=True)
    assert served.index("ben") == 10


def test_who_leaves_makes_room_for_the_next() -> None:
    line = line_of(("ana", 5), ("ben", 5))
    head = line.head(NOW)
    assert head is not None
    line.leave(head.number, served=False)
    line.leave(head.number, served=False)
    assert order(line) == [1 - head.number]


def test_both_bounds_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting_line, "DEFERRED_MAX", 4)
    monkeypatch.setattr(waiting_line, "DEFERRED_PER_KEY_MAX", 2)
    lines = WaitingLines()

    def joins(number: int, key: str, charge: object = ORG) -> bool:
        ticket = Ticket(number=number, key=key, rank=0, amount=Nanos(1), since=NOW)
        return lines.join(TEAM if charge is TEAM else ORG, ticket)

    assert [joins(1, "ana"), joins(2, "ana"), joins(3, "ana")] == [True, True, False]
    assert [joins(4, "ana", TEAM), joins(5, "ben"), joins(6, "cem")] == [True, True, False]
    lines.leave(TEAM, 4, served=False)
    assert not lines.any_of((TEAM,))
    assert joins(7, "cem")
    assert len(lines) == 4


class Fairness(RuleBasedStateMachine):
    """Calls come, are served and go away; what each key got is counted apart."""

    def __init__(self) -> None:
        super().__init__()
        self.line = WaitingLine()
        self.waiting: dict[int, Ticket] = {}
        self.number = 0
        self.now = NOW

    @rule(key=st.sampled_from("abc"), amount=st.integers(0, 50), rank=st.integers(0, 1))
    def a_call_comes(self, key: str, amount: int, rank: int) -> None:
        self.number += 1
        ticket = Ticket(
            number=self.number, key=key, rank=rank, amount=Nanos(amount), since=self.now
        )
        self.waiting[ticket.number] = ticket
        self.line.join(ticket)

    @rule(by=st.integers(0, AGED_MS // 3))
    def time_passes(self, by: int) -> None:
        self.now = BootMs(self.now + by)

    @precondition(lambda self: self.waiting)
    @rule()
    def the_head_is_served(self) -> None:
        head = self.line.head(self.now)
        assert head is not None
        assert self.waiting.pop(head.number) == head
        self.line.leave(head.number, served=True)

    @precondition(lambda self: self.waiting)
    @rule(data=st.data())
    def somebody_goes_away(self, data: st.DataObject) -> None:
        number = data.draw(st.sampled_from(sorted(self.waiting)))
        del self.waiting[number]
        self.line.leave(number, served=False)

    @invariant()
    def all_who_wait_are_in_the_line(self) -> None:
        assert len(self.line) == len(self.waiting)
        head = self.line.head(self.now)
        assert (head is None) == (not self.waiting)
        for key in "abc":
            assert self.line.of_key(key) == sum(t.key == key for t in self.waiting.values())

    @invariant()
    def nothing_is_saved_up_without_end(self) -> None:
        assert all(deficit <= 100 for deficit in self.line._deficits.values())


Fairness.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestFairness = Fairness.TestCase
