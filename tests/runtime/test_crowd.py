"""Who makes room when there are too many."""

import pytest

from farebox.runtime.crowd import Crowd


def crowd_of(*guests: str, guests_max: int = 4) -> Crowd[str]:
    """Guests are called by their address and a number: "a1"."""
    crowd: Crowd[str] = Crowd(guests_max=guests_max)
    for guest in guests:
        assert crowd.join(guest, guest[0]) is None
    return crowd


@pytest.mark.parametrize(
    ("there", "newcomer", "out"),
    [
        ([], "a1", None),
        (["a1", "a2", "a3"], "a4", None),
        (["a1", "a2", "a3", "a4"], "a5", "a1"),
        (["a1", "a2", "a3", "a4"], "b1", "a1"),
        (["a1", "a2", "a3", "b1"], "b2", "a1"),
        (["b1", "a1", "a2", "b2"], "b3", "b1"),
        (["b1", "b2", "b3", "a1"], "a2", "b1"),
        (["a1", "b1", "c1", "d1"], "e1", "a1"),
        (["a1", "b1", "c1", "d1"], "d2", "d1"),
    ],
    ids=[
        "nobody is there",
        "there is room",
        "all are its own",
        "somebody has all",
        "somebody has most",
        "it would have most itself",
        "it comes late",
        "each has one",
        "each has one, and it would have two",
    ],
)
def test_who_makes_room(there: list[str], newcomer: str, out: str | None) -> None:
    crowd = crowd_of(*there)
    assert crowd.join(newcomer, newcomer[0]) == out
    assert len(crowd) == min(len(there) + 1, 4)


def test_who_was_heard_of_late_stays() -> None:
    crowd = crowd_of("a1", "a2", "a3", "a4")
    crowd.heard("a1")
    assert [crowd.join(f"b{number}", "b") for number in (1, 2)] == ["a2", "a3"]


def test_who_has_left_is_gone() -> None:
    crowd = crowd_of("a1", "a2", "b1", "b2")
    for guest in ("a1", "a1", "b1"):
        crowd.leave(guest)
        crowd.heard(guest)
    assert len(crowd) == 2
    assert [crowd.join(f"c{number}", "c") for number in (1, 2, 3)] == [None, None, "c1"]


def test_one_address_never_takes_the_last_place_of_another() -> None:
    crowd = crowd_of("k1")
    for number in range(1_000):
        assert crowd.join(f"a{number}", "a") != "k1"
    assert len(crowd) == 4
