"""Figures on paper: tables for a terminal.

The one rule: money is shown in dollars with enough places that no two different amounts look alike
at the scale of a call. This module must not know how a figure came about.
"""

import os
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final

from farebox.cli.reports import CapLine, ModelLine, TaskLine, Totals, UnservedLine
from farebox.core.money import Nanos, format_dollars

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

DECIMALS: Final = 6
PLAIN_WIDTH: Final = 120
"""Columns where there is no terminal to ask: logs of CI, files."""


def make_console() -> "Console":
    """Standard output, as wide as its terminal."""
    from rich.console import Console

    console = Console(highlight=False)
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = PLAIN_WIDTH
    return console


def dollars(amount: Nanos, decimals: int = DECIMALS) -> str:
    """An amount for people, cut towards zero."""
    sign = "-" if amount < 0 else ""
    return f"{sign}${format_dollars(Nanos(abs(amount)), decimals)}"


def sheet(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> "Table":
    """A table; a column whose name begins with ">" is aligned to the right."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for name in columns:
        right = name.startswith(">")
        table.add_column(
            name.lstrip(">"),
            justify="right" if right else "left",
            no_wrap=right,
            overflow="fold",
        )
    for row in rows:
        # As text, because a pool's [key] would be taken for markup.
        table.add_row(*(Text(str(cell)) for cell in row))
    return table


def tasks_table(lines: Sequence[TaskLine]) -> "Table":
    """Calls by task, with a last line for all of them."""
    columns = (">calls", ">served", ">lowered", ">downgraded", ">refused", ">failed")
    rows = [
        (line.task, line.calls, line.served, line.lowered, line.downgraded, line.refused,
         line.failed)
        for line in lines
    ]  # fmt: skip
    sums = [sum(int(row[at]) for row in rows) for at in range(1, 7)]
    return sheet("Calls by task", ("task", *columns), [*rows, ("all", *sums)])


def models_table(lines: Iterable[ModelLine]) -> "Table":
    return sheet(
        "Who served: callers' view and the provider's bill",
        ("tier", "model", ">served", ">billed calls", ">tokens in", ">tokens out", ">bill"),
        [
            (
                line.tier,
                line.model,
                line.served,
                line.billed_calls,
                line.input_tokens,
                line.output_tokens,
                dollars(line.billed),
            )
            for line in lines
        ],
    )


def unserved_table(lines: Iterable[UnservedLine]) -> "Table":
    return sheet(
        "Refused or failed, and why",
        ("", "reason", ">status", "pool", ">calls", "what to do"),
        [
            (line.ending, line.reason, line.status or "-", line.pool, line.calls, line.advice)
            for line in lines
        ],
    )


def totals_table(totals: Totals, *, counted: Nanos) -> "Table":
    """The money of a run, from what was held to what was saved.

    `counted` is what the controller took for spent in the pool that every call draws on.
    """
    return sheet(
        "Money",
        ("", ">dollars", "says"),
        [
            ("held before calls", dollars(totals.held), "sidecars' receipts"),
            ("settled after them", dollars(totals.settled), "receipts; a kill loses the last ones"),
            ("counted as spent", dollars(counted), "the controller, unknown outcomes in full"),
            ("billed", dollars(totals.billed), "the provider's own ledger"),
            ("on the frontier", dollars(totals.on_frontier), "the ledger's tokens, an estimate"),
            ("saved", dollars(totals.saved), f"about {totals.saved_percent} %, an estimate"),
        ],
    )


def caps_table(lines: Iterable[CapLine]) -> "Table":
    return sheet(
        "The provider's bill against every cap",
        ("pool [key]", ">limit", ">settled", ">billed", ">used", ""),
        [
            (
                line.title,
                dollars(line.limit),
                "-" if line.settled is None else dollars(line.settled),
                dollars(line.billed),
                f"{line.percent} %",
                "kept" if line.kept else "BROKEN",
            )
            for line in lines
        ],
    )
