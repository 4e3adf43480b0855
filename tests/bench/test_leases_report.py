"""Lines from tallies."""

from collections import Counter

from bench import leases_report
from bench.leases_load import Load
from bench.leases_report import Line
from bench.leases_tally import Tally
from farebox.core.money import NANOS_PER_DOLLAR, Nanos

LIMIT = Nanos(100 * NANOS_PER_DOLLAR)
LOAD = Load(sidecars=200, limit=LIMIT, horizon_ms=1)


def tally(*, messages: int, first: int | None = None) -> Tally:
    return Tally(
        limit=LIMIT,
        calls=1_000,
        asks=5,
        refused=4,
        refused_falsely=2,
        used_at_first=None if first is None else Nanos(first * NANOS_PER_DOLLAR),
        messages=Counter(Report=messages),
        crashes=2,
        stranded=Nanos(NANOS_PER_DOLLAR),
    )


def test_a_line_is_the_mean_of_its_seeds_and_the_worst_first_denial() -> None:
    one = Line(policy="x", tallies=(tally(messages=10, first=99), tally(messages=30, first=97)))
    assert one.messages_per_call == 0.02
    assert one.first_percent == 97
    cells = leases_report.line(one).split()
    assert cells == ["x", "1000", "0.0050", "0.0200", "4", "2", "97.0", "%"]


def test_a_heading_says_what_was_run() -> None:
    assert leases_report.heading(LOAD)[1] == (
        "200 sidecars, $100, calls of $0.005, 120 a minute each (means)"
    )


def test_both_bounds_must_hold() -> None:
    assert Line(policy="x", tallies=(tally(messages=30),)).holds
    assert Line(policy="x", tallies=(tally(messages=30, first=98),)).holds
    assert not Line(policy="x", tallies=(tally(messages=31),)).holds
    late = Line(policy="x", tallies=(tally(messages=30, first=97),))
    assert not late.holds
    assert "BROKEN by default settings (seeds 11, 12)" in leases_report.verdict(late, range(11, 13))


def test_crashes_are_shown_by_what_each_costs() -> None:
    shown = leases_report.crash_line(Line(policy="x", tallies=(tally(messages=1),)))
    assert shown.split() == ["x", "2", "$0.500", "60.00", "%"]
    assert "lost of 120" in leases_report.crash_heading(LOAD)[-1]
