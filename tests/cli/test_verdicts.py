"""The verdict of a run and its exit status."""

import pytest

from farebox.cli.reports import CapLine, TaskLine, Totals
from farebox.cli.verdicts import CAP_BROKEN, ELSE_BROKEN, HELD, verdict
from farebox.core.money import Nanos, parse_dollars


def cap(limit: str, billed: str, *, committed: str | None = None, key: str = "") -> CapLine:
    counted = None if committed is None else parse_dollars(committed)
    return CapLine(
        pool="default/acme",
        key=key,
        limit=parse_dollars(limit),
        billed=parse_dollars(billed),
        settled=counted,
        committed=counted,
    )


def tasks(*, served: int, refused: int = 0, failed: int = 0) -> list[TaskLine]:
    line = TaskLine(
        task="code",
        calls=served + refused + failed,
        served=served,
        lowered=0,
        downgraded=0,
        refused=refused,
        failed=failed,
    )
    return [line]


def money(*, calls: int = 10) -> Totals:
    return Totals(
        attempts=calls,
        held=Nanos(9),
        settled=Nanos(5),
        billed_calls=calls,
        billed=parse_dollars("0.40"),
        on_frontier=parse_dollars("1.00"),
    )


def test_a_cap_that_held_is_said_with_what_was_served_and_saved() -> None:
    found = verdict([cap("1", "0.4", committed="0.4")], money(), tasks(served=8, refused=2))
    assert found.status == HELD
    assert found.line == (
        "CAP HELD: billed $0.4000, no pool above its limit (tightest: default/acme, 40 % of "
        "$1.00); 8 of 10 calls served, 2 refused, 0 lost to kills and faults; about 60 % saved "
        "against everything on the frontier."
    )


def test_a_broken_cap_outweighs_everything_and_the_worst_is_named() -> None:
    caps = [cap("1", "1.000000001"), cap("0.10", "0.30", key="ana"), cap("5", "0.1")]
    found = verdict(caps, money(calls=0), tasks(served=0, failed=9))
    assert found.status == CAP_BROKEN
    assert "billed $0.300000000 against the $0.10 of default/acme [ana]" in found.line


@pytest.mark.parametrize(
    ("caps", "calls", "lines", "complaint"),
    [
        ([], 10, tasks(served=10), "no pool caps these calls"),
        ([cap("1", "0.4")], 10, tasks(served=0, refused=9), "no call was served"),
        ([cap("1", "0")], 0, tasks(served=9), "no call was served"),
        ([cap("1", "0.4")], 10, tasks(served=80, failed=20), "20 of 100 calls failed"),
        (
            [cap("1", "0.4", committed="0.399999999")],
            10,
            tasks(served=10),
            "counts less for default/acme",
        ),
    ],
)
def test_what_else_can_be_wrong(
    caps: list[CapLine], calls: int, lines: list[TaskLine], complaint: str
) -> None:
    found = verdict(caps, money(calls=calls), lines)
    assert found.status == ELSE_BROKEN
    assert complaint in found.line


def test_calls_of_a_killed_process_are_excused() -> None:
    lines = tasks(served=80, failed=20)
    assert verdict([cap("1", "0.4")], money(), lines, excused=10).status == HELD
    assert verdict([cap("1", "0.4")], money(), lines, excused=9).status == ELSE_BROKEN
