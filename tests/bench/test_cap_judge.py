"""The judge can fail: every bound that a run may break is broken here once, and seen."""

import ast
from pathlib import Path

import pytest

from bench import cap_judge
from bench.cap_judge import Account, Line, window_start_ms
from tests.support.bills import billed, pool

ORG = Account("org", "", 0)


def line(limit: int, settled: int, *, held: int = 0, leased: int = 0, gone: int = 0) -> Line:
    """What the controller says; `gone`: headroom that is missing for no reason."""
    return Line(
        limit_nanos=limit,
        settled_nanos=settled,
        held_nanos=held,
        leased_nanos=leased,
        headroom_nanos=limit - settled - held - leased - gone,
    )


def test_a_bill_at_the_limit_is_kept_and_one_pico_dollar_more_is_overspent() -> None:
    at_limit = cap_judge.bills([pool("org", 100)], [billed(60), billed(40)])
    assert at_limit[ORG].share == 1.0
    assert not cap_judge.overspent(at_limit)
    beyond = cap_judge.bills([pool("org", 100)], [billed(60), billed(40, pico=1)])
    (finding,) = cap_judge.overspent(beyond)
    assert finding.breach is cap_judge.Breach.OVERSPENT
    assert "pool org" in finding.sentence


def test_every_user_has_a_limit_of_its_own_and_the_shared_pool_has_one_for_all() -> None:
    pools = [pool("org", 150), pool("people", 100, per_user=True)]
    entries = [billed(90, user="ana"), billed(80, user="ben"), billed(20, user="ana")]
    found = cap_judge.bills(pools, entries)
    assert found[Account("people", "ben", 0)].share == 0.8
    assert [one.sentence.split(" was")[0] for one in cap_judge.overspent(found)] == [
        "pool org",
        "pool people[ana]",
    ]


def test_what_straddles_two_windows_counts_where_it_was_received() -> None:
    """Held just before a window ends, received just after: the new window has a call too many."""
    pools = [pool("org", 100, period_ms=6_000)]
    kept = [billed(100, at_ms=11_999), billed(100, at_ms=12_000)]
    assert not cap_judge.overspent(cap_judge.bills(pools, kept))
    straddling = [billed(10, at_ms=12_003), billed(100, at_ms=17_999)]
    found = cap_judge.bills(pools, straddling)
    assert found[Account("org", "", 12_000)].late_pico == 10_000
    (finding,) = cap_judge.overspent(found)
    assert "in the window of 12000" in finding.sentence
    assert "$0.000000 of it" in finding.sentence


@pytest.mark.parametrize(
    ("instant_ms", "period_ms", "want"),
    [
        (0, 7_000, 0),
        (6_999, 7_000, 0),
        (7_000, 7_000, 7_000),
        (1_795_392_749_039, 15_000, 1_795_392_735_000),
        (1_795_392_749_039, None, 0),
    ],
)
def test_windows_follow_each_other_from_1970_on(
    instant_ms: int, period_ms: int | None, want: int
) -> None:
    assert window_start_ms(instant_ms, period_ms) == want


def test_the_judge_uses_nothing_of_what_it_judges() -> None:
    tree = ast.parse(Path(cap_judge.__file__).read_text())
    imported = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    ours = {name for name in imported if name and name.startswith(("farebox", "sidecar", "contr"))}
    assert ours == {"farebox.simulated.ledger"}


def test_money_that_is_billed_but_not_settled_is_under_counted() -> None:
    found = cap_judge.bills([pool("org", 100)], [billed(50)])
    assert not cap_judge.undercounted(found, {ORG: line(100, 50)})
    (finding,) = cap_judge.undercounted(found, {ORG: line(100, 49)})
    assert finding.breach is cap_judge.Breach.UNDERCOUNTED
    assert cap_judge.undercounted(found, {}), "an account that the controller does not know"


def test_a_call_settled_in_the_window_before_is_not_under_counted() -> None:
    found = cap_judge.bills([pool("org", 100, period_ms=6_000)], [billed(50, at_ms=12_001)])
    lines = {Account("org", "", 6_000): line(100, 50), Account("org", "", 12_000): line(100, 0)}
    assert not cap_judge.undercounted(found, lines)
    assert cap_judge.late_pico(found, lines) == 50_000
    settled_there = {Account("org", "", 12_000): line(100, 50)}
    assert cap_judge.late_pico(found, settled_there) == 0


@pytest.mark.parametrize(
    ("state", "is_stranded"),
    [
        (line(100, 40), False),
        (line(100, 40, held=1), True),
        (line(100, 40, leased=1), True),
        (line(100, 40, gone=1), True),
        (line(100, 120, gone=-20), False),
    ],
    ids=["all home", "held", "leased", "vanished", "over-counted"],
)
def test_money_that_stays_out_is_stranded(state: Line, is_stranded: bool) -> None:
    assert bool(cap_judge.stranded({ORG: state})) is is_stranded


def test_a_pool_that_refuses_for_good_below_nine_tenths_is_unspent() -> None:
    found = cap_judge.bills([pool("org", 100)], [billed(90)])
    assert not cap_judge.unspent(found, [ORG])
    (finding,) = cap_judge.unspent(found, [ORG, Account("team", "", 0)])
    assert finding.sentence.startswith("pool team refused for good with only 0.0%")


@pytest.mark.parametrize(
    ("dollars", "want"),
    [("0.000000001", 1), ("12", 12_000_000_000), ("-0.5", -500_000_000), ("0.25", 250_000_000)],
)
def test_dollars_are_read_exactly(dollars: str, want: int) -> None:
    assert cap_judge.nanos(dollars) == want


def test_finer_dollars_are_refused() -> None:
    with pytest.raises(ValueError, match="more than nine decimals"):
        cap_judge.nanos("0.0000000001")
