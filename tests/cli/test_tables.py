"""Tables: what a person reads."""

import io

import pytest
from rich.console import Console
from rich.table import Table

from farebox.cli.calls import Ending
from farebox.cli.reports import CapLine, ModelLine, TaskLine, Totals, UnservedLine
from farebox.cli.tables import (
    caps_table,
    dollars,
    models_table,
    sheet,
    tasks_table,
    totals_table,
    unserved_table,
)
from farebox.core.money import Nanos, parse_dollars


def shown(table: Table) -> str:
    paper = io.StringIO()
    Console(file=paper, width=120).print(table)
    return paper.getvalue()


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        (0, "$0.000000"),
        (1_234_567_890, "$1.234567"),
        (999, "$0.000000"),
        (-5_000_000, "-$0.005000"),
    ],
)
def test_amounts_have_six_places(amount: int, text: str) -> None:
    assert dollars(Nanos(amount)) == text


def test_keys_in_brackets_are_no_markup() -> None:
    assert "default/user [red]" in shown(sheet("T", ("pool", ">n"), [("default/user [red]", 1)]))


def test_tasks_end_with_a_line_for_all() -> None:
    line = TaskLine(task="code", calls=3, served=1, lowered=1, downgraded=0, refused=1, failed=1)
    text = shown(tasks_table([line, line]))
    assert "all        6        2         2            0         2        2" in text


def test_the_other_tables_show_their_figures() -> None:
    model = ModelLine(
        tier="top",
        model="o1",
        served=1,
        billed_calls=2,
        input_tokens=30,
        output_tokens=40,
        billed=parse_dollars("0.5"),
    )
    assert "$0.500000" in shown(models_table([model]))
    missing = UnservedLine(
        ending=Ending.FAILED, reason="E", status=0, pool="", calls=3, advice="Wait."
    )
    assert "Wait." in shown(unserved_table([missing]))
    money = Totals(
        attempts=1,
        held=parse_dollars("3"),
        settled=parse_dollars("1"),
        billed_calls=1,
        billed=parse_dollars("1.1"),
        on_frontier=parse_dollars("2.2"),
    )
    text = shown(totals_table(money, counted=parse_dollars("1.2")))
    for amount in ("$3.000000", "$1.000000", "$1.200000", "$1.100000", "$2.200000", "about 50 %"):
        assert amount in text


def test_a_broken_cap_is_shouted() -> None:
    caps = [
        CapLine(pool="a", key="", limit=parse_dollars("1"), billed=parse_dollars("0.5")),
        CapLine(pool="b", key="k", limit=parse_dollars("1"), billed=parse_dollars("1.5")),
    ]
    lines = shown(caps_table(caps)).splitlines()
    assert any("50 %" in line and "kept" in line for line in lines)
    assert any("b [k]" in line and "BROKEN" in line for line in lines)
