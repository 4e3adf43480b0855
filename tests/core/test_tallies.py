"""Tallies: sums and differences of counters that only grow."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farebox.core.gates import GateKind
from farebox.core.tallies import (
    BINS,
    EMPTY,
    Checks,
    ServedBy,
    Service,
    Tally,
    added,
    bin_of,
    grown,
)

counts = st.integers(0, 1_000)
bys = st.builds(ServedBy, st.sampled_from(["small", "mid"]), st.sampled_from(["a", "b"]))
positive = st.integers(1, 1_000)
tallies = st.builds(
    Tally,
    calls=counts,
    refused=counts,
    gated=counts,
    escalated=counts,
    unmended=counts,
    unsure=counts,
    difficulties=st.tuples(*[counts] * BINS),
    services=st.dictionaries(bys, st.builds(Service, positive, counts, counts, counts)),
    gates=st.dictionaries(st.sampled_from(GateKind), st.builds(Checks, positive, counts, counts)),
)


@given(tallies, tallies)
def test_what_was_added_is_what_has_grown(one: Tally, other: Tally) -> None:
    both = added(one, other)
    assert both == added(other, one)
    assert grown(both, one) == other
    assert both.cost == one.cost + other.cost


@given(tallies)
def test_nothing_changes_nothing(one: Tally) -> None:
    assert added(one, EMPTY) == one
    assert grown(one, EMPTY) == one
    assert grown(one, one) == EMPTY


@given(tallies, tallies)
def test_an_older_tally_is_less_than_nothing_new(one: Tally, other: Tally) -> None:
    assert grown(one, added(one, other)) == EMPTY


@pytest.mark.parametrize(
    ("difficulty", "expected"), [(0, 0), (99, 0), (100, 1), (500, 5), (999, 9), (1_000, 9)]
)
def test_difficulties_fall_into_ten_bins(difficulty: int, expected: int) -> None:
    assert bin_of(difficulty) == expected


def test_gates_of_a_kind_that_never_ran_have_checked_nothing() -> None:
    assert EMPTY.checks(GateKind.JSON_SCHEMA) == Checks(0, 0, 0)
